"""A GPU maps as the CPU does, and goes on in smaller batches when its memory really runs out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_verbs import Chain, Events, chain_of, run, run_chain
from tiny_scene import TinyScene, read

from bdgf_core.classify import ClassifyConfig, classify
from bdgf_core.device import Device

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA GPU")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    return run_chain(chain_of(TinyScene(tmp_path_factory.mktemp("cpu")), "cpu"))


def on_gpu(chain: Chain, name: str) -> ClassifyConfig:
    path = chain.scene.path
    return replace(
        chain.classify, output=path(f"{name}.tif"), probabilities=path(f"{name}_probabilities.tif"),
        confidence=None, quality=None, device="cuda",
    )  # fmt: skip


def test_in_float32_the_map_is_that_of_the_cpu(chain, monkeypatch):
    gpu = Device(torch.device("cuda"), "test", bfloat16=False)
    monkeypatch.setattr("bdgf_core.classify.choose_device", lambda *_: gpu)
    config = on_gpu(chain, "float32")
    run(classify, config)
    assert (read(config.output) == read(chain.classify.output)).mean() >= 0.9999
    assert np.abs(read(config.probabilities) - read(chain.classify.probabilities)).max() <= 1e-3


def test_every_verb_runs_on_it_and_repeats_itself(tmp_path):
    found = []
    for name in ("one", "two"):
        chain = chain_of(TinyScene(tmp_path), name)
        for verb in ("pretrain", "train", "classify"):
            setattr(chain, verb, replace(getattr(chain, verb), device="cuda"))
        run_chain(chain)
        found.append(read(chain.classify.probabilities))
    assert np.array_equal(*found)


def test_a_memory_that_runs_out_changes_the_batches_and_not_the_map(chain):
    config = on_gpu(chain, "whole")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    run(classify, config)
    small = 0.7 * torch.cuda.max_memory_allocated()
    starved, said = on_gpu(chain, "starved"), Events()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(small / torch.cuda.get_device_properties(0).total_memory)
    try:
        run(classify, starved, said)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert [text for text in said.texts("message") if "memory ran out" in text]
    assert (read(starved.output) == read(config.output)).mean() >= 0.9999
