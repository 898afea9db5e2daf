from __future__ import annotations

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Callable

import numpy as np
import pytest
from osgeo import gdal
from raster_scenes import grid_from

from bdgf_core.errors import Canceled, InputError, ResourceError
from bdgf_core.legend import LandCoverClass, Legend
from bdgf_core.raster.grid import Grid
from bdgf_core.raster.styles import ramp_style
from bdgf_core.raster.window import Window, tiles
from bdgf_core.raster.writer import check_output, create_raster

GRID = grid_from(300, 280)
LEGEND = Legend((LandCoverClass(0, "z", 'Wäter <&> "x"', "#0010ff"), LandCoverClass(7, "7", "Wood, dense", "#00ff00")))


def test_what_is_written_is_read_and_the_rest_is_nodata(tmp_path: Path, rng: np.random.Generator) -> None:
    path, array = tmp_path / "mäp 1.tif", rng.normal(size=(2, 300, 280)).astype(np.float32)
    with create_raster(
        path, GRID, dtype="float32", bands=2, nodata=-1.0, descriptions=("a", "b"), tags={"N": 1}
    ) as out:
        for tile in list(tiles(300, 280, 64))[:-1]:
            out.write(tile, array[(slice(None), *tile.slices)])
        assert [name[0] for name in os.listdir(tmp_path)] == ["."]
    assert os.listdir(tmp_path) == ["mäp 1.tif"]
    dataset = gdal.Open(str(path))
    values = dataset.ReadAsArray()
    np.testing.assert_array_equal(values[:, :256], array[:, :256])
    assert (values[:, 256:, 256:] == -1.0).all()
    assert [dataset.GetRasterBand(i).GetDescription() for i in (1, 2)] == ["a", "b"]
    assert dataset.GetRasterBand(2).GetNoDataValue() == -1.0 and dataset.GetMetadataItem("N") == "1"
    assert dataset.GetRasterBand(1).GetBlockSize() == [256, 256]
    assert dataset.GetMetadata("IMAGE_STRUCTURE")["COMPRESSION"] in ("ZSTD", "DEFLATE")
    assert Grid.of(path) == GRID


def test_nan_becomes_nodata(tmp_path: Path) -> None:
    for nodata in (-9.0, np.nan):
        with create_raster(tmp_path / "a.tif", GRID, dtype="float32", nodata=nodata) as out:
            out.write(Window(0, 0, 1, 2), np.array([[1, np.nan]], np.float32))
        np.testing.assert_array_equal(gdal.Open(str(tmp_path / "a.tif")).ReadAsArray()[0, :3], [1, nodata, nodata])


@pytest.mark.parametrize(("dtype", "nodata"), [("uint8", 255), ("uint16", 65535)])
def test_the_legend_is_in_the_file(tmp_path: Path, dtype: str, nodata: int) -> None:
    with create_raster(tmp_path / "map.tif", GRID, dtype=dtype, nodata=nodata, legend=LEGEND) as out:
        out.write(Window(0, 0, 3, 4), np.full((3, 4), 7, dtype))
    assert sorted(os.listdir(tmp_path)) == ["map.qml", "map.tif", "map.tif.aux.xml"]
    dataset = gdal.Open(str(tmp_path / "map.tif"))
    band = dataset.GetRasterBand(1)
    colors, names, table = band.GetColorTable(), band.GetCategoryNames(), band.GetDefaultRAT()
    assert colors.GetColorEntry(0)[:3] == (0, 16, 255) and colors.GetColorEntry(7)[:3] == (0, 255, 0)
    assert names[0] == 'Wäter <&> "x"' and names[7] == "Wood, dense" and len(names) == 8 and names[3] == ""
    assert [table.GetNameOfCol(i) for i in range(7)] == ["Value", "Class", "Label", "Red", "Green", "Blue", "Alpha"]
    assert [table.GetValueAsString(1, i) for i in range(7)] == ["7", "Wood, dense", "7", "0", "255", "0", "255"]
    assert table.GetUsageOfCol(0) == gdal.GFU_MinMax and table.GetUsageOfCol(1) == gdal.GFU_Name
    assert band.GetNoDataValue() == nodata and band.ReadAsArray()[5, 5] == nodata


@pytest.mark.parametrize("error", [Canceled, InputError, KeyboardInterrupt, MemoryError])
def test_after_an_error_no_file_is_left(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "map.tif").write_text("an older one")
    with (
        pytest.raises(error),
        create_raster(tmp_path / "map.tif", GRID, dtype="uint8", nodata=255, legend=LEGEND) as out,
    ):
        out.write(Window(0, 0, 1, 1), np.zeros((1, 1), np.uint8))
        raise error() if error is Canceled else error("x")
    assert os.listdir(tmp_path) == ["map.tif"] and (tmp_path / "map.tif").read_text() == "an older one"


