"""How a verb tells where it stands, and learns that it should stop."""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

from .errors import Canceled, one_line

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

    def side_by_side(self, count: int, stop: threading.Event) -> list[Progress]:
        """As many stretches that threads go through at once; their mean counts. ``stop`` cancels them all."""
        done = [0.0] * count
        return [_Lane(self, done, i, stop) for i in range(count)]

    def update(self, fraction: float) -> None:
        """Report ``fraction`` in [0, 1] of this part as done, and stop here if asked to."""
        self.check_canceled()
        overall = self._low + min(max(fraction, 0.0), 1.0) * (self._high - self._low)
        now = time.monotonic()
        state = self._state
        with state.lock:
            if overall <= state.fraction or (now - state.reported < 0.2 and overall < 1.0):
                return
            state.fraction, state.reported = overall, now
            elapsed = now - state.started
            here = overall - state.began_at
            eta = elapsed * (1.0 - overall) / here if elapsed > 2.0 else None
            self._emit({"event": "progress", "fraction": round(overall, 5), "eta_s": eta and round(eta, 1)})

    def skip_to(self, fraction: float) -> None:
        """:meth:`update` for what an earlier run has done, which says nothing on how long the rest will take."""
        self.update(fraction)
        with self._state.lock:
            self._state.began_at, self._state.started = self._state.fraction, time.monotonic()

    def message(self, text: str) -> None:
        self._emit({"event": "message", "text": one_line(text)})

    def warning(self, text: str) -> None:
        """Told once a job: the steps of a chain find the same in the same rasters."""
        text, state = one_line(text), self._state
        with state.lock:
            if text in state.warned:
                return
            state.warned.add(text)
        self._emit({"event": "warning", "text": text})

    def silent(self) -> Progress:
        """One that tells nothing, and stops when this one does."""
        return Progress(canceled=self._canceled)

    def check_canceled(self) -> None:
        if self._canceled():
            raise Canceled


class _Lane(Progress):
    def __init__(self, whole: Progress, done: list[float], index: int, stop: threading.Event) -> None:
        super().__init__(whole._emit, lambda: stop.is_set() or whole._canceled())
        self._whole, self._done, self._index = whole, done, index

    def update(self, fraction: float) -> None:
        self.check_canceled()
        self._done[self._index] = fraction
        self._whole.update(sum(self._done) / len(self._done))

    def skip_to(self, fraction: float) -> None:
        self._done[self._index] = fraction
        self._whole.skip_to(sum(self._done) / len(self._done))


class _Shared:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.started = time.monotonic()
        self.reported = -1.0
        self.fraction = 0.0
        self.began_at = 0.0
        self.warned: set[str] = set()
