"""From the plugin's zip to the first map, as on a new user's machine: a fresh profile, QGIS's own Python, no engine.

    python3 scripts/from_zip.py FOLDER [WHEELS]

Everything is made in FOLDER: the zip, a profile in which it is unpacked as QGIS does it, the engine's packages (out of
the folder WHEELS, else from the network), an environment report, a simulated scene (the one in FOLDER/scene, if there
is one) and its map. Tells how long each step took.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import zipfile
from pathlib import Path

from qgis_process import QgisProcess, Step, StepFailed

ROOT = Path(__file__).resolve().parent.parent


def unpack(folder: Path) -> QgisProcess:
    """The zip in a fresh profile in ``folder``, with nothing named that could run the engine but QGIS's own Python."""
    package, profile = folder / "bdgf_qgis.zip", folder / "profile"
    subprocess.run(["bash", str(ROOT / "scripts" / "package.sh"), str(package)], check=True, stdout=subprocess.DEVNULL)
    plugins = profile / "profiles" / "default" / "python" / "plugins"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(plugins)
    qgis = QgisProcess.find(plugins, profile, python=Path())
    bare = {k: v for k, v in qgis.environment.items() if k not in ("BDGF_PYTHON", "QGIS_PLUGINPATH")}
    # as at home, where Python keeps what it has compiled
    return dataclasses.replace(qgis, environment={k: v for k, v in bare.items() if k != "PYTHONDONTWRITEBYTECODE"})


def install(qgis: QgisProcess, folder: Path, wheels: Path | None) -> list[Step]:
    """The engine installed, and its report green. Raises StepFailed."""
    source = {"WHEELS": str(wheels)} if wheels else {}
    report = folder / "environment.json"
    steps = [
        qgis.run("bdgf:installengine", source),
        qgis.run("bdgf:environment", {"HTML": str(folder / "environment.html"), "JSON": str(report)}),
    ]
    document = json.loads(report.read_text("utf-8"))
    if not document["ok"]:
        raise StepFailed(" ".join(document["problems"]))
    return steps


def first_map(qgis: QgisProcess, folder: Path) -> list[Step]:
    scene, effort = folder / "scene", {"PRESET": "quick"}
    rasters = {"SPECTRAL": str(scene / "hyperspectral.tif"), "SECOND": str(scene / "sar.tif")}
    labels = {"LABELS": str(scene / "training_polygons.gpkg"), "CLASS_FIELD": "class"}
    pretrained, classifier = (str(folder / name) for name in ("pretrained.bdgf", "classifier.bdgf"))
    kind = {"SECOND_KIND": "sar_linear"}
    return [
        qgis.run("bdgf:pretrain", {**rasters, **kind, **effort, "OUTPUT": pretrained}),
        qgis.run("bdgf:train", {"PRETRAINED": pretrained, **rasters, **labels, **effort, "OUTPUT": classifier}),
        qgis.run("bdgf:classify", {"CLASSIFIER": classifier, **rasters, "OUTPUT": str(folder / "map.tif")}),
    ]


def main(arguments: list[str]) -> None:
    if len(arguments) not in (1, 2):
        sys.exit(__doc__)
    folder = Path(arguments[0]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "scene").is_dir():
        from scene import simulate_scene

        simulate_scene(folder / "scene")
    qgis = unpack(folder)
    wheels = Path(arguments[1]).resolve() if len(arguments) == 2 else None
    steps = [*install(qgis, folder, wheels), *first_map(qgis, folder)]
    print()
    for step in steps:
        print(f"{step.name:20} {step.seconds:6.0f} s")
    print(f"{'together':20} {sum(step.seconds for step in steps):6.0f} s\nmap: {folder / 'map.tif'}")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except StepFailed as error:
        sys.exit(f"from_zip: {error}")
