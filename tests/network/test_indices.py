"""Ratios of bands: by their definition, and whatever the light."""

from __future__ import annotations

import pytest
import torch

from bdgf_core.network.indices import index_count, normalised_differences, shape_and_brightness

BANDS = 4


@pytest.fixture
def scene():
    """Reflectances (2, bands, 9, 9) × 10,000 and the units of their standardised form."""
    generator = torch.Generator().manual_seed(0)
    values = 3000 * torch.rand((2, BANDS, 9, 9), generator=generator) + 200
    return values, torch.stack((values.mean((0, 2, 3)), values.std((0, 2, 3))))


def channels(values, units):
    """As :meth:`Sensor.network_input` makes them."""
    mean, std = (x[:, None, None] for x in units)
    return torch.arcsinh((values - mean) / std)


def test_differences_are_those_of_all_pairs(scene):
    values, units = scene
    found = normalised_differences(channels(values, units), units, patch=9)
    assert found.shape == (2, index_count(BANDS), 1, 1) and index_count(BANDS) == 6
    # of nine equal pixels the mean is their value
    values = values[..., 4:5, 4:5].expand(-1, -1, 9, 9)
    found = normalised_differences(channels(values, units), units, patch=9)[..., 0, 0]
    v = values[..., 0, 0]
    expected = [(v[:, i] - v[:, j]) / (v[:, i] + v[:, j]) for i in range(BANDS) for j in range(i)]
    assert torch.allclose(found, torch.stack(expected, 1), atol=1e-5)


def test_every_patch_of_an_image_has_its_own(scene):
    values, units = scene
    image = channels(torch.cat((values, values.flip(3)), 3), units)  # (2, bands, 9, 18)
    found = normalised_differences(image, units, patch=9)
    assert found.shape == (2, 6, 1, 10)
    for col in range(10):
        patch = normalised_differences(image[..., col : col + 9], units, patch=9)
        assert torch.allclose(found[..., col : col + 1], patch, atol=1e-6)


def test_the_light_does_not_matter_to_them(scene):
    values, units = scene
    bright, dark = (channels(light * values, units) for light in (1.0, 0.4))
    one = values[..., 4:5, 4:5].expand(-1, -1, 9, 9)
    plain, shaded = (normalised_differences(channels(x * one, units), units, patch=9) for x in (1.0, 0.4))
    assert torch.allclose(plain, shaded, atol=1e-5)
    plain, shaded = (shape_and_brightness(x[:, :, 4, 4], units) for x in (bright, dark))
    assert plain.shape == (2, BANDS + 1)
    assert torch.allclose(plain[:, :-1], shaded[:, :-1], atol=1e-4) and plain[:, :-1].std() > 0.1
    assert torch.allclose(plain[:, -1] - shaded[:, -1], torch.tensor(0.4).log().neg(), atol=1e-4)


def test_darkness_and_less_are_no_error(scene):
    _, units = scene
    for light in (0.0, -5000.0):
        image = channels(torch.full((1, BANDS, 9, 9), light), units)
        for found in (normalised_differences(image, units, patch=9), shape_and_brightness(image[:, :, 4, 4], units)):
            assert torch.isfinite(found).all()
