"""Strange rasters are read as what they hold, or refused in a sentence."""

from __future__ import annotations

import itertools
import json
import os
import random
from pathlib import Path
from typing import Callable, Iterator, Optional

import numpy as np
import pytest
import torch
from osgeo import gdal
from strange_rasters import (
    CONTENTS,
    CRSS,
    DTYPES,
    GEOTRANSFORMS,
    NORTH_UP,
    UTM,
    expected,
    part,
    vrt,
    write,
)
from tally import Tally

from bdgf_core.device import choose_device
from bdgf_core.diffusion.forward import ForwardProcess
from bdgf_core.diffusion.unet import DenoisingUNet
from bdgf_core.errors import BdgfError
from bdgf_core.inputs import InputReader, band_stack
from bdgf_core.progress import Progress
from bdgf_core.raster.stack import RasterSource
from bdgf_core.raster.window import Window
from bdgf_core.samples.pool import PatchPool
from bdgf_core.samples.sensor import Sensor
from bdgf_core.sensors import measure_sensors, open_stack

HEIGHT, WIDTH = 20, 24
pytestmark = pytest.mark.usefixtures("bounded_memory")
_UNET = DenoisingUNet().eval()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def look(
    spectral: Path, second: Optional[Path] = None, *, kind: str = "other", bands: Optional[tuple[int, ...]] = None
) -> dict[str, np.ndarray]:
    """All the way from the files to the networks' inputs; the pixels as read, by modality."""
    sources = {"spectral": RasterSource(spectral, bands), **({"second": RasterSource(second)} if second else {})}
    with open_stack(sources["spectral"], sources.get("second"), Progress(), second_kind=kind) as stack:
        whole = Window(0, 0, min(stack.grid.height, 64), min(stack.grid.width, 64))
        image = stack.read(whole)
        sensors = measure_sensors(stack, sources, second_kind=kind, depth_limit=16, seed=0, progress=Progress())
        for name, sensor in sensors.items():
            again = Sensor.from_json(json.loads(json.dumps(sensor.to_json(), allow_nan=False)))
            assert np.array_equal(again.network_input(image.arrays[name]), sensor.network_input(image.arrays[name]))
        pool = PatchPool(
            stack, sensors, memory_bytes=1 << 24, rng=np.random.default_rng(0), progress=Progress()
        )  # fmt: skip
        x0, valid = pool.draw(2, 8)
        assert torch.isfinite(x0).all() and not x0[valid == 0].any(), "what is missing is not 0"
        process = ForwardProcess.of(band_stack(sensors))
        reader = InputReader(stack, sensors, _UNET, process, 7, choose_device("cpu"))
        seen = reader.read(Window(0, 0, min(whole.height, 3), min(whole.width, 3)))
        for tensor in (seen.spectral, seen.second, seen.diffusion):
            assert tensor is None or torch.isfinite(tensor).all(), "an input of the network is no number"
        for name, share in seen.data_share.items():
            used = image.arrays[name][sensors[name].used][:, :3, :3]
            assert kind.startswith("sar") or np.allclose(share, (np.abs(used) < 1e30).mean(0)), (
                "the share of data is wrong"
            )
    return image.arrays


def agree(found: np.ndarray, wanted: np.ndarray, tolerance: float = 0.0) -> None:
    assert found.shape == wanted.shape, f"{found.shape} for {wanted.shape}"
    assert np.array_equal(np.isnan(found), np.isnan(wanted)), "other pixels are missing"
    there = ~np.isnan(wanted)
    assert np.allclose(found[there], wanted[there], rtol=1e-6, atol=tolerance), "other values"


def test_types_and_contents(tmp_path: Path, rng: np.random.Generator) -> None:
    tally = Tally("rasters")
    for dtype, name in itertools.product(DTYPES, CONTENTS):
        content = CONTENTS[name]
        array = content.make((3, HEIGHT, WIDTH), np.dtype(dtype), rng)
        path = write(tmp_path / "a.tif", array, nodata=content.nodata)
        with tally.case(f"{dtype}, {name}"):
            found = look(path)
            assert not dtype.startswith("complex"), "complex numbers were read"
            agree(found["spectral"], expected(array, content.nodata))
    tally.check(110)


