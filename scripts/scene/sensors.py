"""The two sensors that look at the landscape: an imaging spectrometer and a SAR, each on its own grid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from osgeo import gdal, osr

from .classes import CLASSES, INDUSTRY, RESIDENTIAL, SOIL, reflectance
from .landscape import FACTOR, FINE, MARGIN, Landscape
from .materials import cover, light
from .noise import smooth_noise

gdal.UseExceptions()

ORIGIN = (291_000.0, 5_602_500.0)  # metres, the upper left corner of the hyperspectral raster in UTM 33N
SAR_PIXEL = 10.0  # metres
LOOKS = 4
NODATA = -32768
WAVELENGTHS = np.concatenate([np.linspace(430, 985, 18), np.linspace(1040, 2430, 18)])  # nm


def write_hyperspectral(path: Path, landscape: Landscape, rng: np.random.Generator) -> None:
    """36 bands between 430 and 2430 nm as Int16; four of them, in the atmosphere's water vapour, are marked bad, two of
    these hold no data at all. Outside the slanted swath there is no data."""
    size = landscape.size
    spectra = reflectance(WAVELENGTHS)
    lit = light(landscape, rng)
    shares = np.stack([blur(block_mean(share * lit)) for share in cover(landscape, rng)])
    vapour = np.exp(-(((WAVELENGTHS - 1400) / 55) ** 2)) + np.exp(-(((WAVELENGTHS - 1900) / 60) ** 2))
    bad = vapour > 0.4
    outside = ~swath(size)

    dataset = create(path, size, size, len(WAVELENGTHS), gdal.GDT_Int16)
    dataset.SetGeoTransform((ORIGIN[0], FINE * FACTOR, 0, ORIGIN[1], 0, -FINE * FACTOR))
    dataset.SetProjection(projection(32633))
    for index, wavelength in enumerate(WAVELENGTHS):
        clean = np.tensordot(spectra[:, index], shares, axes=1)
        noise = 0.0012 + 0.009 * clean + 0.0025 * (wavelength > 1000) + 0.15 * (bad[index])
        stripes = 1 + 0.002 * rng.standard_normal(size)
        values = clean * stripes + noise * rng.standard_normal(clean.shape)
        values = np.clip(np.rint(values * 10_000), 1, 16_000)
        dead = bad[index] and vapour[index] > 0.64
        values[outside | dead] = NODATA
        band = dataset.GetRasterBand(index + 1)
        band.SetNoDataValue(NODATA)
        band.SetDescription(f"band {index + 1} ({wavelength:.0f} nm)")
        band.SetMetadata(
            {"wavelength": f"{wavelength:.1f}", "wavelength_units": "Nanometers", "bbl": "0" if bad[index] else "1"}
        )
        band.WriteArray(values.astype(np.int16))


def swath(size: int) -> np.ndarray:
    """Where the spectrometer looked: a slanted strip, bool (size, size)."""
    rows, cols = np.mgrid[0:size, 0:size] / size
    return (cols >= 0.06 - 0.12 * rows) & (cols <= 1.085 - 0.12 * rows)


def write_sar(path: Path, landscape: Landscape, rng: np.random.Generator) -> None:
    """VV and VH in linear power as Float32, 0 where there is no data: four looks of speckle, a noise floor at -31 dB.
    The raster does not reach the scene's southern edge."""
    size, side = landscape.size, landscape.classes.shape[0]
    source = gdal.GetDriverByName("MEM").Create("", side, side, 2, gdal.GDT_Float32)
    source.SetGeoTransform((ORIGIN[0] - MARGIN * FINE, FINE, 0, ORIGIN[1] + MARGIN * FINE, 0, -FINE))
    source.SetProjection(projection(32633))
    for number, power in enumerate(backscatter(landscape, rng), start=1):
        source.GetRasterBand(number).WriteArray(power)

    extent = size * FACTOR * FINE
    to_sar = osr.CoordinateTransformation(reference(32633), reference(32632))
    corners = [(ORIGIN[0] + dx * extent, ORIGIN[1] - dy * extent) for dx in (0, 1) for dy in (0, 0.97)]
    points = np.array(to_sar.TransformPoints(corners))[:, :2]
    (left, bottom), (right, top) = np.floor(points.min(axis=0) / 100) * 100, np.ceil(points.max(axis=0) / 100) * 100
    bounds = (left + 3.0, bottom + 4.0, right + 3.0, top + 4.0)
    seen = gdal.Warp(
        "",
        source,
        format="MEM",
        dstSRS="EPSG:32632",
        outputBounds=bounds,
        xRes=SAR_PIXEL,
        yRes=SAR_PIXEL,
        resampleAlg="average",
    )

    dataset = create(path, seen.RasterXSize, seen.RasterYSize, 2, gdal.GDT_Float32)
    dataset.SetGeoTransform(seen.GetGeoTransform())
    dataset.SetProjection(projection(32632))
    for number, name in enumerate(("VV", "VH"), start=1):
        power = seen.GetRasterBand(number).ReadAsArray()
        speckled = (power + 10**-3.1) * rng.gamma(LOOKS, 1 / LOOKS, power.shape)
        band = dataset.GetRasterBand(number)
        band.SetNoDataValue(0)
        band.SetDescription(name)
        band.WriteArray(np.where(power > 0, speckled, 0).astype(np.float32))


