"""The land-cover classes of the simulated scene and the materials they are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SceneClass:
    """A class: ``value`` in the truth raster (not contiguous), colour, and mean radar backscatter in dB."""

    name: str
    value: int
    color: str
    vv: float
    vh: float


CLASSES = (
    SceneClass("Water", 1, "#3b7dd8", -20.5, -27.5),
    SceneClass("Deciduous forest", 2, "#4c9a3c", -9.5, -14.6),
    SceneClass("Coniferous forest", 3, "#14532d", -9.8, -14.4),
    SceneClass("Meadow", 5, "#b5de77", -12.6, -18.8),
    SceneClass("Cereals", 7, "#f2d34f", -14.2, -20.6),
    SceneClass("Maize", 8, "#e08f1c", -10.0, -15.4),
    SceneClass("Bare soil", 10, "#a8784a", -11.6, -20.2),
    SceneClass("Residential", 20, "#d7433b", -6.5, -13.0),
    SceneClass("Industry", 21, "#8e5bb0", -3.6, -10.5),
    SceneClass("Asphalt", 30, "#5f6368", -17.5, -25.0),
)
WATER, DECIDUOUS, CONIFEROUS, MEADOW, CEREALS, MAIZE, SOIL, RESIDENTIAL, INDUSTRY, ASPHALT = range(len(CLASSES))

MATERIALS = (
    "clear water", "turbid water", "broad leaves", "needles", "grass", "green cereal", "straw", "maize leaves",
    "light soil", "dark soil", "tiles", "metal", "concrete", "asphalt",
)  # fmt: skip
MATERIAL = {name: number for number, name in enumerate(MATERIALS)}


def reflectance(wavelengths: np.ndarray) -> np.ndarray:
    """Reflectance of each material, 0 to 1, shape (materials, wavelengths); wavelengths in nm."""
    w = np.asarray(wavelengths, dtype=np.float64)
    soil = 0.06 + 0.36 * (1 - np.exp(-(w - 380) / 750)) - 0.03 * _dip(w, 880, 90)
    soil *= 1 - 0.10 * _dip(w, 1420, 40) - 0.16 * _dip(w, 1920, 60) - 0.12 * _dip(w, 2205, 40)
    tiles = 0.05 + 0.24 / (1 + np.exp(-(w - 585) / 28)) + 0.05 * (w - 1000) / 1400 - 0.04 * _dip(w, 870, 80)
    spectra = {
        "clear water": 0.035 * np.exp(-(((w - 480) / 130) ** 2)) + 0.006,
        "turbid water": 0.075 * np.exp(-(((w - 575) / 110) ** 2)) + 0.012 + 0.02 * np.exp(-(((w - 810) / 60) ** 2)),
        "broad leaves": _leaves(w, green=0.055, plateau=0.47, water=0.95, edge=716),
        "needles": _leaves(w, green=0.032, plateau=0.25, water=1.25, edge=714),
        "grass": _leaves(w, green=0.085, plateau=0.43, water=0.62, edge=713),
        "green cereal": _leaves(w, green=0.070, plateau=0.44, water=0.80, edge=718),
        "maize leaves": _leaves(w, green=0.074, plateau=0.46, water=0.86, edge=719),
        "straw": (0.10 + 0.30 * (1 - np.exp(-(w - 420) / 330)))
        * (1 - 0.16 * _dip(w, 2100, 90) - 0.2 * _dip(w, 1930, 60)),
        "light soil": soil,
        "dark soil": 0.52 * soil,
        "tiles": tiles,
        "metal": 0.36 - 0.11 * np.exp(-(w - 400) / 120) - 0.05 * _dip(w, 850, 120),
        "concrete": 0.20 + 0.12 * (1 - np.exp(-(w - 400) / 350)) - 0.03 * _dip(w, 2330, 60),
        "asphalt": 0.055 + 0.075 * (1 - np.exp(-(w - 380) / 900)) - 0.008 * _dip(w, 2310, 40),
    }
    return np.stack([spectra[name] for name in MATERIALS])


def _leaves(w: np.ndarray, *, green: float, plateau: float, water: float, edge: float) -> np.ndarray:
    """Pigments below the red edge (nm), the plateau beyond it, and leaf water in the short-wave infrared."""
    visible = 0.024 + green * _dip(w, 552, 38) + 0.012 * _dip(w, 640, 30)
    infrared = plateau * (1 - 0.00006 * (w - 800))
    rise = 1 / (1 + np.exp(-(w - edge) / 11))
    absorption = (
        0.05 * _dip(w, 975, 28) + 0.14 * _dip(w, 1195, 50) + 1.15 * _dip(w, 1450, 75) + 1.75 * _dip(w, 1940, 95)
    )
    absorption += (
        0.42 * (w > 1300) * np.minimum((w - 1300) / 350, 1)
        + 0.7 / (1 + np.exp(-(w - 2080) / 110))
        + 0.9 * _dip(w, 2520, 160)
    )
    return visible * (1 - rise) + infrared * rise * np.exp(-water * absorption)


def _dip(w: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-(((w - centre) / width) ** 2))
