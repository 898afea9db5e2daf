"""Malformed model files, made systematically out of a sound one. Checksums are right unless a case is about them."""

from __future__ import annotations

import copy
import hashlib
import json
import random
from typing import Any, Callable, Iterator, Union

Pieces = tuple[bytes, ...]  # of a file, not joined: most of it are its tensors
Case = tuple[str, Pieces]
Document = dict[str, Any]

TEXTS = (
    "",
    "x",
    "<script>alert(1)</script>",
    "1" * 5000,
    "\x00\x1b[31m\n",
    "\u202etxt.exe",
    "\ud800",
    "../../etc/passwd",
)
ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2.5,
    10**9,
    10**30,
    -(10**30),
    1e308,
    [],
    {},
    [[]],
    {"a": 1},
    [1, 2],
    *TEXTS[:4],
)


class ModelFile:
    """A model file in its parts: the ``header`` with its ``metadata``, the ``document`` and the ``body``."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.length = int.from_bytes(data[:8], "little")
        self.start = 8 + self.length
        self.header: dict[str, Any] = json.loads(data[8 : self.start])
        self.metadata: dict[str, Any] = self.header.pop("__metadata__")
        self.document: Document = json.loads(self.metadata["document"])
        self.body = data[self.start :]

    def with_document(self, document: Any) -> Pieces:
        return self.with_text(json.dumps(document))

    def with_text(self, text: str) -> Pieces:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return self.with_metadata(document=text, document_sha256=digest)

    def with_metadata(self, **changes: Any) -> Pieces:
        metadata = {key: value for key, value in {**self.metadata, **changes}.items() if value != "remove"}
        return self.with_header({"__metadata__": metadata, **self.header})

    def with_entries(self, entries: Any, body: bytes | None = None) -> Pieces:
        metadata = self.metadata if body is None else {**self.metadata, "sha256": hashlib.sha256(body).hexdigest()}
        return self.with_header({"__metadata__": metadata, **entries}, body)

    def with_header(self, header: Any, body: bytes | None = None) -> Pieces:
        return self.with_raw(json.dumps(header).encode("utf-8"), body)

    def with_raw(self, header: bytes, body: bytes | None = None, length: int | None = None) -> Pieces:
        length = len(header) if length is None else length
        return length.to_bytes(8, "little"), header, self.body if body is None else body


def truncations(file: ModelFile, rng: random.Random) -> Iterator[Case]:
    size = len(file.data)
    cuts = {*range(20), *(file.start + i for i in (-2, -1, 0, 1, 4, 63, 64)), size - 1, size - 2, size - 4, size // 2}
    cuts |= {rng.randrange(file.start) for _ in range(15)} | {rng.randrange(file.start, size) for _ in range(15)}
    for cut in sorted(cuts):
        yield f"cut at {cut}", (file.data[:cut],)
    for more in (b"\0", b"x" * 8, file.data):
        yield f"{len(more)} bytes appended", (file.data, more)
    for cut in (1, 8, file.start):
        yield f"{cut} bytes cut from the front", (file.data[cut:],)


def flips(file: ModelFile, rng: random.Random) -> Iterator[Case]:
    at = file.data.index(b"document", 8)
    places = [("length", 0, 8, 12), ("header", 8, file.start, 60), ("document", at, at + 4000, 25)]
    for part, low, high, count in (*places, ("tensors", file.start, len(file.data), 12)):
        for _ in range(count):
            place, bit = rng.randrange(low, high), rng.randrange(8)
            data = bytearray(file.data)
            data[place] ^= 1 << bit
            yield f"bit {bit} of byte {place} ({part}) flipped", (bytes(data),)
    for count in (2, 16, 256):
        data = bytearray(file.data)
        for place in rng.sample(range(len(data)), count):
            data[place] ^= rng.randrange(1, 256)
        yield f"{count} bytes changed", (bytes(data),)


def lengths(file: ModelFile, rng: random.Random) -> Iterator[Case]:
    size = len(file.data)
    lies = (
        0,
        1,
        2,
        7,
        8,
        255,
        2**16,
        2**26,
        2**26 + 1,
        2**31 - 1,
        2**31,
        2**32,
        2**40,
        2**63 - 1,
        2**63,
        2**64 - 1,
        2**64 - 8,
    )
    near = (-9, -8, -1, 1, 8, 9, 64)
    for length in (*lies, *(file.length + i for i in near), size, size - 8, size - 9, size + 1):
        yield f"header of {length} bytes", file.with_raw(file.data[8 : file.start], length=length)
    for length in (*(rng.randrange(2**64) for _ in range(8)), *(rng.randrange(size) for _ in range(8))):
        yield f"header of {length} bytes", file.with_raw(file.data[8 : file.start], length=length)


def structures(file: ModelFile, rng: random.Random) -> Iterator[Case]:
    """Headers that are no JSON, or JSON of another form."""
    whole = {"__metadata__": file.metadata, **file.header}
    text = json.dumps(whole)
    for key in file.metadata:
        yield f"no {key}", file.with_metadata(**{key: "remove"})
        for value in (None, 1, [], {}, "", True, "\x00", "x" * 100_000, [file.metadata[key]]):
            yield f"{key} is {str(value)[:20]!r}", file.with_metadata(**{key: value})
    for version in ("0", "2", "01", "1.0", " 1", "-1", "99999", "9" * 4000, "٢", "latest"):
        yield f"version {version[:20]}", file.with_metadata(version=version)
    for name, header in {
        "a list": "[]", "null": "null", "a number": "17", "a text": '"bdgf"', "nothing": "", "blanks": " " * 100,
        "single quotes": text.replace('"', "'"), "a comment": "//x\n" + text, "twice": text + text,
        "cut": text[: len(text) // 2], "not closed": text[:-1], "UTF-16": text.encode("utf-16").decode("latin-1"),
        "with a byte order mark": "\ufeff" + text, "deep lists": "[" * 100_000, "deep objects": '{"a":' * 100_000,
        "closed deep lists": '{"a":' + "[" * 900 + "]" * 900 + "," + text[1:],
        "a key twice": '{"__metadata__": {},' + text[1:], "NaN": text[:-1] + ',"a":NaN}',
        "Infinity": text[:-1] + ',"a":-Infinity}', "a float out of range": text[:-1] + ',"a":1e999}',
        "a whole number of 5000 digits": text[:-1] + ',"a":' + "9" * 5000 + "}",
        "a whole number of 4000 digits": text[:-1] + ',"a":' + "9" * 4000 + "}",
        "a lone surrogate": text[:-1] + ',"\\ud800":1}',
        "no metadata": json.dumps(file.header), "only metadata": json.dumps({"__metadata__": file.metadata}),
        "10 million lists": text[:-1] + ',"a":[' + "[]," * 10_000_000 + "[]]}",
    }.items():  # fmt: skip
        yield f"header: {name}", file.with_raw(header.encode("utf-8"))
    document = file.metadata["document"]
    for name, value in {
        "a list": "[]", "null": "null", "a number": "1e3", "a text": '"x"', "nothing": "", "cut": document[:-10],
        "NaN": document[:-1] + ',"a":NaN}', "Infinity": document[:-1] + ',"a":Infinity}',
        "1e999": document[:-1] + ',"a":1e999}', "-1e999": document[:-1] + ',"a":[-1e999]}',
        "a key twice": document[:-1] + ',"sensors":{}}',
        "deep": document[:-1] + ',"a":' + "[" * 50_000 + "]" * 50_000 + "}",
        "somewhat deep": document[:-1] + ',"a":' + "[" * 500 + "]" * 500 + "}", "twice": document * 2, "empty": "{}",
    }.items():  # fmt: skip
        yield f"document: {name}", file.with_text(value)
    yield "another document with the old checksum", file.with_metadata(document='{"sensors": {}}')
    yield "another checksum of the document", file.with_metadata(document_sha256="0" * 64)
    for digest in ("0" * 64, "x", file.metadata["sha256"].upper(), file.metadata["sha256"][:-1]):
        yield f"checksum {digest[:8]}", file.with_metadata(sha256=digest)
    other = "classifier" if file.metadata["kind"] == "pretrained" else "pretrained"
    yield "the other kind", file.with_metadata(kind=other)


def tensors(file: ModelFile, rng: random.Random) -> Iterator[Case]:
    """Lies about what lies where."""
    names = sorted(file.header)
    for name in rng.sample(names, 6):
        entry = file.header[name]
        low, high = entry["data_offsets"]
        changes: list[dict[str, Any]] = [
            {"dtype": d} for d in ("F64", "F16", "I32", "I64", "U8", "F8_E4M3", "", None, 7)
        ]
        changes += [
            {"shape": s} for s in ([], [0], [-1], [2**62, 4], [2**63], [10**30], [1.0], ["1"], [True], "1", None)
        ]
        changes += [{"shape": [2**24, 2**24]}, {"shape": [*entry["shape"], 1]}, {"shape": entry["shape"] + [1] * 20}]
        changes += [{"shape": [1, *entry["shape"]]}, {"shape": entry["shape"][::-1] + [1]}]
        for span in ((low + 4, high + 4), (low - 4, high), (high, low), (-4, 0), (0, 2**63), (low, high + 1), (0.5, 1)):
            changes.append({"data_offsets": list(span)})
        changes += [{"data_offsets": [low]}, {"data_offsets": None}, {"data_offsets": [low, high, high]}, {"extra": 1}]
        changes += [{"shape": [2**40], "data_offsets": [low, low + 2**42]}]
        for change in changes:
            told = {key: str(value)[:40] for key, value in change.items()}
            yield f"{name}: {told}", file.with_entries({**file.header, name: {**entry, **change}})
    a, b = (
        max(names, key=lambda n, i=i: _size(file, n) - i * (n == max(names, key=lambda m: _size(file, m))))
        for i in (0, 10**12)
    )
    yield "a tensor lies on another", file.with_entries({**file.header, a: file.header[b]})
    yield (
        "a name too many",
        file.with_entries({**file.header, "stray": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}}),
    )
    first = next(iter(file.header))
    for new in (
        "",
        "x" * 70_000,
        "../../x",
        "\x00",
        "network." + first,
        first.upper(),
        "\u202e",
        "__class__",
        "denoiser.",
    ):
        entries = {new if name == first else name: entry for name, entry in file.header.items()}
        yield f"{first} is called {new[:20]!r}", file.with_entries(entries)
    last = max(names, key=lambda name: file.header[name]["data_offsets"][1])
    entries = {name: entry for name, entry in file.header.items() if name != last}
    yield "the last tensor is missing", file.with_entries(entries, file.body[: file.header[last]["data_offsets"][0]])
    yield "no tensors", file.with_entries({}, b"")
    for value in (None, [], 1, "F32", {}):
        yield f"{first} is {value}", file.with_entries({**file.header, first: value})
    biggest = next(name for name in names if file.header[name]["dtype"] == "F32" and _size(file, name) > 4)
    low = file.header[biggest]["data_offsets"][0]
    for name, four in {"NaN": b"\0\0\xc0\x7f", "Inf": b"\0\0\x80\x7f", "-Inf": b"\0\0\x80\xff"}.items():
        yield f"a weight is {name}", file.with_entries(file.header, file.body[:low] + four + file.body[low + 4 :])


def documents(file: ModelFile, rng: random.Random) -> Iterator[Case]:
    """Every leaf and branch of the document that anything depends on, made absurd."""
    for path in _paths(file.document):
        for value in (*ODD, "remove"):
            document = copy.deepcopy(file.document)
            place = document
            for key in path[:-1]:
                place = place[key]
            if value == "remove":
                del place[path[-1]]
            elif place[path[-1]] == value and type(place[path[-1]]) is type(value):
                continue
            else:
                place[path[-1]] = value
            yield f"{'.'.join(map(str, path))} = {str(value)[:24]!r}", file.with_document(document)
    for name, change in _CHANGES.items():
        document = copy.deepcopy(file.document)
        try:
            change(document if "pretrained" not in document else document["pretrained"], document)
        except KeyError:
            continue  # it is about what only a classifier has
        yield name, file.with_document(document)


def _paths(document: Document) -> Iterator[tuple[Union[str, int], ...]]:
    base: tuple[str, ...] = ()
    if "pretrained" in document:
        base = ("pretrained",)
        yield base
        yield from (("legend",), ("legend", 0), ("legend", 1, "value"), ("legend", 0, "label"), ("legend", 0, "name"))
        yield from (
            ("legend", 0, "color"),
            ("method",),
            ("method", "network"),
            ("accuracy",),
            ("accuracy", "confusion"),
        )
        yield from (("accuracy", "confusion", 0), ("accuracy", "overall_accuracy"), ("accuracy", "protocol"))
        yield from (("calibration",), ("calibration", "temperature"), ("calibration", "before"), ("features",))
        yield from (("features", "classes"), ("features", "branches"), ("features", "branches", "cnn", 0))
        yield from (("created_with",), ("class_counts",), ("training",), ("sensors",))
        yield from (("method", "network", name) for name in document["method"]["network"])
    yield from ((*base, *path) for path in (
        ("method",), ("method", "looks"), ("method", "steps"), ("method", "timestep"), ("method", "stack"),
        ("method", "stack", "spectral"), ("method", "stack", "second"), ("method", "stack", "speckle"),
        ("training",), ("training", "seed"), ("training", "losses"), ("sensors",), ("sensors", "spectral"),
        ("sensors", "second"),
    ))  # fmt: skip
    for sensor in ("spectral", "second"):
        for name in document[base[0]]["sensors"][sensor] if base else document["sensors"][sensor]:
            yield (*base, "sensors", sensor, name)
    for name in ("number", "name", "wavelength_nm", "used"):
        yield (*base, "sensors", "spectral", "bands", 1, name)
    yield (*base, "sensors", "spectral", "mean", 0)
    yield (*base, "sensors", "second", "high", 0)


Change = Callable[[Document, Document], Any]
_CHANGES: dict[str, Change] = {
    "a billion features": lambda p, c: c["method"]["network"].update(diffusion=10**9),
    "a billion classes": lambda p, c: c["method"]["network"].update(classes=10**9),
    "65535 classes": lambda p, c: (
        c["method"]["network"].update(classes=65535),
        c.update(legend=[{"value": i, "label": "", "name": "", "color": "#000000"} for i in range(65535)]),
    ),
    "a kernel of a million": lambda p, c: c["method"]["network"].update(guidance_kernel=10**6 + 1),
    "no cells": lambda p, c: c["method"]["network"].update(attention_cells=0),
    "no states": lambda p, c: c["method"]["network"].update(mamba_states=0),
    "a million states": lambda p, c: c["method"]["network"].update(mamba_states=1_000_000),
    "no band a token": lambda p, c: c["method"]["network"].update(token_bands=0),
    "trees that see the whole town": lambda p, c: c["method"]["network"].update(tree_window=1001),
    "a Mamba without width": lambda p, c: c["method"]["network"].update(mamba_expand=0),
    "no branch": lambda p,
    c: c["method"]["network"].update(cnn=False, transformer=False, mamba=False),
    "an unknown switch": lambda p, c: c["method"]["network"].update(exec="import os"),
    "a billion bands on the depth axis": lambda p, c: p["method"]["stack"].update(second=10**9),
    "negative bands": lambda p, c: p["sensors"]["spectral"].update(depth_bands=-6),
    "a billion channels": lambda p, c: p["sensors"]["spectral"].update(channels=10**9),
    "no band in use": lambda p, c: [b.update(used=False) for b in p["sensors"]["spectral"]["bands"]],
    "all bands the same": lambda p, c: [b.update(number=1) for b in p["sensors"]["spectral"]["bands"]],
    "a hundred thousand bands": lambda p,
    c: p["sensors"]["spectral"].update(bands=p["sensors"]["spectral"]["bands"] * 16_667),
    "means of null": lambda p, c: p["sensors"]["spectral"].update(mean=[None] * 6),
    "means of texts": lambda p, c: p["sensors"]["spectral"].update(mean=["nan"] * 6),
    "means out of range": lambda p, c: p["sensors"]["spectral"].update(mean=[1e39] * 6),
    "deviations of zero and less": lambda p, c: p["sensors"]["second"].update(std=[-1.0, 0.0]),
    "low above high": lambda p, c: p["sensors"]["second"].update(low=[1.0, 1.0], high=[0.0, 0.0]),
    "a basis of another shape": lambda p,
    c: p["sensors"]["spectral"].update(basis=[[1.0] * 6] * 3, component_std=[1.0] * 3),
    "a ragged basis": lambda p, c: p["sensors"]["spectral"].update(basis=[[1.0], [1.0, 2.0]]),
    "a third sensor": lambda p, c: p["sensors"].update(third=p["sensors"]["second"]),
    "sensors changed about": lambda p, c: p["sensors"].update(
        spectral=p["sensors"]["second"], second=p["sensors"]["spectral"]
    ),
    "an unknown key of a sensor": lambda p, c: p["sensors"]["spectral"].update({"__class__": "os.system"}),
    "SAR called optical": lambda p, c: p["sensors"]["second"].update(kind="optical"),
    "no second sensor": lambda p, c: p["sensors"].pop("second"),
    "looks as text": lambda p, c: p["method"].update(looks="nan"),
    "a million looks": lambda p, c: p["method"].update(looks=1e6),
    "other steps": lambda p, c: p["method"].update(steps=10**9),
    "class values twice": lambda p, c: [entry.update(value=7) for entry in c["legend"]],
    "no class": lambda p, c: c.update(legend=[]),
    "a colour that closes the style": lambda p, c: c["legend"][0].update(color='#000000"><script>'),
    "a matrix of text": lambda p, c: c["accuracy"].update(confusion=[["<b>"] * 3] * 3),
    "a matrix of fewer classes": lambda p, c: c["accuracy"].update(confusion=[[1]]),
    "negative counts": lambda p, c: c["accuracy"].update(confusion=[[-1] * 3] * 3),
}  # fmt: skip


def _size(file: ModelFile, name: str) -> int:
    low, high = file.header[name]["data_offsets"]
    return int(high - low)


FAMILIES: dict[str, Callable[[ModelFile, random.Random], Iterator[Case]]] = {
    "truncations": truncations, "flips": flips, "lengths": lengths, "structures": structures, "tensors": tensors,
    "documents": documents,
}  # fmt: skip
