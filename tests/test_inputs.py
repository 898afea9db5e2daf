"""What the group network is given: the same for a window as for the whole raster, in training as in mapping."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tiny_scene import HEIGHT, WIDTH, Events, TinyScene

import bdgf_core.gather as gather_module
import bdgf_core.inputs as inputs_module
from bdgf_core.device import choose_device
from bdgf_core.diffusion.forward import ForwardProcess
from bdgf_core.diffusion.unet import DenoisingUNet
from bdgf_core.errors import ResourceError
from bdgf_core.gather import gather_samples, gather_unlabelled
from bdgf_core.inputs import FeatureScale, InputReader, band_stack, tile_side
from bdgf_core.memory import memory_bound
from bdgf_core.pixel_values import by_tile
from bdgf_core.progress import Progress
from bdgf_core.raster.labels import rasterize_labels
from bdgf_core.raster.window import Window
from bdgf_core.sensors import measure_sensors, open_stack


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> TinyScene:
    return TinyScene(tmp_path_factory.mktemp("inputs"))


@pytest.fixture(scope="module")
def reader(scene: TinyScene):
    sources = {"spectral": scene.source(), "second": scene.source("sar.tif")}
    progress = Progress(Events())
    torch.manual_seed(0)
    with open_stack(sources["spectral"], sources["second"], progress, second_kind="sar_db") as stack:
        sensors = measure_sensors(stack, sources, second_kind="sar_db", depth_limit=16, seed=0, progress=progress)
        process = ForwardProcess.of(band_stack(sensors))
        yield InputReader(stack, sensors, DenoisingUNet().eval(), process, 7, choose_device("cpu"))


@pytest.mark.parametrize("window", [Window(0, 0, 10, 12), Window(30, 25, 14, 15), Window(20, 18, 1, 1)])
def test_a_window_reads_as_part_of_the_whole(reader, window):
    whole, part = reader.read(Window(0, 0, HEIGHT, WIDTH)), reader.read(window)
    around = (
        slice(None),
        slice(window.row, window.row + window.height + 8),
        slice(window.col, window.col + window.width + 8),
    )
    for name in ("spectral", "second", "diffusion"):
        expected = getattr(whole, name)[around]
        assert getattr(part, name).shape == expected.shape
        assert (getattr(part, name) - expected).abs().max() <= 1e-5 * expected.abs().max()
    for name, share in part.data_share.items():
        assert np.array_equal(share, whole.data_share[name][window.slices])


def test_nothing_lies_outside_of_the_raster(reader):
    scale = FeatureScale(torch.full((128,), 3.0), torch.full((128,), 0.1))
    inputs = reader.with_scale(scale).read(Window(0, 0, HEIGHT, WIDTH))
    for x in (inputs.spectral, inputs.second, inputs.diffusion):
        assert x.shape[1:] == (HEIGHT + 8, WIDTH + 8)
        assert not x[:, :4].any() and not x[:, -4:].any() and not x[:, :, :4].any() and not x[:, :, -4:].any()
        assert x[:, 4:-4, 4:-4].any()


@pytest.mark.parametrize(("in_file", "components"), [(False, None), (True, None), (False, 5), (True, 5)])
def test_samples_are_what_mapping_sees(reader, scene, in_file, components):
    """Patches at the raster's edge included, in memory or in a file."""
    labels = rasterize_labels(scene.labels, reader.stack.grid)
    memory = 1 << 12 if in_file else 1 << 28
    samples, scale = gather_samples(reader, labels, components=components, memory_bytes=memory, progress=Progress())
    assert len(samples) == 150 and (labels.rows == 0).any()
    seen = reader.with_scale(scale).read(Window(0, 0, HEIGHT, WIDTH))
    for i in (0, 3, 70, 149):
        rows, cols = slice(labels.rows[i], labels.rows[i] + 9), slice(labels.cols[i], labels.cols[i] + 9)
        assert torch.allclose(samples.spectral[i], seen.spectral[:, rows, cols], atol=1e-5)
        assert torch.allclose(samples.second[i], seen.second[:, rows, cols], atol=1e-5)
        assert torch.allclose(samples.diffusion[i].float(), seen.diffusion[:, rows, cols], atol=0.02)
    centres = samples.diffusion[:, :, 4, 4].float()
    deviations = centres.std(0)
    assert centres.mean(0).abs().max() < 0.01 and (deviations[0] - 1).abs() < 0.02
    if components is None:
        assert (deviations - 1).abs().max() < 0.02
    else:
        assert len(deviations) == components and bool((deviations.diff() < 1e-3).all())


def test_unlabelled_patches_are_what_mapping_sees(reader):
    rng = np.random.default_rng(0)
    found = gather_unlabelled(reader.stack, reader.sensors, 200, rng=rng, progress=Progress())
    assert 150 <= len(found) <= 256 and (found.classes == -1).all() and found.diffusion is None
    seen = reader.read(Window(0, 0, HEIGHT, WIDTH))
    patches = seen.spectral.unfold(1, 9, 1).unfold(2, 9, 1).permute(1, 2, 0, 3, 4).flatten(0, 1).half()
    seconds = seen.second.unfold(1, 9, 1).unfold(2, 9, 1).permute(1, 2, 0, 3, 4).flatten(0, 1).half()
    for i in range(0, len(found), 10):
        at = (patches == found.spectral[i]).flatten(1).all(1)
        assert at.any() and (seconds[at] == found.second[i]).flatten(1).all(1).any()


