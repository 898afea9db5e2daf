"""How near each stage is to what the machine can do, what dense maps gain, and how time and memory grow.

All figures are ratios within one run; inputs are random numbers, which takes as long as real ones.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence

import torch
from torch import Tensor

from bdgf_core.device import Device
from bdgf_core.diffusion.features import feature_channels
from bdgf_core.diffusion.schedule import FEATURE_TIMESTEP
from bdgf_core.diffusion.unet import HALO, DenoisingUNet, channels_last
from bdgf_core.memory import release_memory
from bdgf_core.models import load_classifier
from bdgf_core.network.config import GroupConfig
from bdgf_core.network.group import GroupNetwork
from bdgf_core.network.image_patches import gather_patches
from bdgf_core.network.scan import selective_scan
from bdgf_core.pretrain import PRESETS as PRETRAINING
from bdgf_core.progress import Progress
from bdgf_core.samples.sensor import NETWORK_CHANNELS
from bdgf_core.train import PRESETS, network_form

from .cost import cost_of, denoiser_cost
from .rates import Rates, seconds
from .tables import DASH, Table

_BATCH = 256
_SCANS = ((256, 10, 128), (256, 81, 128), (2048, 16, 64))  # samples, length, channels; 16 states each
_STATES = 16


@dataclass(frozen=True)
class Subject:
    """What is measured: both networks, with so many bands in the denoiser; ``folded`` as it maps."""

    denoiser: DenoisingUNet
    network: GroupNetwork
    folded: GroupNetwork
    depth: int
    preset: str

    @classmethod
    def of_file(cls, path: Path, preset: str) -> Subject:
        classifier = load_classifier(path)
        pretrained = classifier.pretrained
        return cls._of(pretrained.denoiser, classifier.network, pretrained.process.stack.depth, preset)

    @classmethod
    def _of(cls, denoiser: DenoisingUNet, network: GroupNetwork, depth: int, preset: str) -> Subject:
        folded = copy.deepcopy(network)
        folded.fold()
        return cls(channels_last(denoiser), network, folded, depth, preset)

    @classmethod
    def random(cls, preset: str, *, spectral: int = 10, second: int = 4, classes: int = 13) -> Subject:
        """As a preset has it for so many bands and classes, untrained."""
        form = PRESETS[preset]
        depth = -(-(spectral + second) // 8) * 8
        diffusion = form.feature_components or feature_channels(depth)
        config = network_form(
            form, spectral=min(spectral, NETWORK_CHANNELS), second=second, diffusion=diffusion, classes=classes,
            components=spectral > NETWORK_CHANNELS,
        )  # fmt: skip
        return cls._of(DenoisingUNet().eval(), GroupNetwork(config).eval(), depth, preset)

    @property
    def config(self) -> GroupConfig:
        return self.network.config

    def to(self, device: Device) -> Subject:
        moved = {name: getattr(self, name).to(device.torch) for name in ("denoiser", "network", "folded")}
        return replace(self, **moved)

    def bands(self, side: int, device: Device, *, batch: int = 1) -> Tensor:
        x = torch.randn(batch, 1, self.depth, side, side, device=device.torch)
        return x.contiguous(memory_format=torch.channels_last_3d)

    def images(self, side: int, device: Device, *lead: int) -> list[Optional[Tensor]]:
        widths = (self.config.spectral, self.config.second, self.config.diffusion)
        return [torch.randn(*lead, w, side, side, device=device.torch) if w else None for w in widths]

    def encode(self, x: Tensor, *, halo: int = 0) -> Tensor:
        timestep = torch.full((len(x),), FEATURE_TIMESTEP, device=x.device)
        return self.denoiser.encode(x, timestep, halo=(halo,) * 4)

    def mapped(self, images: Sequence[Optional[Tensor]]) -> Tensor:
        return self.folded.classify_image(*images, batch=_BATCH)


def speed(subject: Subject, device: Device, *, side: int, sampled: int, repeats: int, progress: Progress) -> Any:
    """The figures as a document: a tile of ``side`` pixels, and ``sampled`` pixels patch by patch."""
    subject = subject.to(device)
    found: dict[str, Any] = {"preset": subject.preset, "device": str(device), "tile": side}
    steps: list[tuple[str, Callable[[], Any]]] = [
        ("stages", lambda: stages(subject, device, side=side, repeats=repeats)),
        ("dense", lambda: dense(subject, device, side=side, sampled=sampled, repeats=repeats)),
        ("scan", lambda: scans(device, repeats=repeats)),
        ("growth", lambda: growth(subject.preset, device, side=side, repeats=repeats)),
    ]
    for done, (name, measure) in enumerate(steps):
        progress.check_canceled()
        found[name] = measure()
        progress.update((done + 1) / len(steps))
    return found


def stages(subject: Subject, device: Device, *, side: int, repeats: int) -> list[dict[str, Any]]:
    """Each stage against its floor: its multiply-adds at the rate of convolutions or products, measured right before,
    or its inputs, outputs and weights at that of copying, whichever takes longer."""
    plain = replace(device, bfloat16=False)
    how = PRETRAINING[subject.preset]
    images, patches = (
        subject.images(side + subject.config.patch - 1, device),
        subject.images(subject.config.patch, device, 64),
    )
    around = subject.bands(side + subject.config.patch - 1 + 2 * HALO, device)
    training = subject.bands(how.side, device, batch=how.batch)
    learner, network = channels_last(DenoisingUNet()).to(device.torch), GroupNetwork(subject.config).to(device.torch)
    classes = torch.randint(subject.config.classes, (64,), device=device.torch)
    inside = torch.zeros(how.batch, dtype=torch.long, device=device.torch)

    def pretrain() -> None:
        learner(training, inside).float().abs().mean().backward()

    def fit() -> None:
        network.loss(network(*patches), classes)[0].backward()

    def encode() -> None:
        with torch.no_grad():
            subject.encode(around, halo=HALO)

    def classify() -> None:
        with torch.no_grad():
            subject.mapped(images)

    step = 3 * denoiser_cost(subject.depth, how.side, how.batch).macs  # forward, and twice that back
    encoding = denoiser_cost(subject.depth, side, 1, encoder=True).macs  # of the tile; its halo is no must
    fitting = 3 * cost_of(network.eval(), lambda: network(*patches)).macs
    mapping = cost_of(subject.folded, classify).macs
    network.train()
    inputs, outputs = _bytes(images), 4 * side**2 * subject.config.classes
    rows: list[tuple[str, Device, Callable[[], Any], int, int, int]] = [
        ("pretraining step, float32", plain, pretrain, step, 0, 3 * _bytes([training, *learner.parameters()])),
        ("features of a tile", device, encode, encoding, 0, _bytes([around])),
        ("fit step", device, fit, 0, fitting, 3 * _bytes([*patches, *network.parameters()])),
        ("network on a tile", device, classify, 0, mapping, inputs + outputs),
        ("map of a tile", device, lambda: (encode(), classify()), encoding, mapping, inputs + outputs),
    ]
    if device.bfloat16:
        rows.insert(1, ("pretraining step, bfloat16", device, *rows[0][2:]))
    found = []
    for name, on, run, convolved, multiplied, moved in rows:
        rates = Rates.of(on, repeats=max(5, repeats))
        with on.autocast():
            taken = seconds(run, on, repeats=repeats)
        floor = max(convolved / rates.convolution + multiplied / rates.product, moved / rates.moved)
        found.append({"stage": name, "gmac": (convolved + multiplied) / 1e9, "share_of_floor": floor / taken})
    return found


@torch.no_grad()
def dense(subject: Subject, device: Device, *, side: int, sampled: int, repeats: int) -> dict[str, Any]:
    """A map of a tile, per pixel, against ``sampled`` pixels one patch at a time: the encoder on patches of the
    network's side, as the paper has it, and the network on patches. And how far both give the same."""
    images = subject.images(side + subject.config.patch - 1, device)
    around = subject.bands(side + subject.config.patch - 1 + 2 * HALO, device)
    patch_by_patch, row, col = _patch_by_patch(subject, images, device, side=side, sampled=sampled)

    def whole() -> Tensor:
        subject.encode(around, halo=HALO)
        return subject.mapped(images)

    with device.autocast():
        each = seconds(patch_by_patch, device, repeats=1) / sampled
        all_ = seconds(whole, device, repeats=repeats) / side**2
    one, other = patch_by_patch().double(), whole()[:, row, col].T.double()  # in float32, where both are the same
    return {
        "pixels": sampled, "times_faster": each / all_,
        "same_class": float((one.argmax(1) == other.argmax(1)).double().mean()),
        "largest_difference": float((one.log() - other.log()).abs().max()),
    }  # fmt: skip


