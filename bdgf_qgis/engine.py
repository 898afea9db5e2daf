"""Start the engine process, follow its events, and stop it when asked to."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess  # nosec B404: the engine is a process of its own by design
import threading
from collections import deque
from typing import IO, Any, Optional

from qgis.core import QgsProcessingException, QgsProcessingFeedback

from . import interpreter
from .feedback import EventFeedback
from .translation import language, tr

POLITE_S, FIRM_S = 2.5, 1.0  # after "cancel", and after terminate(): together with kill() under 5 s
_POLL_S = 0.1


def run(verb: str, job: dict[str, Any], feedback: QgsProcessingFeedback) -> dict[str, Any]:
    """Run ``verb`` with ``job`` in the engine and return its result event.

    Blocks, so it belongs into Processing's background thread. Raises QgsProcessingException with one
    sentence: the engine's own, or why it could not start, was canceled, or ended without a result.
    """
    process = _start(verb)
    log: deque[str] = deque(maxlen=40)
    lines: queue.Queue[Optional[str]] = queue.Queue()
    listeners = [
        threading.Thread(target=_read, args=(process.stdout, lines.put), daemon=True),
        threading.Thread(target=_read, args=(process.stderr, lambda line: line and log.append(line)), daemon=True),
    ]
    for listener in listeners:
        listener.start()
    events = EventFeedback(feedback)
    try:
        _send(process, json.dumps(job))
        _follow(process, lines, events, feedback)
    finally:
        _stop(process)
        for listener, stream in zip(listeners, (process.stdout, process.stderr)):
            listener.join(1.0)
            if stream is not None and not listener.is_alive():
                stream.close()
    if events.result is not None:
        return events.result
    if feedback.isCanceled():
        raise QgsProcessingException(tr("Canceled; no output was written."))
    for line in log:
        feedback.pushConsoleInfo(line)
    raise QgsProcessingException(_cause_of_death(process.returncode, log))


def _start(verb: str) -> subprocess.Popen[bytes]:
    python = interpreter.find()
    try:
        return subprocess.Popen(  # nosec B603: a list of arguments, no shell
            [python.path, "-m", "bdgf_core", verb, "--job", "-"],
            env={**python.environment(), "BDGF_LANGUAGE": language()},
            cwd=interpreter.engine_folder(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl+C in a terminal must reach QGIS alone, which then asks the engine to stop.
            start_new_session=os.name != "nt",
            creationflags=interpreter.NO_WINDOW | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except OSError as error:
        raise QgsProcessingException(
            tr(
                "The engine could not be started with {path}: {reason}.",
                path=python.path,
                reason=error.strerror or error,
            )
        ) from error


def _follow(
    process: subprocess.Popen[bytes],
    lines: queue.Queue[Optional[str]],
    events: EventFeedback,
    feedback: QgsProcessingFeedback,
) -> None:
    """Until the engine has said its last line, which a canceled one does too unless it had to be ended."""
    stopped = False
    while True:
        events.heartbeat()
        if feedback.isCanceled() and not stopped:
            _stop(process)
            stopped = True
        try:
            line = lines.get(timeout=_POLL_S)
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


def _read(stream: Optional[IO[bytes]], take: Any) -> None:
    """Hand each line to ``take``, and None at the end."""
    if stream is not None:
        for line in stream:
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                take(text)
    take(None)


def _send(process: subprocess.Popen[bytes], line: str) -> None:
    if process.stdin is None:
        return
    try:
        process.stdin.write(line.encode("utf-8") + b"\n")
        process.stdin.flush()
    except (OSError, ValueError):
        return  # the engine is gone already; what it said before tells why


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask, then insist, then end it. Does little where the engine has ended by itself."""
    _send(process, "cancel")
    try:
        if process.stdin is not None:
            process.stdin.close()
    except OSError:
        pass  # nosec B110: a broken pipe here says only that the engine has ended
    for patience, insist in ((POLITE_S, process.terminate), (FIRM_S, process.kill), (None, process.kill)):
        try:
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            insist()


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
