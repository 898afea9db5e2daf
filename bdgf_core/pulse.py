"""The heartbeat of a job."""

from __future__ import annotations

import threading
import time
from typing import Callable

from .progress import Event

EVERY_S = 10.0


class Pulse:
    """Called by the job to learn whether it should stop; tells ``{"event": "alive", "idle_s"}`` all along: for how
    long the job has not asked. A process that is stuck or stopped as a whole tells nothing."""

    def __init__(self, stop: threading.Event, emit: Callable[[Event], None], every_s: float = EVERY_S) -> None:
        self._stop, self._emit, self._every_s = stop, emit, every_s
        self._asked = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def __call__(self) -> bool:
        self._asked = time.monotonic()
        return self._stop.is_set()

    def end(self) -> None:
        """Nothing is told after this."""
        self._ended.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(self._every_s):
            self._emit({"event": "alive", "idle_s": round(time.monotonic() - self._asked, 1)})
