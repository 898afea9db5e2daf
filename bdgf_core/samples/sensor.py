"""What a modality's values mean, and how they become network input: units, dead bands, scaling, components.

n bands in use; U ≤ n places on the denoiser's depth axis; S ≤ n channels of the group network; h, w rows, columns.
Arrays are float32 with NaN wherever a value is missing.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from bdgf_core.errors import InputError
from bdgf_core.translation import tr

Array = NDArray[np.float32]

SAR_KINDS = ("sar_linear", "sar_amplitude", "sar_db")
SECOND_KINDS = (*SAR_KINDS, "other")
DEFAULT_SECOND_KIND = "sar_db"  # in the dialogs too
KINDS = ("optical", *SECOND_KINDS)
NETWORK_CHANNELS = 30  # S, the most spectral channels that the group network takes
_SAR_FLOOR = 0.01  # δ: where the 0.5 percentile of SAR intensity is put, 1 being the 99.5 percentile
_CLIP = 1.2
_LEAST_MEAN = 0.25  # deviations: measures of light have more, what was centred has none
_MOST = 1e30  # beyond it lie undeclared nodata values such as -3.4e38, which would overflow the statistics


@dataclass(frozen=True)
class SensorBand:
    """A band of the raster a model was made with; ``used`` is false for bad, dead and constant bands."""

    number: int
    name: str
    wavelength_nm: Optional[float]
    used: bool

    def __post_init__(self) -> None:
        wave = self.wavelength_nm
        if type(self.number) is not int or self.number < 1 or type(self.name) is not str or type(self.used) is not bool:
            raise ValueError(f"Band {self.number!r} ({self.name!r}) is no band.")
        if wave is not None and (type(wave) not in (int, float) or not 0 < wave < 1e12):
            raise ValueError(f"Band {self.number} cannot have a wavelength of {wave!r} nm.")


@dataclass(frozen=True)
class Sensor:
    """One modality: its bands, units and statistics. Everything needed to scale another raster in the same way.

    ``source`` and ``source_bands`` are the name and the band count of the raster that was measured;
    ``mean`` and ``std`` (n,) of the bands in use (SAR: in dB); ``basis`` (components, n) of the standardised bands
    or None; ``component_std`` (components,); ``low`` and ``high`` (U,) percentiles that bound the denoiser's input.
    """

    kind: str
    source: str
    source_bands: int
    bands: tuple[SensorBand, ...]
    depth_bands: int
    channels: int
    mean: Array
    std: Array
    basis: Optional[Array]
    component_std: Optional[Array]
    low: Array
    high: Array

    @classmethod
    def measure(
        cls, sample: Array, bands: Sequence[SensorBand], *, kind: str, source: str, source_bands: int, depth_limit: int
    ) -> Sensor:
        """Statistics from ``sample`` (all bands, pixels), a spread sample of the raster's values.

        At most ``depth_limit`` bands or components go to the denoiser. Raises :class:`InputError` where no band has
        data or the values contradict the unit.
        """
        if kind != "optical":
            check_second_kind(kind)
        wrong, better = contradiction(measured(sample), kind)
        if wrong:
            raise InputError(
                tr(
                    "{source} is no {kind}: {wrong}; set the second sensor's kind to {better}.",
                    source=source,
                    kind=kind,
                    wrong=wrong,
                    better=better,
                )
            )
        values = natural_units(sample, kind)
        alive = [band.used and is_alive(row) for band, row in zip(bands, values)]
        if not any(alive):
            raise InputError(
                tr("No band of {source} has varying data; check its nodata value and the bands chosen.", source=source)
            )
        bands = tuple(SensorBand(b.number, b.name, b.wavelength_nm, ok) for b, ok in zip(bands, alive))
        values = values[np.array(alive)]
        mean = np.nanmean(values, 1, dtype=np.float64).astype(np.float32)
        # band by band, and not by dtype=, which squares in float32 all the same
        std = np.array([np.nanstd(band.astype(np.float64)) for band in values], np.float32)
        is_sar = kind in SAR_KINDS
        depth_bands = len(values) if is_sar else min(len(values), depth_limit)
        channels = min(len(values), NETWORK_CHANNELS)
        basis = component_std = None
        if len(values) > min(depth_bands, channels):
            basis, component_std = _principal_components(_standardize(values, mean, std), max(depth_bands, channels))
        unbounded = cls(
            kind, source, source_bands, bands, depth_bands, channels, mean, std, basis, component_std, mean, mean
        )
        share = (0.5, 99.5) if is_sar else (0.1, 99.9)
        low, high = np.nanpercentile(unbounded._depth_values(values), share, axis=1).astype(np.float32)
        # A band that hardly varies has both percentiles at one value; what differs from it is clipped.
        return replace(unbounded, low=low, high=np.maximum(high, low + np.maximum(1e-6, 1e-5 * np.abs(low))))

    @property
    def is_sar(self) -> bool:
        return self.kind in SAR_KINDS

    @property
    def used(self) -> NDArray[np.bool_]:
        return np.array([band.used for band in self.bands])

    def check_unit(self, array: Array) -> None:
        """Raises :class:`InputError` where values (all bands, …) are in another unit than the model's."""
        wrong, _ = contradiction(measured(array[self.used]), self.kind)
        if wrong:
            raise InputError(
                tr(
                    "The model was made with {source} as {kind}, but {wrong} in the raster given; convert it to the "
                    "same unit.",
                    source=self.source,
                    kind=self.kind,
                    wrong=wrong,
                )
            )

    def data_share(self, array: Array) -> Array:
        """Share of the bands in use that have data, (h, w) in [0, 1], from (all bands, h, w)."""
        share: Array = np.isfinite(natural_units(array[self.used], self.kind)).mean(0, dtype=np.float32)
        return share

    def denoiser_input(self, array: Array) -> tuple[Array, Array]:
        """Scaled bands x_0 and their validity (1 where there is data), both (U, h, w), from (all bands, h, w).

        Optical: the 0.1 and 99.9 percentiles to −1 and 1, clipped at ±1.2. SAR: intensity as a power law in [δ, 1],
        linear between the 0.5 and 99.5 percentiles of its logarithm. Missing voxels are 0.
        """
        values = natural_units(array[self.used], self.kind)
        present = np.isfinite(values)
        depth = self._depth_values(values)
        if self._is_projected(self.depth_bands):
            valid = np.broadcast_to(present.mean(0) >= 0.5, depth.shape)
        else:
            valid = present
        position = (depth - _column(self.low, depth)) / _column(self.high - self.low, depth)
        if self.is_sar:
            scaled = np.exp(np.log(_SAR_FLOOR) * (1.0 - np.clip(position, 0.0, 1.0)))
        else:
            scaled = np.clip(2.0 * position - 1.0, -_CLIP, _CLIP)
        return np.where(valid, scaled, 0.0).astype(np.float32), valid.astype(np.float32)

    def network_input(self, array: Array) -> Array:
        """Standardised bands or components (S, h, w) for the group network; 0 where there is no data.

        Their inverse hyperbolic sine: clouds, metal roofs and turbid water lie many deviations away, where a network
        that met few of them extrapolates.
        """
        values = natural_units(array[self.used], self.kind)
        standardized = _standardize(values, self.mean, self.std)
        if not self._is_projected(self.channels):
            return np.arcsinh(standardized)
        assert self.basis is not None and self.component_std is not None
        components = np.tensordot(self.basis[: self.channels], standardized, 1)
        half = np.isfinite(values).mean(0) >= 0.5
        scaled = components / _column(self.component_std[: self.channels], components)
        return np.where(half, np.arcsinh(scaled), 0.0).astype(np.float32)

    @property
    def units(self) -> Optional[Array]:
        """(2, S): mean and deviation of the bands, which lead from :meth:`network_input` back to their values; None
        where the channels are components, or where values lie about zero and their ratios would mean nothing."""
        if self.is_sar or self._is_projected(self.channels) or not (self.mean > _LEAST_MEAN * self.std).all():
            return None
        return np.stack((self.mean, self.std))

    def to_json(self) -> dict[str, Any]:
        return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in asdict(self).items()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Sensor:
        fields = dict(document)
        fields["bands"] = tuple(SensorBand(**band) for band in fields["bands"])
        with np.errstate(over="ignore"):  # what is infinite then is refused below
            for name in ("mean", "std", "basis", "component_std", "low", "high"):
                fields[name] = None if fields[name] is None else np.array(fields[name], np.float32)
        sensor = cls(**fields)
        sensor._check()
        return sensor

    def _check(self) -> None:
        """Raises ValueError for what :meth:`measure` never gives; model files come from anywhere."""
        used, depth, channels = int(self.used.sum()), self.depth_bands, self.channels
        if self.kind not in KINDS or type(self.source) is not str or type(self.source_bands) is not int:
            raise ValueError("a sensor's description is of another form")
        if len({band.number for band in self.bands}) < len(self.bands) or self.source_bands < 1:
            raise ValueError("a sensor's bands are counted wrongly")
        if {type(depth), type(channels)} != {int} or not 1 <= depth <= used or channels != min(used, NETWORK_CHANNELS):
            raise ValueError("a sensor's channels do not fit its bands")
        shapes: dict[str, tuple[int, ...]] = {"mean": (used,), "std": (used,), "low": (depth,), "high": (depth,)}
        if used > min(depth, channels):
            shapes.update(basis=(max(depth, channels), used), component_std=(max(depth, channels),))
        for name in ("mean", "std", "low", "high", "basis", "component_std"):
            array = getattr(self, name)
            if (None if array is None else array.shape) != shapes.get(name):
                raise ValueError(f"a sensor's {name} does not fit its bands")
            if array is not None and not (np.abs(array) < _MOST).all():
                raise ValueError(f"a sensor's {name} holds values that are no numbers")
        spread = () if self.component_std is None else self.component_std
        if (self.std < 0).any() or not (self.low < self.high).all() or not all(value > 0 for value in spread):
            raise ValueError("a sensor's statistics are impossible")

    def _is_projected(self, wanted: int) -> bool:
        return self.basis is not None and wanted < len(self.mean)

    def _depth_values(self, values: Array) -> Array:
        """Bands (SAR: dB) or principal components (U, …); a missing band counts as its mean in a component."""
        if not self._is_projected(self.depth_bands):
            return values
        assert self.basis is not None
        components: Array = np.tensordot(self.basis[: self.depth_bands], _standardize(values, self.mean, self.std), 1)
        return components


