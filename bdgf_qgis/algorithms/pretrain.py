"""Pretrain: a denoiser learns the scene, without labels."""

from __future__ import annotations

from qgis.core import QgsProcessingContext, QgsProcessingParameterFileDestination

from bdgf_qgis.translation import tr

from . import base
from .parameters import (
    MODEL_FILTER,
    bands,
    device,
    looks,
    memory,
    preset,
    resume,
    second,
    second_kind,
    seed,
    spectral,
    steps,
)


class PretrainAlgorithm(base.BdgfAlgorithm):
    verb = "pretrain"

    def displayName(self) -> str:
        return tr("1. Pretrain on the rasters")

    def tags(self) -> list[str]:
        return tr("diffusion,denoiser,self-supervised,unsupervised,sar,hyperspectral,fusion,features").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>A diffusion model learns what the scene looks like, without labels. This is the first of three "
            "steps: <i>pretrain</i>, <i>train</i>, <i>classify</i>. Do it once for a scene; the model file serves "
            "every classifier trained on the same sensors.</p>"
            "<p><b>Spectral raster</b>: the optical image. Its grid (coordinate reference system, pixel size, "
            "extent) is that of every result.</p>"
            "<p><b>Second raster</b>: SAR, LiDAR, thermal or any other raster of the same place; it is warped "
            "onto the spectral raster's grid. It may be left out.</p>"
            "<p><b>Values of the second raster</b>: <i>sar_linear</i> for intensity or power, "
            "<i>sar_amplitude</i>, <i>sar_db</i> for decibels (most values negative), <i>other</i> for a sensor "
            "without speckle.</p>"
            "<p><b>Bands</b>: leave empty to use all. Bands marked as bad and bands without data are always left "
            "out. The model stores the choice and applies it again in the later steps.</p>"
            "<p><b>Preset</b>: <i>quick</i> suits a laptop without a GPU (minutes), <i>standard</i> learns for "
            "longer, <i>paper</i> is the published setting and wants a GPU. The log says at the start what it "
            "will cost.</p>"
            "<p><b>Device</b>: <i>auto</i> takes a GPU where there is one; the log says which device and why.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            spectral(),
            bands("SPECTRAL", tr("Bands of the spectral raster (none chosen: all)")),
            second(),
            bands("SECOND", tr("Bands of the second raster (none chosen: all)")),
            second_kind(),
            preset(),
            seed(),
            device(),
            looks(),
            steps(),
            memory(),
            resume(),
            QgsProcessingParameterFileDestination("OUTPUT", tr("Pretrained model"), MODEL_FILTER),
        ):
            self.addParameter(parameter)

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        self.refuse_rasters(parameters, context)

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "spectral": self.raster(parameters, "SPECTRAL", context),
            "second": self.raster(parameters, "SECOND", context),
            "second_kind": self.parameterAsEnumString(parameters, "SECOND_KIND", context),
            "preset": self.parameterAsEnumString(parameters, "PRESET", context),
            "seed": self.parameterAsInt(parameters, "SEED", context),
            "device": self.parameterAsString(parameters, "DEVICE", context),
            "looks": self.parameterAsDouble(parameters, "LOOKS", context),
            "steps": self.optional_number(parameters, "STEPS", context),
            "memory_mb": self.memory_mb(parameters, context),
            "resume": self.parameterAsBool(parameters, "RESUME", context),
            "output": self.parameterAsFileOutput(parameters, "OUTPUT", context),
        }

    def outputs(self, result: base.Parameters) -> base.Parameters:
        return {"OUTPUT": result["output"]}
