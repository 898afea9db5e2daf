"""The paper's data sets in the forms in which they go round, made up at a small size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from bdgf_core.errors import InputError
from bdgf_core.progress import Progress
from bdgf_core.raster.window import Window
from benchmarks.matlab import read_matlab
from benchmarks.open_scene import labels_from_image, open_scene
from benchmarks.scenes import SCENES, Scene, find_scene

ROWS, COLS, BANDS, SAR = 20, 17, 12, 4


def write(path: Path, name: str, array: np.ndarray, version: str) -> None:
    if version == "5":
        savemat(path, {name: array})
        return
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w", userblock_size=512) as file:  # as MATLAB does: the dimensions the other way round
        file.create_dataset(name, data=array.T)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file".ljust(128))


def made_up(form: str, classes: int, folder: Path, version: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Files of a form; the images and all labels."""
    rng = np.random.default_rng(0)
    spectral = rng.uniform(0, 1, (ROWS, COLS, BANDS)).astype(np.float64)
    sar = rng.gamma(1, 1, (ROWS, COLS, SAR))
    labels = rng.integers(0, classes + 1, (ROWS, COLS)).astype(np.uint8)
    train = np.where(rng.uniform(size=labels.shape) < 0.3, labels, 0).astype(np.uint8)
    names = {
        "first": ("data_HS_LR", "data_SAR_HR", ("TrainImage", "TestImage")),
        "masks": ("data_hsi:data", "data_sar:data", ("mask_train", "mask_test")),
    }.get(form, (f"{form}_hsi", f"{form}_sar", (f"{form}_gt",)))
    arrays = (train, labels - train) if len(names[2]) == 2 else (labels,)
    for text, array in ((names[0], spectral), (names[1], sar), *zip(names[2], arrays)):
        file, _, key = text.partition(":")
        write(folder / f"{file}.mat", key or file, array, version)
    return spectral, sar, labels


@pytest.mark.parametrize("version", ["5", "7.3"])
@pytest.mark.parametrize(
    "name,form,classes",
    [("augsburg", "first", 7), ("berlin", "first", 8), ("berlin", "berlin", 8), ("augsburg", "augsburg", 7),
     ("yellow_river", "masks", 5), ("yellow_river", "data", 5), ("lcz_hk", "masks", 13)],
)  # fmt: skip
def test_the_papers_data_sets_are_read(
    name: str, form: str, classes: int, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / name
    folder.mkdir()
    spectral, sar, image = made_up(form, classes, folder, version)
    monkeypatch.setenv("BDGF_DATA", str(tmp_path))
    told: list[dict[str, Any]] = []
    with open_scene(find_scene(name), tmp_path / "cache", Progress(told.append)) as opened:
        arrays = opened.stack.read(Window(0, 0, ROWS, COLS)).arrays
        labels = opened.labels
        assert opened.second_kind == "sar_linear" and not opened.apart.any()
    assert np.allclose(arrays["spectral"], np.moveaxis(spectral, 2, 0), atol=1e-6)
    assert np.allclose(arrays["second"], np.moveaxis(sar, 2, 0), atol=1e-5)
    assert (labels.classes + 1 == image[labels.rows, labels.cols]).all() and len(labels) == (image > 0).sum()
    assert labels.legend.names == tuple(text for _, text in SCENES[name][0].classes)
    assert any("its paper tells" in event.get("text", "") for event in told)  # other counts than in Table 1


def test_both_versions_hold_the_same(tmp_path: Path) -> None:
    array = np.arange(24.0).reshape(2, 3, 4)
    for version in ("5", "7.3"):
        write(tmp_path / f"{version}.mat", "cube", array, version)
        assert (read_matlab(tmp_path / f"{version}.mat") == array).all()
        assert (read_matlab(tmp_path / f"{version}.mat", "cube") == array).all()
        with pytest.raises(InputError, match="no array 'other'; it holds cube"):
            read_matlab(tmp_path / f"{version}.mat", "other")
    savemat(tmp_path / "two.mat", {"a": array, "b": array})
    with pytest.raises(InputError, match="name one of them"):
        read_matlab(tmp_path / "two.mat")
    (tmp_path / "bad.mat").write_bytes(b"no MATLAB")
    with pytest.raises(InputError, match="no MATLAB file"):
        read_matlab(tmp_path / "bad.mat")


def test_bands_may_come_first(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).uniform(size=(5, ROWS, COLS))
    savemat(tmp_path / "cube.mat", {"x": cube})
    savemat(tmp_path / "gt.mat", {"gt": np.ones((ROWS, COLS), np.uint8)})
    scene = Scene("turned", "cube.mat", ("gt.mat",)).in_folder(tmp_path)
    with open_scene(scene, tmp_path / "cache", Progress()) as opened:
        assert np.allclose(opened.stack.read(Window(0, 0, ROWS, COLS)).arrays["spectral"], cube, atol=1e-6)


def test_negative_values_are_no_intensity(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"x": np.random.default_rng(0).uniform(size=(ROWS, COLS, 5))})
    savemat(tmp_path / "b.mat", {"x": np.random.default_rng(0).normal(size=(ROWS, COLS, 2))})
    savemat(tmp_path / "gt.mat", {"gt": np.ones((ROWS, COLS), np.uint8)})
    with open_scene(Scene("s", "a.mat", ("gt.mat",), "b.mat").in_folder(tmp_path), tmp_path, Progress()) as opened:
        assert opened.second_kind == "other"


def test_touching_pixels_of_a_class_are_one_group() -> None:
    image = np.array([[1, 1, 0, 2], [0, 1, 0, 2], [0, 0, 0, 0], [1, 0, 2, 0]])
    labels = labels_from_image(image, {1: "One"})
    assert labels.legend.names == ("One", "2") and len(set(labels.groups.tolist())) == 4
    assert labels.groups[0] == labels.groups[1] and labels.counts().tolist() == [4, 3]
    with pytest.raises(InputError, match="no class"):
        labels_from_image(np.zeros((3, 3), int), {})


def test_what_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="not known.*augsburg"):
        find_scene("atlantis")
    monkeypatch.delenv("BDGF_DATA", raising=False)
    with pytest.raises(InputError, match="Set BDGF_DATA"):
        find_scene("berlin")
    monkeypatch.setenv("BDGF_DATA", str(tmp_path))
    with pytest.raises(InputError, match="data_HS_LR.mat.* missing"):
        find_scene("berlin")
    (tmp_path / "s.json").write_text(json.dumps({"name": "s", "spectral": "a.tif", "labels": [], "nonsense": 1}))
    with pytest.raises(InputError, match="nonsense"):
        find_scene(str(tmp_path / "s.json"))
    with pytest.raises(InputError, match="cannot be read"):
        find_scene(str(tmp_path / "none.json"))


def test_one_sensor_of_two() -> None:
    scene = SCENES["s1s2_spain"][0]
    assert scene.alone("spectral").second is None and scene.alone("spectral").name == "s1s2_spain/spectral"
    assert scene.alone("second").spectral == scene.second
    with pytest.raises(InputError, match="one sensor only"):
        SCENES["enmap_potsdam"][0].alone("second")


def test_one_sensor_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "augsburg").mkdir()
    made_up("first", 7, tmp_path / "augsburg", "5")
    monkeypatch.setenv("BDGF_DATA", str(tmp_path))
    assert find_scene("augsburg/second").spectral.endswith("data_SAR_HR.mat:data_SAR_HR")
