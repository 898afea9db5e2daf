"""What can be measured, by name: a preset, its one-factor variants, the rows of Table 2, crosses and rivals.

A configuration is a preset and its differences from it, in four groups: ``pretraining`` (:class:`PretrainChoice`),
``features`` (:class:`FeatureChoice`), ``network`` (:class:`GroupConfig`) and ``fit`` (:class:`FitConfig`, and
``length``, a factor of its steps). Its name is ``PRESET``, ``PRESET+VARIANT`` or several variants joined by ``+``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Mapping, Optional

from bdgf_core import pretrain, train
from bdgf_core.diffusion.schedule import FEATURE_TIMESTEP
from bdgf_core.errors import InputError
from bdgf_core.fit import FitConfig
from bdgf_core.network.config import GroupConfig

from .variants import Variant, variants_of

_WIDTHS = ("spectral", "second", "diffusion", "classes", "components")  # of a scene, not of a configuration


@dataclass(frozen=True)
class PretrainChoice:
    """Fields of :class:`~bdgf_core.pretrain.PretrainPreset`, and: ``length``, a factor of the steps; ``masking``;
    ``looks``; ``recalibrate`` the batch norms; ``noise`` of a SAR, "speckle" or "gaussian" as in plain diffusion;
    ``target`` on it, "log_speckle" or the additive "residual"."""

    depth_limit: int
    side: int
    batch: int
    learning_rate: float
    steps: Optional[int]
    voxels: tuple[Optional[float], Optional[float], Optional[float]]
    length: float = 1.0
    masking: bool = True
    looks: float = 1.0
    recalibrate: bool = True
    noise: str = "speckle"
    target: str = "log_speckle"


@dataclass(frozen=True)
class FeatureChoice:
    """``components`` None keeps all channels; ``layer`` 1 to 3, the block of the encoder; over ``draws`` of the noise
    and, where ``flips``, the eight symmetries of the patch the class probabilities are averaged."""

    components: Optional[int]
    timestep: int = FEATURE_TIMESTEP
    layer: int = 3
    draws: int = 1
    flips: bool = False

    def __post_init__(self) -> None:
        if self.layer not in (1, 2, 3) or self.draws < 1 or not 0 <= self.timestep < 500:
            raise InputError(f"Features of layer {self.layer}, timestep {self.timestep}, {self.draws} draws: no such.")


@dataclass(frozen=True)
class Settings:
    """All that a configuration comes down to; the widths of ``network`` are placeholders."""

    pretraining: PretrainChoice
    features: FeatureChoice
    network: GroupConfig
    fit: FitConfig
    epochs: int
    build: str
    unlabelled: bool

    def to_json(self) -> dict[str, Any]:
        document = asdict(self)
        document["network"] = {k: v for k, v in document["network"].items() if k not in _WIDTHS}
        return document


@dataclass(frozen=True)
class Configuration:
    """``changes`` by group; ``build`` names a network of :mod:`benchmarks.networks`, ``rival`` a classifier of
    :mod:`benchmarks.rivals` instead and what it sees. ``needs`` is "sar", "second" or "few bands", what a scene must
    have."""

    name: str
    about: str
    preset: str = ""
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    build: str = "group"
    rival: str = ""
    needs: str = ""

    def settings(self) -> Settings:
        """Raises :class:`InputError` for a change of something that there is not."""
        preset = train.PRESETS[self.preset]
        given = {group: dict(changes) for group, changes in self.changes.items()}
        unknown = set(given) - {"pretraining", "features", "network", "fit"}
        if unknown:
            raise InputError(f"{self.name} changes {', '.join(unknown)}, which is no group of settings.")
        before = vars(pretrain.PRESETS[self.preset])
        network = given.get("network", {})
        if preset.as_printed and "patch" in network:
            network.setdefault("attention_cells", network["patch"])
        fit = given.get("fit", {})
        length, unlabelled = fit.pop("length", 1.0), fit.pop("unlabelled", False)
        steps = max(1, round(preset.fit.steps * length)) if preset.fit.steps else 0
        how = replace(preset.fit, steps=steps, consistency=train.CONSISTENCY if unlabelled else None)
        form = train.network_form(preset, spectral=1, second=0, diffusion=1, classes=2)
        try:
            return Settings(
                pretraining=replace(PretrainChoice(**before), **given.get("pretraining", {})),
                features=replace(FeatureChoice(preset.feature_components), **given.get("features", {})),
                network=replace(form, **network),
                fit=replace(how, **fit),
                epochs=round(preset.epochs * length),
                build=self.build,
                unlabelled=unlabelled,
            )
        except (TypeError, ValueError) as error:
            raise InputError(f"{self.name} cannot be set up: {error}.") from None


def find_configuration(name: str) -> Configuration:
    """Raises :class:`InputError` with what is known for a name that is not."""
    if name in RIVALS:
        about, rival = RIVALS[name]
        return Configuration(name, about, rival=rival, needs="few bands" if rival.endswith(":indices") else "")
    preset, *variants = name.split("+")
    if preset not in train.PRESETS:
        raise InputError(f"Configuration {name!r} is not known; `python -m benchmarks list` names them.")
    known, found = variants_of(preset), Variant(f"the preset {preset} as it is")
    for variant in variants:
        if variant not in known:
            raise InputError(f"Preset {preset} has no variant {variant!r}; `python -m benchmarks list` names them.")
        found = known[variant] if variant == variants[0] else found.joined(known[variant])
    return Configuration(name, found.about, preset, found.changes, found.build, needs=found.needs)


def about(name: str) -> str:
    """What a configuration is, in words; nothing for one that is not known, as in a ledger of other days."""
    try:
        return find_configuration(name).about
    except InputError:
        return ""


def suite_of(name: str) -> str:
    """Where it stands among others: "presets", "rivals", or the suite of its variants."""
    preset, *variants = name.split("+")
    if not variants:
        return "rivals" if name in RIVALS else "presets"
    known = variants_of(preset) if preset in train.PRESETS else {}
    found = [suite for variant in variants if variant in known for suite in known[variant].suites]
    return next((suite for suite in found if suite != "screen"), "screen")


def suite(name: str, preset: str) -> list[str]:
    """The names of a suite's configurations: a preset and those of its variants that belong to it."""
    if name == "rivals":
        return list(RIVALS)
    members = [f"{preset}+{key}" for key, found in variants_of(preset).items() if name in found.suites]
    if not members:
        raise InputError(f"Suite {name!r} is not known; use one of {', '.join(SUITES)}.")
    return [preset, *members]


SUITES = {
    "screen": "one factor at a time, every open choice",
    "table2": "the twelve rows of Table 2",
    "transfer": "Table 8: two diffusion models crossed with two classifiers",
    "networks": "re-implemented networks of others, in the same training loop",
    "rivals": "classifiers of scikit-learn and Orfeo ToolBox on pixels and patch statistics",
}
RIVALS = {
    f"{key}{suffix}": (f"{about} on {seen}", f"{key}:{features}")
    for key, about in (
        ("forest", "random forest of 500 trees"),
        ("svm", "support vector machine, RBF kernel, C = 100"),
        ("boosting", "gradient boosting of histograms"),
    )
    for suffix, seen, features in (
        ("", "pixels", "pixels"),
        ("-9x9", "pixels and each band's mean and deviation in 9×9 pixels", "statistics"),
    )
}
RIVALS["forest-indices"] = (
    "random forest of 500 trees on pixels and the normalised differences of all spectral bands", "forest:indices"
)  # fmt: skip
RIVALS["otb-forest"] = ("random forest of Orfeo ToolBox, 200 trees, on pixels", "otb:pixels")
NETWORK_FIELDS = {item.name for item in fields(GroupConfig)}
