"""Environment report: what the engine runs on, what is missing, whether it works; to be sent to a maintainer."""

from __future__ import annotations

import platform

from qgis.core import (
    Qgis,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputBoolean,
    QgsProcessingOutputNumber,
)
from qgis.PyQt.QtCore import QT_VERSION_STR

from bdgf_qgis import engine, interpreter, packages, settings
from bdgf_qgis.installing import pip
from bdgf_qgis.translation import language, tr

from . import base
from .parameters import data_file, device, page


class EnvironmentAlgorithm(base.BdgfAlgorithm):
    verb = "environment"
    files = {"HTML": "html", "JSON": "json"}

    def displayName(self) -> str:
        return tr("Environment report")

    def tags(self) -> list[str]:
        return tr("setup,diagnosis,versions,GPU,CUDA,torch,GDAL,memory,self-test,support,bug report").split(",")

    def shortHelpString(self) -> str:
        return tr(
            "<p>Says what the engine runs on: the Python interpreter, packages, GPU and driver, memory and disk; what "
            "is missing, and what to do about it. It tests tensors, a step of the denoiser, the scan of the Mamba "
            "blocks, model files and rasters, in seconds.</p>"
            "<p>User names, home folders, names of computers and secrets are left out, so that the page or the JSON "
            "can be sent along with a question.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            device(),
            page("HTML", tr("Environment report")),
            data_file("JSON", tr("Environment report as JSON")),
        ):
            self.addParameter(parameter)
        self.addOutput(QgsProcessingOutputBoolean("READY", tr("Whether the engine can work")))
        self.addOutput(QgsProcessingOutputNumber("PROBLEMS", tr("Number of problems")))

    def canExecute(self) -> tuple[bool, str]:
        return True, ""

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        self.refuse_overwriting(parameters, context)

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        facts = {
            "QGIS": Qgis.QGIS_VERSION,
            "Qt": QT_VERSION_STR,
            "Python of QGIS": platform.python_version(),
            "Language": language(),
            "Interpreter named": interpreter.named() or "none",
            "Default device": settings.device(),
            "Memory limit": f"{settings.memory_mb()} MB" if settings.memory_mb() else "none",
            "Proxy of QGIS": "set" if pip.qgis_proxy() else "none",
            "Packages installed": str(packages.record().get("installed") or "none"),
        }
        return {
            "device": self.parameterAsString(parameters, "DEVICE", context),
            "facts": [[name, value] for name, value in facts.items()],
            **self.files_out(parameters, context),
        }

    def processAlgorithm(
        self, parameters: base.Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> base.Parameters:
        problems = []
        try:
            python = interpreter.answering()
        except QgsProcessingException as error:  # told in the report, which QGIS's own Python can write
            problems = [str(error)]
            python = interpreter.own()
        result = engine.run(self.verb, {**self._job, "problems": problems}, feedback, python=python)
        return self.outputs(result)

    def outputs(self, result: base.Parameters) -> base.Parameters:
        document = result["document"]
        return {**self.files_made(result), "READY": document["ok"], "PROBLEMS": len(document["problems"])}
