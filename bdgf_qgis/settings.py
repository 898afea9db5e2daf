"""The provider's settings, where Processing keeps everyone's: Settings ▸ Options ▸ Processing ▸ Providers."""

from __future__ import annotations

from typing import Any, Optional

from qgis.core import QgsSettings

from .translation import tr

INTERPRETER, DEVICE, MEMORY = "BDGF_INTERPRETER", "BDGF_DEVICE", "BDGF_MEMORY_MB"


def register(group: str, icon: Any) -> None:
    """Show the settings in the options dialog, where the Processing plugin is there to show them."""
    try:
        from processing.core.ProcessingConfig import ProcessingConfig, Setting
    except ImportError:
        return
    ProcessingConfig.settingIcons[group] = icon
    for setting in (
        Setting(
            group, INTERPRETER, tr("Python interpreter for the engine (empty: QGIS's own)"), "", valuetype=Setting.FILE
        ),
        Setting(group, DEVICE, tr("Default device (auto, cpu, cuda, cuda:N)"), "auto", valuetype=Setting.STRING),
        Setting(group, MEMORY, tr("Memory limit in MB (0: the engine decides)"), 0, valuetype=Setting.INT),
    ):
        ProcessingConfig.addSetting(setting)
    ProcessingConfig.readSettings()


def unregister() -> None:
    try:
        from processing.core.ProcessingConfig import ProcessingConfig
    except ImportError:
        return
    for name in (INTERPRETER, DEVICE, MEMORY):
        ProcessingConfig.removeSetting(name)


def interpreter() -> str:
    return str(_value(INTERPRETER) or "").strip()


def device() -> str:
    return str(_value(DEVICE) or "").strip() or "auto"


def memory_mb() -> Optional[int]:
    try:
        return int(_value(MEMORY) or 0) or None
    except ValueError:
        return None


def _value(name: str) -> Any:
    # Read without ProcessingConfig: it belongs to the main thread, and is not there in every QGIS process.
    return QgsSettings().value(f"Processing/Configuration/{name}")