def test_sizes_and_band_counts(tmp_path: Path, rng: np.random.Generator) -> None:
    tally = Tally("rasters")
    sizes = ((1, 1), (1, 2), (2, 1), (1, 50), (50, 1), (2, 2), (9, 9), (3, 70), (65, 33))
    for (height, width), bands in itertools.product(sizes, (1, 2, 7, 31, 500)):
        if bands == 500 and height * width > 100:
            continue
        array = rng.normal(0, 1, (bands, height, width)).astype(np.float32)
        path = write(tmp_path / "a.tif", array)
        with tally.case(f"{bands} bands of {height} x {width}"):
            found = look(path)
            agree(found["spectral"], array[:, :64, :64])
            assert height * width > 1, "one pixel does not vary"
    tally.check(35)


def test_places(tmp_path: Path, rng: np.random.Generator) -> None:
    """Every geotransform in several CRS: alone as it is; and with itself as the second raster, pixel upon pixel."""
    tally = Tally("rasters")
    array = rng.normal(100, 20, (2, HEIGHT, WIDTH)).astype(np.float32)
    for place, crs in itertools.product(GEOTRANSFORMS, ("UTM", "degrees", "none")):
        path = write(tmp_path / "a.tif", array, GEOTRANSFORMS[place], CRSS[crs])
        other = write(tmp_path / "b.tif", array[::-1], GEOTRANSFORMS[place], CRSS[crs])
        with tally.case(f"{place}, {crs}"):
            found = look(path, other)
            agree(found["spectral"], array)
            agree(found["second"], array[::-1])
    tally.check(60)


def test_pairs_of_crs(tmp_path: Path, rng: np.random.Generator) -> None:
    tally = Tally("rasters")
    array = rng.normal(100, 20, (2, HEIGHT, WIDTH)).astype(np.float32)
    places = {"degrees": GEOTRANSFORMS["degrees"], "the Moon": GEOTRANSFORMS["degrees"]}
    for one, other in list(itertools.product(CRSS, repeat=2))[::3]:  # 13 CRS: no row or column is left out
        first = write(tmp_path / "a.tif", array, places.get(one, NORTH_UP), CRSS[one])
        then = write(tmp_path / "b.tif", array + 1, places.get(other, NORTH_UP), CRSS[other])
        with tally.case(f"{one} with {other}"):
            found = look(first, then)
            agree(found["spectral"], array)
            if one == other:
                agree(found["second"], array + 1)
    tally.check(50)


def orientations(array: np.ndarray) -> Iterator[tuple[str, np.ndarray, tuple[float, ...]]]:
    """The same ground (north-up ``array``) stored in other ways."""
    x, y = NORTH_UP[0], NORTH_UP[3]
    bottom, right = y - 10.0 * HEIGHT, x + 10.0 * WIDTH
    yield "south-up", array[:, ::-1], (x, 10.0, 0.0, bottom, 0.0, 10.0)
    yield "mirrored", array[:, :, ::-1], (right, -10.0, 0.0, y, 0.0, -10.0)
    yield "upside down", array[:, ::-1, ::-1], (right, -10.0, 0.0, bottom, 0.0, 10.0)
    yield "turned left", np.rot90(array, -1, (1, 2)), (x, 0.0, 10.0, bottom, 10.0, 0.0)
    yield "transposed", array.transpose(0, 2, 1), (x, 0.0, 10.0, y, -10.0, 0.0)
    yield "halved", array.repeat(2, 1).repeat(2, 2), (x, 5.0, 0.0, y, 0.0, -5.0)
    yield "with a margin", np.pad(array, ((0, 0), (3, 3), (5, 5))), (x - 50.0, 10.0, 0.0, y + 30.0, 0.0, -10.0)


def test_the_same_ground_reads_the_same_however_it_is_stored(tmp_path: Path, rng: np.random.Generator) -> None:
    tally = Tally("rasters")
    for gaps in (False, True):
        array = rng.normal(100, 20, (2, HEIGHT, WIDTH)).astype(np.float32)
        if gaps:
            array[:, 4:9, 3:8] = np.nan
        first = write(tmp_path / "a.tif", array + 5)
        for name, stored, place in orientations(array):
            other = write(tmp_path / "b.tif", np.ascontiguousarray(stored), place)
            with tally.case(f"{name}, gaps: {gaps}"):
                found = look(first, other)["second"]
                if name == "turned left":
                    wanted = _by_world(np.ascontiguousarray(stored), place)
                    agree(found, wanted, 1e-3)
                else:
                    agree(found, array, 1e-3 if name != "halved" or not gaps else np.inf)
    tally.check()


