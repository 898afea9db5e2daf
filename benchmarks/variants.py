"""The variants of a preset, as a table: what each changes, and in which suites it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping

from bdgf_core.errors import InputError


@dataclass(frozen=True)
class Variant:
    """See :class:`benchmarks.configurations.Configuration`."""

    about: str
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    build: str = "group"
    suites: tuple[str, ...] = ("screen",)
    needs: str = ""

    def joined(self, other: Variant) -> Variant:
        """Both changes, the other's where they meet. Raises :class:`InputError` for two networks."""
        if "group" not in (self.build, other.build):
            raise InputError(f"Two networks cannot be joined: {self.about}, and {other.about}.")
        groups = dict.fromkeys([*self.changes, *other.changes])
        changes = {group: {**self.changes.get(group, {}), **other.changes.get(group, {})} for group in groups}
        build = self.build if other.build == "group" else other.build
        return Variant(f"{self.about}; {other.about}", changes, build, (), self.needs or other.needs)


def variants_of(preset: str) -> dict[str, Variant]:
    """By name; those that would change nothing in this preset are left out."""
    found = {**_TABLE2, **_TRANSFER, **_NETWORKS}
    for name, variant in _ONE_FACTOR.items():
        if not _as_it_is(preset, variant):
            found[name] = variant
    return found


def _as_it_is(preset: str, variant: Variant) -> bool:
    """Whether the preset has these settings already."""
    from .configurations import Configuration

    plain = Configuration("", "", preset).settings()
    changed = Configuration("", "", preset, variant.changes, variant.build).settings()
    return plain == changed


def _variant(about: str, group: str, build: str = "group", needs: str = "", **changes: Any) -> Variant:
    return Variant(about, {group: changes} if changes else {}, build, needs=needs)


# Table 2. What goes beyond the paper stays as the preset has it, but for members that the paper lacks.
_PARTS = {"trees": 0, "landmarks": 0, "guide_cnn": True, "mutual_learning": True}
_ROWS: dict[int, tuple[str, dict[str, Any]]] = {
    1: ("CNN, guided", {"transformer": False, "mamba": False}),
    2: ("transformer, guided", {"cnn": False, "mamba": False}),
    3: ("Mamba, guided", {"cnn": False, "transformer": False}),
    4: ("transformer and Mamba", {"cnn": False}),
    5: ("CNN and Mamba", {"transformer": False}),
    6: ("CNN and transformer", {"mamba": False}),
    7: ("without guidance of the CNN", {"guide_cnn": False}),
    8: ("without guidance of the transformer", {"guide_transformer": False}),
    9: ("without guidance of Mamba", {"guide_mamba": False}),
    10: ("without masking", {}),
    11: ("without mutual learning", {"mutual_learning": False}),
    12: ("all parts", {}),
}
_TABLE2 = {
    f"row{number}": Variant(
        f"Table 2, experiment {number}: {about}",
        {"network": {**_PARTS, **parts}, **({"pretraining": {"masking": False}} if number == 10 else {})},
        suites=("table2",),
        needs="second" if number == 10 else "",
    )
    for number, (about, parts) in _ROWS.items()
}

# A network of others has neither our branches nor samples without the features that it may live on.
_NO_BRANCHES = {"network": {"trees": 0, "landmarks": 0}, "fit": {"feature_dropout": 0.0}}
_PLAIN = {"masking": False, "noise": "gaussian"}
_TRANSFER = {
    f"{diffusion}-{classifier}": Variant(
        f"Table 8: {told} diffusion, {name}",
        {"pretraining": changes, **({"network": _PARTS} if build == "group" else _NO_BRANCHES)},
        build,
        suites=("transfer",),
    )
    for diffusion, told, changes in (("masking", "masking", {}), ("concatenate", "plain concatenated", _PLAIN))
    for classifier, name, build in (
        ("group", "group network", "group"),
        ("attention", "attention classifier of SpectralDiff", "spectraldiff"),
    )
}

_NETWORKS = {
    name: Variant(f"{title} (re-implementation)", {**_NO_BRANCHES, **changes}, name, suites=("networks",))
    for name, title, changes in (
        ("spectraldiff", "SpectralDiff", {"pretraining": _PLAIN}),
        ("ss-mae", "SS-MAE", {}),
        ("msfmamba", "MSFMamba", {}),
        ("fusion-hct", "Fusion-HCT", {}),
    )
}

