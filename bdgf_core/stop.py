"""How a person stops a command."""

from __future__ import annotations

import signal
import threading


def stop_on_signals() -> threading.Event:
    """Set by the first SIGINT or SIGTERM; a second one ends the process at once."""
    stop = threading.Event()

    def ask(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        stop.set()

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), ask)
    return stop
