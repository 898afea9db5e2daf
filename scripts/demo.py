"""The main job through ``qgis_process``, as scripts/demo.sh describes it: three steps, their costs, the accuracy.

Ends with the absolute paths of the map, the report and the picture.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping

from picture import MappedFiles, draw_picture
from qgis_process import QgisProcess, Step, StepFailed
from scene import simulate_scene
from truth import accuracy_against

from bdgf_core.errors import BdgfError

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Inputs:
    """The files to map from; ``second`` is None for one sensor alone. ``truth`` is known for a simulated scene."""

    spectral: str
    second: str | None
    labels: str
    class_field: str
    second_kind: str
    truth: Path | None = None


def main(arguments: list[str]) -> None:
    output = Path(os.environ.get("BDGF_OUTPUT") or "demo_output").resolve()
    output.mkdir(parents=True, exist_ok=True)
    inputs = own_files(arguments) if arguments else simulated(output / "scene")

    plugins = output / "qgis" / "plugins"
    subprocess.run(
        ["bash", str(ROOT / "scripts" / "dev_plugin.sh"), str(plugins)], check=True, stdout=subprocess.DEVNULL
    )
    qgis = QgisProcess.find(plugins, output / "qgis" / "profile", python=ROOT / ".venv" / "bin" / "python")
    steps = run_steps(qgis, inputs, output)

    print()
    for step in steps:
        print(f"{step.name:14} {step.seconds:6.0f} s, {step.peak_mb:6.0f} MB")
    print(f"{'together':14} {sum(step.seconds for step in steps):6.0f} s\n")
    accuracy = f"accuracy on polygons kept apart: {validation_figures(steps[1].results)}"
    print(accuracy)
    if inputs.truth:
        found = accuracy_against(output / "map.tif", inputs.truth, Path(inputs.labels))
        print(f"accuracy against the scene's truth: {figures(found.overall, found.average, found.kappa)}")

    mapped = MappedFiles(
        land_cover=output / "map.tif",
        confidence=output / "confidence.tif",
        spectral=Path(inputs.spectral),
        second=Path(inputs.second) if inputs.second else None,
        second_kind=inputs.second_kind,
        labels=Path(inputs.labels.split("|")[0]),
        class_field=inputs.class_field,
        headline="Land cover of a simulated scene" if inputs.truth else "Land cover",
        subtitle=accuracy.capitalize(),
    )
    os.environ.update(qgis.environment)  # the picture is drawn by QGIS too, and leaves the user's own profile alone
    draw_picture(output / "picture.png", mapped)
    print(f"map: {output / 'map.tif'}\nreport: {output / 'report.html'}\npicture: {output / 'picture.png'}")


def own_files(arguments: list[str]) -> Inputs:
    """Paths become absolute; what is no file (a GDAL source) stays as it is."""
    spectral, second, labels = (os.path.abspath(a) if os.path.exists(a.split("|")[0]) else a for a in arguments[:3])
    return Inputs(spectral, None if second in ("-", "") else second, labels, *arguments[3:])


def simulated(folder: Path) -> Inputs:
    print(f"demo: simulating a scene in {folder}", flush=True)
    simulate_scene(folder)
    files = (str(folder / name) for name in ("hyperspectral.tif", "sar.tif", "training_polygons.gpkg"))
    return Inputs(*files, class_field="class", second_kind="sar_linear", truth=folder / "truth.tif")


def run_steps(qgis: QgisProcess, inputs: Inputs, output: Path) -> list[Step]:
    """Run pretrain, train and classify; their files lie in ``output``."""
    rasters = {"SPECTRAL": inputs.spectral}
    kind = {}
    if inputs.second:
        rasters["SECOND"] = inputs.second
        kind["SECOND_KIND"] = inputs.second_kind
    device = {"DEVICE": os.environ.get("BDGF_DEVICE") or "auto"}
    effort = {"PRESET": os.environ.get("BDGF_PRESET") or "quick", **device}
    pretrained, classifier = str(output / "pretrained.bdgf"), str(output / "classifier.bdgf")
    labels = {"LABELS": inputs.labels, "CLASS_FIELD": inputs.class_field, "REPORT": str(output / "report.html")}
    maps = {"OUTPUT": str(output / "map.tif"), "CONFIDENCE": str(output / "confidence.tif")}
    return [
        qgis.run("bdgf:pretrain", {**rasters, **kind, **effort, "OUTPUT": pretrained}),
        qgis.run("bdgf:train", {"PRETRAINED": pretrained, **rasters, **labels, **effort, "OUTPUT": classifier}),
        qgis.run("bdgf:classify", {"CLASSIFIER": classifier, **rasters, **device, **maps}),
    ]


def validation_figures(results: Mapping[str, str]) -> str:
    names = ("OVERALL_ACCURACY", "AVERAGE_ACCURACY", "KAPPA")
    return figures(*(float(results[name]) if name in results else None for name in names))


def figures(overall: float | None, average: float | None, kappa: float | None) -> str:
    named = (("overall", overall), ("average", average), ("kappa", kappa))
    return ", ".join(f"{name} {'n/a' if value is None else f'{value:.3f}'}" for name, value in named)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except (StepFailed, BdgfError, OSError, RuntimeError) as error:  # RuntimeError is GDAL's
        sys.exit(f"demo: {error}")
