"""Events as JSON lines on standard output, which nothing else may write to."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import BinaryIO

from .progress import Event


class EventLines:
    """One JSON object a line. A reader that has gone away sets ``stop``."""

    def __init__(self, stream: BinaryIO, stop: threading.Event) -> None:
        self._stream = stream
        self._stop = stop
        self._lock = threading.Lock()

    @classmethod
    def instead_of_stdout(cls, stop: threading.Event) -> EventLines:
        """On this process's standard output; whatever libraries print there, in C too, goes to standard error."""
        sys.stdout.flush()
        stream = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        return cls(stream, stop)

    def emit(self, event: Event) -> None:
        """Raises ValueError for NaN, which JSON does not have."""
        line = json.dumps(event, allow_nan=False, default=str).encode() + b"\n"
        with self._lock:
            try:
                self._stream.write(line)
                self._stream.flush()
            except OSError:
                self._stop.set()
