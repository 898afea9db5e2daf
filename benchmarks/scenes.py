"""The scenes that are measured on: rasters with known classes, named or described in a file.

A raster may be an array of a MATLAB file, written ``FILE.mat`` or ``FILE.mat:KEY``. What public copies of the paper's
data sets call their files and arrays was read off the loaders that others published.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Optional

from bdgf_core.errors import InputError
from bdgf_core.job import parse_job, read_job

FOLDER = "BDGF_DATA"
SENSORS = ("spectral", "second")


@dataclass(frozen=True)
class Scene:
    """``labels`` is a vector layer with the class ``field``, or rasters of class numbers (0: none) that complete each
    other, ``classes`` naming them. ``reference`` is a class raster to test on from ``reference_from_column`` on, the
    label layer then being all for training. ``expected`` pixels a class are checked."""

    name: str
    spectral: str
    labels: tuple[str, ...]
    second: Optional[str] = None
    second_kind: str = "auto"
    field: Optional[str] = None
    classes: tuple[tuple[str, str], ...] = ()
    expected: tuple[int, ...] = ()
    spectral_bands: Optional[tuple[int, ...]] = None
    second_bands: Optional[tuple[int, ...]] = None
    reference: Optional[str] = None
    reference_from_column: int = 0
    per_class: tuple[int, ...] = (30, 40, 50, 60, 70)

    def __post_init__(self) -> None:
        if not self.labels:
            raise InputError(f"Scene {self.name} has no labels; name a layer or class rasters.")
        if self.second_kind not in ("auto", "sar_linear", "sar_amplitude", "sar_db", "other"):
            raise InputError(f"Sensor kind {self.second_kind!r} is not known.")

    def alone(self, sensor: str) -> Scene:
        """With the ``spectral`` or the ``second`` sensor only, and a name that says so."""
        if self.second is None:
            raise InputError(f"Scene {self.name} has one sensor only; leave /{sensor} out.")
        one = replace(self, name=f"{self.name}/{sensor}", second=None, second_bands=None)
        return one if sensor == "spectral" else replace(one, spectral=self.second, spectral_bands=self.second_bands)

    def in_folder(self, folder: Path) -> Scene:
        """Its files as paths in ``folder``, those that are none yet."""

        def there(text: Optional[str]) -> Optional[str]:
            return None if text is None else str(folder / text)

        return replace(
            self, spectral=there(self.spectral), second=there(self.second), reference=there(self.reference),
            labels=tuple(str(folder / label) for label in self.labels),
        )  # fmt: skip


def split_key(text: str) -> tuple[Path, Optional[str]]:
    """``a/b.mat:data`` as path and key; a path without key has none."""
    head, separator, key = text.rpartition(":")
    if separator and head.lower().endswith(".mat"):
        return Path(head), key
    return Path(text), None


def find_scene(name: str) -> Scene:
    """A known scene below the folder that BDGF_DATA names, or one described by a JSON file; ``NAME/spectral`` and
    ``NAME/second`` are the same with one sensor only.

    Raises :class:`InputError` where there is none such, or its files are missing.
    """
    whole, _, sensor = name.rpartition("/")
    if sensor in SENSORS and whole:
        return find_scene(whole).alone(sensor)
    if name.endswith(".json"):
        path = Path(name)
        try:
            document = parse_job(path.read_bytes())
        except OSError as error:
            raise InputError(f"The scene file {path} cannot be read ({error.strerror}).") from None
        return read_job(Scene, document).in_folder(path.parent)
    if name not in SCENES:
        raise InputError(f"Scene {name!r} is not known; use a .json file or one of {', '.join(SCENES)}.")
    root = os.environ.get(FOLDER)
    if not root:
        raise InputError(f"Set {FOLDER} to the folder that holds the scenes' folders.")
    missing: list[str] = []
    for form in SCENES[name]:
        scene = form.in_folder(Path(root) / _FOLDERS.get(name, name))
        files = [split_key(text)[0] for text in (scene.spectral, scene.second, *scene.labels) if text]
        absent = [str(file) for file in files if not file.exists()]
        if not absent:
            return scene
        missing = missing or absent
    raise InputError(f"Scene {name} is not there: {', '.join(missing)} missing.")


def describe(scene: Scene) -> str:
    """The scene as the JSON that :func:`find_scene` reads, as a pattern for one's own."""
    return json.dumps({key: value for key, value in vars(scene).items() if value not in (None, ())}, indent=2)


