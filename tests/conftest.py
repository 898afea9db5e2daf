"""What all tests share: few threads, no lasting randomness, the simulated scene, the real data where there is some."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Iterator

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
for folder in (ROOT, ROOT / "scripts"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

# Tests are many small things: threads would cost more than they bring, and child processes inherit this.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("XDG_RUNTIME_DIR", "/tmp")
# Tests read English texts, whatever the machine speaks.
os.environ["LC_ALL"] = "C.UTF-8"
os.environ.pop("BDGF_LANGUAGE", None)


@pytest.fixture(scope="session", autouse=True)
def _the_repository_stays_as_it_is() -> Iterator[None]:
    """Tests and what they start write to temporary folders."""
    before = _files()
    yield
    assert not _files() - before


def _files() -> set[Path]:
    """Of the folders in which a process that mistook its folder would write."""
    folders = (ROOT, *(ROOT / name for name in ("bdgf_core", "bdgf_qgis", "docs", "scripts", "tests")))
    made = ("__pycache__", "build", "dist", "demo_output")
    return {path for folder in folders for path in folder.iterdir() if path.name not in made and path.name[0] != "."}


@pytest.fixture(autouse=True)
def _same_randomness_in_any_order() -> None:
    """The code takes its randomness as an argument; this is for what a test draws from the global generators."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real data, never part of this repository; the test is left out where it is missing."""
    folder = Path(os.environ.get("BDGF_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}; name its folder in BDGF_DATA")
    return folder


@pytest.fixture(scope="session")
def simulated_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small simulated scene; see scripts/scene. Not to be written to."""
    from scene import simulate_scene

    return simulate_scene(tmp_path_factory.mktemp("scene"), size=64)
