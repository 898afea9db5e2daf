"""A GPU whose memory runs out gets smaller batches; simulated, by a network that refuses large ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_fit import CONFIG, DEVICE, HOW, samples
from test_verbs import Events, chain_of, run
from tiny_scene import TinyScene, read

from bdgf_core.diffusion.unet import DenoisingUNet
from bdgf_core.fit import Consistency, fit_network
from bdgf_core.network.group import GroupNetwork
from bdgf_core.out_of_memory import Parts
from bdgf_core.progress import Progress


def refuse(monkeypatch: pytest.MonkeyPatch, module: type, most: int) -> None:
    forward = module.forward

    def small(self, x, *others):
        if len(x) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return forward(self, x, *others)

    monkeypatch.setattr(module, "forward", small)


def test_parts_double_until_the_work_fits_and_stay():
    said = Events()
    parts = Parts(Progress(said), 8)

    def work(count: int) -> int:
        if count < 4:
            raise torch.cuda.OutOfMemoryError
        return count

    assert parts.run(work) == 4 and parts.count == 4 and len(said.texts("message")) == 2
    with pytest.raises(torch.cuda.OutOfMemoryError):
        Parts(Progress(), 2).run(work)


@pytest.mark.parametrize("consistency", [None, Consistency(16, 0.3, 0.5, 0.7, 0.2)])
def test_training_in_parts_learns(monkeypatch, consistency):
    given = samples()
    how = replace(HOW, steps=4, consistency=consistency)
    said = Events()
    refuse(monkeypatch, GroupNetwork, 8)
    unlabelled = replace(samples(), diffusion=None)
    network, curve = fit_network(
        CONFIG, given, np.arange(60), how, unlabelled=unlabelled, seed=0, device=DEVICE, progress=Progress(said)
    )
    assert "memory ran out" in said.texts("message")[0]
    assert all(np.isfinite(point["cross-entropy"]) for point in curve) and not network.training


def test_gradients_in_parts_are_those_of_the_whole_but_for_batch_norms(monkeypatch):
    from bdgf_core.fit import _gradients

    torch.manual_seed(0)
    network = GroupNetwork(replace(CONFIG, mutual_learning=False)).eval()
    optimizer = torch.optim.AdamW(network.parameters())
    images = samples(16)
    found = []
    for count in (1, 4):
        losses = _gradients(network, optimizer, images, None, DEVICE, count)
        found.append((losses, [p.grad.clone() for p in network.parameters() if p.grad is not None]))
    assert found[0][0]["cross-entropy"] == pytest.approx(found[1][0]["cross-entropy"], rel=1e-5)
    for one, other in zip(found[0][1], found[1][1]):
        assert torch.allclose(one, other, atol=1e-5)


def test_pretraining_and_mapping_in_parts(monkeypatch, tmp_path):
    import bdgf_core.classify as classify
    import bdgf_core.pretrain as pretrain
    import bdgf_core.train as train

    monkeypatch.setattr(pretrain, "_RECALIBRATION_BATCHES", 2)
    chain = chain_of(TinyScene(tmp_path), "parts")
    with monkeypatch.context() as patch:
        refuse(patch, DenoisingUNet, 1)
        said = Events()
        run(pretrain.pretrain, replace(chain.pretrain, steps=1), said)
        assert len([text for text in said.texts("message") if "memory ran out" in text]) == 2
    run(train.train, replace(chain.train, validation="none"))
    run(classify.classify, chain.classify)
    whole = read(chain.classify.output)
    with monkeypatch.context() as patch:
        probabilities = GroupNetwork.probabilities

        def small(self, output):
            if len(output.logits) > 64:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
            return probabilities(self, output)

        patch.setattr(GroupNetwork, "probabilities", small)
        said = Events()
        run(classify.classify, chain.classify, said)
        assert len([text for text in said.texts("message") if "memory ran out" in text]) == 2
    assert (read(chain.classify.output) == whole).mean() > 0.9999
