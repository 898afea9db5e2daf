"""A GPU whose memory runs out gets smaller batches; simulated, by a network that refuses large ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_fit import CONFIG, DEVICE, HOW, samples
from test_verbs import Events, chain_of, run, run_chain
from tiny_scene import TinyScene, read

from bdgf_core.diffusion.unet import DenoisingUNet
from bdgf_core.fit import Consistency, fit_network
from bdgf_core.network.group import GroupNetwork
from bdgf_core.out_of_memory import Parts, Pieces
from bdgf_core.progress import Progress
from bdgf_core.raster.window import Window


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
        losses = _gradients(network, optimizer, images, None, replace(DEVICE, bfloat16=False), count)
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


@pytest.mark.parametrize("most", [16, 7])
def test_a_tile_in_pieces_is_that_of_the_whole(monkeypatch, most):
    """Even where the memory runs out twice, and pieces do not fit the window evenly."""
    monkeypatch.setattr("bdgf_core.out_of_memory._SMALLEST", 12)
    image = np.arange(3 * 40 * 50).reshape(3, 40, 50)
    said = Events()
    pieces = Pieces(Progress(said))

    def work(window: Window) -> dict[str, np.ndarray]:
        if max(window.height, window.width) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        part = image[:, window.row : window.row + window.height, window.col : window.col + window.width]
        return {"bands": part, "first": part[0], "sums": part.sum((1, 2))}

    window = Window(3, 5, 30, 41)
    if most < 11:  # the side of the smallest pieces
        with pytest.raises(torch.cuda.OutOfMemoryError):
            pieces.run(work, window)
        return
    found, part = pieces.run(work, window), image[:, 3:33, 5:46]
    assert (found["bands"] == part).all() and (found["first"] == part[0]).all()
    assert (found["sums"] == part.sum((1, 2))).all() and pieces.side == 11 and len(said.texts("message")) == 2


def test_mapping_in_pieces(monkeypatch, tmp_path):
    import bdgf_core.classify as classify

    chain = run_chain(chain_of(TinyScene(tmp_path), "pieces"))
    outputs = [getattr(chain.classify, name) for name in ("output", *classify.FURTHER)]
    whole = [read(path) for path in outputs]
    found = classify._found

    def small(*given):
        enough = given[4]
        if max(enough.shape) > 16:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")
        return found(*given)

    monkeypatch.setattr(classify, "_found", small)
    monkeypatch.setattr("bdgf_core.out_of_memory._SMALLEST", 8)
    said = Events()
    result = run(classify.classify, chain.classify, said)
    assert any("pieces" in text for text in said.texts("message"))
    for path, before in zip(outputs, whole):
        assert np.allclose(read(path), before, atol=1e-3, equal_nan=True)
    assert (read(outputs[0]) == whole[0]).mean() > 0.9999 and result["pixels"] == chain.results["classify"]["pixels"]
