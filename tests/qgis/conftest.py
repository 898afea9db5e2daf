"""Real QGIS without a window, the provider registered, and a stand-in for the engine.

This folder is no package: one named ``qgis`` would hide QGIS's own.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy
import pytest

FAKE_ENGINE = Path(__file__).parent / "fake_engine"

try:
    import qgis.core  # noqa: F401
except ImportError:
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str | None:
    return "tests/qgis left out: this Python has no qgis.core" if "qgis.core" not in sys.modules else None


@pytest.fixture(scope="session")
def qgis_app(tmp_path_factory):
    """QGIS with Processing and the provider ``bdgf``, on an empty profile."""
    from qgis.core import QgsApplication

    os.environ["QGIS_CUSTOM_CONFIG_PATH"] = str(tmp_path_factory.mktemp("profile"))
    application = QgsApplication([], False)
    application.initQgis()
    plugins = os.path.join(QgsApplication.pkgDataPath(), "python", "plugins")
    if plugins not in sys.path:
        sys.path.append(plugins)
    from processing.core.Processing import Processing

    Processing.initialize()
    from bdgf_qgis.plugin import BdgfPlugin

    plugin = BdgfPlugin()
    plugin.initProcessing()
    yield application
    plugin.unload()


@pytest.fixture
def engine(qgis_app, monkeypatch, tmp_path):
    """The fake engine in place of the real one; see :class:`FakeEngine`."""
    from bdgf_qgis import interpreter

    monkeypatch.setattr(interpreter, "engine_folder", lambda: str(FAKE_ENGINE))
    monkeypatch.setattr(interpreter, "REQUIRED", ("json", "osgeo"))
    monkeypatch.setattr(interpreter, "_answers", {})
    monkeypatch.delenv("BDGF_PYTHON", raising=False)
    fake = FakeEngine(monkeypatch, tmp_path / "job.json")
    fake.behave("")
    return fake


class FakeEngine:
    """Says how the fake engine behaves, and what it was given."""

    def __init__(self, monkeypatch, record: Path) -> None:
        self._monkeypatch, self._record = monkeypatch, record
        monkeypatch.setenv("FAKE_ENGINE_JOB", str(record))

    def behave(self, mode: str) -> None:
        self._monkeypatch.setenv("FAKE_ENGINE", mode)

    @property
    def _seen(self) -> dict:
        return json.loads(self._record.read_text())

    @property
    def job(self) -> dict:
        return self._seen["job"]

    @property
    def environment(self) -> dict:
        return self._seen["environment"]

    @property
    def pid(self) -> int:
        return self._seen["pid"]


@pytest.fixture
def scene(tmp_path):
    """Small files of one place: two rasters and polygons of two classes."""
    return Scene(tmp_path / "Größe und Maß")


class Scene:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.spectral = self.raster("spectral.tif", bands=4)
        self.second = self.raster("second.tif", bands=2)
        self.polygons = self._polygons(folder / "polygons.gpkg")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def raster(self, name: str, *, bands: int, west: float = 500000.0) -> str:
        from osgeo import gdal, osr

        crs = osr.SpatialReference()
        crs.ImportFromEPSG(32633)
        raster = gdal.GetDriverByName("GTiff").Create(self.path(name), 20, 10, bands, gdal.GDT_Float32)
        raster.SetGeoTransform((west, 10.0, 0.0, 5800000.0, 0.0, -10.0))
        raster.SetProjection(crs.ExportToWkt())
        for band in range(bands):
            raster.GetRasterBand(band + 1).WriteArray(numpy.arange(200.0).reshape(10, 20) + band)
        return self.path(name)

    def _polygons(self, path: Path) -> str:
        from osgeo import ogr, osr

        crs = osr.SpatialReference()
        crs.ImportFromEPSG(32633)
        file = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
        layer = file.CreateLayer("fields", crs, ogr.wkbPolygon)
        layer.CreateField(ogr.FieldDefn("class", ogr.OFTString))
        layer.CreateField(ogr.FieldDefn("code", ogr.OFTInteger))
        for number, (label, code) in enumerate((("water", 3), ("wood", 9), ("wood", 9))):
            feature = ogr.Feature(layer.GetLayerDefn())
            feature["class"], feature["code"] = label, code
            x, y = 500010 + 50 * number, 5799950
            ring = f"{x} {y}, {x + 30} {y}, {x + 30} {y + 30}, {x} {y + 30}, {x} {y}"
            feature.SetGeometry(ogr.CreateGeometryFromWkt(f"POLYGON (({ring}))"))
            layer.CreateFeature(feature)
        return str(path)

    def model(self, name: str, kind: str, *, second: bool = True) -> str:
        import struct

        sensors = {"spectral": {}, "second": {}} if second else {"spectral": {}}
        metadata = {"format": "bdgf", "version": "1", "kind": kind, "document": json.dumps({"sensors": sensors})}
        header = json.dumps({"__metadata__": metadata}).encode()
        Path(self.path(name)).write_bytes(struct.pack("<Q", len(header)) + header)
        return self.path(name)


@pytest.fixture
def run(qgis_app):
    """``run("train", **parameters)``: the results, through ``processing.run``; errors are raised."""
    import processing
    from qgis.core import QgsProcessingContext, QgsProject

    def run_algorithm(name: str, *, feedback=None, **parameters) -> dict:
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        return processing.run(f"bdgf:{name}", parameters, feedback=feedback or Log(), context=context)

    from qgis.core import QgsProcessingFeedback

    class Log(QgsProcessingFeedback):
        """A quiet feedback."""

        def reportError(self, error, fatalError=False):  # noqa: N802, N803
            pass

    return run_algorithm


@pytest.fixture
def check(qgis_app):
    """``check("train", **parameters)``: the sentence that refuses the parameters, or ""."""
    from qgis.core import QgsApplication, QgsProcessingContext, QgsProject

    def check_parameters(name: str, **parameters) -> str:
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"bdgf:{name}")
        return algorithm.checkParameterValues(parameters, context)[1]

    return check_parameters
