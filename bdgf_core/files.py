"""Files that appear under their name complete or not at all, each made by one job at a time."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Iterator, Sequence

from .errors import InputError, ResourceError
from .translation import tr

STATE_SUFFIX = ".bdgf"  # of the files in a hidden folder that outlive their job, see unfinished.py
_LOCK = "lock"
_WINDOWS = os.name == "nt"
_lent: set[Path] = set()


def check_writable(path: Path | str, *, inputs: Sequence[Path | str] = ()) -> Path:
    """``path`` if a file can be written there and it is none of the ``inputs``, else an :class:`InputError`; verbs
    ask before any long work."""
    path = Path(path)
    if path.is_dir():
        raise InputError(tr("{path} is a folder; please name a file in it.", path=path))
    if not path.parent.is_dir():
        raise InputError(
            tr("The folder {folder} does not exist; please create it or choose another.", folder=path.parent)
        )
    if not os.access(path.parent, os.W_OK) or path.exists() and not os.access(path, os.W_OK):
        raise InputError(
            tr("{path} cannot be written for want of permission; please choose another folder.", path=path)
        )
    refuse_in_use(path)
    if path.exists() and any(os.path.exists(other) and os.path.samefile(path, other) for other in inputs):
        raise InputError(tr("{path} is one of the inputs; please give the output another name.", path=path))
    return path


def refuse_in_use(path: Path) -> None:
    """Raises :class:`InputError` where ``path`` could not be replaced because another program has it open: on Windows,
    where renaming a file to its own name tells."""
    try:
        if _WINDOWS and path.exists():
            os.rename(path, path)
    except PermissionError:
        raise in_use(path) from None


def in_use(path: Path) -> InputError:
    return InputError(tr("{path} is in use by another program; close it there or choose another name.", path=path))


def hidden_folder(path: Path) -> Path:
    """The folder beside ``path`` in which it is made: on the same file system, so that a rename publishes it."""
    name = path.name
    if len(os.fsencode(name)) > 200:  # file systems allow 255 bytes
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:16]
    return path.with_name(f".{name}.unfinished")


def temporary_path(path: Path, suffix: str) -> Path:
    """A name of its own under which ``path`` is made: in its hidden folder where it is claimed, else beside it."""
    folder = hidden_folder(path)
    return (folder if folder.is_dir() else path.parent) / f".{secrets.token_hex(8)}{suffix}"


@contextmanager
def claim(*paths: Path | str | None, lend: bool = False) -> Iterator[None]:
    """Makes this job the only one to write to ``paths``, None left out; the system ends the claim with the process.
    With ``lend`` its steps may claim them once more.

    Each gets its :func:`hidden_folder`. What a job that died left there is removed, but for its saved states. Raises
    :class:`InputError` where another job is at it.
    """
    with ExitStack() as claims:
        for path in (Path(path) for path in paths if path):
            if path.resolve() not in _lent:
                claims.enter_context(_claim_one(path))
                if lend:
                    _lent.add(path.resolve())
                    claims.callback(_lent.discard, path.resolve())
        yield


def write_whole(path: Path | str, data: bytes) -> None:
    """Write ``data`` to a hidden file and rename it to ``path``.

    Raises :class:`InputError` where that is not possible, :class:`ResourceError` where the disk is full; neither leaves
    anything behind nor harms a file that was there.
    """
    path = check_writable(path)
    temporary = temporary_path(path, ".part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
        publish(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceError(
                tr("No space is left for {path}; please free some or choose another disk.", path=path)
            ) from None
        raise InputError(
            tr("{path} cannot be written ({reason}); please choose another place.", path=path, reason=error.strerror)
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def publish(made: Path, final: Path) -> None:
    """Rename a complete file, once it is on the disk; the rename itself is too when this returns."""
    to_disk(made)
    os.replace(made, final)
    if os.name != "nt":  # Windows opens no folders
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def _claim_one(path: Path) -> Iterator[None]:
    check_writable(path)
    folder = hidden_folder(path)
    try:
        lock = _locked(folder)
    except OSError as error:
        raise InputError(
            tr("{path} cannot be written ({reason}); please choose another place.", path=path, reason=error.strerror)
        ) from None
    if lock is None:
        raise InputError(
            tr("Another job is writing {path}; please wait for it to end or give another name.", path=path)
        )
    try:
        _clear(folder)
        yield
    finally:
        _clear(folder)
        if os.name == "nt":  # where an open file cannot be removed
            lock.close()
        (folder / _LOCK).unlink(missing_ok=True)
        lock.close()
        try:
            folder.rmdir()
        except OSError:
            pass  # it holds states, or the next job has claimed it already


def _locked(folder: Path) -> IO[bytes] | None:
    """The folder's lock file, open and locked; None where another process holds it."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            file = (folder / _LOCK).open("ab")
        except FileNotFoundError:
            continue  # its last holder has just removed the folder
        try:
            if not _lock(file):
                file.close()
                return None
            # The file that was opened may have been removed by its holder before it was locked.
            if os.path.samestat(os.fstat(file.fileno()), os.stat(folder / _LOCK)):
                return file
        except FileNotFoundError:
            pass
        file.close()


def _lock(file: IO[bytes]) -> bool:
    """Whether the lock is ours; a file system without locks gives it to all."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EAGAIN, errno.EACCES, errno.EDEADLK)
    return True


def _clear(folder: Path) -> None:
    """Remove all but the lock and saved states."""
    for left in list(folder.glob("*")):  # none where a file system without locks let two jobs in
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        elif left.name != _LOCK and left.suffix != STATE_SUFFIX:
            left.unlink(missing_ok=True)