def test_no_features_are_made_where_nothing_can_be_mapped(reader, monkeypatch):
    gap, more = Window(30, 2, 5, 4), Window(30, 2, 6, 4)
    some, every = reader.read(more, least=0.5).diffusion, reader.read(more).diffusion
    assert torch.equal(some[:, 5:], every[:, 5:]) and not some[:, :5].any()  # patches of the last row see no more
    monkeypatch.setattr("bdgf_core.inputs.extract_features", None)
    seen = reader.read(gap, least=0.5)
    assert len(seen.diffusion) == 0 and not seen.data_share["spectral"].any() and seen.data_share["second"].all()


def test_features_by_parts_are_those_of_the_whole(reader, monkeypatch):
    window = Window(0, 0, HEIGHT, WIDTH)
    whole = reader.read(window).diffusion
    monkeypatch.setattr("bdgf_core.inputs._HALO_AT_WORK", 1)  # for a scene as small as this
    share = np.zeros((HEIGHT, WIDTH), np.float32)
    share[:12, :9] = share[20:, 15:] = 1.0
    monkeypatch.setattr(type(reader.sensors["spectral"]), "data_share", lambda sensor, array: share)
    made = []
    extract = inputs_module.extract_features
    monkeypatch.setattr(
        inputs_module, "extract_features", lambda *given, halo: made.append(halo) or extract(*given, halo=halo)
    )
    found = reader.read(window, least=0.5).diffusion
    assert len(made) > 1 and (found == 0).all(0).sum() > 100
    for rows, cols in ((slice(0, 20), slice(0, 17)), (slice(20, HEIGHT + 8), slice(15, WIDTH + 8))):
        expected = whole[:, rows, cols]
        assert (found[:, rows, cols] - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_disk_too_small_is_said_before(reader, scene, monkeypatch):
    labels = rasterize_labels(scene.labels, reader.stack.grid)
    monkeypatch.setattr(gather_module.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100}))
    with pytest.raises(ResourceError, match="samples"):
        gather_samples(reader, labels, components=None, memory_bytes=1 << 12, progress=Progress())


def test_pixels_are_grouped_by_tile():
    rows, cols = np.random.default_rng(0).integers(0, 90, (2, 300)).astype(np.int32)
    found = list(by_tile(rows, cols, 20))
    tiles = [{(int(row) // 20, int(col) // 20) for row, col in zip(rows[one], cols[one])} for one in found]
    assert all(len(tile) == 1 and (np.diff(one) > 0).all() for tile, one in zip(tiles, found))
    assert [min(tile) for tile in tiles] == sorted(set(zip((rows // 20).tolist(), (cols // 20).tolist())))
    assert sorted(np.concatenate(found)) == list(range(300)) and not list(by_tile(rows[:0], cols[:0], 20))


def test_tiles_grow_with_the_memory():
    few = dict(raw=12, channels=12, diffusion=12, classes=5)
    assert tile_side(16, **few, memory_bytes=1) == 32 and tile_side(16, **few, memory_bytes=1 << 40) == 512
    sides = [tile_side(depth, **few, memory_bytes=1 << 30) for depth in (16, 64, 128)]
    assert sides == sorted(sides, reverse=True)


def test_tiles_leave_room_for_all_that_a_pixel_takes():
    common = dict(raw=36, channels=36, diffusion=12, classes=13)
    side = tile_side(16, **common, memory_bytes=memory_bound(2688))
    assert side == 368
    for more in (dict(raw=600), dict(diffusion=2048), dict(classes=200)):
        assert tile_side(16, **{**common, **more}, memory_bytes=memory_bound(2688)) < side
    small = tile_side(16, **common, memory_bytes=memory_bound(1024))
    for more in (dict(channels=60), dict(index_bands=28)):  # for these parts of a tile take room, whatever its side
        assert tile_side(16, **{**common, **more}, memory_bytes=memory_bound(1024)) < small


def test_a_reader_knows_what_its_pixels_take(reader, scene):
    scale = FeatureScale(torch.zeros(128), torch.ones(128), torch.zeros(5, 128))
    room, (narrow, all_of_it) = 1 << 28, (reader.with_scale(scale), reader)
    sensors = dict(
        raw=sum(map(len, reader.stack.bands.values())), channels=sum(s.channels for s in reader.sensors.values())
    )
    for one, kept in ((narrow, 5), (all_of_it, 128)):
        depth = one.process.stack.depth
        units = one.sensors["spectral"].units
        bands = 0 if units is None else one.sensors["spectral"].channels
        told = tile_side(depth, **sensors, diffusion=kept, classes=300, memory_bytes=room, index_bands=bands)
        assert one.tile_side(classes=300, memory_bytes=room) == told
