"""The group network: three branches guided by diffusion features, joined into one classifier (Fig. 2, Eq. 29).

B batch; S, R, C channels of the spectral, second-sensor and diffusion inputs; E = 64; K classes; P patch side, 9;
H × W an image, of which every full patch is classified: (H − P + 1) × (W − P + 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Callable, Optional, Tuple, Union

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from .cnn import GuidedCNN
from .config import AT_ONCE, GroupConfig
from .dropout import Dropout
from .image_patches import Block, blocks_of, by_pixel, channels_last, patches_of
from .indices import normalised_differences, shape_and_brightness
from .mutual import MutualLearning
from .regression import KernelRegression
from .sequence import GuidedMamba, SequenceEncoder
from .statistics import as_rows, window_statistics
from .threads import side_by_side
from .transformer import GuidedTransformer
from .trees import Trees

EMBEDDING = 64


@dataclass(frozen=True)
class GroupOutput:
    """``logits`` (B, K) of the joint head; logits (B, K) and embeddings (B, E) by branch; ``votes`` (B, K), which sum
    to 1, of the trees and the regression where they are."""

    logits: Tensor
    branch_logits: dict[str, Tensor]
    embeddings: dict[str, Tensor]
    votes: dict[str, Tensor] = field(default_factory=dict)

    def __getitem__(self, part: slice) -> GroupOutput:
        """The output of a part of the batch."""
        branch_logits = {name: logits[part] for name, logits in self.branch_logits.items()}
        embeddings = {name: e[part] for name, e in self.embeddings.items()}
        votes = {name: vote[part] for name, vote in self.votes.items()}
        return GroupOutput(self.logits[part], branch_logits, embeddings, votes)


class GroupNetwork(nn.Module):
    """Classifies the centre pixel of each P×P patch from its spectral, second-sensor and diffusion channels.

    ``units`` (2, S), mean and deviation of the spectral bands, lead from the channels back to the bands' values; they
    are wanted for :attr:`GroupConfig.indices`."""

    units: Tensor

    def __init__(self, config: GroupConfig, units: Optional[Union[Tensor, NDArray[np.float32]]] = None) -> None:
        super().__init__()
        self.config = config
        if config.index_bands:
            self.register_buffer(
                "units", torch.ones((2, config.spectral)) if units is None else torch.as_tensor(units).clone()
            )
        c = config

        def guidance(wanted: bool) -> int:
            return c.diffusion if wanted else 0

        if c.cnn:
            self.cnn = GuidedCNN(
                c.spectral, c.second, diffusion=guidance(c.guide_cnn), embedding=EMBEDDING,
                padded=c.padded_cnn, guidance_kernel=c.guidance_kernel,
            )  # fmt: skip
        if c.transformer:
            self.transformer = GuidedTransformer(
                c.spectral,
                c.second,
                diffusion=guidance(c.guide_transformer),
                embedding=EMBEDDING,
                patch=c.patch,
                feed_forward=c.feed_forward,
            )
        if c.mamba:
            self.mamba = GuidedMamba(
                c.spectral, c.second, diffusion=guidance(c.guide_mamba), local=c.cnn, guided=c.guide_mamba,
                embedding=EMBEDDING, patch=c.patch, cells=c.attention_cells, states=c.mamba_states,
                expand=c.mamba_expand, token_bands=c.token_bands,
            )  # fmt: skip
        self.heads = nn.ModuleDict({name: nn.Linear(EMBEDDING, c.classes) for name in c.branches})
        self.head = nn.Linear(EMBEDDING * len(c.branches), c.classes)
        self.dropout = Dropout(c.dropout)
        if c.mutual_learning and len(c.branches) > 1:
            self.mutual = MutualLearning(
                c.branches, literal=c.literal_mutual_learning, temperature=c.mutual_temperature
            )
        self.trees: Optional[Trees] = None  # both to be fitted when the branches have learned
        self.regression: Optional[KernelRegression] = None

    def forward(self, spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor]) -> GroupOutput:
        """One output per patch: ``spectral`` (B, S, P, P), ``second`` (B, R, P, P), ``diffusion`` (B, C, P, P)."""
        c = self.config
        embeddings: dict[str, Tensor] = {}
        local = None
        if c.cnn:
            local = self.cnn(spectral, second, diffusion)  # (B, E, 3, 3), or (B, E, P, P) when padded
            embeddings["cnn"] = local.mean((2, 3))
        if c.transformer:
            embeddings["transformer"] = self.transformer(spectral, second, diffusion)
        if c.mamba:
            embeddings["mamba"] = self.mamba(spectral, second, self._reduce(diffusion), local)
        statistics = None if self.trees is None else self.tree_features(spectral, second, diffusion)
        return self._classify(embeddings, self._votes(spectral, second, statistics))

    def classify_image(
        self,
        spectral: Tensor,
        second: Optional[Tensor],
        diffusion: Optional[Tensor],
        *,
        batch: int,
        wanted: Optional[Tensor] = None,
        on_batch: Callable[[], None] = lambda: None,
        disagreement: bool = False,
    ) -> Tensor:
        """Class probabilities (K, H − P + 1, W − P + 1) for every full patch of an image; inputs (channels, H, W).
        With ``disagreement`` that of the branches follows as channel K. Where batches hold none that is ``wanted``,
        bool (H − P + 1, W − P + 1), by default all, they are left out and NaN.

        What depends on single pixels or on valid convolutions is computed once for the image; the rest of the
        transformer, the Mamba branch and a padded CNN see patches, ``batch`` at a time. Equal to :meth:`forward` on
        each patch. ``on_batch`` is called before each batch, on several threads, and may raise.
        """
        more = self.config.patch - 1
        rows, cols = spectral.shape[1] - more, spectral.shape[2] - more
        classes = self.config.classes + int(disagreement)
        out = spectral.new_full((classes, rows, cols), torch.nan)
        for down, across in blocks_of(rows, cols, max(rows, cols) ** 2 if spectral.is_cuda else AT_ONCE**2):
            some = None if wanted is None else wanted[down, across]
            if some is not None and not bool(some.any()):
                continue
            seen = (slice(None), slice(down.start, down.stop + more), slice(across.start, across.stop + more))
            cut = [None if x is None else x[seen] for x in (second, diffusion)]
            images = spectral[seen], cut[0], cut[1]
            out[:, down, across] = self._classify_part(images, some, batch, on_batch, disagreement)
        return out

    def _classify_part(
        self,
        images: Tuple[Tensor, Optional[Tensor], Optional[Tensor]],
        wanted: Optional[Tensor],
        batch: int,
        on_batch: Callable[[], None],
        disagreement: bool,
    ) -> Tensor:
        """:meth:`classify_image` of so few pixels that what is computed for all of them stays near the cores."""
        spectral, second, diffusion = images
        c = self.config
        rows, cols = spectral.shape[1] - c.patch + 1, spectral.shape[2] - c.patch + 1
        image = channels_last(spectral)
        others = [None if x is None else channels_last(x) for x in (second, diffusion)]
        bands = [None if x is None else by_pixel(x) for x in (spectral, second)]
        local = guide = statistics = None
        tokens: dict[str, Tensor] = {}
        if self.trees is not None:
            statistics = self.tree_features(image, *others).view(rows, cols, -1)
        if c.cnn and not c.padded_cnn:
            local = by_pixel(self.cnn(image, *others)[0])  # (rows + P − 7, cols + P − 7, E)
        if c.transformer:
            tokens = {name: found[0] for name, found in self.transformer.tokens(image, *others).items()}
        reduced = self._reduce(others[1])
        if reduced is not None:
            step = c.patch // c.attention_cells if c.patch % c.attention_cells == 0 else 1
            guide = by_pixel(F.avg_pool2d(reduced, step, 1)[0])  # the cells that a patch may have
        deep = by_pixel(diffusion) if c.cnn and c.padded_cnn and diffusion is not None else None

        def classify(block: Block) -> Tensor:
            on_batch()
            spec, sec, dif = (None if x is None else patches_of(x, block, c.patch) for x in (*bands, deep))
            embeddings: dict[str, Tensor] = {}
            maps = None
            if local is not None:
                maps = patches_of(local, block, local.shape[1] - cols + 1)
            elif c.cnn:
                maps = self.cnn(spec, sec, dif)
            if maps is not None:
                embeddings["cnn"] = maps.mean((2, 3))
            if c.transformer:
                embeddings["transformer"] = self.transformer.attended(
                    {name: found[block].flatten(0, 1) for name, found in tokens.items()}
                )
            if c.mamba:
                seen = None if guide is None else patches_of(guide, block, guide.shape[1] - cols + 1, step)
                embeddings["mamba"] = self.mamba(spec, sec, seen, maps)
            seen_by_trees = None if statistics is None else statistics[block].flatten(0, 1)
            output = self._classify(embeddings, self._votes(spec, sec, seen_by_trees))
            found = self.probabilities(output)
            return torch.cat((found, self.disagreement(output)[:, None]), 1) if disagreement else found

        blocks = [block for block in blocks_of(rows, cols, batch) if wanted is None or bool(wanted[block].any())]
        found = [classify(block) for block in blocks] if spectral.is_cuda else side_by_side(classify, blocks)
        out = spectral.new_full((rows, cols, c.classes + int(disagreement)), torch.nan)
        for block, values in zip(blocks, found):
            out[block] = values.view(out[block].shape)
        return out.movedim(2, 0)

    def fold(self) -> None:
        """Make mapping cheaper, in eval mode for good: the same numbers but for rounding, with other parameters."""
        for module in self.modules():
            if isinstance(module, SequenceEncoder):
                module.fold()

    def probabilities(self, output: GroupOutput) -> Tensor:
        """Class probabilities (B, K): those of the members that are there, each for its share."""
        members = self.members(output)
        weighted = [share * found for share, found in zip(self.config.shares(list(members)), members.values())]
        return torch.stack(weighted).sum(0)

    def members(self, output: GroupOutput) -> dict[str, Tensor]:
        """Class probabilities (B, K) by member: of the branches the mean over the joint head and, where they are
        trained to classify, their own; several opinions err less than one. On few polygons the trees and the
        regression err least, each in its own way."""
        logits = self._trained_logits(output) if self.config.average_branches else [output.logits]
        return {"branches": torch.stack([torch.softmax(z.float(), 1) for z in logits]).mean(0), **output.votes}

    def pixels(self, spectral: Optional[Tensor], second: Optional[Tensor]) -> Tensor:
        """What the regression sees of patches (B, channels, P, P): the channels of their centres (B, S + R), or the
        spectral ones' shape and brightness instead (B, S + 1 + R)."""
        at = self.config.patch // 2
        centres = [x[:, :, at, at].float() for x in (spectral, second) if x is not None]
        if self.config.index_bands:
            centres[0] = shape_and_brightness(centres[0], self.units.to(centres[0].device))
        return torch.cat(centres, 1)

    def tree_features(self, spectral: Tensor, second: Optional[Tensor], diffusion: Optional[Tensor]) -> Tensor:
        """What the trees see of every full patch: (B, channels, rows, cols) → (B · patches, F), F being
        :attr:`GroupConfig.tree_features`."""
        c = self.config
        given = diffusion if c.guide_trees else None
        seen = window_statistics(spectral, second, given, patch=c.patch, widest=c.tree_window)
        if c.index_bands:
            seen.append(normalised_differences(spectral, self.units.to(spectral.device), patch=c.patch))
        return as_rows(seen)

    def disagreement(self, output: GroupOutput) -> Tensor:
        """How far the branches' opinions lie apart (B,), from 0, all alike, to 1, each sure of another class: the
        Jensen–Shannon divergence of their class probabilities (Lin 1991), over ln min(branches, classes), the most
        that it can be. Several trained branches are wanted, see :attr:`can_disagree`."""
        opinions = torch.stack([torch.softmax(z.float(), 1) for z in output.branch_logits.values()])  # (branches, B, K)
        apart = _entropy(opinions.mean(0)) - _entropy(opinions).mean(0)
        return (apart / math.log(max(2, min(opinions.shape[0], opinions.shape[2])))).clamp(0.0, 1.0)

    @property
    def can_disagree(self) -> bool:
        """Whether there are several branches whose heads learned to classify."""
        return self.config.branch_cross_entropy and len(self.config.branches) > 1

    def loss(
        self, output: GroupOutput, target: Tensor, weight: Optional[Tensor] = None
    ) -> tuple[Tensor, dict[str, float]]:
        """Eq. 29: cross-entropy of the joint head plus mutual learning; its parts as floats, by name.

        The paper gives the branch heads no cross-entropy of their own, so constant heads would satisfy the mutual
        loss; by default each has one, with weight 1. ``target`` (B,) class indices, ``weight`` (K,).
        """

        smoothing = self.config.label_smoothing
        losses = [
            F.cross_entropy(logits.float(), target, weight, label_smoothing=smoothing)
            for logits in self._trained_logits(output)
        ]
        parts = {"cross-entropy": float(losses[0].detach())}
        total = torch.stack(losses).sum()
        if hasattr(self, "mutual"):
            mutual, temperatures = self.mutual(output.branch_logits, output.embeddings)
            total = total + mutual
            parts["mutual learning"] = float(mutual.detach())
            parts.update({f"T {pair}": t for pair, t in temperatures.items()})
        return total, parts

    def consistency_loss(self, output: GroupOutput, guess: Tensor, sure: Tensor) -> Tensor:
        """Cross-entropy of every trained head with ``guess`` (B,) over the patches that are ``sure`` (B,), bool; the
        others count as 0 in the mean (FixMatch, Sohn et al. 2020)."""
        losses = [F.cross_entropy(z.float(), guess, reduction="none") for z in self._trained_logits(output)]
        return (torch.stack(losses).sum(0) * sure).mean()

    def _trained_logits(self, output: GroupOutput) -> list[Tensor]:
        """The joint head's logits, and the branches' where these have a cross-entropy of their own."""
        return [output.logits, *(output.branch_logits.values() if self.can_disagree else ())]

    def _reduce(self, diffusion: Optional[Tensor]) -> Optional[Tensor]:
        if not self.config.mamba or self.mamba.reduce is None or diffusion is None:
            return None
        reduced: Tensor = self.mamba.reduce(diffusion)
        return reduced

    def _votes(
        self, spectral: Optional[Tensor], second: Optional[Tensor], statistics: Optional[Tensor]
    ) -> dict[str, Tensor]:
        """From patches, and what the trees see of them."""
        votes = {}
        if self.trees is not None and statistics is not None:
            votes["trees"] = self.trees(statistics)
        if self.regression is not None:
            votes["regression"] = self.regression(self.pixels(spectral, second))
        return votes

    def _classify(self, embeddings: dict[str, Tensor], votes: dict[str, Tensor]) -> GroupOutput:
        embeddings = {name: e.float() for name, e in embeddings.items()}
        branch_logits = {name: head(embeddings[name]) for name, head in self.heads.items()}
        joint = torch.cat([embeddings[name] for name in self.config.branches], 1)
        return GroupOutput(self.head(self.dropout(joint)), branch_logits, embeddings, votes)


def _entropy(probabilities: Tensor) -> Tensor:
    """In nats, over the last axis; 0 · ln 0 is 0."""
    entropy: Tensor = torch.special.entr(probabilities).sum(-1)
    return entropy