def test_a_new_raster_replaces_all_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    with create_raster(path, GRID, dtype="uint8", nodata=255, legend=LEGEND):
        pass
    (tmp_path / "map.tif.ovr").write_text("overviews of the old one")
    with create_raster(path, GRID, dtype="float32", nodata=np.nan, style=ramp_style()):
        pass
    assert sorted(os.listdir(tmp_path)) == ["map.qml", "map.tif"]
    assert "pseudocolor" in (tmp_path / "map.qml").read_text()
    assert gdal.Open(str(path)).GetRasterBand(1).GetDefaultRAT() is None


def test_grids_of_any_kind_come_back(tmp_path: Path, make_raster: Callable) -> None:
    bare = Grid.of(make_raster("bare.tif", np.zeros((30, 40), np.uint8), None, crs=""))
    rotated = grid_from(30, 40, (500000.0, 8.0, 3.0, 5800000.0, 2.5, -9.0))
    degrees = grid_from(30, 40, (15.0, 1e-4, 0, 52.0, 0, -1e-4), "EPSG:4326")
    south_up = grid_from(30, 40, (15.0, 1e-4, 0, 52.0, 0, 1e-4), "EPSG:4326")
    for grid in (bare, rotated, degrees, south_up):
        with create_raster(tmp_path / "a.tif", grid, dtype="int16", nodata=-1):
            pass
        back = Grid.of(tmp_path / "a.tif")
        assert back.offset_in(grid) == (0, 0) and back.is_georeferenced == grid.is_georeferenced


def test_paths_that_cannot_be_written(tmp_path: Path, make_raster: Callable) -> None:
    source = make_raster("in.tif", np.zeros((2, 2), np.uint8))
    (tmp_path / "folder.tif").mkdir()
    for path, text in (
        (tmp_path / "map.img", "ends in .tif"),
        (tmp_path / "map", "ends in .tif"),
        (tmp_path / "no" / "map.tif", "The folder .*no does not exist; please create it"),
        (tmp_path / "folder.tif", "is a folder"),
        (tmp_path / "folder.tif" / ".." / "in.tif", "is one of the inputs"),
    ):
        with pytest.raises(InputError, match=text):
            check_output(path, inputs=[source, "/vsimem/other"])
    check_output(tmp_path / "MAP.TIFF", inputs=[source])


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="permission"):
        check_output(tmp_path / "map.tif")
    tmp_path.chmod(0o700)


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1000))
    with pytest.raises(ResourceError, match="may need 0 MB and 0 MB are free"):
        create_raster(tmp_path / "map.tif", GRID, dtype="float32", nodata=0).__enter__()
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("most", "cog"), [(50_000, False), (350_000, True)])
def test_a_disk_that_fills_up(tmp_path: Path, most: int, cog: bool) -> None:
    """While the raster is written, and while it is copied into a larger one with overviews."""
    limit = pytest.importorskip("resource", reason="file sizes cannot be limited on this system")
    before = limit.getrlimit(limit.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    noise = np.random.default_rng(0).normal(size=(300, 280)).astype(np.float32)
    try:
        limit.setrlimit(limit.RLIMIT_FSIZE, (most, before[1]))
        with pytest.raises(ResourceError, match="Writing .*map.tif failed .*check that the disk is not full"):
            with create_raster(tmp_path / "map.tif", GRID, dtype="float32", nodata=0, cog=cog) as out:
                out.write(GRID.window, noise)
    finally:
        limit.setrlimit(limit.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert os.listdir(tmp_path) == []


def test_arrays_must_fit(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="does not fit"),
        create_raster(tmp_path / "a.tif", GRID, dtype="uint8", nodata=0) as out,
    ):
        out.write(Window(0, 0, 2, 2), np.zeros((3, 2), np.uint8))
    with (
        pytest.raises(ValueError, match="beyond"),
        create_raster(tmp_path / "a.tif", GRID, dtype="uint8", nodata=0) as out,
    ):
        out.write(Window(299, 0, 2, 2), np.zeros((2, 2), np.uint8))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_a_cloud_optimised_raster_is_the_same_with_overviews(
    tmp_path: Path, rng: np.random.Generator, dtype: str
) -> None:
    classes = dtype != "float32"
    array = rng.choice([0, 7], (600, 700)).astype(dtype)
    how = dict(dtype=dtype, nodata=255 if classes else -1.0, legend=LEGEND if classes else None, tags={"N": 1})
    for name, cog in (("plain", False), ("cög", True)):
        with create_raster(tmp_path / f"{name}.tif", grid_from(600, 700), cog=cog, **how) as out:
            out.write(Window(0, 0, 500, 700), array[:500])
    kinds = ("", ".aux.xml") if classes else ("",)
    assert set(os.listdir(tmp_path)) >= {f"{name}.tif{kind}" for name in ("plain", "cög") for kind in kinds}
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]
    plain, cog = (gdal.Open(str(tmp_path / f"{name}.tif")) for name in ("plain", "cög"))
    assert cog.GetMetadataItem("LAYOUT", "IMAGE_STRUCTURE") == "COG"
    np.testing.assert_array_equal(plain.ReadAsArray(), cog.ReadAsArray())
    assert plain.GetMetadata() == cog.GetMetadata() and Grid.of(tmp_path / "cög.tif") == grid_from(600, 700)
    one, other = plain.GetRasterBand(1), cog.GetRasterBand(1)
    assert one.GetNoDataValue() == other.GetNoDataValue() and other.GetOverviewCount() >= 1
    reduced = other.GetOverview(0).ReadAsArray()
    assert (set(np.unique(reduced)) <= {0, 7, 255}) == classes  # classes are counted, measurements averaged
    if classes:
        assert one.GetCategoryNames() == other.GetCategoryNames()
        assert other.GetColorTable().GetColorEntry(7)[:3] == (0, 255, 0) and other.GetDefaultRAT().GetRowCount() == 2


