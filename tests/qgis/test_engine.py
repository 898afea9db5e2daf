"""The engine process: its events, its ends, good and bad."""

from __future__ import annotations

import os
import threading
import time

import pytest
from qgis.core import QgsProcessingException, QgsProcessingFeedback


class Recorder(QgsProcessingFeedback):
    """Keeps all that is told, and when progress was told."""

    def __init__(self):
        super().__init__(False)
        self.told, self.beats = [], []

    def setProgress(self, progress):  # noqa: N802
        self.beats.append((time.monotonic(), progress))
        super().setProgress(progress)

    def pushInfo(self, info):  # noqa: N802
        self.told.append(("info", info))

    def pushWarning(self, warning):  # noqa: N802
        self.told.append(("warning", warning))

    def pushConsoleInfo(self, info):  # noqa: N802
        self.told.append(("console", info))

    def setProgressText(self, text):  # noqa: N802
        self.told.append(("progress", text))


def start(mode, engine, scene, feedback=None):
    from bdgf_qgis import engine as engine_process

    engine.behave(mode)
    return engine_process.run("info", {"html": scene.path("info.html"), "json": None}, feedback or Recorder())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_result_and_messages(engine, scene):
    feedback = Recorder()
    result = start("", engine, scene, feedback)
    assert result["html"] == scene.path("info.html") and os.path.exists(result["html"])
    assert feedback.told[0] == ("info", "Device: cpu, since the fake engine knows no other.")
    assert ("progress", "About 2 min left") in feedback.told


def test_noise_is_kept_apart_and_progress_never_goes_back(engine, scene):
    feedback = Recorder()
    start("noise", engine, scene, feedback)
    assert ("console", "a library says hello") in feedback.told and ("console", "[1, 2]") in feedback.told
    assert ("warning", "Two bands were left out.") in feedback.told
    percents = [percent for _, percent in feedback.beats]
    assert percents == sorted(percents) and percents[-1] == 90


def test_error_event_is_the_sentence_alone(engine, scene):
    with pytest.raises(QgsProcessingException) as error:
        start("error", engine, scene)
    assert str(error.value) == "Band 7 of Größe.tif holds no data; choose others."


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [("killed", "memory ran out"), ("crash", "SIGSEGV"), ("broken", "ImportError: libcudart.so.12: cannot open")],
)
def test_dead_engine_gives_a_cause(engine, scene, mode, sentence):
    feedback = Recorder()
    with pytest.raises(QgsProcessingException, match=sentence):
        start(mode, engine, scene, feedback)
    if mode == "broken":
        assert any(kind == "console" and "Traceback" in text for kind, text in feedback.told)


@pytest.mark.parametrize(("mode", "seconds"), [("slow", 2.0), ("deaf", 5.0)])
def test_cancel_ends_the_engine_in_time(engine, scene, mode, seconds):
    feedback = Recorder()
    canceled = []
    threading.Timer(1.0, lambda: (canceled.append(time.monotonic()), feedback.cancel())).start()
    with pytest.raises(QgsProcessingException, match="Canceled; no output was written."):
        start(mode, engine, scene, feedback)
    assert time.monotonic() - canceled[0] < seconds
    assert not alive(engine.pid)


def test_progress_is_renewed_while_the_engine_is_silent(engine, scene):
    feedback = Recorder()
    threading.Timer(3.0, feedback.cancel).start()
    with pytest.raises(QgsProcessingException):
        start("slow", engine, scene, feedback)
    times = [moment for moment, _ in feedback.beats]
    assert len(times) >= 4 and max(b - a for a, b in zip(times, times[1:])) < 1.0


def test_environment_is_cleaned(engine, scene, monkeypatch):
    for name in ("PYTHONHOME", "QT_PLUGIN_PATH", "QGIS_PREFIX_PATH"):
        monkeypatch.setenv(name, "/nowhere")
    start("", engine, scene)
    assert not {"PYTHONHOME", "QT_PLUGIN_PATH", "QGIS_PREFIX_PATH"} & set(engine.environment)
    assert engine.environment["PYTHONPATH"].endswith("fake_engine")


def test_the_engine_speaks_the_language_of_qgis(engine, scene, monkeypatch):
    from qgis.core import QgsApplication

    monkeypatch.setattr(QgsApplication, "locale", staticmethod(lambda: "pt_BR"))
    start("", engine, scene)
    assert engine.environment["BDGF_LANGUAGE"] == "pt"


def test_engine_in_another_python_keeps_its_own_gdal_data(engine, scene, monkeypatch):
    import sys

    monkeypatch.setenv("BDGF_PYTHON", sys.executable)
    monkeypatch.setenv("GDAL_DRIVER_PATH", "/nowhere")
    start("", engine, scene)
    assert "GDAL_DRIVER_PATH" not in engine.environment


def test_a_silent_or_idle_engine_is_told_of_once(monkeypatch):
    from bdgf_qgis import feedback as module

    told = Recorder()
    events = module.EventFeedback(told)
    events.heartbeat()
    events.take({"event": "alive", "idle_s": 5.0})
    assert not told.told
    events.take({"event": "alive", "idle_s": module.IDLE_S + 1})
    events.take({"event": "alive", "idle_s": module.IDLE_S + 11})
    assert [kind for kind, _ in told.told] == ["warning"] and "no progress for minutes" in told.told[0][1]
    events.take({"event": "progress", "fraction": 0.5, "eta_s": None})
    monkeypatch.setattr(module, "SILENT_S", -1.0)
    events.heartbeat()
    events.heartbeat()
    assert [kind for kind, _ in told.told] == ["warning"] * 2
