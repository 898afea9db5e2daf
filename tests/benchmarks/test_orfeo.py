"""Orfeo ToolBox's forest, where it is installed, and a sentence where it is not."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from bdgf_core.errors import InputError
from bdgf_core.progress import Progress
from benchmarks.orfeo import orfeo_forest


def clouds(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, count).astype(np.int32)
    return (rng.normal(size=(count, 4)) + 3 * classes[:, None]).astype(np.float32), classes


@pytest.mark.long
@pytest.mark.skipif(shutil.which("otbcli_TrainVectorClassifier") is None, reason="otb-bin is not installed")
def test_it_tells_classes_apart() -> None:
    train, classes = clouds(200, 0)
    test, wanted = clouds(80, 1)
    found = orfeo_forest(train, classes, test, seed=0, progress=Progress())
    assert found.dtype == np.int64 and (found == wanted).mean() > 0.9


def test_its_absence_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    train, classes = clouds(2, 0)
    with pytest.raises(InputError, match="otb-bin"):
        orfeo_forest(train, classes, train, seed=0, progress=Progress())
