"""Rasters and label layers in and out: grids, windows, warping, rasterizing, writing. NumPy and GDAL, no torch."""
