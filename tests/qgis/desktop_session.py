"""Run by the QGIS desktop for test_desktop.py: works the dialogs as a person would, and writes down what it saw."""

from __future__ import annotations

import json
import os
import time
from functools import partial

import desktop
from desktop import open_dialog, until, wait
from qgis.core import QgsApplication, QgsProject, QgsRectangle
from qgis.gui import QgsModelDesignerDialog
from qgis.PyQt.QtCore import QObject, QPoint, Qt, QTimer, QUrl, pyqtSlot
from qgis.PyQt.QtGui import QDesktopServices
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QApplication, QComboBox, QDialog, QDialogButtonBox, QLabel, QTextEdit, QWidget
from qgis.utils import iface

GIVEN = json.loads(os.environ["BDGF_SESSION"])


def main() -> None:
    answer(work())


def answer(seen: dict) -> None:
    with open(GIVEN["answer"], "w") as file:
        json.dump(seen, file)


def work() -> dict:
    os.environ["FAKE_ENGINE"] = ""
    dialog = open_dialog("classify", GIVEN["classify"])
    dialog.runButton().click()
    until(lambda: QgsProject.instance().mapLayers(), 20)
    wait(500)
    seen = {"log": "\n".join(text.toPlainText() for text in dialog.findChildren(QTextEdit)), "legends": {}}
    for layer in QgsProject.instance().mapLayers().values():
        classes = layer.renderer().classes()
        seen["legends"][layer.name()] = [[c.value, c.label, c.color.name()] for c in classes]
    seen["help"] = page_behind_help(dialog)
    dialog.close()

    os.environ["FAKE_ENGINE"] = "slow"
    dialog = open_dialog("pretrain", GIVEN["pretrain"])
    dialog.runButton().click()
    wait(2000)
    with open(os.environ["FAKE_ENGINE_JOB"]) as file:
        engine = json.load(file)["pid"]
    seen["running"] = alive(engine)
    started = time.monotonic()
    dialog.cancelButton().click()
    until(lambda: not alive(engine) and dialog.runButton().isEnabled(), 8)
    seen["canceled"] = time.monotonic() - started
    dialog.close()
    seen["designer"] = open_a_chain()
    seen["form"], seen["drawn"] = draw_a_polygon()
    seen["menu"] = use_the_menu()
    return seen


def use_the_menu() -> dict[str, list]:
    """What each entry of Plugins ▸ BDGF opens: the titles of dialogs and the kinds of what is visible in them."""
    (menu,) = (action.menu() for action in iface.pluginMenu().actions() if action.text() == "BDGF")
    opened: dict[str, list] = {}

    def close(name: str) -> None:
        for dialog in (w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()):
            visible = (w for w in dialog.findChildren(QWidget) if w.isVisible())
            opened[name] = [dialog.windowTitle(), *sorted({type(w).__name__ for w in visible})]
            dialog.reject()

    for action in menu.actions():
        QTimer.singleShot(2500, partial(close, action.text()))
        action.trigger()  # modal: it returns when the dialog has been closed
    return opened


def open_a_chain() -> list:
    """The steps that the Model Designer shows of a chain, by the Toolbox's context menu."""
    from processing.gui.ProviderActions import ProviderContextMenuActions

    chain = QgsApplication.processingRegistry().algorithmById("bdgf:chainmap")
    for action in ProviderContextMenuActions.actions:
        action.setData(chain, None)
    (action,) = (a for a in ProviderContextMenuActions.actions if "Designer" in (a.name or "") and a.isEnabled())
    action.execute()
    wait(1500)
    (designer,) = (w for w in QApplication.topLevelWidgets() if isinstance(w, QgsModelDesignerDialog) and w.isVisible())
    steps = sorted(designer.model().childAlgorithms())
    if "BDGF_SCREENSHOTS" in os.environ:
        designer.grab().save(os.path.join(os.environ["BDGF_SCREENSHOTS"], "designer.png"))
    designer.close()
    return steps


class Browser(QObject):
    """In place of the one that would open pages."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list = []

    @pyqtSlot(QUrl)
    def open(self, url: QUrl) -> None:
        self.pages.append(url.toLocalFile())


def page_behind_help(dialog) -> list:
    browser = Browser()
    QDesktopServices.setUrlHandler("file", browser, "open")
    dialog.runButton().parent().button(QDialogButtonBox.StandardButton.Help).click()
    QDesktopServices.unsetUrlHandler("file")
    return browser.pages


def draw_a_polygon() -> tuple[list, list]:
    """What the form of a new polygon asks for, and the attributes that it gets."""
    QgsProject.instance().removeAllMapLayers()
    dialog = open_dialog("traininglayer", GIVEN["traininglayer"])
    dialog.runButton().click()
    until(lambda: QgsProject.instance().mapLayers(), 20)
    dialog.close()
    (layer,) = QgsProject.instance().mapLayers().values()
    iface.mapCanvas().setExtent(QgsRectangle(500000, 5799000, 501000, 5800000))
    iface.actionAddFeature().trigger()  # the layer is the active one, and being edited
    wait(500)
    asked: list = []
    QTimer.singleShot(3000, lambda: answer_form(asked))
    canvas = iface.mapCanvas().viewport()
    places = [QPoint(canvas.width() * x // 10, canvas.height() * y // 10) for x, y in ((4, 4), (6, 4), (6, 6))]
    buttons = [Qt.MouseButton.LeftButton] * 3 + [Qt.MouseButton.RightButton]
    for button, place in zip(buttons, [*places, places[-1]]):
        QTest.mouseMove(canvas, place)
        wait(100)
        QTest.mouseClick(canvas, button, Qt.KeyboardModifier.NoModifier, place)
    until(lambda: layer.featureCount(), 10)
    layer.commitChanges()
    return asked, [feature["class"] for feature in layer.getFeatures()]


def answer_form(asked: list) -> None:
    for form in (w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()):
        asked += [w.text() for w in form.findChildren(QLabel) if w.isVisible() and w.text().isalpha()]
        for choice in form.findChildren(QComboBox):
            choice.setCurrentIndex(choice.findText("Wood"))
        form.accept()


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


desktop.session(main, failed=lambda trace: answer({"failure": trace}))
