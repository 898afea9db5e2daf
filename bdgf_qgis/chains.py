"""Ready chains of the algorithms, in files of the Model Designer: to run as they are, or to open and change."""

from __future__ import annotations

import os

from qgis.core import QgsProcessingModelAlgorithm
from qgis.PyQt.QtGui import QIcon

from . import help_pages, translation
from .translation import tr

_HERE = os.path.dirname(__file__)


class ChainAlgorithm(QgsProcessingModelAlgorithm):
    """The model in ``models/NAME.model3``, with its texts in the user's language."""

    file = ""

    def __init__(self) -> None:
        super().__init__()
        self._loaded = self.fromFile(os.path.join(_HERE, "models", f"{self.file}.model3"))
        for definition in (*self.parameterDefinitions(), *self.outputDefinitions()):
            definition.setDescription(translation.tr(definition.description()))

    def complete(self) -> bool:
        """Whether QGIS knows all steps, which is so once the provider is registered."""
        return self._loaded and all(step.algorithm() is not None for step in self.childAlgorithms().values())

    def copy(self) -> QgsProcessingModelAlgorithm:
        """A plain model of the same steps, which is nobody's yet."""
        model = QgsProcessingModelAlgorithm()
        model.loadVariant(self.toVariant())
        return model

    def createInstance(self) -> ChainAlgorithm:
        return type(self)()

    def name(self) -> str:
        return self.file

    def group(self) -> str:
        return tr("Chains for the Model Designer")

    def groupId(self) -> str:
        return "chains"

    def tags(self) -> list[str]:
        return tr("model,chain,workflow,land cover,map").split(",")

    def helpUrl(self) -> str:
        return help_pages.page_url("chains")

    def icon(self) -> QIcon:
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        return os.path.join(_HERE, "icon.svg")


class MapChain(ChainAlgorithm):
    file = "chainmap"

    def displayName(self) -> str:
        return tr("Chain: rasters and polygons to a map")

    def shortHelpString(self) -> str:
        return tr(
            "<p><i>Pretrain</i>, <i>train</i> and <i>classify</i> as one model of the Model Designer: right-click it "
            "to open it there and change it.</p>"
        )


class AssessChain(ChainAlgorithm):
    file = "chainassess"

    def displayName(self) -> str:
        return tr("Chain: rasters and polygons to an assessed map")

    def shortHelpString(self) -> str:
        return tr(
            "<p><i>Pretrain</i>, <i>train</i>, <i>classify</i> and <i>assess</i> as one model of the Model Designer, "
            "with a reference layer that the map is not made from.</p>"
        )


class UpdateChain(ChainAlgorithm):
    file = "chainupdate"

    def displayName(self) -> str:
        return tr("Chain: more polygons to a new map")

    def shortHelpString(self) -> str:
        return tr(
            "<p><i>Train</i> and <i>classify</i> as one model of the Model Designer, with a pretrained model that is "
            "there already: for each round of drawing polygons.</p>"
        )


CHAINS = (MapChain, AssessChain, UpdateChain)