def _by_world(stored: np.ndarray, place: tuple[float, ...]) -> np.ndarray:
    """Pixel by pixel, the slow way."""
    out = np.full((len(stored), HEIGHT, WIDTH), np.nan, np.float32)
    inverse = gdal.InvGeoTransform(place)
    for row, col in itertools.product(range(HEIGHT), range(WIDTH)):
        x, y = gdal.ApplyGeoTransform(NORTH_UP, col + 0.5, row + 0.5)
        other_col, other_row = gdal.ApplyGeoTransform(inverse, x, y)
        if 0 <= other_row < stored.shape[1] and 0 <= other_col < stored.shape[2]:
            out[:, row, col] = stored[:, int(other_row), int(other_col)]
    return out


def _scaled(scale: float, offset: float) -> Callable[[gdal.Dataset], None]:
    def finish(dataset: gdal.Dataset) -> None:
        for number in (1, 2):
            dataset.GetRasterBand(number).SetScale(scale)
            dataset.GetRasterBand(number).SetOffset(offset)

    return finish


def test_scales(tmp_path: Path, rng: np.random.Generator) -> None:
    tally = Tally("rasters")
    array = rng.normal(100, 20, (2, HEIGHT, WIDTH)).astype(np.float32)
    for scale, offset in itertools.product(
        (1e-4, 0.0, -1.0, 1e38, 1e300, float("inf"), float("nan")), (0.0, 5.0, -1e39)
    ):
        path = write(tmp_path / "a.tif", array, finish=_scaled(scale, offset))
        with tally.case(f"times {scale} plus {offset}"):
            found = look(path)["spectral"]
            assert not np.isinf(found).any(), "an infinite value was read"
    tally.check()


def test_band_names(tmp_path: Path, rng: np.random.Generator) -> None:
    """Names of any text are kept, and never take the place of a number."""
    tally = Tally("rasters")
    array = rng.normal(100, 20, (2, HEIGHT, WIDTH)).astype(np.float32)
    names = ("", "B\nB", "<script>alert(1)</script>", "' OR 1=1 --", "مرحبا", "😀", "\u202efdgb",
             "x" * 5000, "\x1b[31m",
             "1e999 nm",
             "NaN", "0 nm", "9" * 400 + " nm", "%s%n", "..", "\\")  # fmt: skip
    for name in names:
        path = write(tmp_path / "a.tif", array, names=(name, name))
        with tally.case(f"named {name[:20]!r}"):
            agree(look(path)["spectral"], array)
    header = "ENVI\nsamples = 24\nlines = 20\nbands = 2\ndata type = 4\ninterleave = bsq\nbyte order = 0\n"
    for extra in ("band names = {Temp\xe9rature, B\xfcgel}\n", "wavelength units = \xb5m\nwavelength = {0.5, 0.6}\n",
                  "bbl = {0, 0}\n", "bbl = {x, y}\n", "wavelength = {nan, inf}\n", "wavelength = {-1, 1e400}\n",
                  "wavelength = {\n", "d\xe9f = x\n", "data gain values = {nan, 0}\n",
                  "data ignore value = nan\n"):  # fmt: skip
        path = tmp_path / "a.bsq"
        path.write_bytes(array.tobytes())
        (tmp_path / "a.hdr").write_bytes((header + extra).encode("latin-1"))
        with tally.case(f"ENVI, {extra.strip()}"):
            look(path)
    tally.check()


