"""Algorithms run through QGIS's command line, in a profile of their own, with what they cost."""

from __future__ import annotations

import codecs
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping


class StepFailed(Exception):
    """A step did not work; the text is the reason, as QGIS or the engine gave it."""


@dataclass(frozen=True)
class Step:
    """An algorithm that was run: its ``results`` as text by name, and its cost. ``peak_mb`` is the resident memory of
    the largest process among QGIS and the engine."""

    name: str
    results: dict[str, str]
    seconds: float
    peak_mb: float


@dataclass(frozen=True)
class QgisProcess:
    """QGIS's command line (``executable``) with the ``environment`` of a clean profile."""

    executable: str
    environment: Mapping[str, str]

    @classmethod
    def find(cls, plugins: Path, profile: Path, *, python: Path) -> QgisProcess:
        """With the plugin in the folder ``plugins`` enabled, and ``python`` to run the engine.

        Raises StepFailed where no qgis_process of this machine runs.
        """
        profile.mkdir(parents=True, exist_ok=True, mode=0o700)
        inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "LANGUAGE")}
        environment = {
            **inherited,
            "LC_ALL": "C.UTF-8",  # paths with accents, figures with points
            "QT_QPA_PLATFORM": "offscreen",
            "QGIS_PLUGINPATH": str(plugins),
            "QGIS_CUSTOM_CONFIG_PATH": str(profile),
            "XDG_RUNTIME_DIR": str(profile),
            "BDGF_PYTHON": str(python),
        }
        said = []
        # Debian bookworm's qgis_process is a wrapper that passes an option which the program beside it does not know.
        for executable in ("qgis_process", "qgis_process.bin"):
            try:
                command = [executable, "plugins", "enable", "bdgf_qgis"]
                done = subprocess.run(command, env=environment, capture_output=True, text=True)
            except OSError as error:
                said.append(f"{executable}: {error.strerror}")
                continue
            # In a profile that was used before, enabling again counts as a failure; and QGIS may fall as it ends.
            if done.returncode == 0 or re.search("already enabled|Enabled bdgf_qgis", done.stdout + done.stderr):
                return cls(executable, environment)
            said.append(f"{executable} ended with {done.returncode}: {_reason(done.stderr)}")
        raise StepFailed(
            f"neither qgis_process nor qgis_process.bin runs here and loads the plugin ({'; '.join(said)}); try "
            "'qgis_process plugins'."
        )

    def run(self, algorithm: str, parameters: Mapping[str, str]) -> Step:
        """Run one algorithm, showing what it says. Raises StepFailed with its own sentence where it fails."""
        print(f"\n=== {algorithm}", flush=True)
        command = [self.executable, "run", algorithm, *(f"--{name}={value}" for name, value in parameters.items())]
        said, started = "", time.monotonic()
        decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=complaints)
            assert process.stdout is not None
            try:
                while chunk := os.read(process.stdout.fileno(), 4096):
                    text = decode(chunk)
                    print(text, end="", flush=True)
                    said += text
            except KeyboardInterrupt:
                process.wait()  # the terminal has told QGIS too, which stops the engine
                raise
            _, status, usage = os.wait4(process.pid, 0)  # of it and of the engine, which it has waited for
            process.returncode = os.waitstatus_to_exitcode(status)
            complaints.seek(0)
            complaint = complaints.read().decode("utf-8", "replace")
        if process.returncode != 0:
            raise StepFailed(f"{algorithm} failed: {_reason(complaint)}")
        results = dict(re.findall(r"^(\w+):\t(.*)$", said.rpartition("Results")[2], re.MULTILINE))
        return Step(algorithm, results, time.monotonic() - started, usage.ru_maxrss / 1024)


def _reason(complaint: str) -> str:
    """The last error that qgis_process wrote, in one line."""
    errors = complaint.rpartition("ERROR:")
    lines = [line.strip() for line in errors[2].splitlines() if line.strip()]
    if errors[1] and len(lines) > 1 and "checking parameter values" in lines[0]:
        lines = lines[1:]
    told = dict.fromkeys(lines if errors[1] else lines[-3:])  # QGIS says some things twice
    return " ".join(told) or "it ended without saying why."
