"""Model files (``.bdgf``): one safetensors file whose metadata says what it is and carries a JSON document.

``__metadata__`` holds ``format`` "bdgf", ``version``, ``kind``, ``document`` (JSON text), ``document_sha256`` of it,
and ``sha256`` of all bytes behind the header. A file is checked from its header before anything of the size that it
claims is allocated. It holds no code, and reading the document alone needs no torch.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Iterable, Iterator, Mapping, Optional

from .errors import InputError, ModelFileError, ResourceError
from .files import check_writable, write_whole
from .translation import tr

if TYPE_CHECKING:
    import torch

EXTENSION = ".bdgf"
KINDS = ("pretrained", "classifier", "unfinished")
VERSION = 1
_LEAST_FREE = 24 * 2**20  # the denoiser alone takes 17 MB
_MAX_FILE = 512 * 2**20
_MAX_HEADER = 64 * 2**20
_MAX_VALUES = 8_000_000  # of JSON: each takes many times its text in memory
_MAX_DEPTH = 32
_MAX_DIGITS = 40  # of an integer; the state of a random generator has 128 bits
_MAX_TENSORS = 100_000
_MAX_DIMENSIONS = 8
_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

Document = dict[str, Any]


@dataclass(frozen=True)
class Model:
    """What a model file holds: its ``kind``, its document and its tensors by name."""

    kind: str
    document: Document
    tensors: dict[str, torch.Tensor]


def save_model(path: Path | str, kind: str, document: Document, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write a model file; it appears under ``path`` complete or not at all.

    Raises :class:`InputError` for a path that cannot be written, :class:`ResourceError` where the disk is full and
    :class:`ModelFileError` for a document that is no strict JSON, or for more than :func:`load_model` reads.
    """
    from safetensors.torch import save

    path = _model_path(path)
    if kind not in KINDS:
        raise ModelFileError(tr("A model file is one of {kinds}, not {kind!r}.", kinds=", ".join(KINDS), kind=kind))
    try:
        text = json.dumps(document, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(
            tr("The model's description is no JSON ({reason}); please report this.", reason=error)
        ) from None
    _refuse_large(path, len(text) + sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()))
    metadata = {"format": "bdgf", "version": str(VERSION), "kind": kind, "document": text}
    metadata["document_sha256"] = _digest(text)
    data = save(_apart(tensors), {**metadata, "sha256": "0" * 64})  # which is known only then
    head, body = _split(data)
    if len(head) > _MAX_HEADER:
        raise ModelFileError(
            tr("The model's description takes {size} bytes, more than a model file may hold.", size=len(head))
        )
    _refuse_large(path, len(data))
    checksum = hashlib.sha256(body).hexdigest().encode()
    # In the document quotes are escaped.
    mended = re.sub(rb'("sha256"\s*:\s*")0{64}', rb"\g<1>" + checksum, bytes(head))
    write_whole(path, b"".join((mended, body)))


def load_model(path: Path | str, kind: Optional[str] = None) -> Model:
    """Read a model file onto the CPU, with its checksum verified; ``kind`` says which one is wanted.

    Raises :class:`ModelFileError` for any file that is not exactly what :func:`save_model` writes.
    """
    from safetensors.torch import load

    path = Path(path)
    with _open(path) as file:
        header = _read_header(path, file)
        if kind is not None and header.kind != kind:
            raise ModelFileError(_ANOTHER_KIND[header.kind].format(path=path))
        file.seek(0)
        data = file.read()
    if hashlib.sha256(memoryview(data)[header.start :]).hexdigest() != header.sha256:
        raise _damaged(path, tr("its checksum does not match"))
    try:
        tensors = load(data)
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged(path, str(error)) from None
    return Model(header.kind, header.document, tensors)


def read_document(path: Path | str) -> tuple[str, Document]:
    """The kind and the document of a model file, without its tensors and without torch."""
    header = read_header(path)
    return header.kind, header.document


def check_model_path(path: Path | str) -> Path:
    """``path`` as a place where a model file can be written; verbs ask before any long work."""
    path = _model_path(path)
    free = shutil.disk_usage(path.parent).free
    if free < _LEAST_FREE:
        raise ResourceError(
            tr(
                "Only {free} MB are free for {path}; free some space or choose another disk.",
                free=free >> 20,
                path=path,
            )
        )
    return path


@dataclass(frozen=True)
class Header:
    """A checked header: ``start`` is the offset of the tensor bytes, ``shapes`` are those of the tensors by name."""

    kind: str
    document: Document
    sha256: str
    start: int
    shapes: dict[str, tuple[int, ...]]


def read_header(path: Path | str) -> Header:
    """The checked header of a model file, without torch."""
    path = Path(path)
    with _open(path) as file:
        return _read_header(path, file)


_ANOTHER_KIND = {
    "pretrained": tr("{path} holds a pretrained model without classes; please train a classifier from it first."),
    "classifier": tr("{path} holds a trained classifier; please give the file that pretraining wrote."),
    "unfinished": tr("{path} holds what an interrupted job saved; please run that job again."),
}


def _model_path(path: Path | str) -> Path:
    if Path(path).suffix != EXTENSION:
        raise InputError(
            tr("Model files end in {extension}; please rename {name!r}.", extension=EXTENSION, name=Path(path).name)
        )
    return check_writable(path)


@contextmanager
def _open(path: Path) -> Iterator[BinaryIO]:
    if not os.path.isfile(path):  # False too for what cannot be asked for, such as too long a name
        raise ModelFileError(tr("There is no model file {path}; please choose an existing one.", path=path))
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ModelFileError(
            tr("The model file {path} cannot be read ({reason}).", path=path, reason=error.strerror)
        ) from None


