"""Train: a classifier learns the classes from polygons or points."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
)

from bdgf_qgis.translation import tr

from . import base, training
from .parameters import (
    MODEL_FILTER,
    accuracies,
    class_field,
    device,
    epochs,
    labels,
    memory,
    minimum_pixels,
    preset,
    report,
    resume,
    samples_per_class,
    second,
    seed,
    spectral,
    unlabelled,
    validation,
    without_features,
)


class TrainAlgorithm(base.BdgfAlgorithm):
    verb = "train"
    files = {"REPORT": "report"}

    def displayName(self) -> str:
        return tr("2. Train a classifier")

    def tags(self) -> list[str]:
        return tr("supervised,classification,land cover,polygons,labels,accuracy,validation,deep learning").split(",")

    def shortHelpString(self) -> str:
        about = tr(
            "<p>A classifier learns your classes from polygons or points, guided by the pretrained model. This is "
            "the second of three steps: <i>pretrain</i>, <i>train</i>, <i>classify</i>.</p>"
            "<p><b>Rasters</b>: the same as in pretraining, or others of the same sensors. The bands are those "
            "chosen there.</p>"
            "<p><b>Training layer</b> and <b>Class field</b>: polygons or points in any coordinate reference "
            "system; the field holds text or numbers. Style the layer by categories of this field, and its names "
            "and colours go into the model and the map. Filters, edits not yet saved and <i>selected features "
            "only</i> are respected.</p>"
            "<p><b>Training pixels for each class</b>: 0 takes all; 50 to 100 evenly chosen ones are often "
            "enough.</p>"
            "<p><b>Validation</b>: <i>polygon</i> keeps whole polygons apart, with a gap, and gives the honest "
            "figure; <i>random</i> keeps pixels apart and is optimistic, since their neighbours were trained on; "
            "<i>none</i> is fastest. The final classifier learns from all labels in every case.</p>"
            "<p><b>Learn from unlabelled pixels too</b>: places that no polygon shows are learnt from as far as the "
            "network is sure of them. It may help with many classes in few places, and harms with few classes; "
            "compare the accuracies.</p>"
            "<p><b>Report</b>: accuracy by class, the confusion matrix and how they were found, as HTML.</p>"
        ) + tr(
            "<p>The report also shows how far the confidence can be believed, what each branch of the network tells "
            "apart, and how the losses fell. Confidence is calibrated with the pixels kept apart, where that proves to "
            "help.</p>"
        )
        return about + tr(
            "<p><b>Measure without pretraining too</b>: the report then says, on the same polygons kept apart, what "
            "the pretrained model brings. It takes nearly twice as long.</p>"
        )

    def initAlgorithm(self, configuration: base.Parameters | None = None) -> None:
        for parameter in (
            QgsProcessingParameterFile("PRETRAINED", tr("Pretrained model"), fileFilter=MODEL_FILTER),
            spectral(),
            second(),
            labels(),
            class_field(),
            samples_per_class(),
            validation(),
            preset(),
            seed(),
            device(),
            epochs(),
            minimum_pixels(),
            unlabelled(),
            without_features(),
            memory(),
            resume(),
            QgsProcessingParameterFileDestination("OUTPUT", tr("Classifier"), MODEL_FILTER),
            report(),
        ):
            self.addParameter(parameter)
        for output in accuracies():
            self.addOutput(output)
        self.addOutput(
            QgsProcessingOutputNumber("CALIBRATION_ERROR", tr("Calibration error of the confidence (0 to 1)"))
        )
        self.addOutput(QgsProcessingOutputNumber("TEMPERATURE", tr("Temperature of the confidence")))

    def refuse(self, parameters: base.Parameters, context: QgsProcessingContext) -> None:
        pretrained = self.parameterAsFile(parameters, "PRETRAINED", context)
        self.refuse_model(pretrained, "pretrained", parameters)
        self.refuse_rasters(parameters, context)
        self.refuse_labels(parameters, context)
        output = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        self.refuse_overwriting(parameters, context, outputs=[output], inputs=[pretrained])

    def job(self, parameters: base.Parameters, context: QgsProcessingContext) -> base.Parameters:
        return {
            "pretrained": self.parameterAsFile(parameters, "PRETRAINED", context),
            "output": self.parameterAsFileOutput(parameters, "OUTPUT", context),
            "without_features": self.parameterAsBool(parameters, "WITHOUT_FEATURES", context),
            **training.settings(self, parameters, context),
            **self.files_out(parameters, context),
        }

    def outputs(self, result: base.Parameters) -> base.Parameters:
        return {"OUTPUT": result["output"], **self.files_made(result), **self.numbers(result)}
