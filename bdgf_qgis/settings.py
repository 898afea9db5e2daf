"""The provider's settings, where Processing keeps everyone's: Settings ▸ Options ▸ Processing ▸ Providers."""

from __future__ import annotations

import re
from typing import Any, Callable, Optional

from qgis.core import QgsSettings

from .translation import tr

LEAST_MEMORY_MB = 1024  # the engine refuses less
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
        Setting(
            group,
            DEVICE,
            tr("Default device (auto, cpu, cuda, cuda:N)"),
            "auto",
            valuetype=Setting.STRING,
            validator=check_device,
        ),
        Setting(
            group,
            MEMORY,
            tr("Memory limit in MB (0: the engine decides)"),
            0,
            valuetype=Setting.INT,
            validator=check_memory,
        ),
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


def check_device(value: Any) -> None:
    """Raises ValueError with a sentence, which the options dialog shows, where ``value`` names no device."""
    if not re.fullmatch(r"(auto|cpu|cuda(:\d+)?)?", str(value).strip()):
        raise ValueError(tr("{value} is no device; use auto, cpu, cuda or cuda:0, cuda:1, ….", value=value))


def check_memory(value: Any) -> None:
    """As :func:`check_device`, for a limit in MB."""
    text = str(value).strip() or "0"
    if not text.isdigit() or 0 < int(text) < LEAST_MEMORY_MB:
        raise ValueError(
            tr("{value} is no memory limit; use {least} MB or more, or 0 for none.", value=value, least=LEAST_MEMORY_MB)
        )


def interpreter() -> str:
    return str(_value(INTERPRETER) or "").strip()


def device() -> str:
    """The default of algorithms; what was set past the dialog and names no device is auto."""
    named = str(_value(DEVICE) or "").strip() or "auto"
    return named if _passes(check_device, named) else "auto"


def memory_mb() -> Optional[int]:
    """None where the engine decides."""
    limit = _value(MEMORY) or 0
    return int(limit) or None if _passes(check_memory, limit) else None


def _passes(check: Callable[[Any], None], value: Any) -> bool:
    try:
        check(value)
    except ValueError:
        return False
    return True


def _value(name: str) -> Any:
    # Read without ProcessingConfig: it belongs to the main thread, and is not there in every QGIS process.
    return QgsSettings().value(f"Processing/Configuration/{name}")
