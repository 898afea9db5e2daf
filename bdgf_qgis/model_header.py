"""What a ``.bdgf`` file says of itself in its first bytes, read without torch."""

from __future__ import annotations

import json
import os
import struct
from dataclasses import dataclass
from typing import Any

from qgis.core import QgsProcessingException

from .translation import tr

_LARGEST_HEADER = 64 * 2**20
_MOST_VALUES = 8_000_000  # of JSON: each takes many times its text in memory
_KINDS = ("pretrained", "classifier")


@dataclass(frozen=True)
class ModelHeader:
    """``kind`` is "pretrained" or "classifier"; ``document`` holds sensors, legend, accuracy."""

    kind: str
    document: dict[str, Any]

    @property
    def has_second(self) -> bool:
        return "second" in self.document.get("sensors", {})


def read(path: str) -> ModelHeader:
    """Raises QgsProcessingException where ``path`` is missing or no BDGF model."""
    if not os.path.isfile(path):
        raise QgsProcessingException(
            tr("The model file {path} does not exist; choose an existing .bdgf file.", path=path)
        )
    try:
        with open(path, "rb") as file:
            (size,) = struct.unpack("<Q", file.read(8))
            if size > _LARGEST_HEADER:
                raise ValueError
            text = file.read(size).decode("utf-8")
        if sum(map(text.count, "[{,")) > _MOST_VALUES:
            raise ValueError
        metadata = json.loads(text)["__metadata__"]
        document = json.loads(metadata["document"])
        if metadata["format"] != "bdgf" or metadata["kind"] not in _KINDS:
            raise ValueError
        if not isinstance(document, dict) or not isinstance(document.get("sensors", {}), dict):
            raise ValueError
        return ModelHeader(metadata["kind"], document)
    except OSError as error:
        raise QgsProcessingException(
            tr("The model file {path} cannot be read: {reason}.", path=path, reason=error.strerror)
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error) as error:
        raise QgsProcessingException(
            tr("{path} is not a BDGF model, or it is damaged; choose a .bdgf file written by this plugin.", path=path)
        ) from error


def expect(path: str, kind: str) -> ModelHeader:
    """:func:`read`, and refuse the other kind of model."""
    header = read(path)
    if header.kind != kind:
        raise QgsProcessingException(
            tr(
                "{path} is a classifier, where a pretrained model is wanted: choose one that Pretrain wrote.",
                path=path,
            )
            if kind == "pretrained"
            else tr(
                "{path} is a pretrained model, where a classifier is wanted: choose one that Train wrote.", path=path
            )
        )
    return header
