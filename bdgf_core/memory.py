"""How much memory a job may take, and has taken."""

from __future__ import annotations

import os
import sys
from typing import Optional

from .errors import InputError
from .translation import tr

_DEFAULT_MB = 2688
LEAST_MB = 1024
_ENGINE_MB = 800  # Python, torch, GDAL and its cache, a network, a batch of patches in work, unsaved tiles: measured


def memory_bound(memory_mb: Optional[int]) -> int:
    """Bytes for tiles, patches and features in a process that is to take ``memory_mb``, or 2.6 GiB or a third of the
    machine, the lesser. A GPU's memory is no part of it. Raises InputError for less than the engine itself needs."""
    if memory_mb is not None and memory_mb < LEAST_MB:
        raise InputError(
            tr("The memory limit must be at least {least} MB, not {given}.", least=LEAST_MB, given=memory_mb)
        )
    if memory_mb is None:
        memory_mb = min(_DEFAULT_MB, max(LEAST_MB, (machine_mb() or 3 * _DEFAULT_MB) // 3))
    return (memory_mb - _ENGINE_MB) << 20


def peak_memory_mb() -> Optional[int]:
    """The most memory that this process has held, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20) if sys.platform == "darwin" else peak // 1024


def release_memory() -> None:
    """Give the system back what was freed. glibc keeps it for each thread by itself, and the next tile's work may be
    done by others."""
    if sys.platform == "linux":
        import ctypes

        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


def machine_mb() -> Optional[int]:
    """The machine's memory, where the system tells."""
    if sys.platform == "win32":
        return _windows_mb()
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (ValueError, OSError):
        return None


def _windows_mb() -> Optional[int]:
    import ctypes

    class MemoryStatus(ctypes.Structure):
        """MEMORYSTATUSEX of the Windows API."""

        _fields_ = [("length", ctypes.c_ulong), ("load", ctypes.c_ulong)] + [
            (name, ctypes.c_ulonglong)
            for name in ("total", "free", "page_total", "page_free", "virtual_total", "virtual_free", "extended_free")
        ]

    status = MemoryStatus(length=ctypes.sizeof(MemoryStatus))
    if not ctypes.windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):  # type: ignore[attr-defined,unused-ignore]
        return None
    return int(status.total) >> 20
