"""The verb ``info`` as a process: summary, page and JSON, without torch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_report import DOCUMENT

from bdgf_core.checkpoint import save_model
from bdgf_core.errors import BdgfError, InputError
from bdgf_core.files import claim
from bdgf_core.info import InfoConfig, count_parameters, info
from bdgf_core.progress import Progress

TENSORS = {
    "denoiser.conv.weight": torch.zeros(4, 3),
    "denoiser.norm.running_mean": torch.zeros(4),
    "denoiser.norm.num_batches_tracked": torch.tensor(3),
    "network.head.bias": torch.zeros(5),
    "noise": torch.zeros(100),
    "ood.samples": torch.zeros(20, 3),
}


@pytest.fixture()
def model(tmp_path: Path) -> Path:
    save_model(tmp_path / "m.bdgf", "classifier", DOCUMENT, TENSORS)
    return tmp_path / "m.bdgf"


def test_summary_page_and_json(model: Path) -> None:
    html, place = model.with_suffix(".html"), model.with_suffix(".json")
    result = info(InfoConfig(str(model), str(html), str(place)), Progress())
    assert result["summary"] == json.loads(place.read_text("utf-8"))
    assert result["summary"]["parameters"] == {"denoiser": 12, "network": 5}
    assert result["summary"]["sensors"]["second"]["kind"] == "sar_db"
    assert "losses" not in result["summary"]["training"]
    assert "水" in html.read_text("utf-8")


def test_an_output_belongs_to_one_job(model: Path) -> None:
    html, place = model.with_suffix(".html"), model.with_suffix(".json")
    for taken in (html, place):
        with claim(taken), pytest.raises(InputError, match="Another job"):
            info(InfoConfig(str(model), str(html), str(place)), Progress())
    assert list(model.parent.iterdir()) == [model]


def test_a_pretrained_model_is_all_denoiser() -> None:
    shapes = {"stem.weight": (16, 1, 3), "down.0.bias": (16,), "down.0.norm.running_var": (16,)}
    assert count_parameters("pretrained", shapes) == {"denoiser": 64}


def test_as_a_process_without_torch(model: Path) -> None:
    code = "import sys; from bdgf_core.__main__ import main; status = main(sys.argv[1:]); "
    code += "sys.exit(status + 40 * ('torch' in sys.modules))"
    job = model.with_suffix(".job")
    job.write_text(json.dumps({"model": str(model)}))
    root = Path(__file__).parents[1]
    for arguments in (["--job", str(job)], ["--model", str(model)]):
        done = subprocess.run([sys.executable, "-c", code, "info", *arguments], cwd=root, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert b"classifier" in done.stdout


def test_bad_requests_leave_nothing(model: Path) -> None:
    before = sorted(model.parent.iterdir())
    page = str(model.with_suffix(".html"))
    for arguments in ((str(model), str(model)), (str(model), page, page), (page,), (str(model), page, "/none/x.json")):
        with pytest.raises(BdgfError):
            info(InfoConfig(*arguments), Progress())
    assert sorted(model.parent.iterdir()) == before
