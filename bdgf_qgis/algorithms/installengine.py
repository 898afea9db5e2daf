"""Install the engine: its packages into the user's profile, for QGIS's own Python."""

from __future__ import annotations

import os
import sys

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputFolder,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
)

from bdgf_qgis import interpreter
from bdgf_qgis.installing import builds, pip
from bdgf_qgis.installing.install import Request, install
from bdgf_qgis.translation import tr

from . import base
from .parameters import choice


class InstallEngineAlgorithm(base.BdgfAlgorithm):
    verb = "installengine"

    def displayName(self) -> str:
        return tr("Install the engine")

    def tags(self) -> list[str]:
        return tr("setup,install,torch,pytorch,pip,packages,dependencies,GPU,CUDA,offline,wheels,proxy").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Downloads what the engine needs (torch, einops, safetensors, scikit-learn) into your QGIS profile, "
            "once. QGIS's own Python, its numpy and GDAL stay as they are; nothing needs an administrator.</p>"
            "<p><b>Build</b>: <i>auto</i> takes the one for NVIDIA GPUs where a GPU and a driver that is new enough "
            "are found (a download of some 3 GB, 9 GB of disk), else the one for the processor (260 MB, 1.9 GB of "
            "disk).</p><p><b>Wheel folder</b>: without a network, a folder with the wheels, filled on another "
            "computer with <code>python -m pip download --only-binary=:all: --dest FOLDER torch==2.13.0 einops "
            "safetensors scikit-learn numpy==VERSION</code> by a Python of the same version and system, with the "
            "version of QGIS's numpy, which the environment report tells.</p>"
            "<p>QGIS's proxy settings are used. The packages are tested before they are taken into use, and the former "
            "ones are removed afterwards. Canceling leaves everything as it was.</p>"
            "<p>To use another Python instead, name it in <i>Settings ▸ Options ▸ Processing ▸ Providers ▸ "
            "BDGF</i>.</p>"
        ).replace("2.13.0", builds.torch_for(sys.version_info[:2]))

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        self.addParameter(choice("BUILD", tr("Build"), builds.WANTED, builds.AUTO))
        self.addParameter(
            QgsProcessingParameterFile(
                "WHEELS",
                tr("Wheel folder (empty: download)"),
                QgsProcessingParameterFile.Behavior.Folder,
                optional=True,
            )
        )
        self.addOutput(QgsProcessingOutputFolder("FOLDER", tr("Folder of the engine's packages")))
        self.addOutput(QgsProcessingOutputString("TORCH", tr("Version of torch")))

    def canExecute(self) -> tuple[bool, str]:
        return True, ""

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        wheels = self._wheels(parameters, context)
        if wheels and not any(name.endswith(".whl") for name in os.listdir(wheels)):
            raise QgsProcessingException(
                tr("The folder {folder} holds no wheels (files that end in .whl).", folder=wheels)
            )

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "build": self.parameterAsEnumString(parameters, "BUILD", context),
            "wheels": self._wheels(parameters, context),
            "proxy": pip.qgis_proxy(),
        }

    def processAlgorithm(
        self, parameters: base.Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> base.Parameters:
        installed = install(Request(**self._job), feedback)
        if interpreter.named():
            feedback.pushWarning(
                tr(
                    "The settings or BDGF_PYTHON name {path}, which runs the engine instead of what was installed now.",
                    path=interpreter.named(),
                )
            )
        return {"FOLDER": installed.folder, "TORCH": installed.torch}

    def _wheels(self, parameters: base.Parameters, context: QgsProcessingContext) -> str | None:
        path = self.parameterAsString(parameters, "WHEELS", context).strip()
        if path and not os.path.isdir(path):
            raise QgsProcessingException(tr("There is no wheel folder {folder}; choose another, or none.", folder=path))
        return os.path.abspath(path) if path else None
