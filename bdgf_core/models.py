"""Model files as working objects: a pretrained denoiser with its sensors, a classifier with its legend."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Iterator, Mapping, Union

import torch

from .checkpoint import load_model
from .device import Device
from .diffusion.features import feature_channels
from .diffusion.forward import BandStack, ForwardProcess
from .diffusion.unet import DenoisingUNet, channels_last
from .errors import BdgfError, ModelFileError
from .inputs import FeatureScale, InputReader
from .legend import Legend
from .network.group import GroupConfig, GroupNetwork
from .raster.stack import RasterStack
from .samples.sensor import Sensor
from .sensors import check_units

Tensors = Mapping[str, torch.Tensor]


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
    """A group network in eval mode on top of a pretrained denoiser."""

    document: dict[str, Any]
    pretrained: Pretrained
    network: GroupNetwork
    scale: FeatureScale
    legend: Legend

    def reader(self, stack: RasterStack, device: Device) -> InputReader:
        return self.pretrained.reader(stack, device).with_scale(self.scale)


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
        network = GroupNetwork(config)
        network.load_state_dict(_under("network.", model.tensors))
        scale = FeatureScale(*(model.tensors[f"scale.{name}"].float() for name in ("mean", "std")))
        if "scale.basis" in model.tensors:
            scale = replace(scale, basis=model.tensors["scale.basis"].float())
        channels = feature_channels(pretrained.process.stack.depth)
        if scale.mean.shape != (channels,) or scale.std.shape != (channels,):
            raise ValueError("its features do not fit its denoiser")
        return Classifier(model.document, pretrained, network.eval(), scale, legend)


def classifier_tensors(denoiser: DenoisingUNet, network: GroupNetwork, scale: FeatureScale) -> dict[str, torch.Tensor]:
    """All tensors of a classifier file, by name."""
    tensors = {f"denoiser.{name}": tensor for name, tensor in denoiser.state_dict().items()}
    tensors.update({f"network.{name}": tensor for name, tensor in network.state_dict().items()})
    tensors.update({"scale.mean": scale.mean, "scale.std": scale.std})
    return tensors if scale.basis is None else {**tensors, "scale.basis": scale.basis}


def _pretrained(document: dict[str, Any], tensors: Tensors) -> Pretrained:
    sensors = {name: Sensor.from_json(item) for name, item in document["sensors"].items()}
    method = document["method"]
    stack = BandStack(**method["stack"])
    if stack.spectral != sensors["spectral"].depth_bands or set(sensors) - {"spectral", "second"}:
        raise ValueError("its sensors do not fit its denoiser")
    denoiser = DenoisingUNet()
    denoiser.load_state_dict(dict(tensors))
    process = ForwardProcess.of(stack, float(method["looks"]))
    return Pretrained(document, sensors, denoiser.eval(), process, int(document["training"]["seed"]))


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
        raise ModelFileError(f"The model file {path} is not of the expected form ({why}); make it anew.") from None
