"""Run by the QGIS desktop, see tutorial.sh: does what docs/tutorial.md tells, as a person would, and takes pictures."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import desktop
from desktop import until, wait
from qgis.core import QgsApplication, QgsPointXY, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QPoint, Qt, QTimer
from qgis.PyQt.QtGui import QGuiApplication
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import (
    QApplication,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDockWidget,
    QTextEdit,
    QWidget,
)
from qgis.utils import iface

from bdgf_qgis.designer import open_chain

WORK, PICTURES = Path(os.environ["BDGF_WORK"]), Path(os.environ["BDGF_PICTURES"])
HAND = json.loads(Path(os.environ["BDGF_HAND"]).read_text())
MODE = os.environ["BDGF_MODE"]
RED, GREEN, BLUE = 8, 5, 2  # bands at 659, 561 and 463 nm
HEIGHTS = {  # of dialogs, else 760
    "traininglayer": 600, "trainingsummary": 600, "train": 850, "classify": 850, "landcover": 850, "assess": 660,
    "modelinfo": 480, "environment": 480, "installengine": 620,
}  # fmt: skip
SAME = {
    "Deciduous forest": "Forest", "Coniferous forest": "Forest", "Meadow": "Grassland", "Cereals": "Cropland",
    "Maize": "Cropland", "Bare soil": "Cropland", "Residential": "Built-up", "Industry": "Built-up",
    "Asphalt": "Built-up",
}  # fmt: skip


def main() -> None:
    (PICTURES / "form.png").unlink(missing_ok=True)
    arrange_window()
    spectral, second = open_rasters()
    if MODE == "dialogs":
        drawn = QgsVectorLayer(file("training_polygons.gpkg|layername=training_polygons"), "polygons", "ogr")
        QgsProject.instance().addMapLayer(drawn)
        for name, parameters in jobs(spectral, second, drawn).items():
            open_dialog(name, parameters).close()
        picture_of_a_chain()
        return
    picture("scene")
    iface.mainWindow().findChild(QDockWidget, "ProcessingToolbox").close()
    wait(500)
    iface.mapCanvas().setExtent(spectral.extent())
    wait(1000)

    given = jobs(spectral, second)
    run("checkinputs", given["checkinputs"])
    run("traininglayer", given["traininglayer"])
    drawn = layer_named("polygons")
    draw_polygons(drawn)
    iface.actionSaveActiveLayerEdits().trigger()
    drawn.commitChanges()
    picture("polygons")

    given = jobs(spectral, second, drawn)
    run("trainingsummary", given["trainingsummary"])
    results = iface.mainWindow().findChild(QDockWidget, "ResultsViewer")
    results.show()
    picture("results")
    results.close()

    if not (WORK / "scene.bdgf").exists():
        run("pretrain", given["pretrain"], log=True)
    run("train", given["train"])
    run("classify", given["classify"])
    show_only("land_cover")
    picture("map")
    show_only("confidence")
    picture("confidence")
    run("suggestsites", given["suggestsites"])
    show_only("land_cover", "sites")
    picture("sites")
    run("assess", given["assess"])
    for name in ("modelinfo", "environment"):
        run(name, given[name])
    for name in ("landcover", "installengine"):
        open_dialog(name, given[name]).close()
    picture_of_a_chain()


def jobs(spectral: QgsRasterLayer, second: QgsRasterLayer, drawn: QgsVectorLayer | None = None) -> dict[str, Any]:
    """What goes into the dialog of each algorithm."""
    rasters = {"SPECTRAL": spectral, "SECOND": second}
    labels = {"LABELS": drawn, "CLASS_FIELD": "class"}
    unit = {"SECOND_KIND": "sar_linear", "LOOKS": 4}
    beside = {name.upper(): file(f"{name}.tif") for name in ("confidence", "entropy", "disagreement", "ood")}
    pretrained, classifier, land_cover = (file(n) for n in ("scene.bdgf", "classifier.bdgf", "land_cover.tif"))
    steps = {"STEPS": 8} if MODE == "trial" else {}
    epochs = {"EPOCHS": 1, "SAMPLES_PER_CLASS": 30} if MODE == "trial" else {}
    reference = {"REFERENCE": file("training_polygons.gpkg"), "CLASS_FIELD": "class"}
    pairs = [cell for pair in SAME.items() for cell in pair]
    return {
        "checkinputs": {**rasters, "SECOND_KIND": "sar_linear", "REPORT": file("check.html")},
        "traininglayer": {"GRID": spectral, "OUTPUT": file("polygons.gpkg")},
        "trainingsummary": {**rasters, **labels, "REPORT": file("summary.html")},
        "pretrain": {**rasters, **unit, **steps, "OUTPUT": pretrained},
        "train": {
            **rasters, **labels, **epochs, "PRETRAINED": pretrained, "OUTPUT": classifier,
            "REPORT": file("accuracy.html"),
        },
        "classify": {
            **rasters, **beside, "CLASSIFIER": classifier, "OUTPUT": land_cover, "REPORT": file("map.html"),
        },
        "suggestsites": {
            **labels, "MAP": land_cover, **{n: path for n, path in beside.items() if n != "CONFIDENCE"},
            "OUTPUT": file("sites.gpkg"),
        },
        "assess": {**reference, "MAP": land_cover, "PAIRS": pairs, "REPORT": file("assessment.html")},
        "landcover": {**rasters, **unit, **labels, "OUTPUT": land_cover, "REPORT": file("accuracy.html")},
        "modelinfo": {"MODEL": classifier, "HTML": file("model.html")},
        "environment": {"HTML": file("environment.html")},
        "installengine": {},
    }  # fmt: skip


def arrange_window() -> None:
    iface.mainWindow().setGeometry(0, 0, 1280, 860)
    docks = {name: iface.mainWindow().findChild(QDockWidget, name) for name in ("Browser", "ProcessingToolbox")}
    docks["Browser"].close()
    toolbox = docks["ProcessingToolbox"]
    toolbox.show()
    tree = toolbox.findChild(QWidget, "algorithmTree")
    for row in range(tree.model().rowCount()):
        index = tree.model().index(row, 0)
        if index.data() == "BDGF":
            tree.expand(index)
            tree.scrollTo(index, tree.ScrollHint.PositionAtTop)
    wait(500)


def open_rasters() -> tuple[QgsRasterLayer, QgsRasterLayer]:
    second = iface.addRasterLayer(file("sar.tif"), "sar")
    spectral = iface.addRasterLayer(file("hyperspectral.tif"), "hyperspectral")
    renderer = spectral.renderer()
    renderer.setRedBand(RED)
    renderer.setGreenBand(GREEN)
    renderer.setBlueBand(BLUE)
    spectral.setDefaultContrastEnhancement()
    QgsProject.instance().setCrs(spectral.crs())
    iface.setActiveLayer(spectral)
    iface.zoomToActiveLayer()
    wait(1500)
    return spectral, second


def run(name: str, parameters: dict[str, Any], *, log: bool = False) -> None:
    """Fill the dialog in, take its picture, press Run and wait for the end; with ``log`` a picture on the way."""
    dialog = open_dialog(name, parameters)

    def told() -> str:
        return "\n".join(text.toPlainText() for text in dialog.findChildren(QTextEdit))

    QTest.mouseClick(dialog.runButton(), Qt.MouseButton.LeftButton)
    if log:
        until(lambda: "Pretraining:" in told(), 600)
        wait(2000 if MODE == "trial" else 40_000)
        dialog.grab().save(str(PICTURES / f"log_{name}.png"))
    until(lambda: dialog.runButton().isEnabled(), 3600)
    print(f"=== {name}\n{told()}", flush=True)
    if "Execution completed" not in told():
        raise RuntimeError(f"{name} did not come to its end")
    wait(500)
    dialog.close()
    wait(500)


def open_dialog(name: str, parameters: dict[str, Any]) -> Any:
    """The dialog filled in, with its picture taken."""
    dialog = desktop.open_dialog(name, parameters, size=(1000, HEIGHTS.get(name, 760)))
    dialog.grab().save(str(PICTURES / f"dialog_{name}.png"))
    return dialog


def picture_of_a_chain() -> None:
    window = open_chain(QgsApplication.processingRegistry().algorithmById("bdgf:chainmap"))
    window.resize(1280, 760)
    wait(2000)
    window.grab().save(str(PICTURES / "designer.png"))
    window.close()


def draw_polygons(layer: QgsVectorLayer) -> None:
    iface.setActiveLayer(layer)
    iface.actionAddFeature().trigger()
    wait(500)
    for number, (name, corners) in enumerate(HAND, start=1):
        for place in [place_on_canvas(*corner) for corner in corners]:
            click(Qt.MouseButton.LeftButton, place)
        QTimer.singleShot(100, lambda name=name: answer_form(name))
        click(Qt.MouseButton.RightButton, place)  # opens the form, and comes back when it is closed
        if not until(lambda number=number: layer.featureCount() == number, 20):
            raise RuntimeError(f"Polygon {number} was not taken.")
    if sorted(feature["class"] for feature in layer.getFeatures()) != sorted(name for name, _ in HAND):
        raise RuntimeError("The polygons have other classes than those chosen in the form.")


def click(button: Qt.MouseButton, place: QPoint) -> None:
    QTest.mouseMove(iface.mapCanvas().viewport(), place)
    wait(30)
    QTest.mouseClick(iface.mapCanvas().viewport(), button, Qt.KeyboardModifier.NoModifier, place)


def answer_form(name: str) -> None:
    """As soon as the form of a new polygon is there choose the class, and press OK."""
    dialogs = [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]
    form = next((w for w in dialogs if w.findChildren(QComboBox)), None)
    if form is None:
        QTimer.singleShot(100, lambda: answer_form(name))
        return
    (choice,) = (w for w in form.findChildren(QComboBox) if w.isVisible())
    if not (PICTURES / "form.png").exists():
        form.move(620, 520)  # what was drawn shall be seen
        choice.showPopup()
        wait(500)
        picture_of_the_screen(PICTURES / "form.png")
        choice.hidePopup()
    choice.setCurrentIndex(choice.findText(name))
    button = form.findChild(QDialogButtonBox).button(QDialogButtonBox.StandardButton.Ok)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def place_on_canvas(x: float, y: float) -> QPoint:
    place = iface.mapCanvas().getCoordinateTransform().transform(QgsPointXY(x, y))
    return QPoint(round(place.x()), round(place.y()))


def show_only(*names: str) -> None:
    for node in QgsProject.instance().layerTreeRoot().findLayers():
        node.setItemVisibilityChecked(node.name() in names)
        node.setExpanded(node.name() in names)
    iface.setActiveLayer(layer_named(names[-1]))
    wait(1500)


def layer_named(name: str) -> Any:
    until(lambda: bool(QgsProject.instance().mapLayersByName(name)), 30)
    (layer,) = QgsProject.instance().mapLayersByName(name)
    return layer


def picture(name: str) -> None:
    wait(1500)
    iface.mainWindow().grab().save(str(PICTURES / f"{name}.png"))


def file(name: str) -> str:
    return str(WORK / name)


def picture_of_the_screen(name: Path) -> None:
    QGuiApplication.primaryScreen().grabWindow(0).save(str(name))


desktop.session(main, failed=lambda trace: picture_of_the_screen(WORK / "failure.png"))
