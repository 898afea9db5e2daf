from __future__ import annotations

import pytest
from raster_scenes import NORTH_UP, grid_from

from bdgf_core.raster.pixel_area import pixel_hectares


def test_metres_and_feet() -> None:
    assert pixel_hectares(grid_from(50, 60)) == pytest.approx(0.01)
    feet = grid_from(50, 60, (6_000_000.0, 100.0, 0.0, 2_000_000.0, 0.0, -100.0), "EPSG:2227")  # California zone 3
    assert pixel_hectares(feet) == pytest.approx((100 * 0.3048006096) ** 2 / 1e4)


def test_turned_and_mirrored_grids() -> None:
    turned = grid_from(50, 60, (500000.0, 6.0, 8.0, 5800000.0, 8.0, -6.0))
    assert pixel_hectares(turned) == pytest.approx(0.01)
    assert pixel_hectares(grid_from(50, 60, (500000.0, -10.0, 0.0, 5800000.0, 0.0, 10.0))) == pytest.approx(0.01)


def test_equal_areas_far_from_the_centre() -> None:
    europe = (2_600_000.0, 1000.0, 0.0, 5_400_000.0, 0.0, -1000.0)
    assert pixel_hectares(grid_from(3000, 3000, europe, "EPSG:3035")) == pytest.approx(100.0)


@pytest.mark.parametrize(
    "geotransform, crs",
    [
        ((13.0, 1e-4, 0.0, 52.0, 0.0, -1e-4), "EPSG:4326"),
        ((1_447_000.0, 10.0, 0.0, 6_800_000.0, 0.0, -10.0), "EPSG:3857"),
        (NORTH_UP, ""),
        ((9e9, 10.0, 0.0, 9e9, 0.0, -10.0), "EPSG:32633"),
    ],
)
def test_pixels_of_differing_or_unknown_size(geotransform: tuple[float, ...], crs: str) -> None:
    assert pixel_hectares(grid_from(50, 60, geotransform, crs)) is None
