"""Events for people: a progress line on the terminal, messages, and the result as indented text."""

from __future__ import annotations

import sys
import threading
from typing import Any, Iterator, Optional

from .duration import duration
from .errors import one_line
from .progress import Event
from .translation import tr

_WIDTH = 30


class Console:
    """Messages and results go to standard output, warnings, errors and the progress line to standard error.

    Where standard error is no terminal, every tenth of the way is told on a line of its own.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop
        self._bar = ""
        self._told = 0

    def emit(self, event: Event) -> None:
        kind = event["event"]
        if kind == "progress":
            self._progress(event["fraction"], event["eta_s"])
            return
        if kind == "alive":
            return
        self._clear()
        if kind == "result":
            self._print("\n".join(_lines({key: value for key, value in event.items() if key != "event"})), error=False)
        elif kind == "message":
            self._print(event["text"], error=False)
        elif kind == "warning":
            self._print(tr("Warning: {told}", told=event["text"]), error=True)
        else:
            self._print(tr("Error: {told}", told=event["text"]), error=True)

    def _progress(self, fraction: float, eta: Optional[float]) -> None:
        left = "  " + tr("about {time} left", time=duration(eta)) if eta else ""
        if sys.stderr.isatty():
            done = round(fraction * _WIDTH)
            bar = f"[{'#' * done}{'.' * (_WIDTH - done)}] {fraction:4.0%}{left}"
            sys.stderr.write("\r" + bar.ljust(len(self._bar)))
            sys.stderr.flush()
            self._bar = bar
        elif int(fraction * 10) > self._told:
            self._told = int(fraction * 10)
            self._print(f"{fraction:4.0%}{left}", error=True)

    def _clear(self) -> None:
        if self._bar:
            sys.stderr.write("\r" + " " * len(self._bar) + "\r")
            sys.stderr.flush()
            self._bar = ""

    def _print(self, text: str, *, error: bool) -> None:
        stream = sys.stderr if error else sys.stdout
        try:
            encoding = stream.encoding or "utf-8"
            print(text.encode(encoding, "replace").decode(encoding), file=stream, flush=True)
        except BrokenPipeError:
            self._stop.set()


def _lines(value: Any, indent: str = "") -> Iterator[str]:
    """A nested value as indented ``key: value`` lines; what is None is left out."""
    pairs = value.items() if isinstance(value, dict) else (("-", item) for item in value)
    for key, item in pairs:
        head = indent + (key if key == "-" else f"{key.replace('_', ' ')}:")
        if isinstance(item, (dict, list, tuple)) and any(isinstance(i, (dict, list, tuple)) for i in _items(item)):
            yield head
            yield from _lines(item, indent + "  ")
        elif isinstance(item, dict):
            yield f"{head} " + ", ".join(f"{k.replace('_', ' ')} {_text(v)}" for k, v in item.items())
        elif isinstance(item, (list, tuple)):
            yield f"{head} " + ", ".join(map(_text, item))
        elif item is not None:
            yield f"{head} {_text(item)}"


def _items(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: tr("n/a"), True: tr("yes"), False: tr("no")}[value]
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value))
