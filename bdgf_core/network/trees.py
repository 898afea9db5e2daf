"""Extremely randomised trees (Geurts et al. 2006) on patch statistics: one more opinion beside those of the branches.
Not in the paper. On few polygons trees generalise better than textures do, and they err elsewhere.

n patches; F features of a patch; K classes; T trees; N nodes of all of them.
"""

from __future__ import annotations

from typing import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

_GROWN_AT_ONCE = 20
_FEATURE_SHARE, _MOST_FEATURES = 0.3, 60  # of the features, drawn anew at each split, and how many at the most
_LEAF = -1
_AT_ONCE = 1 << 17  # ways through trees, which fit the cache with what leads to them
_MOST_PATCHES = 4096
_STEPS = 3
_DEEPEST = 1000  # trees of honest samples have some tens of levels; this bounds the time that a file can cost


class Trees(nn.Module):
    """Trees as one table of nodes, each tree from its root on, the left child right behind its parent.

    ``feature`` (N,) is what a node asks for, −1 at a leaf; ``threshold`` (N,) the most that goes left; ``next`` (N,)
    the right child, at a leaf its class; ``roots`` (T,)."""

    feature: Tensor
    threshold: Tensor
    next: Tensor
    roots: Tensor
    _children: Tensor
    _asked: Tensor

    def __init__(self, feature: Tensor, threshold: Tensor, next: Tensor, roots: Tensor, *, classes: int) -> None:
        super().__init__()
        self.classes = classes
        for name, tensor in (("feature", feature), ("threshold", threshold), ("next", next), ("roots", roots)):
            self.register_buffer(name, tensor)
        own, leaf = torch.arange(len(feature), dtype=torch.int32), feature == _LEAF
        pairs = torch.stack((torch.where(leaf, own, own + 1), torch.where(leaf, own, next)), 1)
        self.register_buffer("_children", pairs.reshape(-1), persistent=False)
        self.register_buffer("_asked", feature.clamp(min=0), persistent=False)

    @classmethod
    def grown(
        cls,
        features: NDArray[np.float32],
        classes: NDArray[np.int64],
        *,
        trees: int,
        known: int,
        seed: int,
        on_part: Callable[[], None] = lambda: None,
    ) -> Trees:
        """From features (n, F) and classes (n,) out of ``known`` ones, whose weights balance them. ``on_part`` is
        called now and then, and may raise."""
        from sklearn.ensemble import ExtraTreesClassifier

        present, index = np.unique(classes, return_inverse=True)
        weight = (len(classes) / (len(present) * np.bincount(index)))[index]
        forest = ExtraTreesClassifier(
            max_features=min(max(1, int(_FEATURE_SHARE * features.shape[1])), _MOST_FEATURES),
            max_depth=_DEEPEST - 1,
            random_state=seed,
            warm_start=True,
            n_jobs=torch.get_num_threads(),
        )
        for count in [*range(_GROWN_AT_ONCE, trees, _GROWN_AT_ONCE), trees]:
            on_part()
            forest.n_estimators = count
            forest.fit(features, index, sample_weight=weight)
        tables: list[tuple[NDArray[np.generic], ...]] = []
        first = 0
        for tree in (member.tree_ for member in forest.estimators_):
            leaf = tree.children_left < 0
            assert (tree.children_left[~leaf] == np.flatnonzero(~leaf) + 1).all(), "the left child comes first"
            answer = present[tree.value[:, 0].argmax(1)]
            tables.append((
                np.where(leaf, _LEAF, tree.feature).astype(np.int32),
                np.where(leaf, 0.0, _as_float32(tree.threshold)).astype(np.float32),
                np.where(leaf, answer, first + tree.children_right).astype(np.int32),
                np.array([first], np.int32),
            ))  # fmt: skip
            first += tree.node_count
        columns = (torch.from_numpy(np.concatenate(column)) for column in zip(*tables))
        return cls(*columns, classes=known)

    @classmethod
    def of(cls, tensors: dict[str, Tensor], *, features: int, classes: int, trees: int) -> Trees:
        """From the tensors of a file. Raises ValueError for any that would not lead from each root to a leaf."""
        if tensors.keys() != {"feature", "threshold", "next", "roots"}:
            raise ValueError("its trees have other tables")
        feature, threshold, onward, roots = (tensors[name] for name in ("feature", "threshold", "next", "roots"))
        count = len(feature) if feature.dim() == 1 else 0
        kinds = ((feature, torch.int32, count), (threshold, torch.float32, count), (onward, torch.int32, count))
        for table, kind, rows in (*kinds, (roots, torch.int32, trees)):
            if table.dtype != kind or table.shape != (rows,):
                raise ValueError("a table of its trees has another shape or type")
        own, leaf = torch.arange(count), feature == _LEAF
        right = torch.where(leaf, own + 1, onward)  # children lie behind their parents, so every way ends
        sound = (
            count > 0
            and bool(leaf[-1])
            and bool(((feature >= _LEAF) & (feature < features)).all())
            and bool(torch.isfinite(threshold).all())
            and bool(((onward[leaf] >= 0) & (onward[leaf] < classes)).all())
            and bool(((right > own) & (right < count) | leaf).all())
            and bool(((roots >= 0) & (roots < count)).all())
        )
        if not sound:
            raise ValueError("its trees lead nowhere")
        inner = own[~leaf]
        children = torch.cat((inner + 1, right[inner]))
        if not torch.equal(torch.cat((roots.long(), children)).bincount(minlength=count), torch.ones_like(own)):
            raise ValueError("its trees are no trees")
        at = roots.long()
        for _ in range(_DEEPEST):
            at = at[~leaf[at]]
            at = torch.cat((at + 1, right[at]))
            if not len(at):
                break
        else:
            raise ValueError("its trees are too deep")
        return cls(feature, threshold, onward, roots, classes=classes)

    def forward(self, features: Tensor) -> Tensor:
        """Class probabilities (n, K) for features (n, F): the share of trees that vote for each."""
        trees = len(self.roots)
        parts = [self._votes(part) for part in torch.split(features, max(1, min(_MOST_PATCHES, _AT_ONCE // trees)))]
        return torch.cat(parts) / trees

    def _votes(self, features: Tensor) -> Tensor:
        """(n, K). Every way goes on by some steps at once, a leaf leading to itself, before the ended ones drop out."""
        count, trees = len(features), len(self.roots)
        values = features.reshape(-1)
        at = self.roots.repeat(count)  # (n·T,) node of each way
        row = torch.arange(count, dtype=torch.int32, device=at.device) * features.shape[1]
        row = row.repeat_interleave(trees)
        going = torch.arange(len(at), device=at.device)
        ended = torch.empty_like(at)
        while len(going):
            for _ in range(_STEPS):
                value = values.index_select(0, self._asked.index_select(0, at).add_(row))
                right = value > self.threshold.index_select(0, at)
                at = self._children.index_select(0, at.mul_(2).add_(right))
            ended[going] = at
            inner = (self.feature.index_select(0, at) != _LEAF).nonzero()[:, 0]
            going, at, row = (x.index_select(0, inner) for x in (going, at, row))
        votes = features.new_zeros((count, self.classes))
        answers = self.next.index_select(0, ended).view(count, trees).long()
        return votes.scatter_add_(1, answers, votes.new_ones((count, trees)))


def _as_float32(threshold: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 up to each threshold, which parts float32 values as the threshold itself does."""
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