def backscatter(landscape: Landscape, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Mean power in VV and VH, without speckle, (side, side)."""
    classes, shape = landscape.classes, landscape.classes.shape
    built = landscape.settlements
    rough = rng.uniform(-1, 1, landscape.parcels.max() + 1)[landscape.parcels]
    common = 0.9 * rough * np.where(classes == SOIL, 2.0, 1.0) + 0.5 * smooth_noise(rng, shape, slope=1.0)
    slope = np.gradient(landscape.hills)[1]
    common += 0.7 * np.clip(slope / slope.std(), -2, 2)
    corners = (classes == RESIDENTIAL) & built.houses & (rng.random(shape) < 0.35)
    corners |= (classes == INDUSTRY) & (rng.random(shape) < 0.06)
    common += np.where(corners, 6.0, 0.0) - np.where((classes == RESIDENTIAL) & built.streets, 5.0, 0.0)
    vv, vh = (np.array([getattr(c, polarisation) for c in CLASSES])[classes] for polarisation in ("vv", "vh"))
    moist = 0.6 * smooth_noise(rng, shape, slope=1.4)
    return tuple((10 ** ((level + common) / 10)).astype(np.float32) for level in (vv + moist, vh - 0.5 * moist))


def block_mean(values: np.ndarray) -> np.ndarray:
    """The mean of ``values`` (side, side) over each hyperspectral pixel, without the margin."""
    inner = values[MARGIN:-MARGIN, MARGIN:-MARGIN]
    size = inner.shape[0] // FACTOR
    return inner.reshape(size, FACTOR, size, FACTOR).mean(axis=(1, 3))


def blur(values: np.ndarray) -> np.ndarray:
    """The spectrometer's point spread: a tenth of each pixel's light comes from each neighbour along both axes."""
    for axis in (0, 1):
        padded = np.pad(values, [(1, 1) if a == axis else (0, 0) for a in (0, 1)], mode="edge")
        before, after = (padded[:-2], padded[2:]) if axis == 0 else (padded[:, :-2], padded[:, 2:])
        values = 0.8 * values + 0.1 * (before + after)
    return values


def create(path: Path, width: int, height: int, bands: int, kind: int) -> gdal.Dataset:
    options = ["TILED=YES", "COMPRESS=DEFLATE", "PREDICTOR=2" if kind == gdal.GDT_Int16 else "PREDICTOR=3"]
    return gdal.GetDriverByName("GTiff").Create(str(path), width, height, bands, kind, options)


def projection(epsg: int) -> str:
    return str(reference(epsg).ExportToWkt())


def reference(epsg: int) -> osr.SpatialReference:
    crs = osr.SpatialReference()
    crs.ImportFromEPSG(epsg)
    crs.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
    return crs
