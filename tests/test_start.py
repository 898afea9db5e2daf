"""A verb's process is soon at work: it imports what the verb needs and little else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bdgf_core.__main__ import VERBS

ROOT = Path(__file__).parents[1]
NEED_TORCH = {"pretrain", "train", "classify", "landcover"}
COMPILERS = {"torch._dynamo", "torch._inductor", "triton", "sympy"}  # of which the first optimizer needs the first

pytestmark = pytest.mark.skipif(not hasattr(os, "wait4"), reason="computing time is not told here")


def run(code: str) -> tuple[float, str]:
    """Seconds of computing, which a busy machine leaves nearly as they are, and what was said."""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    said = process.stdout.read()
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return usage.ru_utime + usage.ru_stime, said


@pytest.fixture(scope="module")
def bare() -> float:
    return run("import numpy; from osgeo import gdal, ogr, osr")[0]


@pytest.mark.parametrize("verb", sorted(set(VERBS) - NEED_TORCH))
def test_verbs_that_do_without_torch_start_at_once(verb, bare):
    seconds, said = run(f"import sys, bdgf_core.__main__ as m; m._import({verb!r}); print('torch' in sys.modules)")
    assert said == "False\n" and seconds < bare + 0.7


def test_verbs_with_torch_say_their_first_word_soon_after_it_is_loaded(tmp_path):
    job = ("--classifier", "none.bdgf", "--spectral", "none.tif", "--output", str(tmp_path / "map.tif"))
    seconds, said = run(
        f"import sys, bdgf_core.landcover, bdgf_core.__main__ as m; m.main(['classify', *{job}]);"
        f"print('compilers:', {COMPILERS} & set(sys.modules))"
    )
    assert said.startswith("Device: c") and "compilers: set()" in said
    assert seconds < 1.3 * run("import torch, numpy; from osgeo import gdal, ogr, osr")[0] + 0.7
