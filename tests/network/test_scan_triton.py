from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECK = """
import torch
from bdgf_core.network.scan import _trial
torch.set_num_threads(1)
device = torch.device("cpu")
for found, expected in zip(_trial("triton", device), _trial("sequential", device)):
    assert (found - expected).abs().max() <= 5e-6 * expected.abs().max()
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_kernels_are_the_plain_loop_in_the_interpreter():
    """In a process of its own: Triton decides when it is imported whether it interprets."""
    root = Path(__file__).parents[2]
    paths = os.pathsep.join([str(root), *(p for p in sys.path if p)])
    environment = {**os.environ, "TRITON_INTERPRET": "1", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", CHECK], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
