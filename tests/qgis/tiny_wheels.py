"""Wheels of a few bytes that are named as the engine's packages."""

from __future__ import annotations

import zipfile
from pathlib import Path

WORKS = 'VERSION = "2.13.0"\ndef multiply():\n    import torch, einops, safetensors, sklearn\n'
FAILS = "raise OSError('[WinError 126] Error loading c10.dll')\n"


def write_wheel(folder: Path, name: str, version: str, modules: dict[str, str], *, needs: str = "") -> Path:
    """A wheel for any Python with ``modules``, texts by file name."""
    about = f"{name}-{version}.dist-info"
    requires = f"Requires-Dist: {needs}\n" if needs else ""
    files = {
        **modules,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{requires}",
        f"{about}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{about}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{about}/RECORD"])
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
    return path


def write_wheels(folder: Path, *, tinytorch: str = WORKS, torch: str = "2.13.0", needs: str = "") -> str:
    """A wheel folder for the fake engine, whose self-test calls ``tinytorch``."""
    folder.mkdir(exist_ok=True)
    modules = {"torch/__init__.py": "", "tinytorch.py": tinytorch}
    write_wheel(folder, "torch", torch, modules, needs=needs)
    for name, module in (("einops", "einops"), ("safetensors", "safetensors"), ("scikit_learn", "sklearn")):
        write_wheel(folder, name, "0.8.0", {f"{module}/__init__.py": ""})
    return str(folder)
