"""Rasters and labels as they come: any GDAL source in, numpy arrays on one grid out. No torch here."""
