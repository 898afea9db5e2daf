"""Whether two runs ended with the same result, to the last bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from osgeo import gdal
from tiny_scene import read

from bdgf_core.checkpoint import load_model


def same_model(one: str | Path, other: str | Path) -> None:
    first, second = load_model(one), load_model(other)
    assert _timeless(first.document) == _timeless(second.document)
    assert set(first.tensors) == set(second.tensors)
    differing = [name for name, tensor in first.tensors.items() if not tensor.equal(second.tensors[name])]
    assert not differing, differing


def same_rasters(one: str | Path, other: str | Path) -> None:
    assert np.array_equal(read(str(one)), read(str(other)), equal_nan=True)
    tags = [gdal.Open(str(path)).GetMetadata() for path in (one, other)]
    assert tags[0] == tags[1]
    styles = [Path(path).with_suffix(".qml") for path in (one, other)]
    assert [style.exists() for style in styles] in ([True, True], [False, False])


def _timeless(document: Any) -> Any:
    """Without durations, and without the words of the CRS: GDAL reads them otherwise in the process that wrote them."""
    if isinstance(document, dict):
        return {key: _timeless(value) for key, value in document.items() if key not in ("seconds", "crs_wkt")}
    return [_timeless(value) for value in document] if isinstance(document, list) else document
