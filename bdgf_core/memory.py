"""How much memory a job may take, and has taken."""

from __future__ import annotations

import os
import sys
from typing import Optional

from .errors import InputError
from .translation import tr

_DEFAULT_MB = 2048
_LEAST_MB = 256


def memory_bound(memory_mb: Optional[int]) -> int:
    """Bytes for tiles, patches and features: ``memory_mb``, or 2 GiB or a quarter of the machine, the lesser."""
    if memory_mb is not None and memory_mb < _LEAST_MB:
        raise InputError(
            tr("The memory limit must be at least {least} MB, not {given}.", least=_LEAST_MB, given=memory_mb)
        )
    if memory_mb is None:
        memory_mb = min(_DEFAULT_MB, max(_LEAST_MB, (machine_mb() or 4 * _DEFAULT_MB) // 4))
    return memory_mb << 20


def peak_memory_mb() -> Optional[int]:
    """The most memory that this process has held, where the system tells."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20) if sys.platform == "darwin" else peak // 1024


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
