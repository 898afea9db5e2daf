"""Which Python runs the engine, and whether it has what the engine needs."""

from __future__ import annotations

import json
import os
import subprocess  # nosec B404: the engine is a process of its own by design
import sys
import time
from dataclasses import dataclass
from typing import Iterator, Optional, Sequence

from qgis.core import QgsApplication, QgsProcessingException

from . import packages, settings
from .child import NO_WINDOW
from .translation import tr

REQUIRED = ("torch", "numpy", "osgeo", "safetensors", "einops", "sklearn")
IN_EVERY_QGIS = ("numpy", "osgeo")  # are all that the verbs without networks need

_PROBE = (
    "import importlib.util as u, json, os, sys;"
    "print(json.dumps({'prefix': sys.prefix, 'base': sys.base_prefix, 'version': list(sys.version_info[:2]),"
    "'missing': [m for m in sys.argv[1:] if u.find_spec(m) is None]}))"
)
_FAILURE_LIFETIME_S = 5.0
_answers: dict[tuple[str, Optional[str]], tuple[float, Optional[Interpreter]]] = {}


@dataclass(frozen=True)
class Interpreter:
    """A Python that answered: its ``path``, prefixes and version, and the required modules it lacks.
    ``own`` says that it is QGIS's own Python, which finds modules in the folder ``packages`` too, if there is one."""

    path: str
    prefix: str
    base_prefix: str
    version: tuple[int, int]
    missing: tuple[str, ...]
    own: bool
    packages: Optional[str] = None

    def environment(self) -> dict[str, str]:
        """The environment for the engine: QGIS's, without what would mislead another process."""
        return _environment(self.packages, own=self.own)


def engine_folder() -> str:
    """The folder that holds ``bdgf_core`` and, in an installed plugin, nothing else."""
    here = os.path.dirname(os.path.abspath(__file__))
    nested = os.path.join(here, "engine")
    return nested if os.path.isdir(nested) else os.path.dirname(here)


def find(required: Optional[Sequence[str]] = None) -> Interpreter:
    """The interpreter from the settings, else from ``BDGF_PYTHON``, else QGIS's own.

    Raises QgsProcessingException with a sentence where there is none, or where it lacks packages: any of those needed,
    or of those in ``required``.
    """
    interpreter = answering()
    missing = [module for module in interpreter.missing if required is None or module in required]
    if missing and interpreter.own:
        raise QgsProcessingException(
            tr(
                "The engine needs {modules}, which QGIS's own Python does not have: run the algorithm Install the "
                "engine, or {mend}.",
                modules=", ".join(missing),
                mend=_name_another(),
            )
        )
    if missing:
        raise QgsProcessingException(
            tr(
                "The engine needs {modules}, not found by {path}: install what is missing there, or empty the setting "
                "and run the algorithm Install the engine, or {mend}.",
                modules=", ".join(missing),
                path=interpreter.path,
                mend=_name_another(),
            )
        )
    return interpreter


def named() -> str:
    """The interpreter named in the settings, else in ``BDGF_PYTHON``; may be empty."""
    return os.path.expanduser(settings.interpreter() or os.environ.get("BDGF_PYTHON", "").strip())


def answering() -> Interpreter:
    """:func:`find` without asking for packages."""
    path = named()
    if not path:
        return own()
    interpreter = _ask(path, None, own=False)
    if interpreter is None:
        raise QgsProcessingException(
            tr("The Python interpreter {path} does not start; {mend}.", path=path, mend=_name_another())
        )
    return interpreter


def own(folder: Optional[str] = None) -> Interpreter:
    """QGIS's own Python with the packages in use, or those in ``folder``. Raises QgsProcessingException where it is
    not found on disk."""
    folder = folder or packages.in_use()
    for path in _own_candidates():
        interpreter = _ask(path, folder, own=True)
        # sys.executable may be QGIS itself, or a Python that merely comes first on PATH: only its prefix proves it.
        if (
            interpreter
            and interpreter.version == sys.version_info[:2]
            and _same(interpreter.base_prefix, sys.base_prefix)
        ):
            return interpreter
    raise QgsProcessingException(tr("QGIS's own Python could not be found on disk; {mend}.", mend=_name_another()))


def forget() -> None:
    """Ask every interpreter anew: packages have come or gone."""
    _answers.clear()


def _name_another() -> str:
    return tr(
        "name an interpreter that has {modules} in Settings ▸ Options ▸ Processing ▸ Providers ▸ BDGF "
        "or in the environment variable BDGF_PYTHON",
        modules=", ".join(REQUIRED),
    )


def _own_candidates() -> Iterator[str]:
    major, minor = sys.version_info[:2]
    names = ("python.exe", "python3.exe") if os.name == "nt" else (f"python{major}.{minor}", "python3", "python")
    folders = []
    for prefix in (sys.exec_prefix, sys.base_exec_prefix):
        folders += [prefix, os.path.join(prefix, "Scripts")] if os.name == "nt" else [os.path.join(prefix, "bin")]
    beside_qgis = os.path.dirname(sys.executable or "")
    folders += [beside_qgis, os.path.join(beside_qgis, "bin"), os.path.join(QgsApplication.prefixPath(), "bin")]
    seen = set()
    for folder in folders:
        for name in names:
            path = os.path.join(folder, name)
            if path not in seen and os.path.isfile(path) and os.access(path, os.X_OK):
                seen.add(path)
                yield path


def _ask(path: str, folder: Optional[str], *, own: bool) -> Optional[Interpreter]:
    """Start ``path`` once and remember its answer; a bad answer is asked for again after some seconds."""
    asked, answer = _answers.get((path, folder), (0.0, None))
    settled = answer is not None and not answer.missing
    if (path, folder) in _answers and (settled or time.monotonic() - asked < _FAILURE_LIFETIME_S):
        return answer
    answer = _probe(path, folder, own=own)
    _answers[path, folder] = (time.monotonic(), answer)
    return answer


def _probe(path: str, folder: Optional[str], *, own: bool) -> Optional[Interpreter]:
    try:
        done = subprocess.run(  # nosec B603: a list of arguments, no shell
            [path, "-c", _PROBE, *REQUIRED],
            env=_environment(folder, own=own),
            cwd=engine_folder(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=True,
            creationflags=NO_WINDOW,
        )
        answer = json.loads(done.stdout.decode("utf-8", "replace").strip().splitlines()[-1])
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    major, minor = answer["version"]
    return Interpreter(path, answer["prefix"], answer["base"], (major, minor), tuple(answer["missing"]), own, folder)


def _environment(folder: Optional[str], *, own: bool) -> dict[str, str]:
    misleading = ["PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV", "QT_", "QGIS"]
    if not own:  # another Python brings a GDAL of its own, which must not read QGIS's data files
        misleading += ["GDAL_DATA", "GDAL_DRIVER_PATH", "PROJ_LIB", "PROJ_DATA"]
    environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(tuple(misleading))}
    paths = [engine_folder(), *([folder] if folder else [])]
    environment.update(
        PYTHONPATH=os.pathsep.join(paths), PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8", PYTHONUTF8="1"
    )
    return environment


def _same(one: str, other: str) -> bool:
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))
