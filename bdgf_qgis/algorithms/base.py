"""What the algorithms share: a job made of plain values on the main thread, an engine run in the background."""

from __future__ import annotations

import os
from typing import Any, Mapping, Optional, Sequence

from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterEnum,
    QgsProcessingUtils,
    QgsRasterLayer,
)
from qgis.PyQt.QtGui import QIcon

from bdgf_qgis import engine, help_pages, interpreter, layers, model_header, settings
from bdgf_qgis.translation import tr

Parameters = dict[str, Any]

_ICON = os.path.join(os.path.dirname(os.path.dirname(__file__)), "icon.svg")


class BdgfAlgorithm(QgsProcessingAlgorithm):
    """A subclass names itself, declares its parameters, and says how they become a job (:meth:`job`), what is
    wrong with them (:meth:`refuse`) and what comes out (:meth:`outputs`)."""

    verb = ""
    required: Optional[Sequence[str]] = None  # the engine's packages that it cannot run without; None: all
    files: Mapping[str, str] = {}  # optional outputs that are no layers, with their keys in the job and the result

    def __init__(self) -> None:
        super().__init__()
        self._job: Parameters = {}

    def job(self, parameters: Parameters, context: QgsProcessingContext) -> Parameters:
        """The engine's job, of plain values only. Called on the main thread."""
        raise NotImplementedError

    def refuse(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        """Raise QgsProcessingException with a sentence for what can be seen to be wrong at once."""

    def rasters_out(self, parameters: Parameters, context: QgsProcessingContext) -> Parameters:
        """The job's outputs that are layers. Called in the background: those noted before to be loaded get lost."""
        return {}

    def outputs(self, result: Parameters) -> Parameters:
        """Processing's outputs out of the engine's result."""
        raise NotImplementedError

    def name(self) -> str:
        return self.verb

    def createInstance(self) -> BdgfAlgorithm:
        return type(self)()

    def icon(self) -> QIcon:
        return QIcon(_ICON)

    def svgIconPath(self) -> str:
        return _ICON

    def helpUrl(self) -> str:
        return help_pages.page_url(self.name())

    def canExecute(self) -> tuple[bool, str]:
        try:
            interpreter.find(self.required)
        except QgsProcessingException as error:
            return False, str(error)
        return True, ""

    def checkParameterValues(self, parameters: Parameters, context: QgsProcessingContext) -> tuple[bool, str]:
        parameters = self._with_names(parameters)
        ok, message = super().checkParameterValues(parameters, context)
        if not ok:
            return ok, message
        try:
            self.refuse(parameters, context)
        except QgsProcessingException as error:
            return False, str(error)
        return True, ""

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        parameters = self._with_names(parameters)
        self.refuse(parameters, context)  # again: models and scripts come here without the check
        self._job = self.job(parameters, context)
        return True

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Parameters:
        job = {**self._job, **self.rasters_out(parameters, context)}
        if "resume" in job and is_temporary(job["output"]):
            feedback.pushWarning(
                tr(
                    "{path} is temporary: QGIS deletes it when it closes, and an interrupted job begins anew. Name a "
                    "file to keep it.",
                    path=job["output"],
                )
            )
        return self.outputs(engine.run(self.verb, job, feedback, python=interpreter.find(self.required)))

    def _with_names(self, parameters: Parameters) -> Parameters:
        """Choices given by their number become the names that Processing checks for."""
        named = dict(parameters)
        for definition in self.parameterDefinitions():
            value = parameters.get(definition.name())
            if isinstance(definition, QgsProcessingParameterEnum) and str(value).isdigit():
                named[definition.name()] = dict(enumerate(definition.options())).get(int(value), value)
        return named

    # What parameters become in a job

    def raster(self, parameters: Parameters, name: str, context: QgsProcessingContext) -> Optional[Parameters]:
        """``{"path", "bands"}`` of the raster ``name`` and, where declared, of its band list ``name_BANDS``."""
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None:
            return None
        bands = f"{name}_BANDS"
        declared = self.parameterDefinition(bands) is not None
        chosen = self.parameterAsInts(parameters, bands, context) if declared else []
        return {"path": layers.raster_source(layer), "bands": chosen or None}

    def optional_number(self, parameters: Parameters, name: str, context: QgsProcessingContext) -> Optional[int]:
        given = str(parameters.get(name)) not in ("", "None", "NULL")
        return self.parameterAsInt(parameters, name, context) if given else None

    def memory_mb(self, parameters: Parameters, context: QgsProcessingContext) -> Optional[int]:
        return self.optional_number(parameters, "MEMORY", context) or settings.memory_mb()

    # The engine works in a folder of its own: what scripts name from theirs becomes absolute.

    def parameterAsFile(self, parameters: Parameters, name: str, context: QgsProcessingContext) -> str:
        return _absolute(super().parameterAsFile(parameters, name, context))

    def parameterAsFileOutput(self, parameters: Parameters, name: str, context: QgsProcessingContext) -> str:
        return _absolute(super().parameterAsFileOutput(parameters, name, context))

    def parameterAsOutputLayer(self, parameters: Parameters, name: str, context: QgsProcessingContext) -> str:
        named = super().parameterAsOutputLayer(parameters, name, context)
        path, loaded = _absolute(named), context.layersToLoadOnCompletion()
        if path != named and named in loaded:
            loaded[path] = loaded.pop(named)
            context.setLayersToLoadOnCompletion(loaded)
        return path

    def optional_file(self, parameters: Parameters, name: str, context: QgsProcessingContext) -> Optional[str]:
        return self.parameterAsFileOutput(parameters, name, context) or None

    def files_out(self, parameters: Parameters, context: QgsProcessingContext) -> Parameters:
        return {key: self.optional_file(parameters, name, context) for name, key in self.files.items()}

    def labels(
        self, parameters: Parameters, context: QgsProcessingContext, name: str = "LABELS"
    ) -> Optional[Parameters]:
        """The layer ``name`` with its CLASS_FIELD, None where none is given."""
        if not parameters.get(name):
            return None
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        return layers.label_source(self, parameters, context, name=name, field=field)

    # What an engine's result becomes

    def files_made(self, result: Parameters) -> Parameters:
        return {name: result[key] for name, key in self.files.items() if result.get(key)}

    def numbers(self, result: Parameters) -> Parameters:
        """The declared numbers, None where the result does not have them under the same name in lower case."""
        declared = (output for output in self.outputDefinitions() if isinstance(output, QgsProcessingOutputNumber))
        return {output.name(): result.get(output.name().lower()) for output in declared}

    # What is refused early

    def refuse_rasters(self, parameters: Parameters, context: QgsProcessingContext) -> None:
        spectral, second = self.refuse_unreadable(parameters, context)
        if second is not None and not layers.overlap(spectral, second, context):
            raise QgsProcessingException(
                tr(
                    "The rasters {one} and {other} do not overlap; check their CRS.",
                    one=spectral.name(),
                    other=second.name(),
                )
            )

    def refuse_unreadable(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[QgsRasterLayer, Optional[QgsRasterLayer]]:
        """The rasters SPECTRAL and SECOND, which the engine can open."""
        spectral = self.opened(parameters, "SPECTRAL", context)
        second = self.opened(parameters, "SECOND", context) if parameters.get("SECOND") else None
        for name, layer in (("SPECTRAL", spectral), ("SECOND", second)):
            if layer is not None:
                self._refuse_bands(parameters, f"{name}_BANDS", layer, context)
        return spectral, second

    def opened(self, parameters: Parameters, name: str, context: QgsProcessingContext) -> QgsRasterLayer:
        """The raster ``name``, which the engine can open too."""
        layer = self.parameterAsRasterLayer(parameters, name, context)
        if layer is None:
            raise QgsProcessingException(
                tr("{raster} cannot be opened as a raster; choose another file.", raster=parameters.get(name) or name)
            )
        layers.raster_source(layer)
        return layer

    def refuse_labels(
        self, parameters: Parameters, context: QgsProcessingContext, *, name: str = "LABELS", raster: str = "SPECTRAL"
    ) -> None:
        """Of what ``raster``, ``name`` and CLASS_FIELD name."""
        labels = self.parameterAsSource(parameters, name, context)
        field = self.parameterAsString(parameters, "CLASS_FIELD", context)
        layers.refuse_labels(labels, field, self.parameterAsRasterLayer(parameters, raster, context), context)

    def _refuse_bands(
        self, parameters: Parameters, name: str, layer: QgsRasterLayer, context: QgsProcessingContext
    ) -> None:
        if self.parameterDefinition(name) is None:
            return
        wrong = [b for b in self.parameterAsInts(parameters, name, context) if not 1 <= b <= layer.bandCount()]
        if wrong:
            raise QgsProcessingException(
                tr(
                    "{parameter} names band {band}, but the raster {raster} has the bands 1 to {count}.",
                    parameter=name,
                    band=wrong[0],
                    raster=layer.name(),
                    count=layer.bandCount(),
                )
            )

    def refuse_model(self, path: str, kind: str, parameters: Parameters) -> None:
        """``kind`` is "pretrained" or "classifier"."""
        header = model_header.expect(path, kind)
        if header.has_second != bool(parameters.get("SECOND")):
            raise QgsProcessingException(
                tr("The model {path} was made with a second raster: give one of the same sensor as SECOND.", path=path)
                if header.has_second
                else tr("The model {path} was made without a second raster: leave SECOND empty.", path=path)
            )

    def refuse_overwriting(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        *,
        outputs: Sequence[Optional[str]] = (),
        inputs: Sequence[Optional[str]] = (),
    ) -> None:
        """``outputs`` are those besides ``files``; they and ``inputs`` are paths, or None where there is none."""
        taken = {_canonical(path) for path in inputs if path}
        for path in filter(None, (*outputs, *self.files_out(parameters, context).values())):
            if _canonical(path) in taken:
                raise QgsProcessingException(
                    tr("The output {path} is an input or another output too; choose another file name.", path=path)
                )
            taken.add(_canonical(path))


def is_temporary(path: str) -> bool:
    """Whether QGIS deletes ``path`` when it closes."""
    return _canonical(path).startswith(_canonical(QgsProcessingUtils.tempFolder()))


def _absolute(path: str) -> str:
    return os.path.abspath(path) if path and ":" not in path else path


def _canonical(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))