def _published(name: str, classes: tuple[tuple[str, int], ...], prefix: str, **settings: Any) -> tuple[Scene, ...]:
    """The forms in which a data set of the paper goes round, with the classes and pixels of its Table 1."""
    files = [
        ("data_HS_LR.mat:data_HS_LR", "data_SAR_HR.mat:data_SAR_HR", "TrainImage.mat", "TestImage.mat"),
        *((f"{p}_hsi.mat", f"{p}_sar.mat", f"{p}_gt.mat") for p in (prefix, "data")),
        ("data_hsi.mat", "data_sar.mat", "mask_train.mat", "mask_test.mat"),
        ("data_msi.mat", "data_sar.mat", "data_gt.mat"),
    ]
    named = tuple((str(number), text) for number, (text, _) in enumerate(classes, start=1))
    counts = tuple(count for _, count in classes)
    return tuple(
        Scene(name, spectral, tuple(labels), second, classes=named, expected=counts, **settings)
        for spectral, second, *labels in files
    )


_HSI = {"per_class": (60, 80, 100, 120, 140)}
_HONG_KONG = Scene(
    "lcz_hong_kong", "oli.tif", ("training_polygons.gpkg",), "tirs.tif", second_kind="other", field="class",
    per_class=(10, 20, 30, 40, 50),
)  # fmt: skip
_POTSDAM = Scene("enmap_potsdam", "enmap_l2a.tif", ("training_polygons.gpkg",), field="class", per_class=(10, 20, 30))
SCENES: dict[str, tuple[Scene, ...]] = {
    "lcz_hong_kong": (_HONG_KONG,),
    "s1s2_spain": (
        Scene(
            "s1s2_spain", "sentinel2_l1c.tif", ("training_polygons.gpkg",), "sentinel1_db.tif", second_kind="sar_db",
            field="class", reference="reference_water.tif", reference_from_column=256,
            classes=(("0", "Land"), ("1", "Water")),
        ),
    ),
    "enmap_potsdam": (_POTSDAM,),
    "enmap_potsdam_split": (  # visible and near infrared against short-wave infrared
        replace(
            _POTSDAM, name="enmap_potsdam_split", second=_POTSDAM.spectral, second_kind="other",
            spectral_bands=tuple(range(1, 92)), second_bands=tuple(range(92, 225)),
        ),
    ),
    "augsburg": _published(
        "augsburg",
        (("Forest", 13507), ("Residential Area", 30329), ("Industrial Area", 3851), ("Low Plants", 26857),
         ("Allotment", 575), ("Commercial Area", 1645), ("Water", 1530)),
        "augsburg", **_HSI,
    ),
    "berlin": _published(
        "berlin",
        (("Forest", 54954), ("Residential Area", 268642), ("Industrial Area", 19566), ("Low Plants", 59282),
         ("Soil", 17426), ("Allotment", 13305), ("Commercial Area", 24824), ("Water", 6672)),
        "berlin", **_HSI,
    ),
    "yellow_river": _published(
        "yellow_river",
        (("Spartina Alterniflora", 39784), ("Suaeda Salsa", 118213), ("Tamarix Forest", 35216),
         ("Tidal Creek", 15673), ("Mudflat", 24592)),
        "yellow_river", **_HSI,
    ),
    "lcz_hk": _published(
        "lcz_hk",
        (("Compact High-rise", 631), ("Compact Mid-rise", 179), ("Compact Low-rise", 326), ("Open High-rise", 673),
         ("Open Mid-rise", 126), ("Open Low-rise", 120), ("Large Low-rise", 137), ("Heavy Industry", 219),
         ("Dense Trees", 1616), ("Scattered Trees", 540), ("Bush and Scrub", 691), ("Low Plants", 985),
         ("Water", 2603)),
        "lcz_hk",
    ),
}  # fmt: skip
_FOLDERS = {"enmap_potsdam_split": "enmap_potsdam"}
