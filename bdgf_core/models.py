"""Model files as working objects: a pretrained denoiser with its sensors, a classifier with its legend."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping, Optional, TypeVar, Union

import torch

from .accuracy import Accuracy
from .calibration import check_temperature
from .checkpoint import load_model
from .device import Device
from .diffusion.features import feature_channels
from .diffusion.forward import ForwardProcess
from .diffusion.schedule import FEATURE_TIMESTEP, STEPS
from .diffusion.unet import DenoisingUNet, channels_last
from .errors import BdgfError, ModelFileError, check_seed
from .inputs import FeatureScale, InputReader, band_stack
from .legend import Legend
from .network.config import GroupConfig
from .network.group import GroupNetwork
from .network.regression import KernelRegression
from .network.trees import Trees
from .ood import OutOfDistribution
from .raster.stack import RasterStack
from .samples.sensor import Sensor
from .sensors import check_units
from .translation import tr

_JOINED = ("trees.", "regression.")  # names of tensors of what joins the branches

Tensors = Mapping[str, torch.Tensor]
Network = TypeVar("Network", bound=torch.nn.Module)


@dataclass(frozen=True)
class Pretrained:
    """A denoiser in eval mode, the sensors it was made for and its forward process."""

    document: dict[str, Any]
    sensors: dict[str, Sensor]
    denoiser: DenoisingUNet
    process: ForwardProcess
    seed: int

    def reader(self, stack: RasterStack, device: Device) -> InputReader:
        """Reads windows of ``stack`` as network inputs, on ``device``. Raises :class:`InputError` for another unit."""
        check_units(stack, self.sensors)
        denoiser = channels_last(self.denoiser).to(device.torch)
        return InputReader(stack, self.sensors, denoiser, self.process, self.seed, device)


@dataclass(frozen=True)
class Classifier:
    """A group network in eval mode on top of a pretrained denoiser; ``temperature`` calibrates its probabilities, see
    :func:`~bdgf_core.calibration.calibrated`. Files of the first versions have no ``ood`` and no temperature."""

    document: dict[str, Any]
    pretrained: Pretrained
    network: GroupNetwork
    scale: FeatureScale
    legend: Legend
    temperature: float = 1.0
    ood: Optional[OutOfDistribution] = None

    def reader(self, stack: RasterStack, device: Device) -> InputReader:
        reader = self.pretrained.reader(stack, device).with_scale(self.scale)
        return replace(reader, patch=self.network.config.patch)


def load_pretrained(path: Union[str, Path]) -> Pretrained:
    """Raises :class:`ModelFileError` for anything but a sound file of that kind."""
    model = load_model(path, "pretrained")
    with _refusing(path):
        return _pretrained(model.document, model.tensors)


def load_classifier(path: Union[str, Path]) -> Classifier:
    """Raises :class:`ModelFileError` for anything but a sound file of that kind."""
    model = load_model(path, "classifier")
    with _refusing(path):
        pretrained = _pretrained(model.document["pretrained"], _under("denoiser.", model.tensors))
        legend = Legend.from_json(model.document["legend"])
        config = GroupConfig(**model.document["method"]["network"])
        expected = {name: s.channels for name, s in pretrained.sensors.items()}
        if (
            config.classes != len(legend)
            or config.spectral != expected["spectral"]
            or config.second != expected.get("second", 0)
        ):
            raise ValueError("its parts do not fit each other")
        found = model.document.get("accuracy")
        if found is not None and len(Accuracy.from_json(found).confusion) != len(legend):
            raise ValueError("its accuracy is that of other classes")
        network = group_network(config, _under("network.", model.tensors))
        _check_units(network, pretrained.sensors["spectral"])
        scale = _scale(_under("scale.", model.tensors), feature_channels(pretrained.process.stack.depth), config)
        calibration = model.document.get("calibration")
        temperature = check_temperature(calibration["temperature"]) if calibration is not None else 1.0
        ood = OutOfDistribution.from_file(
            model.document.get("ood"), _under("ood.", model.tensors), channels=config.spectral + config.second
        )
        return Classifier(model.document, pretrained, network, scale, legend, temperature, ood)


def classifier_tensors(
    denoiser: DenoisingUNet, network: GroupNetwork, scale: FeatureScale, ood: Optional[OutOfDistribution] = None
) -> dict[str, torch.Tensor]:
    """All tensors of a classifier file, by name."""
    tensors = {f"denoiser.{name}": tensor for name, tensor in denoiser.state_dict().items()}
    tensors.update({f"network.{name}": tensor for name, tensor in network.state_dict().items()})
    tensors.update({"scale.mean": scale.mean, "scale.std": scale.std})
    if ood is not None:
        tensors.update({f"ood.{name}": tensor for name, tensor in ood.tensors.items()})
    return tensors if scale.basis is None else {**tensors, "scale.basis": scale.basis}


def _pretrained(document: dict[str, Any], tensors: Tensors) -> Pretrained:
    sensors = {name: Sensor.from_json(item) for name, item in document["sensors"].items()}
    method, seed = document["method"], document["training"]["seed"]
    stack = band_stack(sensors)
    if asdict(stack) != method["stack"] or set(sensors) - {"spectral", "second"}:
        raise ValueError("its sensors do not fit its denoiser")
    if (method.get("steps", STEPS), method.get("timestep", FEATURE_TIMESTEP)) != (STEPS, FEATURE_TIMESTEP):
        raise ValueError("its diffusion has other steps")
    looks = method["looks"]
    if type(looks) not in (int, float) or not 0.1 <= looks <= 1000:
        raise ValueError(f"it has {looks!r} looks")
    if type(seed) is not int:
        raise ValueError(f"its seed is {seed!r}")
    check_seed(seed)
    denoiser = _filled(DenoisingUNet, tensors)
    return Pretrained(document, sensors, denoiser, ForwardProcess.of(stack, float(looks)), seed)


def group_network(config: GroupConfig, tensors: Tensors) -> GroupNetwork:
    """The network with these weights, trees and regression, in eval mode. Raises ValueError where they are others."""
    grown, regressed = (_under(prefix, tensors) for prefix in _JOINED)
    network = _filled(
        lambda: GroupNetwork(config), {name: found for name, found in tensors.items() if not name.startswith(_JOINED)}
    )
    if config.trees:
        network.trees = Trees.of(grown, features=config.tree_features, classes=config.classes, trees=config.trees)
    elif grown:
        raise ValueError("it has trees that its network does not want")
    if config.landmarks:
        network.regression = KernelRegression.of(
            regressed, channels=config.regressed_channels, classes=config.classes, landmarks=config.landmarks
        )
    elif regressed:
        raise ValueError("it has a regression that its network does not want")
    return network.eval()


def _check_units(network: GroupNetwork, sensor: Sensor) -> None:
    units, config = sensor.units, network.config
    if config.indices and config.components != (units is None):
        raise ValueError("its ratios do not fit its bands")
    if config.index_bands and not torch.equal(network.units, torch.from_numpy(units)):
        raise ValueError("its bands have other units than its sensor")


def _scale(tensors: Tensors, channels: int, config: GroupConfig) -> FeatureScale:
    basis = tensors.get("basis")
    shapes: dict[str, tuple[int, ...]] = {"mean": (channels,), "std": (channels,)}
    if basis is not None:
        shapes["basis"] = (config.diffusion, channels)
    elif config.diffusion != channels:
        raise ValueError("its features do not fit its network")
    _check_tensors(tensors, {name: torch.empty(shape, device="meta") for name, shape in shapes.items()})
    if not bool((tensors["std"] > 0).all()):
        raise ValueError("a feature has no deviation")
    return FeatureScale(tensors["mean"], tensors["std"], basis)


def _filled(make: Callable[[], Network], tensors: Tensors) -> Network:
    """The network with these weights, in eval mode; nothing of its size is allocated before the weights are seen to be
    there."""
    with torch.device("meta"):
        _check_tensors(tensors, make().state_dict())
    network = make()
    network.load_state_dict(dict(tensors))
    return network.eval()


def _check_tensors(tensors: Tensors, expected: Tensors) -> None:
    if tensors.keys() != expected.keys():
        raise ValueError("its tensors are not those of its network")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape or tensor.dtype != expected[name].dtype:
            raise ValueError(f"{name} has another shape or type than its network wants")
        if not bool(torch.isfinite(tensor).all()):
            raise ValueError(f"{name} holds values that are no numbers")


def _under(prefix: str, tensors: Tensors) -> dict[str, torch.Tensor]:
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}


@contextmanager
def _refusing(path: Union[str, Path]) -> Iterator[None]:
    """A document or tensors of another form than expected, as one sentence."""
    try:
        yield
    except BdgfError:
        raise
    except (LookupError, ArithmeticError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise ModelFileError(
            tr("The model file {path} is not of the expected form ({why}); make it anew.", path=path, why=why)
        ) from None