@torch.no_grad()
def patchwise(subject: Subject, device: Device, *, sampled: int, side: int = 128) -> float:
    """Seconds a pixel one patch at a time, from so many pixels of a tile."""
    images = subject.images(side + subject.config.patch - 1, device)
    run, _, _ = _patch_by_patch(subject, images, device, side=side, sampled=sampled)
    with device.autocast():
        return seconds(run, device, repeats=1) / sampled


def _patch_by_patch(
    subject: Subject, images: Sequence[Optional[Tensor]], device: Device, *, side: int, sampled: int
) -> tuple[Callable[[], Tensor], Tensor, Tensor]:
    """What gives the class probabilities (sampled, K) of pixels of ``images`` by encoding and classifying a patch for
    each, and the pixels' rows and columns."""
    patch = subject.config.patch
    generator = torch.Generator().manual_seed(0)
    row, col = (torch.randint(side, (sampled,), generator=generator).to(device.torch) for _ in range(2))
    strips = [subject.bands(patch, device, batch=len(part)) for part in row.split(_BATCH)]

    def run() -> Tensor:
        found = []
        for at, x in zip(zip(row.split(_BATCH), col.split(_BATCH)), strips):
            subject.encode(x)
            patches = [None if image is None else gather_patches(image, *at, patch) for image in images]
            found.append(subject.network.probabilities(subject.network(*patches)))
        return torch.cat(found)

    return run, row, col


