"""Files that appear under their name complete or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import Sequence

from .errors import InputError, ResourceError


def check_writable(path: Path | str, *, inputs: Sequence[Path | str] = ()) -> Path:
    """``path`` if a file can be written there and it is none of the ``inputs``, else an :class:`InputError`; verbs
    ask before any long work."""
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; please name a file in it.")
    if not path.parent.is_dir():
        raise InputError(f"The folder {path.parent} does not exist; please create it or choose another.")
    if not os.access(path.parent, os.W_OK) or path.exists() and not os.access(path, os.W_OK):
        raise InputError(f"{path} cannot be written for want of permission; please choose another folder.")
    if path.exists() and any(os.path.exists(other) and os.path.samefile(path, other) for other in inputs):
        raise InputError(f"{path} is one of the inputs; please give the output another name.")
    return path


def write_whole(path: Path | str, data: bytes) -> None:
    """Write ``data`` to a hidden file beside ``path`` and rename it.

    Raises :class:`InputError` where that is not possible, :class:`ResourceError` where the disk is full; neither leaves
    anything behind nor harms a file that was there.
    """
    path = check_writable(path)
    temporary = path.with_name(f".{path.stem[:40]}-{secrets.token_hex(6)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise ResourceError(f"No space is left for {path}; please free some or choose another disk.") from None
        raise InputError(f"{path} cannot be written ({error.strerror}); please choose another place.") from None
    finally:
        temporary.unlink(missing_ok=True)
