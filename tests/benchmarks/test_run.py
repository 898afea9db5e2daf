"""Measuring from the command line, to the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from ledger_entries import make_entry
from osgeo import gdal

from bdgf_core.device import choose_device
from bdgf_core.diffusion.forward import BandStack
from bdgf_core.diffusion.schedule import NoiseSchedule
from bdgf_core.errors import InputError
from bdgf_core.gather import feature_scale
from bdgf_core.progress import Progress
from bdgf_core.raster.window import Window
from benchmarks.__main__ import main
from benchmarks.configurations import find_configuration
from benchmarks.ledger import Ledger
from benchmarks.measure import Workshop, measure, pretrained_of
from benchmarks.open_scene import open_scene
from benchmarks.pretraining import ResidualTarget
from benchmarks.protocols import Protocol
from benchmarks.rivals import pixel_features, with_indices
from benchmarks.scenes import find_scene
from benchmarks.screening import best_variants


def shop(folder: Path, memory_mb: int = 512, **changes: Any) -> Workshop:
    return Workshop(folder, choose_device("cpu"), memory_mb << 20, **changes)


def run(scene: Path, folder: Path, *more: str) -> int:
    where = ["--ledger", str(folder / "l.jsonl"), "--cache", str(folder / "cache"), "--device", "cpu"]
    return main(["run", str(scene), "--seeds", "0", *where, *more])


@pytest.mark.usefixtures("momentary")
def test_from_the_command_to_the_page(scene_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wanted = ["--configuration", "quick", "--configuration", "forest", "--protocol", "pixels:8", "--blank"]
    assert run(scene_file, tmp_path, *wanted) == 0
    entries = {entry.configuration: entry for entry in Ledger(tmp_path / "l.jsonl").entries()}
    assert set(entries) == {"quick", "forest"}
    network = entries["quick"]
    total = 3 * 50 - 3 * 8
    assert network.accuracy.total == entries["forest"].accuracy.total == total
    assert set(network.blanked) == {"spectral", "second"} and network.pretraining["steps"] == 2
    assert all(np.sum(folds) == total for folds in network.blanked.values())
    assert str(tmp_path) not in (tmp_path / "l.jsonl").read_text()
    capfd.readouterr()
    assert run(scene_file, tmp_path, *wanted) == 0  # nothing is run twice
    assert capfd.readouterr().out.count("is in the ledger") == 2
    assert len((tmp_path / "l.jsonl").read_text().splitlines()) == 2
    page = [str(tmp_path / name) for name in ("r.md", "r.csv", "r.json")]
    assert (
        main(["page", "--ledger", str(tmp_path / "l.jsonl"), "--output", page[0], "--csv", page[1], "--json", page[2]])
        == 0
    )
    assert "| forest |" in Path(page[0]).read_text() and "tiny" in (tmp_path / "r.html").read_text()
    assert len(json.loads(Path(page[2]).read_text())) == 2


@pytest.mark.usefixtures("momentary")
@pytest.mark.parametrize(
    "name",
    ["quick+draws-4", *(pytest.param(f"quick+{name}", marks=pytest.mark.long) for name in (
        "unlabelled", "flips", "layer-1", "patch-7", "residual-target", "masking-attention"))],
)  # fmt: skip
def test_every_kind_of_choice_is_measured(name: str, scene_file: Path, cache: Path) -> None:
    with open_scene(find_scene(str(scene_file)), cache, Progress()) as opened:
        entry = measure(opened, Protocol("polygons", 2), find_configuration(name), 1, shop(cache), Progress())
    assert len(entry.folds) == 2 and entry.accuracy.total == 150 and entry.settings["pretraining_seed"] == 0


@pytest.mark.usefixtures("momentary")
def test_patches_that_do_not_fit_the_memory_change_nothing(scene_file: Path, cache: Path) -> None:
    quick, protocol = find_configuration("quick"), Protocol("pixels", 8)
    with open_scene(find_scene(str(scene_file)), cache, Progress()) as opened:
        roomy, narrow = shop(cache), shop(cache, memory_mb=1)
        held = measure(opened, protocol, quick, 0, roomy, Progress())
        read = measure(opened, protocol, quick, 0, narrow, Progress())
    assert roomy._bank is not None and roomy._bank[1].is_held
    assert narrow._bank is not None and not narrow._bank[1].is_held
    assert held.folds == read.folds


@pytest.mark.usefixtures("momentary")
@pytest.mark.parametrize("sensor", ["spectral", "second"])
def test_a_sensor_is_pretrained_by_itself(scene_file: Path, cache: Path, sensor: str) -> None:
    with open_scene(find_scene(f"{scene_file}/{sensor}"), cache, Progress()) as opened:
        settings = find_configuration("quick").settings()
        assert list(pretrained_of(opened, settings, 0, shop(cache), Progress()).sensors) == ["spectral"]


@pytest.mark.usefixtures("momentary")
def test_patches_are_gathered_once_for_neighbours(scene_file: Path, cache: Path) -> None:
    with open_scene(find_scene(str(scene_file)), cache, Progress()) as opened:
        place, banks = shop(cache), []
        for name in ("quick", "quick+mutual", "quick+layer-1", "quick+looks-4"):
            settings = find_configuration(name).settings()
            pretrained = pretrained_of(opened, settings, 0, place, Progress())
            banks.append(place.bank(opened, pretrained, settings.features, settings.network.patch, Progress()))
    assert banks[0] is banks[1] and len({id(bank) for bank in banks}) == 3


@pytest.mark.usefixtures("momentary")
def test_features_are_scaled_and_hidden_sensors_show_nothing(scene_file: Path, cache: Path) -> None:
    place = shop(cache)
    settings = find_configuration("quick").settings()
    with open_scene(find_scene(str(scene_file)), cache, Progress()) as opened:
        pretrained = pretrained_of(opened, settings, 0, place, Progress())
        bank = place.bank(opened, pretrained, settings.features, 9, Progress())
        every = np.arange(len(opened.labels))
        scale = feature_scale(bank.take(every).diffusion, components=None)
        centres = bank.scaled(every, scale).batch(torch.from_numpy(every), torch.device("cpu")).diffusion[:, :, 4, 4]
        assert centres.mean(0).abs().max() < 1e-2 and (centres.std(0, correction=0) - 1).abs().max() < 1e-2
        shown = bank.take(every)
        hidden = place.bank(opened, pretrained, settings.features, 9, Progress(), blank="second").take(every)
    assert not hidden.second.any() and shown.second.any()
    assert torch.equal(hidden.spectral, shown.spectral) and not torch.equal(hidden.diffusion, shown.diffusion)


@pytest.mark.usefixtures("momentary")
def test_pretraining_is_made_once_for_each_choice(scene_file: Path, tmp_path: Path) -> None:
    with open_scene(find_scene(str(scene_file)), tmp_path, Progress()) as opened:
        for name in ("quick", "quick+flips", "quick+no-masking"):
            pretrained_of(opened, find_configuration(name).settings(), 5, shop(tmp_path), Progress())
        pretrained_of(
            opened, find_configuration("quick").settings(), 5, shop(tmp_path, pretraining_seed=None), Progress()
        )
    assert len(list((tmp_path / "pretrained").glob("*.bdgf"))) == 3


def test_the_residual_is_what_noise_added() -> None:
    process = ResidualTarget.of(BandStack(3, 2, True))
    generator = torch.Generator().manual_seed(0)
    x0, normal = torch.rand((4, 5, 6, 6), generator=generator), torch.randn((4, 5, 6, 6), generator=generator)
    keep, t = torch.ones_like(x0), torch.tensor([5, 50, 100, 150])
    noised = process.noise(x0, keep, t, normal)[:, 0, process.stack.places]
    target = process.target(x0, keep, t, normal)
    signal = process.schedule.alphas_cumprod[t].float()[:, None, None, None]
    assert noised.abs().max() <= 6
    again = signal.sqrt() * x0 + (1 - signal).sqrt() * target
    assert torch.allclose(again[:, 3:], noised[:, 3:], atol=1e-5) and torch.equal(target[:, :3], normal[:, :3])


def test_statistics_are_those_of_the_window(scene_file: Path, tmp_path: Path) -> None:
    with open_scene(find_scene(str(scene_file)), tmp_path, Progress()) as opened:
        found = pixel_features(opened.stack, opened.labels, statistics=True)
        plain = pixel_features(opened.stack, opened.labels, statistics=False)
        inner = np.flatnonzero((opened.labels.rows == 38) & (opened.labels.cols == 19))
        patch = np.concatenate(list(opened.stack.read(Window(34, 15, 9, 9)).arrays.values())).reshape(8, -1)
    assert np.allclose(found[:, :8], plain, rtol=1e-5) and np.isfinite(found).all()
    assert np.allclose(found[inner[0], 8:16], patch.mean(1), rtol=1e-4)
    assert np.allclose(found[inner[0], 16:], patch.std(1), rtol=1e-3)


@pytest.mark.usefixtures("momentary")
@pytest.mark.parametrize(
    "more,text",
    [(["--configuration", "nothing"], "not known"), ([], "Say what to measure"),
     (["--configuration", "forest", "--protocol", "apart"], "no reference"),
     (["--configuration", "forest", "--protocol", "pixels:500"], "No more than 500"),
     (["--configuration", "forest", "--device", "abacus"], "not known")],
)  # fmt: skip
def test_what_cannot_be_is_said_in_a_sentence(
    more: list[str], text: str, scene_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(scene_file, tmp_path, *more) == 1
    assert text in capfd.readouterr().err and not (tmp_path / "l.jsonl").exists()


def test_what_a_scene_lacks_is_left_out(scene_file: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    wanted = ["--configuration", "quick+residual-target"]
    assert run(scene_file / "spectral", tmp_path, *wanted) == 0
    assert "left out, it needs a SAR" in capfd.readouterr().out


def test_indices_are_those_of_spectral_bands() -> None:
    found = with_indices(np.array([[3.0, 1.0, 0.0, 7.0], [0.0, 0.0, -2.0, 7.0]], np.float32), 3)
    assert np.allclose(found[:, 4:], [[-0.5, -1.0, -1.0], [0.0, -1.0, -1.0]])


@pytest.mark.long
@pytest.mark.usefixtures("momentary")
def test_features_are_drawn(scene_file: Path, cache: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    where = ["--cache", str(cache), "--device", "cpu", "--output"]
    assert main(["embed", str(scene_file), "--per-class", "12", *where, str(tmp_path)]) == 0
    told = capfd.readouterr().out
    kinds = ["branch cnn", "branch transformer", "branch mamba", "diffusion features", "without masking"]
    assert all(kind in told for kind in kinds)
    tables = sorted(tmp_path.glob("*.csv"))
    assert len(tables) == len(list(tmp_path.glob("*.svg"))) == 5
    assert all(len(path.read_text().splitlines()) == 1 + 3 * 12 for path in tables)
    ElementTree.fromstring((tmp_path / "tiny-branch-mamba.svg").read_text())


@pytest.mark.usefixtures("momentary")
def test_images_are_sampled(scene_file: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = NoiseSchedule.linear(4, first=0.05, last=0.9)
    monkeypatch.setattr(NoiseSchedule, "linear", classmethod(lambda cls: few))
    output = tmp_path / "images.tif"
    where = ["--cache", str(tmp_path), "--device", "cpu", "--output", str(output)]
    monkeypatch.setattr("bdgf_core.pretrain.STEPS", 4)
    monkeypatch.setattr("bdgf_core.pretrain.FEATURE_TIMESTEP", 1)
    assert main(["sample", str(scene_file), "--count", "2", "--side", "8", *where]) == 0
    made = gdal.Open(str(output)).ReadAsArray()
    assert made.shape == (8, 8, 16) and np.isfinite(made).all()
    assert 0 < made[6:].min() and made[6:].max() <= 1 + 1e-6  # SAR, scaled intensity


def test_the_best_of_a_screening_are_confirmed(scene_file: Path, tmp_path: Path, momentary: None) -> None:
    ledger = Ledger(tmp_path / "l.jsonl")
    better = [[[10, 0], [1, 9]], [[9, 1], [0, 10]]]
    for name, folds in (("quick", None), ("quick+flips", better), ("quick+no-cnn", None), ("forest", better)):
        for seed in (0, 1):
            more = {} if folds is None else {"folds": folds}
            ledger.append(
                make_entry(
                    scene="there", protocol="polygons:3", configuration=name, settings={"n": name}, seed=seed, **more
                )
            )
    assert best_variants(ledger.entries(), "there", "polygons:3", "quick", 5) == ["quick+flips"]
    with pytest.raises(InputError, match="no variants of paper"):
        best_variants(ledger.entries(), "there", "polygons:3", "paper", 5)


def test_costs_are_told(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["cost"]) == 0
    assert "996.43" in capfd.readouterr().out


@pytest.mark.parametrize("rival", ["forest-9x9", "svm", "boosting"])
def test_rivals_tell_the_zones_apart(rival: str, scene_file: Path, tmp_path: Path) -> None:
    with open_scene(find_scene(str(scene_file)), tmp_path, Progress()) as opened:
        entry = measure(opened, Protocol("polygons", 2), find_configuration(rival), 0, shop(tmp_path), Progress())
    assert entry.accuracy.overall > 0.8 and entry.settings == {"rival": find_configuration(rival).rival}