def check_second_kind(kind: str) -> None:
    """Raises :class:`InputError` where ``kind`` is none of ``SECOND_KINDS``."""
    if kind not in SECOND_KINDS:
        raise InputError(
            tr("Sensor kind {kind!r} is not known; use one of {kinds}.", kind=kind, kinds=", ".join(SECOND_KINDS))
        )


def natural_units(array: Array, kind: str) -> Array:
    """Optical and other values as they are, SAR in dB; zero or negative intensity is missing."""
    array = measured(array)
    if kind not in ("sar_linear", "sar_amplitude"):
        return array
    factor = 10.0 if kind == "sar_linear" else 20.0
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(array > 0, factor * np.log10(array), np.nan).astype(np.float32)


def measured(array: Array) -> Array:
    return np.where(np.abs(array) < _MOST, array, np.float32(np.nan))


def contradiction(values: Array, kind: str) -> tuple[str, str]:
    """What speaks against the unit, and the kind to choose instead; empty where nothing does."""
    values = values[np.isfinite(values)]
    if kind not in SAR_KINDS or not values.size:
        return "", ""
    negative, median = float((values < 0).mean()), float(np.median(values))
    if kind != "sar_db" and negative > 0.001:
        return tr("{share:.1%} of its values are negative, as in dB", share=negative), "sar_db"
    if kind == "sar_db" and negative == 0 and not 1.0 <= median <= 60:
        why = tr("none of its values is negative and their median is {median:.3g}", median=median)
        return why, tr("{one} or {two}, or {three} if it is no SAR", one=SAR_KINDS[0], two=SAR_KINDS[1], three="other")
    return "", ""


def is_alive(row: Array) -> bool:
    values = row[np.isfinite(row)]
    return values.size > 0.01 * row.size and bool(values.min() < values.max())


def _standardize(values: Array, mean: Array, std: Array) -> Array:
    standardized = (values - _column(mean, values)) / _column(std, values)
    return np.where(np.isfinite(standardized), standardized, 0.0).astype(np.float32)


def _principal_components(standardized: Array, count: int) -> tuple[Array, Array]:
    covariance = np.cov(standardized.astype(np.float64))
    variance, vectors = np.linalg.eigh(covariance)
    order = np.argsort(variance)[::-1][:count]
    basis = vectors[:, order].T
    # An eigenvector's sign is arbitrary: fix it, so that the same raster gives the same components everywhere.
    basis *= np.sign(basis[np.arange(len(basis)), np.abs(basis).argmax(1)])[:, None]
    # Where bands depend on each other a component has no variance: do not blow up rounding, or another scene.
    return basis.astype(np.float32), np.sqrt(np.maximum(variance[order], 1e-4)).astype(np.float32)


def _column(vector: Array, like: Array) -> Array:
    return vector.reshape(-1, *[1] * (like.ndim - 1))
