"""The zip is one that the plugin repository takes."""

from __future__ import annotations

import configparser
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = "bdgf_qgis"
FIELDS = (
    "name description about version qgisMinimumVersion qgisMaximumVersion author email homepage repository tracker "
    "tags category icon license experimental deprecated"
)
KINDS = {".py", ".json", ".svg", ".txt", ".png", ".html", ".md", ".model3", ""}  # what is neither built nor a program


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("a package") / "bdgf_qgis.zip"
    subprocess.run(["bash", str(ROOT / "scripts" / "package.sh"), str(path)], check=True, capture_output=True)
    return path


@pytest.fixture(scope="module")
def unpacked(package: Path) -> Path:
    folder = package.parent / "unpacked"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(folder)
    return folder / PLUGIN


@pytest.fixture(scope="module")
def metadata(unpacked: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read(unpacked / "metadata.txt", encoding="utf-8")
    return parser["general"]


def test_one_folder_of_sources(package: Path) -> None:
    with zipfile.ZipFile(package) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    names = [entry.filename for entry in entries]
    assert package.stat().st_size < 25 * 2**20 and len(names) == len(set(names)) > 100
    assert {name.split("/")[0] for name in names} == {PLUGIN}
    assert {Path(name).suffix for name in names} <= KINDS
    parts = {part for name in names for part in name.split("/")}
    assert not [part for part in parts if part.startswith((".", "__pycache__", "test"))]
    assert all(entry.external_attr >> 16 == 0o644 for entry in entries)  # no links, nothing executable
    binary = {b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"PK\x03\x04"}
    with zipfile.ZipFile(package) as archive:
        assert not [name for name in names if archive.read(name)[:4] in binary or archive.read(name)[:2] == b"MZ"]


def test_everything_that_belongs_to_it(unpacked: Path) -> None:
    assert {"__init__.py", "metadata.txt", "LICENSE", "icon.svg", "engine", "i18n"} <= {
        p.name for p in unpacked.iterdir()
    }
    assert "GNU GENERAL PUBLIC LICENSE" in (unpacked / "LICENSE").read_text("utf-8")
    assert [path.name for path in (unpacked / "engine").iterdir()] == ["bdgf_core"]
    sources = {path.relative_to(ROOT) for path in (ROOT / "bdgf_core").rglob("*.py")}
    assert {path.relative_to(unpacked / "engine") for path in (unpacked / "engine").rglob("*.py")} == sources
    assert {path.stem for path in (unpacked / "i18n").iterdir()} == {
        path.stem for path in (ROOT / "i18n").glob("*.json")
    }


def test_metadata(metadata: configparser.SectionProxy, unpacked: Path) -> None:
    assert not [field for field in FIELDS.split() if not metadata.get(field)]
    assert metadata["hasProcessingProvider"] == "yes" and metadata["qgisMaximumVersion"] == "4.99"
    assert metadata["qgisMinimumVersion"] == "3.22" and (unpacked / metadata["icon"]).is_file()
    assert re.fullmatch(r"\d+\.\d+\.\d+", metadata["version"]) and "plugin" not in metadata["name"].lower()
    assert all(metadata[name].startswith("https://") for name in ("homepage", "repository", "tracker"))
    assert all(module in metadata["about"] for module in ("torch", "einops", "safetensors", "scikit-learn"))
    assert f'__version__ = "{metadata["version"]}"' in (unpacked / "engine" / "bdgf_core" / "__init__.py").read_text()
    assert f'version = "{metadata["version"]}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_same_sources_make_the_same_zip(package: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    subprocess.run(["bash", str(ROOT / "scripts" / "package.sh"), str(again)], check=True, capture_output=True)
    assert again.read_bytes() == package.read_bytes()


def test_bandit_finds_nothing_but_asserts(unpacked: Path) -> None:
    pytest.importorskip("bandit")
    command = [sys.executable, "-m", "bandit", "-r", "-q", "-f", "json", "--exit-zero", str(unpacked)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert not report["errors"] and len(report["metrics"]) > 100
    found = [(r["test_name"], r["filename"], r["line_number"]) for r in report["results"] if r["test_id"] != "B101"]
    assert not found


@pytest.mark.long
def test_no_secrets(unpacked: Path) -> None:
    pytest.importorskip("detect_secrets")
    command = [sys.executable, "-m", "detect_secrets", "scan", "--all-files", PLUGIN]  # below the folder it runs in

    def found() -> list[str]:
        done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=unpacked.parent)
        return list(json.loads(done.stdout)["results"])

    planted = unpacked / "planted.py"  # what is looked for would be found
    planted.write_text("key = 'AKIA" + "QWERTYUIOPASDFGH'")
    try:
        assert found() == [f"{PLUGIN}/planted.py"]
    finally:
        planted.unlink()
