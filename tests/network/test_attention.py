"""Tokens and attention: what they reduce to where that is known."""

from __future__ import annotations

import torch

from bdgf_core.network.attention import ChannelAttention, CrossAttention
from bdgf_core.network.transformer import TOKENS, Tokenizer


def test_channel_attention_starts_as_the_values():
    attention, f = ChannelAttention(8), torch.randn(2, 8, 3, 3)
    assert attention.scale == 0
    values = attention.qkv(f)[:, 16:]
    assert torch.equal(attention(f), values)


@torch.no_grad()
def test_channel_attention_turns_to_unlike_channels():
    attention, f = ChannelAttention(2), torch.randn(1, 2, 3, 3)
    attention.scale.fill_(0.5)
    q, k, v = attention.qkv(f).flatten(2).chunk(3, 1)
    energy = (q @ k.transpose(1, 2))[0]
    weights = torch.softmax(-energy, 1)  # the row's maximum cancels in the softmax
    assert torch.allclose(attention(f).flatten(2)[0], 0.5 * weights @ v[0] + v[0], atol=1e-6)


@torch.no_grad()
def test_cross_attention_is_softmax_of_the_query_over_the_other_tokens():
    attention, cls, tokens = CrossAttention(16), torch.randn(3, 16), torch.randn(3, 4, 16)
    q = attention.query(attention.norm_query(cls))
    k, v = attention.key_value(attention.norm_tokens(tokens)).chunk(2, -1)
    weights = torch.softmax(torch.einsum("be,bne->bn", q, k) / 4.0, 1)
    assert torch.allclose(attention(cls, tokens), torch.einsum("bn,bne->be", weights, v) + cls, atol=1e-6)


@torch.no_grad()
def test_tokens_of_an_image_are_those_of_its_patches():
    tokenizer, image = Tokenizer(5, embedding=8, patch=9), 3 * torch.randn(1, 5, 12, 11)
    tokens = tokenizer(image)
    assert tokens.shape == (1, 4, 3, TOKENS, 8)
    for row, col in ((0, 0), (3, 2), (1, 1)):
        patch = tokenizer(image[:, :, row : row + 9, col : col + 9])
        assert torch.allclose(tokens[0, row, col], patch[0, 0, 0], atol=1e-5)


@torch.no_grad()
def test_tokens_are_weighted_means_of_the_mapped_positions():
    tokenizer, patch = Tokenizer(5, embedding=8, patch=9), torch.randn(1, 5, 9, 9)
    mapped = tokenizer.map(patch).flatten(2)[0]
    tokens = tokenizer(patch)[0, 0, 0]
    assert (tokens <= mapped.amax(1) + 1e-6).all() and (tokens >= mapped.amin(1) - 1e-6).all()
    order = torch.randperm(81)  # a softmax over positions does not know their order
    shuffled = tokenizer(patch.flatten(2)[:, :, order].view_as(patch))[0, 0, 0]
    assert torch.allclose(tokens, shuffled, atol=1e-6)


@torch.no_grad()
def test_large_inputs_stay_finite():
    tokenizer = Tokenizer(5, embedding=8, patch=9)
    assert tokenizer(1e4 * torch.randn(1, 5, 12, 12)).isfinite().all()
