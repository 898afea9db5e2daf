"""Smooth random fields."""

from __future__ import annotations

import numpy as np


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], *, slope: float) -> np.ndarray:
    """A random field of mean 0 and variance 1 whose amplitude falls as frequency^-slope: 1 is texture, 2 is hills."""
    amplitude = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None])
    amplitude = np.maximum(amplitude, 2.0 / max(shape)) ** -slope
    amplitude[0, 0] = 0
    noise = np.fft.irfft2(amplitude * np.fft.rfft2(rng.standard_normal(shape)), shape)
    return (noise / noise.std()).astype(np.float32)
