"""The device and the memory of a job."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from bdgf_core.device import choose_device
from bdgf_core.errors import DeviceError, InputError
from bdgf_core.memory import memory_bound, peak_memory_mb


def test_the_cpu_is_always_there():
    device = choose_device("cpu")
    assert device.torch.type == "cpu" and not device.is_cuda and "asked for" in str(device)


def test_auto_says_why_it_took_the_cpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "no CUDA GPU" in str(choose_device("auto"))
    for name in ("cuda", "cuda:1"):
        with pytest.raises(DeviceError, match="none found"):
            choose_device(name)


@pytest.mark.parametrize("capability,bfloat16", [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_bfloat16_only_where_the_gpu_has_units_for_it(monkeypatch, capability, bfloat16):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"GPU {index}")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: capability)
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace())
    device = choose_device("cuda:1")
    assert device.is_cuda and device.torch.index == 1 and device.bfloat16 == bfloat16 and "GPU 1" in str(device)
    assert choose_device("auto").torch.index == 0
    with pytest.raises(DeviceError, match="2 found"):
        choose_device("cuda:2")


def test_a_gpu_is_told_to_repeat_itself(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "GPU")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda index: (9, 0))
    monkeypatch.setattr(torch.backends, "cudnn", SimpleNamespace(deterministic=False, benchmark=True))
    choose_device("cpu")
    assert torch.backends.cudnn.benchmark
    choose_device("auto")
    assert torch.backends.cudnn.deterministic and not torch.backends.cudnn.benchmark


@pytest.mark.parametrize(
    ("has", "bfloat16", "matrix_units"),
    [((), False, False), (("avx512_bf16",), True, False), (("avx512_bf16", "amx_tile"), True, True)],
)
def test_bfloat16_on_a_cpu_that_multiplies_it(monkeypatch, has, bfloat16, matrix_units):
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda there=name in has: there, raising=False)
    device = choose_device("cpu")
    assert (device.bfloat16, device.matrix_units) == (bfloat16, matrix_units)


def test_a_torch_that_cannot_tell_computes_in_float32(monkeypatch):
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.delattr(torch.cpu, f"_is_{name}_supported", raising=False)
    assert not choose_device("cpu").bfloat16


@pytest.mark.parametrize(("asked", "bfloat16"), [("1", False), ("0", True), ("", True)])
def test_float32_on_request(monkeypatch, asked, bfloat16):
    monkeypatch.setenv("BDGF_FLOAT32", asked)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    device = choose_device("cpu")
    assert device.bfloat16 == device.matrix_units == bfloat16


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:-1", "mps"])
def test_names_of_no_device(name):
    with pytest.raises(DeviceError, match="auto"):
        choose_device(name)


def test_memory():
    assert memory_bound(1100) - memory_bound(1024) == 76 << 20
    assert memory_bound(1024) <= memory_bound(None) <= 2048 << 20
    with pytest.raises(InputError, match="1024"):
        memory_bound(1023)
    assert peak_memory_mb() > 10
