"""The provider's settings: wrong ones are refused in the dialog, and do no harm where they come from elsewhere."""

from __future__ import annotations

import pytest
from qgis.core import QgsApplication, QgsSettings

from bdgf_core.memory import LEAST_MB

KEY = "Processing/Configuration/BDGF_"


@pytest.fixture
def settings(qgis_app):
    from bdgf_qgis import settings

    yield settings
    for name in ("INTERPRETER", "DEVICE", "MEMORY_MB"):
        QgsSettings().remove(KEY + name)


def shown(name: str):
    from processing.core.ProcessingConfig import ProcessingConfig

    return ProcessingConfig.settings[f"BDGF_{name}"]


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("DEVICE", ["auto", "cpu", "cuda", "cuda:1", ""], ["gpu", "cuda:", "mps"]),
        ("MEMORY_MB", ["0", "1024", 4000, ""], ["1023", "-1", "many", "1.5"]),
        ("INTERPRETER", ["", "/usr/bin/python3"], ["/nowhere/python"]),
    ],
)
def test_the_dialog_refuses_what_is_wrong(settings, name, good, bad):
    setting = shown(name)
    before = setting.value
    for value in good:
        setting.setValue(value)
    for value in bad:
        with pytest.raises(ValueError, match=str(value)):
            setting.setValue(value)
    setting.setValue(before)


def test_wrong_settings_from_elsewhere_do_no_harm(settings):
    QgsSettings().setValue(KEY + "DEVICE", "gpu")
    QgsSettings().setValue(KEY + "MEMORY_MB", "lots")
    assert settings.device() == "auto" and settings.memory_mb() is None
    QgsSettings().setValue(KEY + "MEMORY_MB", "100")
    assert settings.memory_mb() is None
    QgsSettings().setValue(KEY + "DEVICE", " cuda:1 ")
    QgsSettings().setValue(KEY + "MEMORY_MB", "4000")
    assert settings.device() == "cuda:1" and settings.memory_mb() == 4000
    algorithm = type(QgsApplication.processingRegistry().algorithmById("bdgf:environment"))()
    algorithm.initAlgorithm({})
    assert algorithm.parameterDefinition("DEVICE").defaultValue() == "cuda:1"


def test_the_least_memory_is_the_engines(settings):
    assert settings.LEAST_MEMORY_MB == LEAST_MB
