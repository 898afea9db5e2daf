"""The patches of an image: which are worked on together, and their pixels laid out for the networks."""

from __future__ import annotations

import math
from typing import Tuple

import torch
from torch import Tensor

Block = Tuple[slice, slice]  # of rows and columns


def channels_last(image: Tensor) -> Tensor:
    """(channels, H, W) as a batch of one, laid out for the faster convolutions and box sums."""
    return image[None].contiguous(memory_format=torch.channels_last)


def by_pixel(image: Tensor) -> Tensor:
    """(channels, H, W) as (H, W, channels) in memory: the rows of its patches are copied many times faster."""
    return image.permute(1, 2, 0).contiguous()


def patches_of(image: Tensor, block: Block, side: int, step: int = 1) -> Tensor:
    """The patches whose upper left pixels are those of ``block``, of ``side`` pixels of which every ``step``-th is
    taken: (H, W, channels) → (n, channels, P, P), channels last."""
    patches = image.unfold(0, side, 1).unfold(1, side, 1)[block][..., ::step, ::step]  # (rows, cols, channels, P, P)
    return patches.permute(0, 1, 3, 4, 2).flatten(0, 1).permute(0, 3, 1, 2)


def blocks_of(rows: int, cols: int, most: int) -> list[Block]:
    """Rectangles of at ``most`` so many pixels that cover ``rows`` × ``cols``. About square: their patches share much
    of what they see, and many a block lies where there is no data at all."""
    width = -(-cols // -(-cols // math.isqrt(most)))
    height = max(1, most // width)
    return [
        (slice(row, min(row + height, rows)), slice(col, min(col + width, cols)))
        for row in range(0, rows, height)
        for col in range(0, cols, width)
    ]


def gather_patches(image: Tensor, row: Tensor, col: Tensor, side: int) -> Tensor:
    """Patches (n, channels, side, side) whose upper left pixels are (``row``, ``col``), out of (channels, H, W)."""
    span = torch.arange(side, device=image.device)
    rows = (row[:, None] + span)[:, :, None]  # (n, side, 1)
    cols = (col[:, None] + span)[:, None, :]  # (n, 1, side)
    return image[:, rows, cols].transpose(0, 1).contiguous()