def _read_header(path: Path, file: BinaryIO) -> Header:
    size = os.fstat(file.fileno()).st_size
    if size > _MAX_FILE:
        raise _damaged(path, tr("it takes {size} MB, more than any model", size=size >> 20))
    length = int.from_bytes(file.read(8), "little")
    if size < 10 or length < 2 or length > min(_MAX_HEADER, size - 8):
        raise _damaged(path, tr("it does not begin like a model file, or is cut off"))
    try:
        header = _strict_json(file.read(length).decode("utf-8"))
    except (ValueError, RecursionError):
        raise _damaged(path, tr("its header cannot be read")) from None
    metadata = header.pop("__metadata__", None) if isinstance(header, dict) else None
    if not isinstance(metadata, dict) or metadata.get("format") != "bdgf":
        raise ModelFileError(
            tr("{path} is not a BDGF model; please give a file that pretraining or training wrote.", path=path)
        )
    kind, document = _check_metadata(path, metadata)
    shapes = _check_tensors(path, header, size - 8 - length)
    return Header(kind, document, metadata["sha256"], 8 + length, shapes)


def _check_metadata(path: Path, metadata: dict[str, Any]) -> tuple[str, Document]:
    if any(not isinstance(metadata.get(key), str) for key in ("version", "kind", "document", "sha256")):
        raise _damaged(path, tr("its description is incomplete"))
    version = metadata["version"]
    if version != str(VERSION):
        if version.isascii() and version.isdigit() and len(version) < 6 and int(version) > VERSION:
            raise ModelFileError(
                tr("{path} was written by a newer version of BDGF; please update the plugin.", path=path)
            )
        raise _damaged(path, tr("its version is unknown"))
    if metadata["kind"] not in KINDS:
        raise _damaged(path, tr("its kind is unknown"))
    # it may be absent; a file without it is taken as it is
    if metadata.get("document_sha256", digest := _digest(metadata["document"])) != digest:
        raise _damaged(path, tr("the checksum of its description does not match"))
    try:
        document = _strict_json(metadata["document"])
    except (ValueError, RecursionError):
        raise _damaged(path, tr("its description cannot be read")) from None
    if not isinstance(document, dict):
        raise _damaged(path, tr("its description cannot be read"))
    return metadata["kind"], document


def _check_tensors(path: Path, entries: dict[str, Any], size: int) -> dict[str, tuple[int, ...]]:
    """Shapes by name, once the tensors are known to fill the ``size`` bytes behind the header, each byte once."""
    if len(entries) > _MAX_TENSORS:
        raise _damaged(path, tr("it claims too many tensors"))
    spans, shapes = [], {}
    for name, entry in entries.items():
        if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
            raise _damaged(path, tr("tensor {name!r} is not described as it should be", name=name[:80]))
        shape, offsets = entry["shape"], entry["data_offsets"]
        if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2 or len(shape) > _MAX_DIMENSIONS:
            raise _damaged(path, tr("tensor {name!r} has no valid shape or place", name=name[:80]))
        item = _ITEM_BYTES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
        if item is None or offsets[1] - offsets[0] != math.prod(shape) * item:
            raise _damaged(path, tr("tensor {name!r} does not have the size of its shape and type", name=name[:80]))
        spans.append(offsets)
        shapes[name] = tuple(shape)
    end = 0
    for low, high in sorted(spans):
        if low != end:
            raise _damaged(path, tr("its tensors overlap or leave gaps"))
        end = high
    if end != size:
        raise _damaged(path, tr("it is cut off or has something appended"))
    return shapes


def _are_counts(values: object) -> bool:
    return isinstance(values, list) and all(type(value) is int and 0 <= value < 2**48 for value in values)


def _strict_json(text: str) -> Any:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    def finite(digits: str) -> float:
        if math.isinf(number := float(digits)):
            raise ValueError(f"{digits} is out of range")
        return number

    def whole(digits: str) -> int:
        if len(digits) > _MAX_DIGITS:  # reading them takes the square of their number
            raise ValueError("an integer has too many digits")
        return int(digits)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(result := dict(pairs)) != len(pairs):
            raise ValueError("a key stands twice")
        return result

    if sum(map(text.count, "[{,")) > _MAX_VALUES:
        raise ValueError("it holds too many values")
    value = json.loads(text, parse_constant=refuse, parse_float=finite, parse_int=whole, object_pairs_hook=unique)
    if _is_deep(value):
        raise ValueError("it is nested too deep")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [inner for outer in level if isinstance(outer, (dict, list)) for inner in _items(outer)]
    return bool(level)


def _items(outer: dict[str, Any] | list[Any]) -> Iterable[Any]:
    return outer.values() if isinstance(outer, dict) else outer


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _damaged(path: Path, why: str) -> ModelFileError:
    return ModelFileError(
        tr("{path} is damaged or not a BDGF model: {why}; please write or copy it anew.", path=path, why=why)
    )


def _refuse_large(path: Path, size: int) -> None:
    if size > _MAX_FILE:
        raise ModelFileError(
            tr(
                "{path} would take {size} MB, more than the {most} MB that a model file may hold; choose fewer "
                "classes, a smaller preset or a smaller tile.",
                path=path,
                size=size >> 20,
                most=_MAX_FILE >> 20,
            )
        )


def _apart(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """On the CPU, contiguous, and cloned where several share memory, which safetensors refuses."""
    found: dict[str, torch.Tensor] = {}
    taken = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        if (place := plain.untyped_storage().data_ptr()) in taken:
            plain = plain.clone()
        taken.add(place)
        found[name] = plain
    return found


def _split(data: bytes) -> tuple[memoryview, memoryview]:
    start = 8 + int.from_bytes(data[:8], "little")
    return memoryview(data)[:start], memoryview(data)[start:]