@pytest.mark.long
@pytest.mark.parametrize("cog", [False, True])
def test_a_raster_beyond_four_gigabytes_is_written(tmp_path: Path, rng: np.random.Generator, cog: bool) -> None:
    """Noise, which no compression makes small."""
    side, block = 36_000, rng.integers(0, 2**32, (4096, 36_000), np.uint32)
    with create_raster(tmp_path / "big.tif", grid_from(side, side), dtype="uint32", nodata=0, cog=cog) as out:
        for row in range(0, side, 4096):
            height = min(4096, side - row)
            out.write(Window(row, 0, height, side), block[:height] ^ np.uint32(row))
    assert (tmp_path / "big.tif").stat().st_size > 1 << 32
    last = gdal.Open(str(tmp_path / "big.tif")).ReadAsArray(0, side - 10, side, 10)
    start = (side - 1) // 4096 * 4096
    np.testing.assert_array_equal(last, block[side - 10 - start : side - start] ^ np.uint32(start))


def test_of_several_rasters_none_appears_where_completing_one_fails(tmp_path: Path, monkeypatch) -> None:
    def optimize(path: Path, final: Path, *_: object) -> None:
        if final.stem == "b":
            raise ResourceError("no space")

    monkeypatch.setattr("bdgf_core.raster.writer._optimize", optimize)
    how = dict(dtype=np.float32, nodata=-1.0, style=ramp_style(), cog=True)
    with pytest.raises(ResourceError, match="no space"), ExitStack() as outputs:
        writers = [outputs.enter_context(create_raster(tmp_path / f"{name}.tif", GRID, **how)) for name in "ab"]
        for writer in writers:
            writer.finish()
    assert not list(tmp_path.iterdir())


def test_completing_can_be_stopped(tmp_path: Path) -> None:
    def stop() -> None:
        raise Canceled

    how = dict(dtype=np.float32, nodata=-1.0, cog=True)
    with pytest.raises(Canceled), create_raster(tmp_path / "a.tif", GRID, **how) as writer:
        writer.finish(stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("replaced", [False, True])
def test_side_files_are_on_the_disk_and_never_those_of_another_map(tmp_path: Path, monkeypatch, replaced) -> None:
    """A crash between the renames leaves a new map without names at the worst, and no new map before its side files."""
    path, events = tmp_path / "map.tif", []
    if replaced:
        with create_raster(path, GRID, dtype=np.uint8, nodata=255, legend=LEGEND):
            pass
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(
        os, "fsync", lambda fd: (events.append(Path(os.readlink(f"/proc/self/fd/{fd}")).name), sync(fd))
    )
    monkeypatch.setattr(os, "replace", lambda old, new: (events.append(Path(new).name), replace(old, new)))
    with create_raster(path, GRID, dtype=np.uint8, nodata=255, legend=LEGEND):
        pass
    renamed = [name for name in events if name.startswith("map.tif") or name == "map.qml"]
    assert (renamed[0] == "map.tif") == replaced and (renamed[-1] == "map.tif") != replaced
    synced = [name for name in events if name not in renamed]
    assert {Path(name).suffix for name in synced} >= {".tif", ".xml", ".qml"}
    assert max(events.index(name) for name in synced if name.endswith((".xml", ".qml"))) < events.index(renamed[0])
