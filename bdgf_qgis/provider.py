"""The Processing provider ``bdgf``."""

from __future__ import annotations

import os

from qgis.core import QgsApplication, QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from . import designer, settings
from .algorithms.assess import AssessAlgorithm
from .algorithms.checkinputs import CheckInputsAlgorithm
from .algorithms.classify import ClassifyAlgorithm
from .algorithms.environment import EnvironmentAlgorithm
from .algorithms.installengine import InstallEngineAlgorithm
from .algorithms.landcover import LandCoverAlgorithm
from .algorithms.modelinfo import ModelInfoAlgorithm
from .algorithms.pretrain import PretrainAlgorithm
from .algorithms.suggestsites import SuggestSitesAlgorithm
from .algorithms.train import TrainAlgorithm
from .algorithms.traininglayer import TrainingLayerAlgorithm
from .algorithms.trainingsummary import TrainingSummaryAlgorithm
from .chains import CHAINS
from .translation import tr

ICON = os.path.join(os.path.dirname(__file__), "icon.svg")


class BdgfProvider(QgsProcessingProvider):
    def id(self) -> str:
        return "bdgf"

    def name(self) -> str:
        return "BDGF"

    def longName(self) -> str:
        return tr("BDGF land-cover mapping")

    def icon(self) -> QIcon:
        return QIcon(ICON)

    def svgIconPath(self) -> str:
        return ICON

    def load(self) -> bool:
        settings.register(self.name(), self.icon())
        designer.register()
        self.refreshAlgorithms()
        return True

    def unload(self) -> None:
        designer.unregister()
        settings.unregister()

    def loadAlgorithms(self) -> None:
        for algorithm in (
            TrainingLayerAlgorithm,
            CheckInputsAlgorithm,
            TrainingSummaryAlgorithm,
            LandCoverAlgorithm,
            PretrainAlgorithm,
            TrainAlgorithm,
            ClassifyAlgorithm,
            AssessAlgorithm,
            SuggestSitesAlgorithm,
            ModelInfoAlgorithm,
            EnvironmentAlgorithm,
            InstallEngineAlgorithm,
        ):
            self.addAlgorithm(algorithm())
        if QgsApplication.processingRegistry().providerById(self.id()):  # which models ask for their steps
            for chain in (kind() for kind in CHAINS):
                if chain.complete():
                    self.addAlgorithm(chain)

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        return ["tif", "tiff"]

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        return ["gpkg"]

    def defaultVectorFileExtension(self, hasGeometry: bool = True) -> str:
        return "gpkg"

    def defaultRasterFileExtension(self, hasRasters: bool = True) -> str:
        return "tif"
