"""What algorithms share that write a map and rasters that go with it."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProcessingContext, QgsProcessingException, QgsProcessingFeedback

from bdgf_qgis.styling import FileStyle
from bdgf_qgis.translation import tr

from . import base


class MappingAlgorithm(base.BdgfAlgorithm):
    """A subclass names its raster outputs, the map first."""

    rasters: tuple[str, ...] = ("OUTPUT",)

    def refuse_maps(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        inputs = [self.raster(parameters, name, context) for name in ("SPECTRAL", "SECOND")]
        outputs = [self.optional_file(parameters, name, context) for name in self.rasters]
        for path in filter(None, outputs):
            if not path.lower().endswith((".tif", ".tiff")):
                raise QgsProcessingException(
                    tr("The output {path} is no GeoTIFF; choose a file name that ends in .tif.", path=path)
                )
        paths = [source["path"] for source in inputs if source]
        self.refuse_overwriting(parameters, context, outputs=outputs, inputs=paths)

    def rasters_out(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        self._destinations = {
            name: self.parameterAsOutputLayer(parameters, name, context) or None for name in self.rasters
        }
        return {name.lower(): path for name, path in self._destinations.items()}

    def outputs(self, result: base.Parameters) -> base.Parameters:
        self._classes = result.get("classes") or []
        rasters = {name: path for name, path in self._destinations.items() if path}
        return {**rasters, **self.files_made(result), **self.numbers(result)}

    def postProcessAlgorithm(self, context: QgsProcessingContext, feedback: QgsProcessingFeedback) -> dict[str, Any]:
        for name, path in self._destinations.items():
            if path and context.willLoadLayerOnCompletion(path):
                # The map above what belongs to it, in whichever order they are loaded.
                is_map = name == "OUTPUT"
                under = "" if is_map else self._destinations.get("OUTPUT") or ""
                style = FileStyle(self._classes if is_map else (), on_top=is_map, under=under)
                context.layerToLoadOnCompletionDetails(path).setPostProcessor(style)
        return {}
