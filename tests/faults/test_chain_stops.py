"""Land cover in one go as a process that is sent a signal in each of its steps, and run again."""

from __future__ import annotations

import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from test_endings import LATENCY_S, Engine, hold_latency
from tiny_scene import TinyScene, read

from bdgf_core.landcover import LandcoverConfig, models_folder
from bdgf_core.raster.stack import RasterSource

pytestmark = pytest.mark.long
STEPS = ("pretrain", "train", "classify")
MODELS = {"pretrain": set(), "train": {"pretrained.bdgf"}, "classify": {"pretrained.bdgf", "classifier.bdgf"}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> LandcoverConfig:
    """Of a run that nothing stops, on rasters that take seconds to map."""
    scene = TinyScene(tmp_path_factory.mktemp("chain"))
    spectral, second = (
        RasterSource(scene.write(f"wide_{name}.tif", np.tile(getattr(scene, name), (1, 2, 2))))
        for name in ("spectral", "sar")
    )
    config = LandcoverConfig(
        spectral, scene.labels, scene.path("whole.tif"), second=second, second_kind="sar_db", device="cpu",
        confidence=scene.path("whole_sure.tif"), report=scene.path("whole.html"),
        map_report=scene.path("whole_map.html"), steps=20, epochs=4, memory_mb=1024, checkpoint_s=0.2,
    )  # fmt: skip
    code, events = Engine("landcover", config).end()
    assert code == 0, events[-1]
    return config


@pytest.mark.parametrize("way", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("step", STEPS)
def test_a_signal_in_any_step(whole: LandcoverConfig, step: str, way: str, record_property):
    """Leaves no output, keeps what is done and, in hidden folders, what was saved on the way; the next run goes on."""
    mark = f"{step}_{way}"
    names = ("output", "confidence", "report", "map_report")
    outputs = {name: getattr(whole, name).replace("whole", mark) for name in names}
    config, folder = replace(whole, **outputs), models_folder(outputs["output"])
    engine = Engine("landcover", config)
    begun = f"Step {STEPS.index(step) + 1} of 3"
    engine.wait_until(lambda event: event["event"] == "message" and event["text"].startswith(begun))
    if step != "classify":
        engine.wait_until(lambda event: event["event"] == "progress")  # amid the work
    time.sleep(0.5)
    began = time.monotonic()
    engine.process.send_signal(getattr(signal, way))
    code, events = engine.end()
    hold_latency(began, f"landcover {step} {way}", LATENCY_S, record_property)
    assert code == 130 and events[-1]["kind"] == "Canceled", events[-1]
    assert not any(Path(path).exists() for path in outputs.values())
    kept = {path.name for path in folder.iterdir() if path.is_file()} if folder.exists() else set()
    assert kept - {"steps.json", "report.html"} == MODELS[step]
    for path in [*folder.glob("*"), *folder.parent.iterdir()]:
        if path.name.startswith("."):
            assert path.name.endswith(".unfinished") and all(state.suffix == ".bdgf" for state in path.iterdir())

    if way == "SIGINT":
        return  # it would go on as after the other
    code, events = Engine("landcover", config).end()
    assert code == 0, events[-1]
    told = " ".join(event["text"] for event in events if event["event"] == "message")
    done_before = [name for name in STEPS if f", {name}, was done by an earlier run" in told]
    assert done_before == list(STEPS[: STEPS.index(step)])
    assert not [path for path in (*folder.iterdir(), *folder.parent.iterdir()) if path.name.startswith(".")]
    assert all(Path(path).exists() for path in outputs.values())
    for name in ("output", "confidence"):
        assert np.array_equal(read(getattr(whole, name)), read(outputs[name]), equal_nan=True)
