"""Putting the engine's packages into the user's profile. Nothing is ever written into QGIS's own Python."""