def scans(device: Device, *, repeats: int) -> list[dict[str, Any]]:
    """The plain loop's time over that of the scan that is chosen, forward, and forward and backward."""
    found = []
    for case in _SCANS:
        ratios = [
            seconds(_scan(case, "sequential", gradient, device), device, repeats=repeats)
            / seconds(_scan(case, "auto", gradient, device), device, repeats=repeats)
            for gradient in (False, True)
        ]
        found.append({"case": list(case), "forward": ratios[0], "with_gradients": ratios[1]})
    return found


def _scan(case: tuple[int, int, int], backend: str, gradient: bool, device: Device) -> Callable[[], None]:
    batch, length, channels = case
    u, delta, z = (torch.randn(batch, channels, length, device=device.torch) for _ in range(3))
    B, C = (torch.randn(batch, _STATES, length, device=device.torch) for _ in range(2))
    A = -torch.arange(1.0, _STATES + 1, device=device.torch).repeat(channels, 1)
    leaves = [x.requires_grad_(gradient) for x in (u, delta, A, B, C, z)]

    def run() -> None:
        y = selective_scan(u, delta, A, B, C, None, z, backend=backend)
        if gradient:
            torch.autograd.grad(y.sum(), leaves)

    return run


def growth(preset: str, device: Device, *, side: int, repeats: int) -> list[dict[str, Any]]:
    """Time and memory of a map of a tile against those of the first row's."""
    found = []
    for pixels, bands, classes in ((1, 10, 13), (2, 10, 13), (1, 20, 13), (1, 44, 13), (1, 10, 26), (1, 10, 52)):
        subject = Subject.random(preset, spectral=bands, classes=classes).to(device)
        taken, memory = _mapping(subject, pixels * side, device, repeats)
        found.append(
            {"pixels": (pixels * side) ** 2, "bands": bands, "classes": classes, "time": taken, "memory": memory}
        )
    first = dict(found[0])
    # Memory is what a run adds to the process's peak, which may be nothing.
    return [
        {**row, **{name: first[name] and row[name] and row[name] / first[name] for name in ("time", "memory")}}
        for row in found
    ]


@torch.no_grad()
def _mapping(subject: Subject, side: int, device: Device, repeats: int) -> tuple[float, Optional[int]]:
    x, images = subject.bands(side, device), subject.images(side + subject.config.patch - 1, device)

    def run() -> None:
        subject.encode(x)
        subject.mapped(images)

    with device.autocast():
        return seconds(run, device, repeats=repeats), peak_bytes(run, device)


def peak_bytes(run: Callable[[], Any], device: Device) -> Optional[int]:
    """The most memory that ``run`` takes beyond what is held; None where the system does not tell."""
    release_memory()  # else it may find all that it needs in what was freed before
    if device.is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    status, reset = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not reset.exists():
        return None
    reset.write_text("5")  # the high-water mark becomes what is held now
    before = int(status.read_text().split("VmRSS:")[1].split()[0])
    run()
    return 1024 * (int(status.read_text().split("VmHWM:")[1].split()[0]) - before)


def as_tables(found: Mapping[str, Any]) -> list[Table]:
    """What :func:`speed` found, a table for each of its steps."""
    d, stages = found["dense"], f"Share of the floor; {found['device']}, tiles of {found['tile']} pixels a side."
    return [
        Table(
            stages,
            (f"Stage of {found['preset']}", "GMAC", "Floor / time"),
            tuple((r["stage"], f"{r['gmac']:.2f}", f"{r['share_of_floor']:.0%}") for r in found["stages"]),
        ),
        Table(
            "Dense against patch by patch.",
            ("Pixels", "Times as fast", "Same class", "Largest difference of log-probabilities in float32"),
            (
                (
                    str(d["pixels"]),
                    f"{d['times_faster']:.1f}",
                    f"{d['same_class']:.4%}",
                    f"{d['largest_difference']:.1e}",
                ),
            ),
        ),
        Table(
            "Selective scan: the plain loop's time over ours.",
            ("B, L, D", "Forward", "With gradients"),
            tuple((str(r["case"]), f"{r['forward']:.1f}", f"{r['with_gradients']:.1f}") for r in found["scan"]),
        ),
        Table(
            "Growth of a map.",
            ("Pixels", "Bands", "Classes", "Time", "Memory"),
            tuple(
                (
                    *(str(r[name]) for name in ("pixels", "bands", "classes")),
                    *(_times(r[name]) for name in ("time", "memory")),
                )
                for r in found["growth"]
            ),
        ),
    ]


def _times(value: Optional[float]) -> str:
    return DASH if value is None else f"{value:.2f}"


def _bytes(tensors: Sequence[Optional[Tensor]]) -> int:
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)
