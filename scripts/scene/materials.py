"""What the landscape is made of, and how much light falls on it."""

from __future__ import annotations

import numpy as np

from .classes import (
    ASPHALT,
    CEREALS,
    CONIFEROUS,
    DECIDUOUS,
    INDUSTRY,
    MAIZE,
    MATERIAL,
    MEADOW,
    RESIDENTIAL,
    SOIL,
    WATER,
)
from .landscape import Landscape
from .noise import smooth_noise


def cover(landscape: Landscape, rng: np.random.Generator) -> np.ndarray:
    """The share of each material in each landscape pixel, shape (materials, side, side), summing to 1."""
    classes, shape = landscape.classes, landscape.classes.shape
    patchy, fine = smooth_noise(rng, shape, slope=1.5), smooth_noise(rng, shape, slope=0.6)
    parcel = rng.uniform(-1, 1, landscape.parcels.max() + 1).astype(np.float32)[landscape.parcels]
    vigour = np.clip(0.62 + 0.24 * parcel + 0.07 * patchy + 0.05 * fine, 0.05, 1)
    damp = np.clip(0.45 + 0.4 * parcel + 0.15 * patchy, 0, 1)
    share = np.zeros((len(MATERIAL), *shape), np.float32)

    def lay(where: np.ndarray, **parts: np.ndarray | float) -> None:
        share[:, where] = 0
        for name, part in parts.items():
            share[MATERIAL[name.replace("_", " ")], where] = part if np.isscalar(part) else part[where]

    mud = np.clip(np.where(landscape.river < 60, 0.75, 0.2) + 0.1 * patchy, 0, 1)
    grassy = np.clip(0.12 + 0.06 * patchy, 0, 0.4)
    lay(classes == WATER, turbid_water=mud, clear_water=1 - mud)
    lay(classes == DECIDUOUS, broad_leaves=1 - grassy, grass=grassy)
    lay(classes == CONIFEROUS, needles=0.9 - grassy, broad_leaves=grassy, dark_soil=0.1)
    dry = np.clip(0.28 - 0.2 * parcel + 0.1 * patchy + 0.04 * fine, 0, 0.8)
    lay(classes == MEADOW, grass=1 - dry, straw=0.6 * dry, dark_soil=0.4 * dry)
    lay(classes == CEREALS, green_cereal=vigour, straw=0.4 * (1 - vigour), light_soil=0.6 * (1 - vigour))
    lay(classes == MAIZE, maize_leaves=vigour, dark_soil=0.35 * (1 - vigour), light_soil=0.65 * (1 - vigour))
    weeds = np.clip(0.06 + 0.05 * patchy, 0, 0.3)
    lay(
        classes == SOIL,
        dark_soil=damp * (1 - weeds),
        light_soil=(1 - damp) * (1 - weeds),
        grass=0.4 * weeds,
        straw=0.6 * weeds,
    )
    gardens = np.clip(0.5 + 0.2 * fine, 0.1, 0.9)
    lay(classes == RESIDENTIAL, grass=gardens, broad_leaves=0.8 * (1 - gardens), concrete=0.2 * (1 - gardens))

    built = landscape.settlements
    homes = classes == RESIDENTIAL
    lay(homes & built.houses, tiles=0.85, concrete=0.15)
    lay(homes & built.streets, asphalt=0.9, concrete=0.1)
    works = classes == INDUSTRY
    lay(works, asphalt=0.55, concrete=0.35, grass=0.1)
    bright = rng.uniform(0.15, 0.9, built.hall.max() + 1).astype(np.float32)[built.hall]
    lay(works & built.halls, metal=bright, concrete=0.6 * (1 - bright), asphalt=0.4 * (1 - bright))
    worn = np.clip(0.15 + 0.1 * fine, 0, 0.5)
    lay(classes == ASPHALT, asphalt=1 - worn, concrete=0.8 * worn, grass=0.2 * worn)
    lay(landscape.lanes & (classes != ASPHALT), asphalt=0.8, grass=0.2)
    return share


def light(landscape: Landscape, rng: np.random.Generator) -> np.ndarray:
    """How bright each pixel is lit, about 1: slopes facing the sun or not, crowns, shadows of houses and trees."""
    slope_y, slope_x = np.gradient(landscape.hills)
    slope = 0.7 * slope_y - 0.7 * slope_x
    lit = 1 + 0.13 * np.clip(slope / slope.std(), -2.2, 2.2)
    texture = smooth_noise(rng, lit.shape, slope=0.3)
    forest = np.isin(landscape.classes, [DECIDUOUS, CONIFEROUS])
    lit *= 1 + np.where(forest, 0.16, 0.025) * texture
    tall = forest | landscape.settlements.houses | landscape.settlements.halls
    shaded = ~tall & np.roll(tall, (2, -2), (0, 1))
    return np.clip(np.where(shaded, 0.72 * lit, lit), 0.3, 1.7).astype(np.float32)
