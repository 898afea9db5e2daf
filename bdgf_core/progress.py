"""How a verb tells where it stands, and learns that it should stop."""

from __future__ import annotations

import time
from typing import Any, Callable

from .errors import Canceled

Event = dict[str, Any]


class Progress:
    """Monotone progress over [0, 1], split into parts; events go to ``emit`` as plain dictionaries.

    Events: ``{"event": "progress", "fraction", "eta_s"}``, ``{"event": "message", "text"}`` and
    ``{"event": "warning", "text"}``. ``canceled`` is polled by :meth:`check_canceled`, which raises
    :class:`~bdgf_core.errors.Canceled`.
    """

    def __init__(
        self,
        emit: Callable[[Event], None] = lambda event: None,
        canceled: Callable[[], bool] = lambda: False,
    ) -> None:
        self._emit = emit
        self._canceled = canceled
        self._low, self._high = 0.0, 1.0
        self._state = _Shared()

    def part(self, low: float, high: float) -> Progress:
        """The stretch from ``low`` to ``high`` (fractions of this one), itself counted from 0 to 1."""
        part = Progress(self._emit, self._canceled)
        span = self._high - self._low
        part._low, part._high = self._low + low * span, self._low + high * span
        part._state = self._state
        return part

    def update(self, fraction: float) -> None:
        """Report ``fraction`` in [0, 1] of this part as done, and stop here if asked to."""
        self.check_canceled()
        overall = self._low + min(max(fraction, 0.0), 1.0) * (self._high - self._low)
        now = time.monotonic()
        state = self._state
        if overall <= state.fraction or (now - state.reported < 0.2 and overall < 1.0):
            return
        state.fraction, state.reported = overall, now
        elapsed = now - state.started
        eta = elapsed * (1.0 - overall) / overall if elapsed > 2.0 else None
        self._emit({"event": "progress", "fraction": round(overall, 5), "eta_s": eta and round(eta, 1)})

    def message(self, text: str) -> None:
        self._emit({"event": "message", "text": text})

    def warning(self, text: str) -> None:
        self._emit({"event": "warning", "text": text})

    def check_canceled(self) -> None:
        if self._canceled():
            raise Canceled


class _Shared:
    def __init__(self) -> None:
        self.started = time.monotonic()
        self.reported = -1.0
        self.fraction = 0.0
