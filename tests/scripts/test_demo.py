"""The demo on a user's own files, in folders with blanks and accents: from the rasters to the last three lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from scene import simulate_scene

pytest.importorskip("qgis.core")

DEMO = Path(__file__).parent.parent.parent / "scripts" / "demo.sh"


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "BDGF_OUTPUT": str(folder / "Ergebnis für alle")}
    return subprocess.run(["bash", str(DEMO), *arguments], env=environment, cwd=folder, capture_output=True, text=True)


@pytest.mark.long
def test_ends_with_the_paths_of_map_report_and_picture(tmp_path: Path) -> None:
    folder = simulate_scene(tmp_path / "Größe und Maß", size=160)  # every class has labels enough
    files = ("hyperspectral.tif", "sar.tif", "training_polygons.gpkg")
    done = run_demo(folder, *files, "class", "sar_linear")
    assert done.returncode == 0, done.stderr
    last = dict(line.split(": ") for line in done.stdout.splitlines()[-3:])
    assert list(last) == ["map", "report", "picture"]
    assert all(Path(path).is_absolute() and Path(path).is_file() for path in last.values())


def test_stops_with_the_reason(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "nothing.tif", "-", "nothing.gpkg", "class", "other")
    assert done.returncode != 0
    assert "nothing.tif" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "Ergebnis für alle" / "pretrained.bdgf").exists()


def test_explains_itself(tmp_path: Path) -> None:
    done = run_demo(tmp_path, "only-one")
    assert done.returncode == 2
    assert "SPECTRAL SECOND POLYGONS CLASS_FIELD SECOND_KIND" in done.stdout