_ONE_FACTOR = {
    # the network
    "no-branch-loss": _variant("no cross-entropy of the branches' own", "network", branch_cross_entropy=False),
    "mutual": _variant("mutual learning of the branches", "network", mutual_learning=True),
    "literal-mutual": _variant(
        "mutual learning as printed: untempered, T free",
        "network",
        mutual_learning=True,
        literal_mutual_learning=True,
    ),
    **{
        f"mutual-T-{t:g}": _variant(
            f"mutual learning at temperature {t:g}", "network", mutual_learning=True, mutual_temperature=t
        )
        for t in (1.0, 2.0, 4.0)
    },
    "no-mutual": _variant("no mutual learning", "network", mutual_learning=False),
    "guide-3x3": _variant("guidance of the CNN by 3×3 convolutions", "network", guide_cnn=True, guidance_kernel=3),
    "guide-1x1": _variant("guidance of the CNN by 1×1 convolutions", "network", guide_cnn=True, guidance_kernel=1),
    "unguided-cnn": _variant("no guidance of the CNN", "network", guide_cnn=False),
    "unguided-transformer": _variant("no guidance of the transformer", "network", guide_transformer=False),
    "unguided-mamba": _variant("no guidance of Mamba", "network", guide_mamba=False),
    "no-diffusion": _variant(
        "no diffusion features at all",
        "network",
        guide_cnn=False,
        guide_transformer=False,
        guide_mamba=False,
        guide_trees=False,
    ),
    "no-mamba": _variant("no Mamba branch", "network", mamba=False),
    "no-transformer": _variant("no transformer branch", "network", transformer=False),
    "no-cnn": _variant("no CNN branch", "network", cnn=False),
    "no-trees": _variant("no trees on patch statistics", "network", trees=0),
    **{
        f"trees-{count}": _variant(f"{count} trees on patch statistics join the branches", "network", trees=count)
        for count in (100, 200)
    },
    "guide-trees": _variant("trees that see the diffusion features too", "network", guide_trees=True),
    "unguided-trees": _variant("trees that see no diffusion features", "network", guide_trees=False),
    **{
        f"tree-window-{side}": _variant(f"trees that see windows of up to {side}×{side}", "network", tree_window=side)
        for side in (3, 5, 9)
    },
    "no-indices": _variant("no ratios of bands for trees and regression", "network", indices=False),
    "no-regression": _variant("no regression on pixels", "network", landmarks=0, trees_share=0.5, regression_share=0.0),
    "regression-share-0.05": _variant(
        "5 % of the answer by the regression to begin with", "network", trees_share=0.45, regression_share=0.05
    ),
    **{
        f"landmarks-{count}": _variant(
            f"a regression on {count} landmarks joins the branches", "network", landmarks=count
        )
        for count in (100, 200, 400)
    },
    "padded-cnn": _variant("a CNN that pads its patches", "network", padded_cnn=True),
    "attention-9": _variant("group attention over all 81 pixels", "network", attention_cells=9),
    "attention-3": _variant("group attention over 3×3 cells", "network", attention_cells=3),
    **{
        f"states-{count}": _variant(f"{count} states a channel of Mamba", "network", mamba_states=count)
        for count in (4, 8, 16)
    },
    **{
        f"expand-{factor}": _variant(f"a Mamba {factor} times as wide inside", "network", mamba_expand=factor)
        for factor in (1, 2)
    },
    **{
        f"token-bands-{count}": _variant(f"{count} bands a token of Mamba", "network", token_bands=count)
        for count in (1, 2, 4)
    },
    "feed-forward": _variant("perceptrons in the transformer", "network", feed_forward=True),
    "no-feed-forward": _variant("no perceptrons in the transformer", "network", feed_forward=False),
    "joint-head": _variant("the joint head alone decides", "network", average_branches=False),
    "ensemble": _variant("the branches' heads decide too", "network", average_branches=True),
    "pixel-tokens": Variant("Mamba along the 81 pixels instead of the bands", build="pixel-tokens"),
    "shared-tokenizers": Variant("one token attention for all streams", build="shared-tokenizers"),
    **{f"patch-{side}": _variant(f"patches of {side}×{side} pixels", "network", patch=side) for side in (7, 9, 11, 13)},
    **{
        f"smoothing-{share}": _variant(f"label smoothing {share}", "network", label_smoothing=share)
        for share in (0.0, 0.1, 0.2)
    },
    **{f"dropout-{share}": _variant(f"dropout {share}", "network", dropout=share) for share in (0.0, 0.2, 0.4)},
    # the fit
    **{
        f"fit-x{factor:g}": _variant(f"{factor:g} times the training steps", "fit", length=factor)
        for factor in (0.5, 2.0, 4.0)
    },
    "no-turns": _variant("patches neither turned nor flipped", "fit", symmetries=(0,)),
    "turns-only": _variant("patches turned, not flipped", "fit", symmetries=(0, 1, 2, 3)),
    "flips-only": _variant("patches flipped, not turned by 90°", "fit", symmetries=(0, 2, 4, 6)),
    "turns-and-flips": _variant("patches turned and flipped", "fit", symmetries=tuple(range(8))),
    **{f"jitter-{size}": _variant(f"jitter {size}", "fit", jitter=size) for size in (0.0, 0.05, 0.1)},
    **{f"edges-{share}": _variant(f"edges in {share} of the samples", "fit", edges=share) for share in (0.0, 0.5)},
    **{
        f"feature-dropout-{share}": _variant(f"features hidden in {share} of the samples", "fit", feature_dropout=share)
        for share in (0.0, 0.5)
    },
    **{
        f"balance-{share}": _variant(f"classes drawn by count^{1 - share:g}", "fit", balance=share)
        for share in (0.0, 0.5, 1.0)
    },
    **{f"decay-{rate}": _variant(f"weight decay {rate}", "fit", weight_decay=rate) for rate in (0.0, 0.02)},
    "rate-4e-4": _variant("learning rate 4e-4", "fit", learning_rate=4e-4),
    "rate-2e-3": _variant("learning rate 2e-3", "fit", learning_rate=2e-3),
    "steps-schedule": _variant("the rate halved at 50, 75 and 90 %", "fit", schedule="steps"),
    "cosine-schedule": _variant("the rate warmed up and annealed", "fit", schedule="cosine"),
    "unlabelled": _variant("unlabelled patches teach", "fit", unlabelled=True),
    # the features
    **{
        f"components-{count}": _variant(f"{count} components of the features", "features", components=count)
        for count in (12, 30, 60, 120)
    },
    "components-all": _variant("all channels of the features", "features", components=None),
    **{
        f"timestep-{step}": _variant(f"features at timestep {step}", "features", timestep=step)
        for step in (0, 20, 50, 100)
    },
    **{f"layer-{layer}": _variant(f"features of encoder block {layer}", "features", layer=layer) for layer in (1, 2)},
    "draws-4": _variant("probabilities averaged over 4 draws of the noise", "features", draws=4),
    "flips": _variant("probabilities averaged over turned and flipped patches", "features", flips=True),
    # the pretraining
    "no-masking": _variant("pretraining without masks", "pretraining", needs="second", masking=False),
    "plain-diffusion": _variant(
        "plain diffusion of the stacked bands: Gaussian noise on all, no masks", "pretraining", needs="second", **_PLAIN
    ),
    "residual-target": _variant(
        "the additive residual as target on SAR", "pretraining", needs="sar", target="residual"
    ),
    "looks-4": _variant("speckle of 4 looks", "pretraining", needs="sar", looks=4.0),
    "no-recalibration": _variant("batch norms not recalibrated", "pretraining", recalibrate=False),
    **{f"depth-{d}": _variant(f"{d} bands enter the denoiser", "pretraining", depth_limit=d) for d in (8, 16, 32, 64)},
    **{
        f"pretrain-x{factor:g}": _variant(f"{factor:g} times the pretraining", "pretraining", length=factor)
        for factor in (0.25, 4.0)
    },
    "pretrain-rate-4e-4": _variant("pretraining at 4e-4", "pretraining", learning_rate=4e-4),
    "pretrain-rate-1e-4": _variant("pretraining at 1e-4", "pretraining", learning_rate=1e-4),
}
