"""Parameters that several algorithms have."""

from __future__ import annotations

from typing import Any, Optional, Sequence

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBand,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterEnum,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterDestination,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterString,
)

from bdgf_qgis import settings
from bdgf_qgis.translation import tr

SECOND_KINDS = ("sar_linear", "sar_amplitude", "sar_db", "other")
VALIDATIONS = ("polygon", "random", "none")
PRESETS = ("quick", "standard", "paper")
MODEL_FILTER = "BDGF model (*.bdgf)"


def spectral() -> QgsProcessingParameterRasterLayer:
    return QgsProcessingParameterRasterLayer("SPECTRAL", tr("Spectral raster (hyperspectral or multispectral)"))


def second() -> QgsProcessingParameterRasterLayer:
    return QgsProcessingParameterRasterLayer("SECOND", tr("Second raster (SAR, LiDAR, thermal …)"), optional=True)


def second_kind() -> QgsProcessingParameterEnum:
    description = tr("Values of the second raster (sar_db: decibels; other: no SAR)")
    return choice("SECOND_KIND", description, SECOND_KINDS, "sar_db")


def bands(raster: str, description: str) -> QgsProcessingParameterBand:
    return QgsProcessingParameterBand(
        f"{raster}_BANDS", description, parentLayerParameterName=raster, optional=True, allowMultiple=True
    )


def choice(name: str, description: str, options: Sequence[str], default: str) -> QgsProcessingParameterEnum:
    """Values are words, in scripts as in models, and never depend on their order."""
    return QgsProcessingParameterEnum(name, description, list(options), defaultValue=default, usesStaticStrings=True)


def labels(
    name: str = "LABELS", description: Optional[str] = None, *, optional: bool = False
) -> QgsProcessingParameterFeatureSource:
    geometries = [QgsProcessing.SourceType.TypeVectorPolygon, QgsProcessing.SourceType.TypeVectorPoint]
    description = description or tr("Training layer (polygons or points)")
    return QgsProcessingParameterFeatureSource(name, description, geometries, optional=optional)


def class_field(
    layer: str = "LABELS",
    *,
    description: Optional[str] = None,
    default: Optional[str] = None,
    optional: bool = False,
) -> QgsProcessingParameterField:
    return QgsProcessingParameterField(
        "CLASS_FIELD",
        description or tr("Class field"),
        defaultValue=default,
        parentLayerParameterName=layer,
        optional=optional,
    )


def samples_per_class() -> QgsProcessingParameterNumber:
    return integer("SAMPLES_PER_CLASS", tr("Training pixels for each class (0: all)"), 0)


def validation() -> QgsProcessingParameterEnum:
    return choice("VALIDATION", tr("Validation (polygon: whole polygons are kept apart)"), VALIDATIONS, "polygon")


def looks() -> QgsProcessingParameterNumber:
    return advanced(decimal("LOOKS", tr("Number of looks of the SAR raster"), 1.0, minimum=0.1, maximum=1000.0))


def steps() -> QgsProcessingParameterNumber:
    return advanced(integer("STEPS", tr("Training steps (empty: as the preset says)"), None, minimum=1))


def epochs() -> QgsProcessingParameterNumber:
    return advanced(integer("EPOCHS", tr("Epochs (empty: as the preset says)"), None, minimum=1))


def minimum_pixels() -> QgsProcessingParameterNumber:
    return advanced(integer("MINIMUM_PIXELS", tr("Fewest labelled pixels for a class"), 10, minimum=1))


def unlabelled() -> QgsProcessingParameterBoolean:
    description = tr("Learn from unlabelled pixels too (many classes, few places)")
    return advanced(QgsProcessingParameterBoolean("UNLABELLED", description, False))


def without_features() -> QgsProcessingParameterBoolean:
    description = tr("Measure without pretraining too (nearly twice as long)")
    return advanced(QgsProcessingParameterBoolean("WITHOUT_FEATURES", description, False))


def min_data() -> QgsProcessingParameterNumber:
    return advanced(decimal("MIN_DATA", tr("Least share of bands with data"), 0.5, minimum=0.0, maximum=1.0))


def further_raster(name: str, description: str) -> QgsProcessingParameterRasterDestination:
    """Goes with the map; made where it is asked for."""
    return QgsProcessingParameterRasterDestination(name, description, optional=True, createByDefault=False)


def page(name: str, description: str) -> QgsProcessingParameterFileDestination:
    """For reading; made unless it is switched off."""
    return QgsProcessingParameterFileDestination(name, description, "HTML (*.html)", optional=True)


def data_file(name: str, description: str) -> QgsProcessingParameterFileDestination:
    """For scripts or spreadsheets, in the format ``name``; made where it is asked for."""
    kind = f"{name} (*.{name.lower()})"
    return QgsProcessingParameterFileDestination(name, description, kind, optional=True, createByDefault=False)


def report() -> QgsProcessingParameterFileDestination:
    return page("REPORT", tr("Accuracy report"))


def preset() -> QgsProcessingParameterEnum:
    return choice("PRESET", tr("Preset (quick: minutes on a laptop; paper: hours on a GPU)"), PRESETS, "quick")


def seed() -> QgsProcessingParameterNumber:
    return advanced(integer("SEED", tr("Random seed"), 0, maximum=2**31 - 1))


def device() -> QgsProcessingParameterString:
    return QgsProcessingParameterString(
        "DEVICE", tr("Device (auto, cpu, cuda, cuda:0 …)"), defaultValue=settings.device()
    )


def memory() -> QgsProcessingParameterNumber:
    return advanced(integer("MEMORY", tr("Memory limit in MB (empty: automatic)"), None, minimum=1024))


def cog() -> QgsProcessingParameterBoolean:
    return advanced(QgsProcessingParameterBoolean("COG", tr("Cloud optimised GeoTIFF (with overviews)"), False))


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
