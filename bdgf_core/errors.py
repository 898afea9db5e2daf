"""What can go wrong, as sentences for the user: what is wrong, and what to do about it."""

from __future__ import annotations

import re

from .translation import tr

_LONGEST = 5000  # characters of a sentence: names may be of any length


class BdgfError(Exception):
    """An expected failure. Its text is shown to the user as it stands."""

    def __init__(self, text: str) -> None:
        text = one_line(text)
        super().__init__(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")


class InputError(BdgfError):
    """A raster, a label layer or a parameter cannot be used as given."""


class ModelFileError(BdgfError):
    """A ``.bdgf`` file is missing, damaged, of the wrong kind or does not fit the rasters."""


class DeviceError(BdgfError):
    """The device asked for is not there or cannot do the work."""


class ResourceError(BdgfError):
    """Memory or disk space ran out."""


def one_line(text: str) -> str:
    """``text`` without line breaks, control characters and broken Unicode, which names and paths may bring along."""
    return re.sub("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text)


def check_seed(seed: int) -> None:
    """Raises :class:`InputError` for a seed that the random generators do not take."""
    if not 0 <= seed < 2**63:
        raise InputError(tr("The seed must be a whole number from 0 to 2^63 − 1, not {seed}.", seed=seed))


class Canceled(BdgfError):
    """The user asked to stop. No output was written."""

    def __init__(self) -> None:
        super().__init__(tr("Canceled; no output was written."))
