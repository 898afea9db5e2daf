"""The engine's events, told in Processing's words."""

from __future__ import annotations

import time
from typing import Any, Optional

from qgis.core import QgsProcessingException, QgsProcessingFeedback
from qgis.PyQt.QtCore import QCoreApplication, QThread
from qgis.utils import iface

from .translation import tr

_HEARTBEAT_S = 0.5
_ETA_EVERY_S = 15.0
SILENT_S, IDLE_S = 60.0, 600.0  # the engine tells that it lives every 10 s; a step of a large job takes minutes


class EventFeedback:
    """Passes events on to ``feedback``. Progress never goes back, and is renewed while the engine is silent."""

    def __init__(self, feedback: QgsProcessingFeedback) -> None:
        self._feedback = feedback
        self._percent = 0.0
        self._beat_at = self._eta_at = 0.0
        self._eta_text = ""
        self._heard_at = time.monotonic()
        self._worried = False
        self.result: Optional[dict[str, Any]] = None

    def take(self, event: dict[str, Any]) -> None:
        """Raises QgsProcessingException for an error event, with the engine's sentence as it stands."""
        kind, text = event.get("event"), str(event.get("text", ""))
        self._heard_at = time.monotonic()
        if kind == "alive":
            self._worry(float(event.get("idle_s") or 0.0) > IDLE_S)
            return
        self._worried = False
        if kind == "progress":
            self._percent = max(self._percent, min(100.0, 100.0 * float(event.get("fraction") or 0.0)))
            self._renew()
            self._tell_eta(event.get("eta_s"))
        elif kind == "message":
            self._feedback.pushInfo(text)
        elif kind == "warning":
            self._feedback.pushWarning(text)
        elif kind == "error":
            raise QgsProcessingException(text or tr("The engine failed without saying why."))
        elif kind == "result":
            self.result = event

    def heartbeat(self) -> None:
        """To be called often, so that a wish to cancel is noticed while the engine is silent."""
        self._worry(time.monotonic() - self._heard_at > SILENT_S)
        if time.monotonic() - self._beat_at >= _HEARTBEAT_S:
            self._renew()
            if iface is None and QThread.currentThread() == QCoreApplication.instance().thread():
                QCoreApplication.processEvents()  # where qgis_process, which works on its main thread, sees Ctrl+C

    def _worry(self, stuck: bool) -> None:
        if stuck and not self._worried:
            self._worried = True
            self._feedback.pushWarning(
                tr(
                    "The engine has made no progress for minutes: a drive may not answer, or memory may be short. "
                    "You may wait, or cancel; the same job then goes on from what was saved."
                )
            )

    def _renew(self) -> None:
        self._beat_at = time.monotonic()
        self._feedback.setProgress(self._percent)

    def _tell_eta(self, seconds: Optional[float]) -> None:
        if seconds is None or time.monotonic() - self._eta_at < _ETA_EVERY_S:
            return
        text = _remaining(float(seconds))
        if text != self._eta_text:  # the dialog writes every progress text into its log
            self._eta_at, self._eta_text = time.monotonic(), text
            self._feedback.setProgressText(text)


def _remaining(seconds: float) -> str:
    if seconds < 60:
        return tr("Less than a minute left")
    minutes = round(seconds / 60)
    if minutes < 60:
        return tr("About {minutes} min left", minutes=minutes if minutes < 10 else 5 * round(minutes / 5))
    return tr("About {hours} h left", hours=f"{minutes / 60:.1f}")
