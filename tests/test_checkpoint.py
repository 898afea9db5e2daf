"""What is saved comes back bit for bit; anything else is refused in a sentence, from the header alone."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_scene import Events

from bdgf_core import checkpoint
from bdgf_core.checkpoint import load_model, read_document, read_header, save_model
from bdgf_core.errors import BdgfError, InputError, ModelFileError, ResourceError
from bdgf_core.progress import Progress
from bdgf_core.unfinished import Unfinished

DOCUMENT = {"created_with": "BDGF 0.1.0", "legend": [{"name": "Wälder 森"}], "odd": "\udcff", "n": 1e-30}
TENSORS = {
    "a.weight": torch.arange(24, dtype=torch.float32).reshape(4, 6).t(),
    "b": torch.randn(3, 1, 2, dtype=torch.float64),
    "c": torch.tensor([1, -2]),
    "d": torch.zeros(0, 5),
    "e": torch.tensor(True),
    "f": torch.randn(7).to(torch.bfloat16),
}


@pytest.fixture()
def model(tmp_path: Path) -> Path:
    path = tmp_path / "Möll dir" / "a model.bdgf"
    path.parent.mkdir()
    save_model(path, "classifier", DOCUMENT, TENSORS)
    return path


def test_round_trip(model: Path) -> None:
    loaded = load_model(model, "classifier")
    assert loaded.kind == "classifier" and loaded.document == DOCUMENT
    assert loaded.tensors.keys() == TENSORS.keys()
    for name, tensor in TENSORS.items():
        assert loaded.tensors[name].dtype == tensor.dtype and torch.equal(loaded.tensors[name], tensor)
    assert read_document(model) == ("classifier", DOCUMENT)
    assert read_header(model).shapes["a.weight"] == (6, 4)
    assert os.listdir(model.parent) == [model.name]


def test_views_of_one_tensor_are_saved(tmp_path: Path) -> None:
    base = torch.arange(6.0)
    save_model(tmp_path / "m.bdgf", "pretrained", {}, {"low": base[:3], "all": base})
    assert torch.equal(load_model(tmp_path / "m.bdgf").tensors["low"], base[:3])


def test_the_checksum_is_put_in_its_place_alone(tmp_path: Path) -> None:
    document = {"sha256": "0" * 64, "text": '"sha256":"' + "0" * 64 + '"'}
    save_model(tmp_path / "m.bdgf", "pretrained", document, {"sha256": torch.zeros(2)})
    loaded = load_model(tmp_path / "m.bdgf")
    assert loaded.document == document and loaded.tensors["sha256"].equal(torch.zeros(2))


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.bdgf"
    save_model(path, "pretrained", {}, {"a": torch.zeros(1000)})
    before = path.read_bytes()
    for most in (3000, len(before) - 1):
        monkeypatch.setattr(checkpoint, "_MAX_FILE", most)
        with pytest.raises(ModelFileError, match="more than the 0 MB"):
            save_model(path, "pretrained", {"a": 1}, {"a": torch.ones(1000)})
        assert path.read_bytes() == before and os.listdir(tmp_path) == [path.name]
        said = Events()
        unfinished = Unfinished(tmp_path / "map.tif", "job", resume=True, every_s=0.0, progress=Progress(said))
        for tile in range(3):
            unfinished.state(f"tile-{tile}").save({}, {"a": torch.zeros(1000)})
        assert len(said.texts("warning")) == 1 and not unfinished.names()


def test_saving_takes_twice_the_tensors(tmp_path: Path) -> None:
    tensors = {str(i): torch.zeros(1 << 20) for i in range(4)}
    tracemalloc.start()
    save_model(tmp_path / "m.bdgf", "pretrained", {}, tensors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2.2 * (16 << 20)


def test_reading_the_document_needs_no_torch(model: Path) -> None:
    code = "import sys, bdgf_core.checkpoint as c; c.read_document(sys.argv[1]); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(model)], check=True, cwd=Path(__file__).parents[1])


@pytest.mark.parametrize("wanted, word", [("pretrained", "pretraining"), ("classifier", "train a classifier")])
def test_the_wrong_kind_is_refused(tmp_path: Path, wanted: str, word: str) -> None:
    save_model(tmp_path / "m.bdgf", "classifier" if wanted == "pretrained" else "pretrained", {}, {})
    with pytest.raises(ModelFileError, match=word):
        load_model(tmp_path / "m.bdgf", wanted)


@pytest.mark.parametrize("document", [{"x": float("nan")}, {"x": float("inf")}, {"x": {1, 2}}])
def test_a_document_that_is_no_json_is_refused(tmp_path: Path, document: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match="JSON"):
        save_model(tmp_path / "m.bdgf", "pretrained", document, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["m.pt", "m", "m.bdgf/m.bdgf", "missing/m.bdgf"])
def test_bad_destinations_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "m.bdgf").mkdir()
    for path in (tmp_path / name, tmp_path / "m.bdgf"):
        if path.suffix != ".bdgf" or path.is_dir() or not path.parent.is_dir():
            with pytest.raises(InputError):
                save_model(path, "pretrained", {}, {})


@pytest.mark.parametrize("code, kind", [(errno.ENOSPC, ResourceError), (errno.EACCES, InputError)])
def test_a_failed_write_keeps_the_old_file(
    model: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[BdgfError]
) -> None:
    before = model.read_bytes()

    def fail(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(kind):
        save_model(model, "classifier", {}, TENSORS)
    assert model.read_bytes() == before and os.listdir(model.parent) == [model.name]


def test_unreadable_paths(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.bdgf"):
        with pytest.raises(ModelFileError, match="no model file"):
            read_document(path)


BODY = bytes(range(24))
META: dict[str, Any] = {
    "format": "bdgf", "version": "1", "kind": "classifier", "document": '{"a": 1}',
    "sha256": hashlib.sha256(BODY).hexdigest(),
}  # fmt: skip
ENTRIES: dict[str, Any] = {
    "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
    "b": {"dtype": "F32", "shape": [2], "data_offsets": [16, 24]},
}


def build(entries: Any = ENTRIES, body: bytes = BODY, length: int | None = None, **metadata: Any) -> bytes:
    header = dict(entries) if isinstance(entries, dict) else entries
    if isinstance(header, dict) and "__metadata__" not in header:
        header["__metadata__"] = {k: v for k, v in {**META, **metadata}.items() if v is not None}
    return pack(json.dumps(header).encode(), body, length)


def pack(header: bytes, body: bytes = BODY, length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + body


def entry(name: str = "a", **changes: Any) -> bytes:
    return build({**ENTRIES, name: {k: v for k, v in {**ENTRIES[name], **changes}.items() if v is not None}})


GOOD = build()
MANY = {str(i): {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]} for i in range(100_001)}
MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "text": b"hello, this is no model file at all",
    "pickle": b"\x80\x02}q\x00." * 20,
    "zip": b"PK\x03\x04" + bytes(100),
    "header of 2^63": build(length=2**63),
    "header of 2^64-1": build(length=2**64 - 1),
    "header of 1 GiB": build(length=2**30),
    "header longer than the file": build(length=len(GOOD)),
    "header of length 0": build(length=0),
    "header cut short": build(length=20),
    "header is a list": build([1, 2]),
    "header is a number": pack(b"17"),
    "header is not UTF-8": pack(b"\xff\xfe{}"),
    "header is not JSON": pack(b"{'a': 1}"),
    "header nested too deep": pack(b"[" * 200_000 + b"]" * 200_000),
    "header has NaN": pack(json.dumps({"__metadata__": META, "x": float("nan")}).encode()),
    "header has a key twice": pack(b'{"__metadata__": {}, ' + json.dumps({"__metadata__": META}).encode()[1:]),
    "header has a huge integer": pack(b'{"x": ' + b"9" * 5000 + b"}"),
    "no metadata": pack(json.dumps(ENTRIES).encode()),
    "metadata is a list": build({**ENTRIES, "__metadata__": []}),
    "metadata is null": build({**ENTRIES, "__metadata__": None}),
    "another format": build(format="pt"),
    "no format": build(format=None),
    "no version": build(version=None),
    "version is a number": build(version=1),
    "version 0": build(version="0"),
    "version is text": build(version="one"),
    "version is Arabic digits": build(version="٢"),
    "version is enormous": build(version="9" * 5000),
    "newer version": build(version="2"),
    "no kind": build(kind=None),
    "unknown kind": build(kind="virus"),
    "kind is a list": build(kind=["classifier"]),
    "no document": build(document=None),
    "document is an object": build(document={"a": 1}),
    "document is a list": build(document="[1]"),
    "document is cut off": build(document='{"a": '),
    "document has NaN": build(document='{"a": NaN}'),
    "document has Infinity": build(document='{"a": -Infinity}'),
    "document overflows": build(document='{"a": 1e999}'),
    "document has a long integer": build(document='{"a": ' + "9" * 41 + "}"),
    "document has a key twice": build(document='{"a": 1, "a": 2}'),
    "document nested too deep": build(document="[" * 100_000),
    "no checksum": build(sha256=None),
    "tensor is null": build({**ENTRIES, "a": None}),
    "tensor is a list": build({**ENTRIES, "a": [0, 16]}),
    "tensor has no type": entry(dtype=None),
    "tensor has no shape": entry(shape=None),
    "tensor has no place": entry(data_offsets=None),
    "tensor has a stray key": entry(device="cuda"),
    "unknown type": entry(dtype="F8_E4M3"),
    "type is a list": entry(dtype=["F32"]),
    "shape is negative": entry(shape=[-2, -2]),
    "shape is fractional": entry(shape=[2.0, 2.0]),
    "shape is boolean": entry(shape=[True, 4]),
    "shape is text": entry(shape="22"),
    "shape is vast": entry(shape=[2**40, 2**40]),
    "shape overflows to fit": entry(shape=[2**62, 4]),
    "shape has many dimensions": entry(shape=[1] * 5000 + [4]),
    "shape is too small": entry(shape=[2, 1]),
    "places reversed": entry(data_offsets=[16, 0]),
    "places negative": entry(data_offsets=[-16, 0]),
    "places fractional": entry(data_offsets=[0.0, 16.0]),
    "three places": entry(data_offsets=[0, 16, 24]),
    "places overlap": entry("b", data_offsets=[8, 16]),
    "places leave a gap": build({"a": ENTRIES["a"], "b": {**ENTRIES["b"], "data_offsets": [17, 25]}}, BODY + b"x"),
    "places beyond the end": entry("b", shape=[4], data_offsets=[16, 32]),
    "places begin late": build({"a": {**ENTRIES["a"], "data_offsets": [8, 24]}}),
    "bytes missing": build(body=BODY[:-1]),
    "bytes appended": build(body=BODY + b"\0"),
    "bytes all missing": build(body=b""),
    "no tensors but bytes": build({}),
    "too many tensors": build(MANY, b""),
}


def test_the_pattern_of_the_malformed_files_is_itself_well_formed(tmp_path: Path) -> None:
    path = tmp_path / "m.bdgf"
    path.write_bytes(GOOD)
    assert load_model(path).tensors["a"].shape == (2, 2) and read_document(path) == ("classifier", {"a": 1})


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_files_are_refused_from_the_header(tmp_path: Path, name: str) -> None:
    path = tmp_path / "m.bdgf"
    path.write_bytes(MALFORMED[name])
    for read in (read_document, load_model):
        with pytest.raises(ModelFileError) as caught:
            read(path)
        text = str(caught.value)
        assert "\n" not in text and len(text) < 400 + len(str(path)) and text.endswith(".")
    assert ("update" in text) == (name == "newer version")


@pytest.mark.parametrize("at", [0, 11, 23])
def test_a_flipped_byte_is_found(tmp_path: Path, at: int) -> None:
    path = tmp_path / "m.bdgf"
    body = bytearray(BODY)
    body[at] ^= 1
    path.write_bytes(build(body=bytes(body)))
    read_document(path)
    with pytest.raises(ModelFileError, match="checksum"):
        load_model(path)


@pytest.mark.parametrize("cut", range(0, len(GOOD), 37))
def test_every_truncation_is_refused(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "m.bdgf"
    path.write_bytes(GOOD[:cut])
    with pytest.raises(ModelFileError):
        read_document(path)


def test_a_claimed_size_is_not_allocated(tmp_path: Path) -> None:
    path = tmp_path / "m.bdgf"
    with path.open("wb") as file:  # sparse: a terabyte by name only
        file.write((2**39).to_bytes(8, "little") + b"{")
        file.truncate(2**40)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for read in (read_document, load_model):
        with pytest.raises(ModelFileError):
            read(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
