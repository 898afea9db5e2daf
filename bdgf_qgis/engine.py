"""Start the engine process, follow its events, and stop it when asked to."""

from __future__ import annotations

import json
import queue
import signal
from collections import deque
from typing import Any, Optional

from qgis.core import QgsProcessingException, QgsProcessingFeedback

from . import interpreter, packages
from .child import Child
from .feedback import EventFeedback
from .interpreter import Interpreter
from .translation import language, tr

_POLL_S = 0.1


def run(
    verb: str, job: dict[str, Any], feedback: QgsProcessingFeedback, *, python: Optional[Interpreter] = None
) -> dict[str, Any]:
    """Run ``verb`` with ``job`` in the engine and return its result event. ``python`` runs it as it is, whatever it
    lacks; by default it is :func:`interpreter.find`'s.

    Blocks, so it belongs into Processing's background thread. Raises QgsProcessingException with one
    sentence: the engine's own, or why it could not start, was canceled, or ended without a result.
    """
    python = python or interpreter.find()
    events = EventFeedback(feedback)
    with packages.kept(python.packages):
        child = _start(verb, python)
        try:
            child.send(json.dumps(job))
            _follow(child, events, feedback)
        finally:
            child.stop()
            child.close()
    if events.result is not None:
        return events.result
    if feedback.isCanceled():
        raise QgsProcessingException(tr("Canceled; no output was written."))
    for line in child.log:
        feedback.pushConsoleInfo(line)
    raise QgsProcessingException(_cause_of_death(child.code, child.log))


def _start(verb: str, python: Interpreter) -> Child:
    environment = {**python.environment(), "BDGF_LANGUAGE": language()}
    command = [python.path, "-m", "bdgf_core", verb, "--job", "-"]
    try:
        return Child(command, environment=environment, folder=interpreter.engine_folder())
    except OSError as error:
        raise QgsProcessingException(
            tr(
                "The engine could not be started with {path}: {reason}.",
                path=python.path,
                reason=error.strerror or error,
            )
        ) from error


def _follow(child: Child, events: EventFeedback, feedback: QgsProcessingFeedback) -> None:
    """Until the engine has said its last line, which a canceled one does too unless it had to be ended."""
    stopped = False
    while True:
        events.heartbeat()
        if feedback.isCanceled() and not stopped:
            child.stop()
            stopped = True
        try:
            line = child.lines.get(timeout=_POLL_S)
        except queue.Empty:
            if stopped:
                return
            continue
        if line is None:
            return
        event = _parse(line)
        if event is None:
            feedback.pushConsoleInfo(line)
        else:
            events.take(event)


def _parse(line: str) -> Optional[dict[str, Any]]:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None


def _cause_of_death(code: int, log: deque[str]) -> str:
    if code == -9 or code == 137:
        return tr(
            "The engine was ended by the operating system (signal 9), most likely because memory ran out: "
            "close other programs, set the memory limit lower, or choose a smaller preset or fewer bands."
        )
    if code < 0 or code >= 0xC0000000:
        name = _signal_name(-code) if code < 0 else f"0x{code:08X}"
        return tr(
            "The engine crashed ({name}), as faulty GPU drivers or mixed installations of torch make it do: "
            "try DEVICE = cpu, or another Python interpreter in the provider's settings.",
            name=name,
        )
    last = log[-1] if log else tr("it said nothing")
    return tr("The engine ended without a result (exit code {code}); its last words: {last}", code=code, last=last)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return tr("signal {number}", number=number)
