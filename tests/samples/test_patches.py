"""Training patches: turned and jittered, never mixed up."""

from __future__ import annotations

import torch

from bdgf_core.samples.patches import PatchSamples


def samples(second: bool = True) -> PatchSamples:
    def draw(channels: int) -> torch.Tensor:
        return torch.randn(5, channels, 9, 9)

    return PatchSamples(draw(3), draw(2) if second else None, draw(4).half(), torch.arange(5))


def test_a_batch_is_float_and_in_order():
    whole = samples()
    batch = whole.batch(torch.tensor([3, 1]), torch.device("cpu"))
    assert len(batch) == 2 and batch.classes.tolist() == [3, 1]
    assert batch.diffusion.dtype == torch.float32 and batch.spectral[0].equal(whole.spectral[3])


def test_the_eight_turns_differ_and_keep_the_centre():
    whole = samples()
    turned = [whole.turned(i) for i in range(8)]
    assert turned[0].spectral.equal(whole.spectral)
    assert len({tuple(t.spectral[0, 0].flatten().tolist()) for t in turned}) == 8
    for t in turned:
        assert t.spectral[:, :, 4, 4].equal(whole.spectral[:, :, 4, 4])
        assert t.spectral.flatten().sort().values.equal(whole.spectral.flatten().sort().values)


def test_all_modalities_turn_together():
    image = torch.randn(1, 1, 9, 9)
    for i in range(8):
        turned = PatchSamples(image, image.clone(), image.clone(), torch.zeros(1)).turned(i)
        assert turned.spectral.equal(turned.second) and turned.spectral.equal(turned.diffusion)


def test_jitter_is_one_gain_and_offset_a_channel():
    whole = samples(second=False)
    jittered = whole.jittered(0.1, generator=torch.Generator().manual_seed(0))
    assert jittered.second is None
    x, y = whole.spectral.flatten(2), jittered.spectral.flatten(2)
    gain = (y[..., 1] - y[..., 0]) / (x[..., 1] - x[..., 0])
    offset = y[..., 0] - gain * x[..., 0]
    assert torch.allclose(y, gain[..., None] * x + offset[..., None], atol=1e-4)
    assert gain.std() > 0.03 and (gain - 1).abs().max() < 0.5


def test_hidden_bands_are_zero_and_the_others_untouched():
    whole = samples()
    hidden = whole.with_bands_hidden(0.8, 0.0, generator=torch.Generator().manual_seed(0))
    for x, y in ((whole.spectral, hidden.spectral), (whole.second, hidden.second)):
        gone = (y == 0).all(3).all(2)
        assert gone.any() and not gone.all()
        assert y[~gone].equal(x[~gone])
    assert hidden.diffusion is whole.diffusion
    alone = whole.with_bands_hidden(0.0, 1.0, generator=torch.Generator())
    assert alone.spectral.equal(whole.spectral) and not alone.second.any()
    assert samples(second=False).with_bands_hidden(0.5, 1.0, generator=torch.Generator()).second is None


def test_foreign_surroundings_leave_the_centre_alone():
    whole = PatchSamples(
        *(torch.arange(40.0)[:, None, None, None].expand(40, c, 9, 9) for c in (2, 1, 3)), torch.arange(40)
    )
    mixed = whole.with_foreign_surroundings(0.5, generator=torch.Generator().manual_seed(0))
    assert mixed.classes.equal(whole.classes)
    foreign = mixed.spectral != whole.spectral
    assert not foreign[:, :, 4, 3:6].any() and not foreign[:, :, 3:6, 4].any()
    share = foreign.flatten(1).any(1).float().mean()
    assert 0.25 < share < 0.65
    for x in mixed.inputs[1:]:  # all modalities at the same edge
        assert x[:, 0].equal(mixed.spectral[:, 0])
    for patch, own in zip(mixed.spectral, whole.classes):
        assert len(set(patch.unique().tolist()) - {float(own)}) <= 1
    unmixed = whole.with_foreign_surroundings(0.0, generator=torch.Generator())
    assert unmixed.spectral.equal(whole.spectral)


def test_joined_samples_come_one_after_the_other():
    one, two = samples(), samples()
    both = one.joined(two)
    assert len(both) == 10 and both.classes[5:].equal(two.classes)
    for x, y in zip(both.inputs, two.inputs):
        assert x[5:].equal(y)
    assert samples(second=False).joined(samples(second=False)).second is None
