"""A model file from anywhere is refused in a sentence, or loads and works; nothing in it runs, nothing it claims is
allocated."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import resource
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Callable, Iterator

import numpy as np
import pytest
import torch
from model_mutations import FAMILIES, Case, ModelFile
from tally import Models, Tally, check_sentence

from bdgf_core.checkpoint import load_model, read_document
from bdgf_core.classify import ClassifyConfig, classify
from bdgf_core.errors import BdgfError, ModelFileError
from bdgf_core.info import InfoConfig, info
from bdgf_core.models import Classifier, Pretrained, load_classifier, load_pretrained
from bdgf_core.progress import Progress

try:
    from qgis.core import QgsProcessingException

    from bdgf_qgis import model_header
except ImportError:
    model_header = None

ROOT = Path(__file__).parents[2]
KINDS = ("pretrained", "classifier")
LOAD: dict[str, Callable[[Path], Any]] = {"pretrained": load_pretrained, "classifier": load_classifier}
EVERY = {
    "truncations": 1,
    "flips": 5,
    "lengths": 1,
    "structures": 2,
    "tensors": 12,
    "documents": 60,
}  # every day every n-th
pytestmark = pytest.mark.usefixtures("bounded_memory")


@pytest.fixture(scope="module")
def files(models: Models) -> dict[str, ModelFile]:
    return {kind: ModelFile(getattr(models, kind).read_bytes()) for kind in KINDS}


def give(path: Path, kind: str) -> None:
    """Give the file to all that read model files; raises the refusal by the loader of its ``kind``."""
    for reader in (load_model, read_document, lambda path: info(InfoConfig(str(path)), Progress())):
        try:
            reader(path)
        except BdgfError as error:
            check_sentence(str(error))
    if model_header is not None:
        try:
            model_header.expect(str(path), kind).has_second  # noqa: B018
        except QgsProcessingException as error:
            assert str(error).endswith(".")
    works(LOAD[kind](path))


def works(model: Any) -> None:
    """What has loaded takes data and gives numbers."""
    pretrained: Pretrained = model.pretrained if isinstance(model, Classifier) else model
    rng = np.random.default_rng(0)
    inputs = []
    for sensor in pretrained.sensors.values():
        array = rng.normal(-10, 5, (len(sensor.bands), 9, 9)).astype(np.float32)
        x0, valid = sensor.denoiser_input(array)
        assert np.isfinite(x0).all() and valid.shape == (sensor.depth_bands, 9, 9)
        inputs.append(torch.from_numpy(sensor.network_input(array)))
    assert 0.1 <= pretrained.process.speckle.log_std[0] * 1e6
    if isinstance(model, Classifier):
        second = inputs[1] if len(inputs) > 1 else None
        features = torch.randn(model.network.config.diffusion, 9, 9)
        found = model.network.classify_image(inputs[0], second, features, batch=64)
        assert found.shape == (len(model.legend), 1, 1) and torch.isfinite(found).all()


def cases(family: str, file: ModelFile, rest: bool) -> Iterator[Case]:
    every = EVERY[family]
    for number, case in enumerate(FAMILIES[family](file, random.Random(family))):
        if (number % every != 0) == rest:
            yield case


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", FAMILIES)
def test_malformed_files(files: dict[str, ModelFile], tmp_path: Path, kind: str, family: str) -> None:
    run(files[kind], tmp_path, kind, family, rest=False)


def run(file: ModelFile, folder: Path, kind: str, family: str, *, rest: bool) -> None:
    tally, path = Tally("model files"), folder / "model.bdgf"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, pieces in cases(family, file, rest):
        with path.open("wb") as whole:
            whole.writelines(pieces)
        with tally.case(f"{kind}, {family}, {name}", "loaded, and works"):
            give(path, kind)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10
    assert grown < 600, f"memory grew by {grown} MB"
    tally.check()


def test_there_are_many_and_no_two_are_the_same(files: dict[str, ModelFile]) -> None:
    known = set()
    for kind, file in files.items():
        for family in ("truncations", "lengths", "structures", "tensors"):
            for _, pieces in FAMILIES[family](file, random.Random(family)):
                known.add((kind, *(None if piece is file.body else hash(piece) for piece in pieces)))
    assert len(known) >= 800


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", [family for family, every in EVERY.items() if every > 1])
def test_the_other_malformed_files(files: dict[str, ModelFile], tmp_path: Path, kind: str, family: str) -> None:
    run(files[kind], tmp_path, kind, family, rest=True)


class _Bomb:
    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.place),)


def other_files(place: Path) -> dict[str, bytes]:
    """Files of other kinds; unpickling one of them would make the folder ``place``."""
    state, archive = io.BytesIO(), io.BytesIO()
    torch.save({"weight": torch.ones(3), "x": _Bomb(place)}, state)
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("model.bdgf", "x")
    plain = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    long = b'{"__metadata__":{"format":"bdgf","a":"' + b"x" * (70 << 20) + b'"}}'
    return {
        "pickle": pickle.dumps(_Bomb(place)), "pickle of protocol 0": pickle.dumps(_Bomb(place), 0),
        "torch.save": state.getvalue(), "zip": archive.getvalue(), "ELF": Path(sys.executable).read_bytes()[:100_000],
        "script": b"#!/bin/sh\nrm -rf /\n", "PNG": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "gzip": b"\x1f\x8b\x08" + bytes(50),
        "TIFF": b"II*\0\x08\0\0\0" + bytes(50), "SQLite": b"SQLite format 3\0" + bytes(84),
        "NumPy": b"\x93NUMPY\1\0" + bytes(90),
        "HTML": b"<html><script>alert(1)</script>", "JSON": b'{"format": "bdgf"}', "text": "Wälder\n".encode("utf-16"),
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(500), "empty": b"", "zeros": bytes(10_000), "ones": b"\xff" * 10_000,
        "plain safetensors": len(plain).to_bytes(8, "little") + plain + bytes(4),
        "a header of 70 MB": len(long).to_bytes(8, "little") + long,
        "a random one": random.Random(0).randbytes(50_000),
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_other_files(tmp_path: Path, kind: str) -> None:
    tally, place = Tally("model files"), tmp_path / "made"
    for name, data in other_files(place).items():
        path = tmp_path / "model.bdgf"
        path.write_bytes(data)
        with tally.case(f"{kind}, {name}", "loaded"):
            give(path, kind)
            raise AssertionError("it was loaded")
        assert not place.exists(), f"{name} was run"
    tally.check()


def places(folder: Path, models: Models) -> Iterator[tuple[str, Path]]:
    yield "a folder", folder
    for name, target in (("loop", "loop"), ("dangling", "nothing"), ("there", "back"), ("back", "there")):
        (folder / name).symlink_to(folder / target)
        yield f"a link: {name}", folder / name
    os.mkfifo(folder / "pipe")
    yield "a pipe", folder / "pipe"
    yield from (
        (f"a device: {name}", Path(name)) for name in ("/dev/null", "/dev/zero", "/dev/stdin", "/proc/self/mem")
    )
    for name in ("", "x" * 300, "x" * 5000, "a\0b", "\udcff\udcfe", "new\nline", "a/b/c", "../" * 500, "<b>x</b>"):
        yield f"named {name[:20]!r}", folder / (name + ".bdgf")
    secret = folder / "secret.bdgf"
    secret.write_bytes(models.classifier.read_bytes())
    secret.chmod(0)
    if not os.access(secret, os.R_OK):  # everything is open to root
        yield "unreadable", secret
    sparse, size = folder / "sparse.bdgf", 1 << 40
    entries = {"a": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}
    metadata = {"format": "bdgf", "version": "1", "kind": "pretrained", "document": "{}", "sha256": "0" * 64}
    header = json.dumps({"__metadata__": metadata, **entries}).encode()
    sparse.write_bytes(len(header).to_bytes(8, "little") + header)
    try:
        os.truncate(sparse, 8 + len(header) + size)
    except OSError:
        return  # a file system without sparse files of that size
    yield "a terabyte", sparse


def test_strange_places(tmp_path: Path, models: Models) -> None:
    tally = Tally("model files")
    for name, path in places(tmp_path, models):
        for kind in KINDS:
            with tally.case(f"{kind}, {name}", "loaded"):
                give(path, kind)
                raise AssertionError("it was loaded")
    tally.check()


def test_names_may_be_any_text(tmp_path: Path, models: Models) -> None:
    """A model under a strange name is still a model."""
    for name in ("a\nb", "\u202efdgb", "😀", "'\";--", "%s{0}", "<script>"):
        path = tmp_path / f"{name}.bdgf"
        path.symlink_to(models.pretrained)
        works(load_pretrained(path))


def command(arguments: list[str], *, limit_mb: int = 0) -> subprocess.CompletedProcess[str]:
    def bound() -> None:
        if limit_mb:
            resource.setrlimit(resource.RLIMIT_AS, (limit_mb << 20, limit_mb << 20))

    return subprocess.run(
        [sys.executable, "-m", "bdgf_core", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=100,
        preexec_fn=bound, errors="replace",
    )  # fmt: skip


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence with which a command line ended."""
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: "), done.stderr
    check_sentence(last)
    return last


