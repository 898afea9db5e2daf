"""Arrays out of MATLAB files, version 5 and 7.3, in the order that MATLAB shows them: rows, columns, bands."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import numpy as np

from bdgf_core.errors import InputError


def read_matlab(path: Path, key: Optional[str] = None) -> np.ndarray[Any, Any]:
    """The array named ``key``, or the only one of two or three dimensions where no key is given."""
    try:
        arrays = _arrays(path)
    except (OSError, ValueError, NotImplementedError) as error:
        raise InputError(f"{path} is no MATLAB file that can be read ({error}).") from None
    if key is None and len(arrays) != 1:
        raise InputError(f"{path} holds {', '.join(arrays) or 'no array'}; name one of them as {path.name}:NAME.")
    name = next(iter(arrays)) if key is None else key
    if name not in arrays:
        raise InputError(f"{path} has no array {name!r}; it holds {', '.join(arrays) or 'none'}.")
    return arrays[name]


def _arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    with path.open("rb") as file:
        head = file.read(128)
    if not head.startswith((b"MATLAB 5", b"MATLAB 7", b"\x89HDF")):
        raise ValueError("its head is none of version 5 or 7.3")
    if not head.startswith(b"MATLAB 5"):
        try:
            import h5py
        except ImportError:
            raise InputError(f"{path} is of version 7.3, which h5py reads; install it.") from None

        with h5py.File(path, "r") as content:
            datasets = {name: item for name, item in content.items() if isinstance(item, h5py.Dataset)}
            # HDF5 has the dimensions the other way round
            return {name: item[()].T for name, item in datasets.items() if item.ndim in (2, 3)}
    from scipy.io import loadmat

    found = loadmat(path)
    return {
        name: value
        for name, value in found.items()
        if not name.startswith("__") and value.ndim in (2, 3) and value.dtype.kind in "biuf"
    }
