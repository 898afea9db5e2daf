"""t-SNE of what separates the classes: each branch's embeddings and the diffusion features, with masking and without
(Figs. 4 and 8 of the paper)."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from html import escape
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bdgf_core.files import write_whole
from bdgf_core.legend import Legend
from bdgf_core.network.group import GroupNetwork
from bdgf_core.progress import Progress
from bdgf_core.samples.splits import choose_per_class

from .bank import ScaledPatches
from .configurations import Configuration
from .measure import Workshop, fitted_networks, pretrained_of
from .open_scene import OpenScene
from .protocols import Protocol

COMPONENTS, PERPLEXITY = 50, 30  # as in the paper; 1000 iterations are scikit-learn's default
_SIZE, _DOT = 420, 3


def embed(
    opened: OpenScene,
    configuration: Configuration,
    *,
    per_class: int,
    seed: int,
    shop: Workshop,
    folder: Path,
    progress: Progress,
) -> dict[str, float]:
    """A picture (SVG) and a table (CSV) for each kind of features in ``folder``; for each the mean silhouette of the
    classes in its full space, in [−1, 1]."""
    from sklearn.metrics import silhouette_score

    settings = configuration.settings()
    protocol = Protocol("pixels", per_class)
    folds = protocol.folds(opened.labels, opened.apart, gap=settings.network.patch, seed=seed)
    rng = np.random.default_rng(seed)
    drawn = np.flatnonzero(~opened.apart)
    shown = drawn[choose_per_class(opened.labels.classes[drawn], per_class, rng)]
    found: dict[str, NDArray[np.float32]] = {}
    pretrained = pretrained_of(opened, settings, seed, shop, progress.part(0.0, 0.3))
    networks, scale = fitted_networks(
        opened, pretrained, settings, folds, protocol, seed, shop, progress.part(0.3, 0.5)
    )  # fmt: skip
    patch = settings.network.patch
    patches = shop.bank(opened, pretrained, settings.features, patch, progress.silent()).scaled(shown, scale)
    found.update({f"branch {name}": values for name, values in _embeddings(networks[0], patches, shop).items()})
    masked = (True, False) if "second" in opened.sources else (True,)
    for masking in masked:
        choice = replace(settings, pretraining=replace(settings.pretraining, masking=masking))
        other = pretrained_of(opened, choice, seed, shop, progress.part(0.5, 0.7))
        raw = shop.bank(opened, other, settings.features, patch, progress.silent()).take(shown).diffusion
        assert raw is not None
        name = "diffusion features" if masking else "diffusion features without masking"
        found[name] = raw[:, :, patch // 2, patch // 2].float().numpy()
    classes = opened.labels.classes[shown]
    scores = {}
    for done, (name, values) in enumerate(found.items()):
        values = _standardized(values)
        points = tsne(values, seed=seed)
        scores[name] = float(silhouette_score(values, classes))
        stem = f"{opened.scene.name}-{name}".replace(" ", "-").replace("/", "-")
        write_whole(folder / f"{stem}.svg", picture(points, classes, opened.labels.legend, name).encode())
        write_whole(folder / f"{stem}.csv", _table(points, classes, opened.labels.legend).encode())
        progress.update(0.7 + 0.3 * (done + 1) / len(found))
    return scores


def tsne(values: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """(n, 2) from the leading principal components of ``values`` (n, channels)."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    count = min(COMPONENTS, *values.shape)
    reduced = PCA(count, random_state=seed).fit_transform(values)
    perplexity = min(PERPLEXITY, (len(values) - 1) / 3)
    points: NDArray[np.float32] = TSNE(perplexity=perplexity, random_state=seed, init="pca").fit_transform(reduced)
    return points


def picture(points: NDArray[np.float32], classes: NDArray[np.int32], legend: Legend, title: str) -> str:
    """A scatter plot with the classes' colours and names, as SVG."""
    low, high = points.min(0), points.max(0)
    at = 20 + (points - low) / np.maximum(high - low, 1e-9) * (_SIZE - 40)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{_DOT}" fill="{legend.classes[k].color}"/>'
        for (x, y), k in zip(at, classes)
    )
    names = "".join(
        f'<circle cx="{_SIZE + 12}" cy="{40 + 18 * i}" r="5" fill="{c.color}"/>'
        f'<text x="{_SIZE + 24}" y="{44 + 18 * i}">{escape(c.name)}</text>'
        for i, c in enumerate(legend.classes)
    )
    height = max(_SIZE, 60 + 18 * len(legend))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE + 220} {height}" font-family="sans-serif" '
        f'font-size="12"><text x="20" y="14">{escape(title)}</text>{dots}{names}</svg>\n'
    )


@torch.no_grad()
def _embeddings(network: GroupNetwork, patches: ScaledPatches, shop: Workshop) -> dict[str, NDArray[np.float32]]:
    parts: dict[str, list[torch.Tensor]] = {}
    for rows in torch.arange(len(patches)).split(256):
        output = network(*patches.batch(rows, shop.device.torch).inputs)
        for name, values in output.embeddings.items():
            parts.setdefault(name, []).append(values.float().cpu())
    return {name: torch.cat(values).numpy() for name, values in parts.items()}


def _standardized(values: NDArray[np.float32]) -> NDArray[np.float32]:
    deviation = values.std(0)
    return ((values - values.mean(0)) / np.where(deviation > 1e-6, deviation, 1.0)).astype(np.float32)


def _table(points: NDArray[np.float32], classes: NDArray[np.int32], legend: Legend) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("x", "y", "class"))
    writer.writerows((f"{x:.4f}", f"{y:.4f}", legend.names[k]) for (x, y), k in zip(points, classes))
    return out.getvalue()
