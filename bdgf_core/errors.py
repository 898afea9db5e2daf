"""What can go wrong, as sentences for the user: what is wrong, and what to do about it."""


class BdgfError(Exception):
    """An expected failure. Its text is shown to the user as it stands."""


class InputError(BdgfError):
    """A raster, a label layer or a parameter cannot be used as given."""


class ModelFileError(BdgfError):
    """A ``.bdgf`` file is missing, damaged, of the wrong kind or does not fit the rasters."""


class DeviceError(BdgfError):
    """The device asked for is not there or cannot do the work."""


class ResourceError(BdgfError):
    """Memory or disk space ran out."""


def check_seed(seed: int) -> None:
    """Raises :class:`InputError` for a seed that the random generators do not take."""
    if not 0 <= seed < 2**63:
        raise InputError(f"The seed must be a whole number from 0 to 2^63 − 1, not {seed}.")


class Canceled(BdgfError):
    """The user asked to stop. No output was written."""

    def __init__(self) -> None:
        super().__init__("Canceled; no output was written.")
