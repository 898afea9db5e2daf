from __future__ import annotations

import pytest
from raster_scenes import NORTH_UP, grid_from

from bdgf_core.raster.pixel_area import middle_pixel_hectares, pixel_hectares


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


def test_the_pixel_in_the_middle() -> None:
    assert middle_pixel_hectares(grid_from(50, 60)) == pixel_hectares(grid_from(50, 60))
    degrees = grid_from(2, 2, (10.0, 0.001, 0.0, 60.001, 0.0, -0.001), "EPSG:4326")
    assert middle_pixel_hectares(degrees) == pytest.approx(111.412 * 111.320 / 2 * 1.0018 / 1e4, rel=0.002)
    mercator = grid_from(2, 2, (1_113_195.0, 10.0, 0.0, 8_399_738.0, 0.0, -10.0), "EPSG:3857")  # at 60° north
    assert middle_pixel_hectares(mercator) == pytest.approx(0.01 / 4, rel=0.01)


@pytest.mark.parametrize(
    "geotransform, crs",
    [(NORTH_UP, ""), ((0.0, 1.0, 0.0, 0.0, 0.0, -1.0), "EPSG:4326"), ((9e9, 10.0, 0.0, 9e9, 0.0, -10.0), "EPSG:32633")],
)
def test_a_middle_nowhere(geotransform: tuple[float, ...], crs: str) -> None:
    assert middle_pixel_hectares(grid_from(50, 60, geotransform, crs)) is None
