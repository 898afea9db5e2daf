"""A process of its own: its lines as they come, and its end when asked for."""

from __future__ import annotations

import os
import queue
import subprocess  # nosec B404: the engine is a process of its own by design
import threading
from collections import deque
from typing import IO, Any, Mapping, Optional, Sequence

POLITE_S, FIRM_S = 2.5, 1.0  # after "cancel", and after terminate(): together with kill() under 5 s
NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class Child:
    """``lines`` are those of its standard output, None after the last; ``log`` the last ones of its standard error,
    or with ``merged`` both are lines. Raises OSError where it does not start."""

    def __init__(
        self, command: Sequence[str], *, environment: Mapping[str, str], folder: str, merged: bool = False
    ) -> None:
        self.lines: queue.Queue[Optional[str]] = queue.Queue()
        self.log: deque[str] = deque(maxlen=40)
        self._process = subprocess.Popen(  # nosec B603: a list of arguments, no shell
            list(command),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            # Ctrl+C in a terminal must reach QGIS alone, which then asks the process to stop.
            start_new_session=os.name != "nt",
            creationflags=NO_WINDOW | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        takers = ((self._process.stdout, self.lines.put), (self._process.stderr, self._note))
        self._listeners = [
            (threading.Thread(target=_read, args=(stream, take), daemon=True), stream)
            for stream, take in takers
            if stream
        ]
        for listener, _ in self._listeners:
            listener.start()

    @property
    def code(self) -> int:
        """The exit status, after :meth:`stop`."""
        return int(self._process.returncode)

    def send(self, line: str) -> None:
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(line.encode("utf-8") + b"\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            return  # it is gone already; what it said before tells why

    def stop(self, *, politely: bool = True) -> None:
        """Ask by the line ``cancel``, then insist, then end it. Does little where it has ended by itself."""
        if politely:
            self.send("cancel")
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
        except OSError:
            pass  # nosec B110: a broken pipe here says only that it has ended
        insisting = ((FIRM_S, self._process.kill), (None, self._process.kill))
        if politely:
            insisting = ((POLITE_S, self._process.terminate), *insisting)
        elif self._process.poll() is None:
            self._process.terminate()
        for patience, insist in insisting:
            try:
                self._process.wait(patience)
                break
            except subprocess.TimeoutExpired:
                insist()

    def close(self) -> None:
        """Let go of what it said, once it has been stopped."""
        for listener, stream in self._listeners:
            listener.join(1.0)
            if not listener.is_alive():
                stream.close()

    def _note(self, line: Optional[str]) -> None:
        if line:
            self.log.append(line)


def _read(stream: IO[bytes], take: Any) -> None:
    """Hand each line to ``take``, and None at the end."""
    for line in stream:
        text = line.decode("utf-8", "replace").rstrip()
        if text:
            take(text)
    take(None)
