"""What algorithms share that train a classifier."""

from __future__ import annotations

from qgis.core import QgsProcessingContext

from . import base


def settings(
    algorithm: base.BdgfAlgorithm, parameters: base.Parameters, context: QgsProcessingContext
) -> base.Parameters:
    """The part of a job that says what to learn from what."""
    return {
        "spectral": algorithm.raster(parameters, "SPECTRAL", context),
        "second": algorithm.raster(parameters, "SECOND", context),
        "labels": algorithm.labels(parameters, context),
        "samples_per_class": algorithm.parameterAsInt(parameters, "SAMPLES_PER_CLASS", context),
        "validation": algorithm.parameterAsEnumString(parameters, "VALIDATION", context),
        "preset": algorithm.parameterAsEnumString(parameters, "PRESET", context),
        "seed": algorithm.parameterAsInt(parameters, "SEED", context),
        "device": algorithm.parameterAsString(parameters, "DEVICE", context),
        "epochs": algorithm.optional_number(parameters, "EPOCHS", context),
        "minimum_pixels": algorithm.parameterAsInt(parameters, "MINIMUM_PIXELS", context),
        "unlabelled": algorithm.parameterAsBool(parameters, "UNLABELLED", context),
        "memory_mb": algorithm.memory_mb(parameters, context),
        "resume": algorithm.parameterAsBool(parameters, "RESUME", context),
    }
