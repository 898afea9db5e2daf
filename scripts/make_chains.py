"""Write the plugin's chains for the Model Designer anew, after an algorithm's parameters have changed, in one order:
``QT_HASH_SEED=0 python scripts/make_chains.py``. Needs a QGIS before 3.32: newer ones write models that older ones name
outputs of otherwise."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, Sequence

from qgis.core import (
    QgsApplication,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingParameterDefinition,
)
from qgis.PyQt.QtCore import QPointF, QSizeF

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "bdgf_qgis" / "models"

Source = QgsProcessingModelChildParameterSource
Optionality = QgsProcessingParameterDefinition.Flag.FlagOptional

# what people choose in the chain's dialog; all else has its default, and can be changed in the designer
ASKED = ("SPECTRAL", "SECOND", "SECOND_KIND", "PRETRAINED", "LABELS", "CLASS_FIELD", "VALIDATION", "REFERENCE",
         "REFERENCE_FIELD", "PRESET", "SPECTRAL_BANDS", "SECOND_BANDS", "LOOKS", "SEED", "DEVICE",
         "MEMORY")  # fmt: skip
# what a step takes from one before it
WIRED = {"PRETRAINED": ("pretrain", "OUTPUT"), "CLASSIFIER": ("train", "OUTPUT"), "MAP": ("classify", "OUTPUT")}
# names in the chain where two steps ask for different things by the same name
RENAMED = {("assess", "CLASS_FIELD"): "REFERENCE_FIELD"}


@dataclass(frozen=True)
class Chain:
    """``results`` are the outputs to show, by step: name in the step, description in the chain."""

    title: str
    steps: Sequence[str]
    results: Mapping[str, Mapping[str, str]]


MAP = {"OUTPUT": "Land cover", "CONFIDENCE": "Confidence"}
CHAINS = {
    "chainmap": Chain(
        "Chain: rasters and polygons to a map",
        ("pretrain", "train", "classify"),
        {"train": {"REPORT": "Accuracy report"}, "classify": MAP},
    ),
    "chainassess": Chain(
        "Chain: rasters and polygons to an assessed map",
        ("pretrain", "train", "classify", "assess"),
        {"classify": MAP, "assess": {"REPORT": "Accuracy report"}},
    ),
    "chainupdate": Chain(
        "Chain: more polygons to a new map",
        ("train", "classify"),
        {"train": {"OUTPUT": "Classifier", "REPORT": "Accuracy report"}, "classify": MAP},
    ),
}


def model_of(chain: Chain) -> QgsProcessingModelAlgorithm:
    model = QgsProcessingModelAlgorithm(chain.title, "BDGF")
    asked: list[str] = []
    for column, step in enumerate(chain.steps):
        child = QgsProcessingModelChildAlgorithm(f"bdgf:{step}")
        child.setChildId(step)
        child.setDescription(child.algorithm().displayName())
        child.setPosition(QPointF(150.0 + 270.0 * column, 300.0 + 50.0 * column))
        for definition in child.algorithm().parameterDefinitions():
            source = _source(chain, step, definition)
            if source is None or definition.isDestination():
                continue
            child.addParameterSources(definition.name(), [source])
            if source.parameterName() and source.parameterName() not in asked:
                asked.append(source.parameterName())
                _ask(model, definition, source.parameterName())
        child.setModelOutputs(_results(child, chain.results.get(step, {})))
        model.addChildAlgorithm(child)
    order = sorted(asked, key=ASKED.index)
    _place(model, order)
    model.setParameterOrder(order)
    model.updateDestinationParameters()
    return model


def _source(chain: Chain, step: str, definition: QgsProcessingParameterDefinition) -> Any:
    before, output = WIRED.get(definition.name(), ("", ""))
    if before in chain.steps:
        return Source.fromChildOutput(before, output)
    name = RENAMED.get((step, definition.name()), definition.name())
    if name in ASKED:
        return Source.fromModelParameter(name)
    default = definition.defaultValue()
    return None if default in (None, []) else Source.fromStaticValue(default)


def _ask(model: QgsProcessingModelAlgorithm, definition: QgsProcessingParameterDefinition, name: str) -> None:
    asked = definition.clone()
    asked.setName(name)
    if name == "DEVICE":
        asked.setDefaultValue("auto")  # not what this machine's settings say
    model.addModelParameter(asked, QgsProcessingModelParameter(name))


def _results(child: QgsProcessingModelChildAlgorithm, wanted: Mapping[str, str]) -> dict[str, QgsProcessingModelOutput]:
    outputs = {}
    for number, (name, description) in enumerate(wanted.items()):
        output = QgsProcessingModelOutput(name, description)
        output.setChildId(child.childId())
        output.setChildOutputName(name)
        output.setMandatory(not child.algorithm().parameterDefinition(name).flags() & Optionality)
        output.setPosition(child.position() + QPointF(160.0, 90.0 + 50.0 * number))
        outputs[name] = output
    return outputs


def _place(model: QgsProcessingModelAlgorithm, order: Sequence[str]) -> None:
    """Inputs in two rows above the steps."""
    components = model.parameterComponents()
    for number, name in enumerate(order):
        components[name].setSize(QSizeF(210.0, 54.0))  # two lines of text
        components[name].setPosition(QPointF(130.0 + 230.0 * (number // 2), 50.0 + 100.0 * (number % 2)))
    model.setParameterComponents(components)


def main() -> None:
    with tempfile.TemporaryDirectory() as profile:
        os.environ["QGIS_CUSTOM_CONFIG_PATH"] = profile  # whose settings are nobody's
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        application = QgsApplication([], False)
        application.initQgis()
        sys.path[:0] = [str(ROOT), os.path.join(QgsApplication.pkgDataPath(), "python", "plugins")]
        from bdgf_qgis.provider import BdgfProvider

        provider = BdgfProvider()  # whose Python part lives as long as this name
        QgsApplication.processingRegistry().addProvider(provider)
        FOLDER.mkdir(exist_ok=True)
        for name, chain in CHAINS.items():
            path = FOLDER / f"{name}.model3"
            if not model_of(chain).toFile(str(path)):
                sys.exit(f"{path} cannot be written")
            print(path)
        application.exitQgis()


if __name__ == "__main__":
    main()
