"""What is shared by scripts that the QGIS desktop runs (``qgis --code``, with this folder on PYTHONPATH)."""

from __future__ import annotations

import os
import sys
import time
import traceback
from typing import Any, Callable, Optional

import processing
from qgis.core import QgsApplication, QgsProject
from qgis.PyQt.QtCore import QEventLoop, QTimer


def session(main: Callable[[], None], *, failed: Callable[[str], None] = lambda trace: None) -> None:
    """Run ``main`` as soon as the desktop is there, then leave QGIS: with status 1 where it has ``failed``."""

    def run() -> None:
        status = 0
        try:
            main()
        except Exception:  # whatever it is, QGIS must not stay open without a screen
            traceback.print_exc()
            failed(traceback.format_exc())
            status = 1
        QgsProject.instance().setDirty(False)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # QGIS would ask, and sometimes fails while it shuts down

    QgsApplication.instance().processEvents()
    QTimer.singleShot(2000, run)


def open_dialog(name: str, parameters: dict[str, Any], *, size: Optional[tuple[int, int]] = None) -> Any:
    """The dialog of the algorithm ``name``, filled in."""
    dialog = processing.createAlgorithmDialog(f"bdgf:{name}", parameters)
    if size is not None:
        dialog.resize(*size)
    dialog.show()
    wait(800)
    return dialog


def until(done: Callable[[], Any], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not done() and time.monotonic() < end:
        wait(50)
    return bool(done())


def wait(milliseconds: int) -> None:
    loop = QEventLoop()
    QTimer.singleShot(milliseconds, loop.quit)
    loop.exec()
