"""Run by QGIS itself, see screenshots.sh: opens the dialogs and a map, takes their pictures and leaves."""

from __future__ import annotations

import os
from pathlib import Path

import desktop
from desktop import wait
from qgis.core import QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtWidgets import QDockWidget, QWidget
from qgis.utils import iface

OUTPUT = Path(os.environ["BDGF_SCREENSHOTS"])


def main() -> None:
    given = {name: os.environ[f"BDGF_{name}"] for name in ("SPECTRAL", "SECOND", "POLYGONS", "FIELD", "MAP")}
    spectral = QgsRasterLayer(given["SPECTRAL"], Path(given["SPECTRAL"]).stem)
    second = QgsRasterLayer(given["SECOND"], Path(given["SECOND"]).stem)
    polygons = QgsVectorLayer(given["POLYGONS"], Path(given["POLYGONS"]).stem)
    QgsProject.instance().addMapLayers([second, spectral, polygons])
    rasters = {"SPECTRAL": spectral, "SECOND": second}
    labels = {"LABELS": polygons, "CLASS_FIELD": given["FIELD"]}
    dialogs = {
        "traininglayer": {"NOMENCLATURE": "lcz", "GRID": spectral, "OUTPUT": "/data/polygons.gpkg"},
        "checkinputs": {**rasters, **labels, "SECOND_KIND": "sar_linear"},
        "trainingsummary": {**rasters, **labels},
        "pretrain": {**rasters, "SECOND_KIND": "sar_linear", "OUTPUT": "/data/scene.bdgf"},
        "train": {**rasters, **labels, "PRETRAINED": "/data/scene.bdgf", "OUTPUT": "/data/classifier.bdgf"},
        "classify": {**rasters, "CLASSIFIER": "/data/classifier.bdgf"},
        "assess": {"MAP": given["MAP"], "REFERENCE": polygons, "CLASS_FIELD": given["FIELD"]},
        "modelinfo": {"MODEL": "/data/classifier.bdgf"},
    }
    for name, parameters in dialogs.items():
        dialog = desktop.open_dialog(name, parameters, size=(1100, 900))
        advanced = dialog.findChild(QWidget, "grpAdvanced")
        if advanced is not None:
            advanced.setProperty("collapsed", False)
        wait(1500)
        dialog.grab().save(str(OUTPUT / f"dialog_{name}.png"))
        dialog.close()
    if given["MAP"]:
        picture_of_map(given["MAP"])


def picture_of_map(path: str) -> None:
    QgsProject.instance().removeAllMapLayers()
    layer = QgsRasterLayer(path, "Land cover")
    QgsProject.instance().addMapLayer(layer)
    QgsProject.instance().setCrs(layer.crs())
    iface.layerTreeView().expandAll()
    for name in ("Browser", "ProcessingToolbox"):
        dock = iface.mainWindow().findChild(QDockWidget, name)
        if dock is not None:
            dock.close()
    iface.mainWindow().resize(1600, 1000)
    wait(1000)
    iface.mapCanvas().zoomToFullExtent()
    wait(3000)
    iface.mainWindow().grab().save(str(OUTPUT / "map.png"))


desktop.session(main)
