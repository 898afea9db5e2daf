"""Parameters that several algorithms have."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from bdgf_qgis import settings
from bdgf_qgis.translation import tr

PRESETS = ("quick", "standard", "paper")
MODEL_FILTER = "BDGF model (*.bdgf)"


def spectral() -> QgsProcessingParameterRasterLayer:
    return QgsProcessingParameterRasterLayer("SPECTRAL", tr("Spectral raster (hyperspectral or multispectral)"))


def second() -> QgsProcessingParameterRasterLayer:
    return QgsProcessingParameterRasterLayer("SECOND", tr("Second raster (SAR, LiDAR, thermal …)"), optional=True)


def bands(raster: str, description: str) -> QgsProcessingParameterBand:
    return QgsProcessingParameterBand(
        f"{raster}_BANDS", description, parentLayerParameterName=raster, optional=True, allowMultiple=True
    )


def choice(name: str, description: str, options: Sequence[str], default: str) -> QgsProcessingParameterEnum:
    """Values are words, in scripts as in models, and never depend on their order."""
    return QgsProcessingParameterEnum(name, description, list(options), defaultValue=default, usesStaticStrings=True)


def preset() -> QgsProcessingParameterEnum:
    return choice("PRESET", tr("Preset (quick: minutes on a laptop; paper: hours on a GPU)"), PRESETS, "quick")


def seed() -> QgsProcessingParameterNumber:
    return advanced(integer("SEED", tr("Random seed"), 0, maximum=2**31 - 1))


def device() -> QgsProcessingParameterString:
    return QgsProcessingParameterString(
        "DEVICE", tr("Device (auto, cpu, cuda, cuda:0 …)"), defaultValue=settings.device()
    )


def memory() -> QgsProcessingParameterNumber:
    return advanced(integer("MEMORY", tr("Memory limit in MB (empty: automatic)"), None, minimum=256))


def resume() -> QgsProcessingParameterBoolean:
    return advanced(
        QgsProcessingParameterBoolean("RESUME", tr("Go on where an interrupted run of the same job stood"), True)
    )


def accuracies() -> list[QgsProcessingOutputNumber]:
    return [
        QgsProcessingOutputNumber("OVERALL_ACCURACY", tr("Overall accuracy (0 to 1)")),
        QgsProcessingOutputNumber("AVERAGE_ACCURACY", tr("Average accuracy (0 to 1)")),
        QgsProcessingOutputNumber("KAPPA", tr("Kappa")),
    ]


def integer(
    name: str, description: str, default: Optional[int], *, minimum: int = 0, maximum: int = 10**9
) -> QgsProcessingParameterNumber:
    """A whole number; without a default it may be left out."""
    return QgsProcessingParameterNumber(
        name, description, QgsProcessingParameterNumber.Type.Integer, default, default is None, minimum, maximum
    )


def decimal(
    name: str, description: str, default: float, *, minimum: float, maximum: float
) -> QgsProcessingParameterNumber:
    number = QgsProcessingParameterNumber.Type.Double
    parameter = QgsProcessingParameterNumber(name, description, number, default, False, minimum, maximum)
    parameter.setMetadata({"widget_wrapper": {"decimals": 2}})
    return parameter


def advanced(parameter: QgsProcessingParameterDefinition) -> Any:
    parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
    return parameter
