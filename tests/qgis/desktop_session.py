"""Run by the QGIS desktop for test_desktop.py: works the dialogs as a person would, and writes down what it saw."""

from __future__ import annotations

import json
import os
import time
import traceback

import processing
from qgis.core import QgsProject
from qgis.PyQt.QtCore import QEventLoop, QTimer
from qgis.PyQt.QtWidgets import QTextEdit

GIVEN = json.loads(os.environ["BDGF_SESSION"])


def main() -> dict:
    os.environ["FAKE_ENGINE"] = ""
    dialog = open_dialog("classify", GIVEN["classify"])
    dialog.runButton().click()
    until(lambda: QgsProject.instance().mapLayers(), 20)
    wait(500)
    seen = {"log": "\n".join(text.toPlainText() for text in dialog.findChildren(QTextEdit)), "legends": {}}
    for layer in QgsProject.instance().mapLayers().values():
        classes = layer.renderer().classes()
        seen["legends"][layer.name()] = [[c.value, c.label, c.color.name()] for c in classes]
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
    return seen


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def open_dialog(name: str, parameters: dict):
    dialog = processing.createAlgorithmDialog(f"bdgf:{name}", parameters)
    dialog.show()
    wait(500)
    return dialog


def until(done, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        wait(50)
    return bool(done())


def wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()


def session() -> None:
    try:
        seen = main()
    except Exception:  # QGIS must not stay open without a screen
        seen = {"failure": traceback.format_exc()}
    with open(GIVEN["answer"], "w") as file:
        json.dump(seen, file)
    os._exit(0)


QTimer.singleShot(1500, session)