def test_the_command_info_refuses(files: dict[str, ModelFile], tmp_path: Path) -> None:
    """Within an address space in which what a header claims would have no place."""
    chosen = [*FAMILIES["structures"](files["classifier"], random.Random(0))][::40]
    path = tmp_path / "model.bdgf"
    for _, pieces in [*chosen, ("text", (b"x",)), ("lie", ((2**62).to_bytes(8, "little"), b"{}"))]:
        path.write_bytes(b"".join(pieces))
        try:
            read_document(path)
        except ModelFileError:
            told(command(["info", "--model", str(path)], limit_mb=600))
    assert command(["info", "--model", str(tmp_path)]).returncode == 1


@pytest.mark.long
def test_the_command_classify_refuses(files: dict[str, ModelFile], tmp_path: Path, models: Models) -> None:
    cases = dict(FAMILIES["documents"](files["classifier"], random.Random(0)))
    path = tmp_path / "model.bdgf"
    rasters = ["--spectral", models.scene.path("spectral.tif"), "--second", models.scene.path("sar.tif")]
    for name in ("a billion features", "a billion channels", "a kernel of a million", "means of null", "no class"):
        path.write_bytes(b"".join(cases[name]))
        told(command(["classify", "--classifier", str(path), *rasters, "--output", str(tmp_path / "map.tif")]))
        assert os.listdir(tmp_path) == ["model.bdgf"]


def test_a_classifier_without_numbers_maps_nothing(files: dict[str, ModelFile], tmp_path: Path, models: Models) -> None:
    """Weights so large that the sums overflow are finite, and yet give no probabilities."""
    file = files["classifier"]
    low, high = file.header["network.head.weight"]["data_offsets"]
    body = file.body[:low] + np.full((high - low) // 4, 3e38, "<f4").tobytes() + file.body[high:]
    path = tmp_path / "model.bdgf"
    path.write_bytes(b"".join(file.with_entries(file.header, body)))
    scene = models.scene
    config = ClassifyConfig(str(path), scene.source(), str(tmp_path / "map.tif"), scene.source("sar.tif"), "cpu")
    with pytest.raises(ModelFileError, match="gives no numbers"):
        classify(config, Progress())
    assert os.listdir(tmp_path) == ["model.bdgf"]
