"""The pool that pretraining draws from: bounded, renewed, where the data are."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pytest

from bdgf_core.errors import Canceled, InputError
from bdgf_core.progress import Progress
from bdgf_core.raster.stack import MultimodalImage
from bdgf_core.samples import pool as pool_module
from bdgf_core.samples.pool import PatchPool
from bdgf_core.samples.sensor import Sensor, SensorBand


@dataclass
class Stack:
    """An image in memory in place of rasters."""

    image: np.ndarray
    reads: list = field(default_factory=list)

    @property
    def grid(self):
        return type("Size", (), {"height": self.image.shape[1], "width": self.image.shape[2]})

    def read(self, window):
        self.reads.append(window)
        return MultimodalImage({"spectral": self.image[(slice(None), *window.slices)]}, window)


def scene(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 1, (3, height, width)).astype(np.float32)


def make_pool(image: np.ndarray, memory: int = 1 << 30, progress: Progress | None = None, seed: int = 0, state=None):
    bands = [SensorBand(i + 1, "", None, True) for i in range(3)]
    pixels = image.reshape(3, -1)
    how = dict(kind="optical", source="", source_bands=3, depth_limit=64)
    sensor = Sensor.measure(pixels[:, np.isfinite(pixels).all(0)], bands, **how) if np.isfinite(image).any() else None
    sensor = sensor or Sensor.measure(scene(9, 9).reshape(3, -1), bands, **how)
    stack = Stack(image)
    rng = np.random.default_rng(seed)
    progress = progress or Progress()
    pool = PatchPool(stack, {"spectral": sensor}, memory_bytes=memory, rng=rng, progress=progress, state=state)
    return pool, stack, sensor


def test_patches_are_cut_from_the_scaled_image():
    image = scene(40, 30)
    image[1, 10:20, 5] = np.nan
    pool, _, sensor = make_pool(image)
    scaled, there = sensor.denoiser_input(image)
    x0, valid = pool.draw(4, 8)
    assert x0.shape == valid.shape == (4, 3, 8, 8)
    for patch, good in zip(x0.numpy(), valid.numpy()):
        places = [
            (r, c) for r in range(33) for c in range(23) if np.array_equal(scaled[:, r : r + 8, c : c + 8], patch)
        ]
        assert any(np.array_equal(there[:, r : r + 8, c : c + 8], good) for r, c in places)


def test_draws_are_seeded():
    one, other = (make_pool(scene(40, 30))[0].draw(3, 8)[0] for _ in range(2))
    assert one.equal(other) and not one.equal(make_pool(scene(40, 30), seed=1)[0].draw(3, 8)[0])


@pytest.mark.parametrize("region", [16, 256])
def test_a_pool_goes_on_from_its_state(monkeypatch, region):
    """Of small regions there is a choice, renewed as one goes."""
    monkeypatch.setattr(pool_module, "_REGION", region)
    image = scene(60, 70)
    whole, _, _ = make_pool(image, memory=4 * 3 * 16**2 * 5)
    for _ in range(19):
        whole.draw(2, 8)
    state = json.loads(json.dumps(whole.state()))
    again, _, _ = make_pool(image, memory=4 * 3 * 16**2 * 5, seed=5, state=state)
    for _ in range(30):
        assert all(one.equal(other) for one, other in zip(whole.draw(2, 8), again.draw(2, 8)))
    assert whole.state() == again.state()


@pytest.mark.parametrize("then", [4, 12, 1000])
@pytest.mark.parametrize("now", [6, 15, 1000])
def test_a_pool_goes_on_with_another_memory(monkeypatch, then, now):
    """The same where what it held still fits; else within the new limit. 1000 regions are more than there are."""
    monkeypatch.setattr(pool_module, "_REGION", 16)
    image, one = scene(60, 70), 3 * 16**2 * 5
    before, _, _ = make_pool(image, memory=then * one)
    for _ in range(19):
        before.draw(2, 8)
    after, _, _ = make_pool(image, memory=now * one, state=json.loads(json.dumps(before.state())))
    fits = then <= now
    assert (before.state() == after.state()) == fits
    if not fits:
        assert len(after._regions) == now
    draws = [(before.draw(2, 8)[0], after.draw(2, 8)[0]) for _ in range(30)]
    assert all(a.equal(b) for a, b in draws) == fits


def test_a_raster_smaller_than_a_patch_is_taken_whole():
    pool, _, sensor = make_pool(scene(5, 30))
    assert pool.draw(2, 16)[0].shape == (2, 3, 5, 16)


def test_a_larger_raster_is_sampled_in_bounded_memory_and_renewed(monkeypatch):
    monkeypatch.setattr(pool_module, "_REGION", 16)
    image = scene(100, 90)
    pool, stack, _ = make_pool(image, memory=6 * 3 * 16 * 16 * 5)
    held = sum(x0.nbytes + valid.nbytes for x0, valid in pool._regions)
    assert held == 6 * 3 * 16 * 16 * 5 and len(stack.reads) == 6
    first = [x0 for x0, _ in pool._regions]
    for _ in range(8 * 6):
        x0, _ = pool.draw(2, 8)
        assert x0.shape == (2, 3, 8, 8)
    assert len(stack.reads) == 12
    assert not any(a is b for a, (b, _) in zip(first, pool._regions))


def test_patches_with_data_are_preferred():
    image = scene(60, 60)
    image[:, :, :30] = np.nan
    pool, _, _ = make_pool(image)
    _, valid = pool.draw(60, 8)
    assert (valid.mean((1, 2, 3)) >= 0.5).float().mean() > 0.95


def test_data_are_found_in_a_mostly_empty_raster(monkeypatch):
    monkeypatch.setattr(pool_module, "_REGION", 16)
    image = np.full((3, 96, 96), np.nan, np.float32)
    image[:, 40:60, 40:60] = scene(20, 20)
    pool, _, _ = make_pool(image, memory=1)
    assert all(pool.draw(4, 8)[1].any() for _ in range(10))


def test_no_data_at_all_is_said():
    with pytest.raises(InputError, match="no data"):
        make_pool(np.full((3, 20, 20), np.nan, np.float32))


def test_stops_while_reading():
    with pytest.raises(Canceled):
        make_pool(scene(20, 20), progress=Progress(canceled=lambda: True))
