"""pip at work: its lines in the log, progress by what lies on the disk, its end when canceled."""

from __future__ import annotations

import os
import queue
import re
import time
from collections import deque
from dataclasses import dataclass
from typing import Mapping, Optional

from qgis.core import QgsProcessingException, QgsProcessingFeedback

from bdgf_qgis.child import Child
from bdgf_qgis.feedback import EventFeedback
from bdgf_qgis.translation import tr

from . import failures, pip
from .builds import Build

_MEASURE_S = 1.0
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")


@dataclass(frozen=True)
class Work:
    """pip (``command``) is to put ``build`` into ``folder``, with its temporary files in ``scratch``; ``wheels`` and
    ``proxy`` as in a request; ``hint`` is the command that fills a wheel folder."""

    command: list[str]
    build: Build
    folder: str
    scratch: str
    wheels: Optional[str]
    proxy: Mapping[str, str]
    hint: str

    def run(self, constraints: str, feedback: QgsProcessingFeedback, *, part: tuple[float, float]) -> None:
        """Until pip has ended; ``part`` is what this is of the whole progress. Raises QgsProcessingException with a
        sentence where pip fails or the user cancels; what it has written by then is the caller's to remove."""
        path = os.path.join(self.scratch, "constraints.txt")
        with open(path, "w", encoding="utf-8") as file:
            file.write(constraints)
        arguments = pip.arguments(self.build, target=self.folder, constraints=path, wheels=self.wheels)
        environment = pip.environment(os.environ, self.proxy)
        # what a killed pip leaves behind is ours to remove
        environment.update(TMPDIR=self.scratch, TEMP=self.scratch, TMP=self.scratch)
        feedback.pushCommandInfo(" ".join([*self.command, *arguments]))
        child = Child([*self.command, *arguments], environment=environment, folder=self.scratch, merged=True)
        try:
            said = self._follow(child, feedback, part)
            child.stop()
        except BaseException:
            child.stop(politely=False)
            raise
        finally:
            child.close()
        if child.code != 0:
            raise QgsProcessingException(self._reason(child.code, said))

    def _follow(self, child: Child, feedback: QgsProcessingFeedback, part: tuple[float, float]) -> list[str]:
        """What pip says, until its last line."""
        said: deque[str] = deque(maxlen=500)
        events, measured = EventFeedback(feedback), 0.0
        while True:
            events.take({"event": "alive"})
            events.heartbeat()
            if feedback.isCanceled():
                raise QgsProcessingException(tr("Canceled; nothing was installed."))
            if time.monotonic() - measured > _MEASURE_S:
                share = min(1.0, _megabytes(self.folder, self.scratch) / self.build.megabytes)
                events.take({"event": "progress", "fraction": part[0] + (part[1] - part[0]) * share})
                measured = time.monotonic()
            try:
                line = child.lines.get(timeout=0.1)
            except queue.Empty:
                continue
            if line is None:
                return list(said)
            said.append(_CREDENTIALS.sub("", line))
            feedback.pushConsoleInfo(said[-1])

    def _reason(self, code: int, said: list[str]) -> str:
        text = "\n".join(said)
        last = next((line for line in reversed(said) if line.startswith("ERROR:")), said[-1] if said else "")
        known = failures.sentence(text)
        if not known and failures.is_no_wheel(text) and self.wheels:
            known = tr(
                "The folder {folder} lacks a wheel for this Python; fill it on a computer with a network, with a "
                "Python of the same version: {command}.",
                folder=self.wheels,
                command=self.hint,
            )
        elif not known and failures.is_no_wheel(text):
            known = tr("The package index has no package that fits this Python and machine; use a wheel folder.")
        if not known:
            known = tr("pip ended with exit code {code}; its log stands above.", code=code)
        return f"{known} ({last})" if last else known


def _megabytes(*folders: str) -> float:
    """What lies in them by now; files may go while they are counted."""
    total, left = 0, list(folders)
    while left:
        try:
            with os.scandir(left.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        left.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
        except OSError:
            continue
    return total / 2**20
