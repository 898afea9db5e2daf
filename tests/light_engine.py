"""``light_engine.py TRICK VERB …``: the engine with little to do, and with what a test has up its sleeve.

Tricks: "smooth" makes pretraining insensitive to rounding, "fails" and "dies" are what the second process then does,
"aborts" is what the interpreter does when it is taken down, "none" is none.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
from dataclasses import replace

import torch

import bdgf_core.pretrain
import bdgf_core.train
from bdgf_core.__main__ import main
from bdgf_core.errors import InputError
from bdgf_core.progress import Progress


def lighten(trick: str) -> None:
    """As the process that calls it is to be from here on."""
    bdgf_core.pretrain._RECALIBRATION_BATCHES = 2
    presets, trained = bdgf_core.pretrain.PRESETS, bdgf_core.train.PRESETS
    presets["quick"] = replace(presets["quick"], side=8)
    fit = replace(trained["quick"].fit, batch=8)
    trained["quick"] = replace(trained["quick"], fit=fit, folds=2)
    if trick == "smooth":  # the first steps of Adam follow the sign of a gradient however small it is
        torch.optim.Adam = lambda weights, lr: torch.optim.SGD(weights, lr=0.02, momentum=0.9)  # type: ignore
    if trick == "aborts":
        atexit.register(os.abort)
    if trick in ("fails", "dies") and os.environ.get("RANK") == "1":
        Progress.update = _fail if trick == "fails" else _die  # type: ignore[method-assign]


def _fail(progress: Progress, fraction: float) -> None:
    raise InputError("The second one is upside down; turn it.")


def _die(progress: Progress, fraction: float) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    lighten(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
