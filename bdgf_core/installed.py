"""The Python that runs the engine and the packages that it finds, told without loading them."""

from __future__ import annotations

import importlib
import os
import sys
from dataclasses import dataclass
from importlib import metadata, util
from typing import Optional

REQUIRED = ("torch", "numpy", "osgeo", "safetensors", "einops", "sklearn")
OPTIONAL = ("mamba_ssm", "triton", "pip")
LEAST_TORCH = (2, 4)

_DISTRIBUTIONS = {"osgeo": "GDAL", "mamba_ssm": "mamba-ssm", "sklearn": "scikit-learn"}


@dataclass(frozen=True)
class Package:
    """``version`` is None where the package does not tell, ``folder`` where it is not there at all, and ``failure``
    where it can be loaded or was not tried."""

    name: str
    version: Optional[str]
    folder: Optional[str]
    failure: Optional[str]


def look_at(name: str, *, load: bool) -> Package:
    """The package ``name`` as this Python finds it; ``load`` tries to import it."""
    try:
        spec = util.find_spec(name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return Package(name, None, None, None)
    places = [spec.origin or "", *(spec.submodule_search_locations or ())]
    folder = os.path.dirname(places[0]) if places[0] else places[-1]
    failure = _failure(name) if load else None
    return Package(name, _version(name), folder, failure)


def version_of(text: Optional[str]) -> Optional[tuple[int, int]]:
    """(2, 13) of "2.13.0+cpu"."""
    parts = (text or "").split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else None


def _failure(name: str) -> Optional[str]:
    try:
        importlib.import_module("osgeo.gdal_array" if name == "osgeo" else name)  # compiled for one numpy
    except Exception as error:  # a library that does not fit raises anything, a missing DLL an OSError
        return f"{type(error).__name__}: {error}"
    return None


def _version(name: str) -> Optional[str]:
    try:
        return metadata.version(_DISTRIBUTIONS.get(name, name))
    except metadata.PackageNotFoundError:
        return getattr(sys.modules.get(name), "__version__", None)
