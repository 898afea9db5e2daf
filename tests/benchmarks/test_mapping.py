"""Whole maps through the shell, of a scene and of a mosaic of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_verbs import Chain, chain_of, run_chain
from tiny_scene import TinyScene

from benchmarks.__main__ import main


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    chain = chain_of(TinyScene(tmp_path_factory.mktemp("scene")), "mapped")
    run_chain(chain)
    return chain


def test_a_mosaic_with_data_in_its_first_and_last_rows(
    chain: Chain, scene_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier = str(chain.classify.classifier)
    asked = ["--classifier", classifier, "--mosaic", "60", "--rows", "12", "--sampled", "5", "--cache", str(tmp_path)]
    assert main(["map-speed", str(scene_file), *asked]) == 0
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith(("| as", "| 60"))]
    assert [row[0] for row in rows] == ["| as it is", "| 60 × 60"]
    for row in rows:
        pixels, seconds, rate, faster = map(float, row[1:5])
        assert seconds > 0 and rate == pytest.approx(pixels / seconds, rel=0.1) and faster > 0
        assert float(row[5].rstrip("%")) > 0 and int(row[6].rstrip(" |")) > 100
    assert 60 * 20 <= int(rows[1][1]) <= 60 * 28  # and no more but for windows that reach into rows with data


@pytest.mark.parametrize("wrong", [["--mosaic", "0"], ["--rows", "0"], ["--sampled", "0"], ["--device", "abacus"]])
def test_what_cannot_be_mapped_is_told(chain: Chain, scene_file: Path, tmp_path: Path, wrong: list[str]) -> None:
    asked = ["--classifier", str(chain.classify.classifier), "--cache", str(tmp_path), *wrong]
    assert main(["map-speed", str(scene_file), *asked]) == 1
    assert main(["map-speed", str(scene_file), "--classifier", "none.bdgf", "--cache", str(tmp_path)]) == 1
