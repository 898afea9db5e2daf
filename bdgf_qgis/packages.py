"""The engine's packages in the user's profile: which folder is in use, and how another one takes its place.

    <profile>/bdgf/packages-3.11-linux-x86_64.json     names the folder in use; renamed into place
    <profile>/bdgf/1f2e/                               one installation: nothing in it is ever changed
    <profile>/bdgf/1f2e.a1b2.job                       held by a job that runs from it

The names are short, since Windows allows 260 characters of a path and torch's own take 171.
"""

from __future__ import annotations

import json
import os
import platform
import re
import secrets
import shutil
import sys
import tempfile
from contextlib import contextmanager
from typing import Any, Iterator, Optional

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QLockFile

_FOLDER = re.compile(r"[0-9a-f]{4}(\.new|\.tmp)?")


def home() -> str:
    """The folder of all installations, which may not be there yet."""
    return os.path.join(os.path.abspath(QgsApplication.qgisSettingsDirPath()), "bdgf")


def record() -> dict[str, Any]:
    """What was noted of the installation in use; empty where there is none for this Python."""
    try:
        with open(_record_path(), encoding="utf-8") as file:
            noted = json.load(file)
    except (OSError, ValueError):
        return {}
    return noted if isinstance(noted, dict) and _FOLDER.fullmatch(str(noted.get("folder"))) else {}


def in_use() -> Optional[str]:
    """The folder that QGIS's own Python is to find the engine's packages in, or None."""
    name = record().get("folder")
    folder = os.path.join(home(), str(name))
    return folder if name and os.path.isdir(folder) else None


def new_folder() -> str:
    """An empty folder to install into. Raises OSError."""
    os.makedirs(home(), exist_ok=True)
    while True:
        name = secrets.token_hex(2)
        folder = os.path.join(home(), name + ".new")
        if not os.path.exists(os.path.join(home(), name)) and not os.path.exists(folder):
            os.mkdir(folder)
            return folder


def scratch_folder(folder: str) -> str:
    """A folder for temporary files while ``folder``, a :func:`new_folder`, is filled: on the same disk, and on Windows
    where the path is short. Raises OSError."""
    if os.name == "nt":
        return tempfile.mkdtemp(prefix="")
    scratch = folder[: -len(".new")] + ".tmp"
    os.mkdir(scratch)
    return scratch


def switch(folder: str, note: dict[str, Any]) -> str:
    """Take ``folder``, a :func:`new_folder` that was filled and verified, into use at one stroke. Raises OSError."""
    final = folder[: -len(".new")]
    os.rename(folder, final)
    path = _record_path()
    temporary = f"{path}.{secrets.token_hex(4)}"
    try:
        with open(temporary, "x", encoding="utf-8") as file:
            json.dump({**note, "folder": os.path.basename(final)}, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        remove(final)
        remove(temporary)
        raise
    return final


def remove(path: str) -> None:
    """As far as it can be; what Windows still holds open stays for the next :func:`remove_unused`."""
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.exists(path):
        os.remove(path)


def remove_unused() -> list[str]:
    """Remove installations that neither a record names nor a running job uses, and what a killed one left. To be called
    by the one who holds :func:`installing`; returns the folders that are kept for a job."""
    named = {_noted_folder(os.path.join(home(), name)) for name in os.listdir(home()) if name.endswith(".json")}
    kept = []
    for name in sorted(os.listdir(home())):
        folder = os.path.join(home(), name)
        if not _FOLDER.fullmatch(name) or name in named or not os.path.isdir(folder):
            continue
        if _has_jobs(name):
            kept.append(folder)
            continue
        remove(folder)
    return kept


@contextmanager
def installing() -> Iterator[bool]:
    """Whether this process is the only one at it; the lock of one that died is taken over."""
    os.makedirs(home(), exist_ok=True)
    lock = _lock(os.path.join(home(), "installing.lock"))
    mine = lock.tryLock(0)
    try:
        yield mine
    finally:
        if mine:
            lock.unlock()


@contextmanager
def kept(folder: Optional[str]) -> Iterator[None]:
    """Keeps ``folder`` from being removed while a job runs from it. Where that cannot be noted, the job runs all the
    same."""
    lock = _lock(f"{folder}.{secrets.token_hex(2)}.job") if folder else None
    held = lock is not None and lock.tryLock(0)
    try:
        yield
    finally:
        if lock is not None and held:
            lock.unlock()


def _has_jobs(name: str) -> bool:
    running = False
    for job in os.listdir(home()):
        if job.startswith(f"{name}.") and job.endswith(".job"):
            lock = _lock(os.path.join(home(), job))
            if lock.tryLock(0):  # of a job that died
                lock.unlock()
            else:
                running = True
    return running


def _lock(path: str) -> QLockFile:
    lock = QLockFile(path)
    lock.setStaleLockTime(0)  # a job may take days; that of a dead process is found out by its number
    return lock


def _record_path() -> str:
    major, minor = sys.version_info[:2]
    machine = re.sub(r"\W", "", platform.machine()).lower()
    return os.path.join(home(), f"packages-{major}.{minor}-{sys.platform}-{machine}.json")


def _noted_folder(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return str(json.load(file)["folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""