def damaged(folder: Path, rng: np.random.Generator) -> Iterator[tuple[str, Path]]:
    """A sound GeoTIFF cut and changed at many places."""
    array = rng.normal(100, 20, (3, HEIGHT, WIDTH)).astype(np.float32)
    data = write(folder / "sound.tif", array).read_bytes()
    dice, path = random.Random(0), folder / "damaged.tif"
    for cut in (0, 1, 2, 4, 7, 8, 9, 50, 100, 200, len(data) // 2, len(data) - 100, len(data) - 1):
        path.write_bytes(data[:cut])
        yield f"cut at {cut}", path
    for _ in range(60):
        changed = bytearray(data)
        for _ in range(dice.choice((1, 3, 20))):
            changed[dice.choice((dice.randrange(min(600, len(data))), dice.randrange(len(data))))] = dice.randrange(256)
        path.write_bytes(bytes(changed))
        yield "bytes changed", path


def test_damaged_files(tmp_path: Path, rng: np.random.Generator, capfd: pytest.CaptureFixture[str]) -> None:
    tally = Tally("rasters")
    for name, path in damaged(tmp_path, rng):
        with tally.case(name, "read, as far as it goes"):
            look(path)
        (tmp_path / "damaged.tif.aux.xml").unlink(missing_ok=True)
    tally.check(70)


def odd_files(folder: Path, rng: np.random.Generator) -> Iterator[tuple[str, Path]]:
    array = rng.normal(100, 20, (2, HEIGHT, WIDTH)).astype(np.float32)
    write(folder / "sound.tif", array)
    both = (part("sound.tif"), part("sound.tif", 2))
    ran = folder / "ran"
    python = (
        'subClass="VRTDerivedRasterBand"><PixelFunctionType>f</PixelFunctionType>'
        "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"
        f"<PixelFunctionCode><![CDATA[\nimport os\ndef f(*a, **k):\n    os.mkdir({str(ran)!r})\n]]></PixelFunctionCode>"
    )
    mask = "<MaskBand><VRTRasterBand dataType='Byte'>" + part("gone.tif") + "</VRTRasterBand></MaskBand>"
    overview = "<Overview><SourceFilename>gone.tif</SourceFilename><SourceBand>1</SourceBand></Overview>"
    points = '<GCPList Projection="EPSG:4326"><GCP Id="1" Pixel="1" Line="1" X="1" Y="1"/></GCPList>'
    texts = {
        "a part missing": vrt(24, 20, (part("sound.tif"), part("gone.tif"))),
        "all parts missing": vrt(24, 20, (part("gone.tif"), part("gone.tif"))),
        "a band missing": vrt(24, 20, (part("sound.tif"), part("sound.tif", 9))),
        "itself": vrt(24, 20, (part("a.vrt"), part("a.vrt", 2))),
        "no source": vrt(24, 20, ("", "")),
        "no band": vrt(24, 20, ()),
        "of no size": vrt(0, 0, both),
        "of a negative size": vrt(-5, 20, both),
        "of text size": vrt(24, 20, both).replace('rasterXSize="24"', 'rasterXSize="wide"'),
        "vast": vrt(2**31 - 1, 2**31 - 1, both),
        "vast and empty": vrt(2**31 - 1, 2**31 - 1, ("", "")),
        "cut": vrt(24, 20, both)[:200],
        "python": vrt(24, 20, (part("sound.tif"),)).replace('band="1">', f'band="1" {python}'),
        "a billion laughs": '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">' + "".join(
            f'<!ENTITY {b} "{("&" + a + ";") * 10}">' for a, b in zip("abcdefghi", "bcdefghij")
        ) + "]><VRTDataset>&j;</VRTDataset>",
        "reading a secret": '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><VRTDataset>&a;</VRTDataset>',
        "deep": "<VRTDataset>" * 20_000,
        "negative rectangles": vrt(24, 20, both).replace('xOff="0"', 'xOff="-5"'),
        "rectangles that are no numbers": vrt(24, 20, both).replace('xOff="0"', 'xOff="nan"'),
        "a bad mask": vrt(24, 20, both, mask),
        "a bad overview": vrt(24, 20, tuple(band + overview for band in both)),
        "a bad CRS": vrt(24, 20, both).replace(UTM, "GEOGCS[broken"),
        "a bad place": vrt(24, 20, both).replace("500000.0", "here"),
        "control points": vrt(24, 20, both, points).replace("GeoTransform", "Ignored"),
    }  # fmt: skip
    for name, text in texts.items():
        (folder / "a.vrt").write_text(text)
        yield f"a virtual raster: {name}", folder / "a.vrt"
    assert not ran.exists(), "code in a virtual raster was run"
    for name, data in {
        "empty": b"", "text": b"hello", "PNG": b"\x89PNG\r\n\x1a\n" + bytes(40),
        "JPEG": b"\xff\xd8\xff\xe0" + bytes(40),
        "BigTIFF": b"II+\0\x08\0\0\0" + b"\xff" * 60, "endless TIFF": b"II*\0\x08\0\0\0\x00\0\x08\0\0\0",
        "zeros": bytes(999),
        "ASCII grid": b"ncols 1000000000\nnrows 1000000000\nxllcorner 0\nyllcorner 0\ncellsize 1\n1 2 3\n",
        "ASCII grid of text": b"ncols 2\nnrows 2\nxllcorner 0\nyllcorner 0\ncellsize 1\na b\nc d\n",
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(99),
        "netCDF": b"CDF\x01" + bytes(40), "zip": b"PK\x03\x04" + bytes(40), "SQLite": b"SQLite format 3\0" + bytes(200),
        "JSON": b'{"type": "FeatureCollection", "features": []}', "XML": b"<a>" * 50, "pickle": b"\x80\x04.",
    }.items():  # fmt: skip
        (folder / "a.bin").write_bytes(data)
        yield name, folder / "a.bin"
    os.mkfifo(folder / "pipe.tif")
    (folder / "loop.tif").symlink_to(folder / "loop.tif")
    yield "a pipe", folder / "pipe.tif"
    yield "a link to itself", folder / "loop.tif"
    yield "a folder", folder
    for text in ("", "/dev/zero", "/dev/null", "a\0b.tif", "x" * 5000, "\udcff.tif", "/vsimem/none.tif",
                 "GTIFF_DIR:9:x.tif",
                 "/vsizip/x.zip", "/vsigzip/" * 300, "NETCDF:x:y", "MEM:::DATAPOINTER=1", "<VRTDataset/>",
                 "new\nline.tif"):  # fmt: skip
        yield f"the source {text[:20]!r}", Path(text) if text.startswith("/dev") else text  # type: ignore[misc]


def test_odd_files(tmp_path: Path, rng: np.random.Generator, capfd: pytest.CaptureFixture[str]) -> None:
    tally = Tally("rasters")
    for name, path in odd_files(tmp_path, rng):
        with tally.case(name, "read, as far as it goes"):
            look(path)
    tally.check(50)


def _alpha(dataset: gdal.Dataset) -> None:
    dataset.GetRasterBand(2).SetColorInterpretation(gdal.GCI_AlphaBand)
    dataset.GetRasterBand(2).WriteArray(np.tri(HEIGHT, WIDTH) * 255)


def test_masks_alpha_and_second_rasters(tmp_path: Path, rng: np.random.Generator) -> None:
    tally = Tally("rasters")
    array = rng.normal(100, 20, (3, HEIGHT, WIDTH)).astype(np.float32)
    first = write(tmp_path / "a.tif", array)
    with tally.case("alpha hides"):
        found = look(write(tmp_path / "b.tif", array, finish=_alpha))["spectral"]
        agree(found, np.where(np.tri(HEIGHT, WIDTH) > 0, array[[0, 2]], np.nan).astype(np.float32))
    seconds = {
        "empty": np.full((1, HEIGHT, WIDTH), np.nan, np.float32), "constant": np.ones((1, HEIGHT, WIDTH), np.float32),
        "one pixel": np.ones((1, 1, 1), np.float32), "60 bands": rng.normal(0, 1, (60, 4, 4)).astype(np.float32),
        "one value left": np.where(np.arange(WIDTH) == 7, 3.0, np.nan * array[:1, :1]).astype(np.float32),
        "dB": rng.normal(-10, 3, (2, HEIGHT, WIDTH)).astype(np.float32),
        "power": rng.gamma(2, 1, (2, HEIGHT, WIDTH)).astype(np.float32),
        "zeros and ones": (rng.random((2, HEIGHT, WIDTH)) < 0.5).astype(np.float32),
    }  # fmt: skip
    for (name, values), kind in itertools.product(seconds.items(), ("other", "sar_db", "sar_linear", "sar_amplitude")):
        other = write(tmp_path / "b.tif", values)
        with tally.case(f"{name} as {kind}"):
            look(first, other, kind=kind)
    for bands in ((1,), (3, 1), (1, 1), (), (0,), (-1,), (4,), (10**9,)):
        with tally.case(f"bands {bands}"):
            agree(look(first, bands=bands)["spectral"], array[[number - 1 for number in bands]])
    for west in (1000.0, 1e7, 230.0, 0.001):
        other = write(tmp_path / "b.tif", array, (NORTH_UP[0] + west, *NORTH_UP[1:]))
        with tally.case(f"{west} m further east"):
            look(first, other)
    tally.check()


def test_a_raster_without_any_data_is_said_to_have_none(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", np.full((2, HEIGHT, WIDTH), np.nan, np.float32))
    with pytest.raises(BdgfError, match="no data"):
        look(path)
