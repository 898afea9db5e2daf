"""What bands become on the way into the networks: units, scaling, components, gaps."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bdgf_core.errors import InputError
from bdgf_core.samples.sensor import Sensor, SensorBand

RNG = np.random.default_rng(0)


def bands_of(count: int, **used: bool) -> list[SensorBand]:
    return [SensorBand(i + 1, f"Band {i + 1}", None, used.get(f"b{i}", True)) for i in range(count)]


def measure(image: np.ndarray, kind: str = "optical", limit: int = 64, **used: bool) -> Sensor:
    sample = image.reshape(len(image), -1).astype(np.float32)
    return Sensor.measure(
        sample, bands_of(len(image), **used), kind=kind, source="a.tif", source_bands=len(image), depth_limit=limit
    )


def spectra(bands: int, height: int = 40, width: int = 30) -> np.ndarray:
    """Correlated bands: few materials, some noise."""
    abundance = RNG.gamma(1.0, 1.0, (5, height * width))
    mixed = RNG.normal(0, 1, (bands, 5)) @ abundance + 0.05 * RNG.normal(0, 1, (bands, height * width))
    return (1000 + 100 * mixed).reshape(bands, height, width).astype(np.float32)


def sar(bands: int = 2) -> np.ndarray:
    return RNG.gamma(4.0, 0.02, (bands, 40, 30)).astype(np.float32)


def test_units_of_sar_give_the_same_input():
    linear = sar()
    shown = {"sar_linear": linear, "sar_amplitude": np.sqrt(linear), "sar_db": 10 * np.log10(linear)}
    x0, network = {}, {}
    for kind, image in shown.items():
        sensor = measure(image, kind)
        (x0[kind], valid), network[kind] = sensor.denoiser_input(image), sensor.network_input(image)
        assert valid.all()
    for kind in ("sar_amplitude", "sar_db"):
        assert np.allclose(x0[kind], x0["sar_linear"], atol=1e-4)
        assert np.allclose(network[kind], network["sar_linear"], atol=1e-4)


def test_sar_is_a_power_law_between_its_percentiles():
    image = sar()
    sensor = measure(image, "sar_linear")
    x0, _ = sensor.denoiser_input(image)
    assert x0.min() == pytest.approx(0.01) and x0.max() == pytest.approx(1.0)
    low, high = np.percentile(np.log(image[0]), (0.5, 99.5))
    position = np.clip((np.log(image[0]) - low) / (high - low), 0, 1)
    assert np.allclose(x0[0], 0.01 ** (1 - position), atol=1e-3)


def test_zero_intensity_is_missing():
    image = sar()
    image[0, 0, 0] = 0.0
    sensor = measure(image, "sar_linear")
    x0, valid = sensor.denoiser_input(image)
    assert valid[0, 0, 0] == 0 == x0[0, 0, 0] and valid.sum() == valid.size - 1
    assert sensor.data_share(image)[0, 0] == 0.5


def test_optical_percentiles_lie_at_minus_one_and_one():
    image = spectra(3, 100, 100)
    image[0, 0, :5] = 1e6
    sensor = measure(image)
    x0, _ = sensor.denoiser_input(image)
    low, high = np.percentile(image[0], (0.1, 99.9))
    assert np.allclose(x0[0], np.clip(2 * (image[0] - low) / (high - low) - 1, -1.2, 1.2), atol=1e-3)
    standardized = np.sinh(sensor.network_input(image)[1:])
    assert np.allclose(standardized.mean((1, 2)), 0, atol=1e-3)
    assert np.allclose(standardized.std((1, 2)), 1, atol=1e-3)


def test_missing_voxels_are_zero_and_invalid():
    image = spectra(4)
    image[1, 3, 4] = np.nan
    image[:, 5, 6] = np.nan
    sensor = measure(image)
    x0, valid = sensor.denoiser_input(image)
    missing = np.isnan(image)
    assert (x0[missing] == 0).all() and np.array_equal(valid == 0, missing)
    assert (sensor.network_input(image)[missing] == 0).all()
    assert sensor.data_share(image)[3, 4] == 0.75 and sensor.data_share(image)[5, 6] == 0


def test_bad_dead_and_constant_bands_are_left_out():
    image = spectra(6)
    image[1] = 7.0
    image[3] = np.nan
    sensor = measure(image, b4=False)
    assert sensor.used.tolist() == [True, False, True, False, False, True]
    assert sensor.depth_bands == sensor.channels == 3
    alone = measure(image[[0, 2, 5]])
    assert np.array_equal(sensor.denoiser_input(image)[0], alone.denoiser_input(image[[0, 2, 5]])[0])
    assert sensor.data_share(image).min() == 1


def test_undeclared_nodata_values_are_missing():
    image = spectra(3)
    image[0, 1, 1], image[1, 2, 2] = 3e38, -3.4028235e38
    sensor = measure(image)
    x0, valid = sensor.denoiser_input(image)
    assert valid[0, 1, 1] == valid[1, 2, 2] == 0 and valid.sum() == valid.size - 2
    assert np.isfinite(sensor.std).all() and np.isfinite(sensor.network_input(image)).all()


def test_no_usable_band_is_said():
    with pytest.raises(InputError, match="No band of a.tif"):
        measure(np.zeros((2, 5, 5)))


@pytest.mark.parametrize(
    "bands,limit,depth,channels", [(10, 16, 10, 10), (40, 16, 16, 30), (40, 64, 40, 30), (20, 16, 16, 20)]
)
def test_many_bands_become_components(bands, limit, depth, channels):
    image = spectra(bands)
    sensor = measure(image, limit=limit)
    x0, valid = sensor.denoiser_input(image)
    network = sensor.network_input(image)
    assert x0.shape == valid.shape == (depth, 40, 30) and network.shape == (channels, 40, 30)
    assert np.isfinite(x0).all() and np.abs(x0).max() <= 1.2 + 1e-6
    if channels < bands:
        correlation = np.corrcoef(np.sinh(network).reshape(channels, -1)[:5])
        assert np.abs(correlation - np.eye(5)).max() < 0.01
        assert np.allclose(np.sinh(network).std((1, 2)), 1, atol=0.01)


def test_components_have_a_fixed_sign():
    image = spectra(40)
    sensor = measure(image, limit=16)
    largest = np.take_along_axis(sensor.basis, np.abs(sensor.basis).argmax(1)[:, None], 1)
    assert (largest > 0).all()


def test_a_missing_band_counts_as_its_mean_in_components():
    image = spectra(40)
    sensor = measure(image, limit=16)
    gap, filled, half = image.copy(), image.copy(), image.copy()
    gap[7, 2, 2] = np.nan
    filled[7, 2, 2] = sensor.mean[7]
    half[:21, 2, 2] = np.nan
    for method in (lambda x: sensor.denoiser_input(x)[0], sensor.network_input):
        assert np.allclose(method(gap), method(filled), atol=1e-5)
        assert (method(half)[:, 2, 2] == 0).all()
    assert (sensor.denoiser_input(gap)[1] == 1).all()
    assert (sensor.denoiser_input(half)[1][:, 2, 2] == 0).all()


def test_dependent_bands_do_not_blow_up():
    """A component without variance must not turn rounding, or another scene, into large numbers."""
    image = spectra(40)
    image[10:] = np.concatenate([image[:10]] * 3)
    sensor = measure(image, limit=16)
    other = image + RNG.normal(0, 1, image.shape).astype(np.float32)
    assert np.abs(sensor.network_input(image)).max() < 20
    assert np.abs(sensor.network_input(other)).max() < 100


@pytest.mark.parametrize("level", [0.0, 10_000.0])
def test_a_nearly_constant_band_stays_finite(level):
    image = spectra(3, 100, 100)
    image[1] = level
    image[1, 0, 0] = level + 5
    sensor = measure(image)
    assert sensor.used.all()
    assert np.isfinite(sensor.denoiser_input(image)[0]).all() and np.isfinite(sensor.network_input(image)).all()


def test_other_sensors_are_scaled_like_optical_ones():
    image = spectra(1)
    one, other = measure(image, "other"), measure(image)
    assert np.array_equal(one.denoiser_input(image)[0], other.denoiser_input(image)[0]) and not one.is_sar


@pytest.mark.parametrize("kind,limit,bands", [("optical", 16, 40), ("sar_db", 64, 2)])
def test_json_round_trip(kind, limit, bands):
    image = spectra(bands) if kind == "optical" else 10 * np.log10(sar(bands))
    sensor = measure(image, kind, limit)
    back = Sensor.from_json(json.loads(json.dumps(sensor.to_json(), allow_nan=False)))
    assert back.bands == sensor.bands and back.kind == kind
    assert np.array_equal(back.denoiser_input(image)[0], sensor.denoiser_input(image)[0])
    assert np.array_equal(back.network_input(image), sensor.network_input(image))


@pytest.mark.parametrize(
    "image,kind,word",
    [
        (10 * np.log10(sar()), "sar_linear", "sar_db"),
        (10 * np.log10(sar()), "sar_amplitude", "sar_db"),
        (1000 * sar(), "sar_db", "sar_linear"),
        (sar(), "sar_db", "sar_linear"),
        (290 + sar(), "sar_db", "or other if it is no SAR"),
        (sar(), "radar", "sar_linear"),
    ],
)
def test_a_wrong_unit_is_said(image, kind, word):
    with pytest.raises(InputError, match=word):
        measure(image, kind)


def test_units_lead_back_from_the_input_to_the_bands():
    image = 500 + 100 * np.random.default_rng(1).random((4, 30, 30)).astype(np.float32)
    sensor = measure(image)
    mean, std = (x[:, None, None] for x in sensor.units)
    assert np.allclose(np.sinh(sensor.network_input(image)) * std + mean, image, rtol=1e-4)


@pytest.mark.parametrize("kind, bands, level", [("optical", 40, 500), ("optical", 4, 0), ("sar_linear", 2, 500)])
def test_components_centred_values_and_sar_have_no_units(kind, bands, level):
    image = level + np.random.default_rng(1).normal(0, 100, (bands, 30, 30)).astype(np.float32)
    assert measure(np.abs(image) if kind.startswith("sar") else image, kind).units is None
