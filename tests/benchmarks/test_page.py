"""The results page holds what the ledger holds, and nothing else."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from ledger_entries import make_entry

from benchmarks.page import as_html, as_markdown, page_groups, write_page
from benchmarks.tables import as_csv, as_json, command, plainer

BETTER = [[[10, 0], [1, 9]], [[9, 1], [0, 10]]]


def several() -> list:
    entries = [make_entry(seed=seed) for seed in (0, 1, 2)]
    entries += [
        make_entry(seed=seed, configuration="forest", settings={"rival": "forest"}, folds=BETTER) for seed in (0, 1)
    ]
    entries.append(make_entry(protocol="pixels:5", blanked={"second": BETTER}))
    entries.append(make_entry(protocol="pixels:8", folds=BETTER))
    return entries


def test_every_figure_has_its_command_seeds_and_interval() -> None:
    text = as_markdown(page_groups(several()))
    assert "`python -m benchmarks run here.json --protocol polygons:2 --configuration quick --seeds 0-2`" in text
    line = next(line for line in text.splitlines() if line.startswith("| quick |") and "--seeds 0-2" in line)
    assert "85.00 ± 0.00" in line and "| 0-2 |" in line


def test_differences_are_paired_and_marked() -> None:
    text = as_markdown(page_groups(several()))
    assert next(line for line in text.splitlines() if line.startswith("| forest |")).count("+10.00 ± 0.00 \\*") == 2


def test_each_is_compared_with_what_has_one_variant_less() -> None:
    runs = dict.fromkeys(["quick", "quick+a", "quick+b+c", "quick+d", "standard", "forest"], [])
    wanted = {
        "quick": "quick", "quick+d": "quick", "quick+a+d": "quick+a", "quick+c+a+b": "quick+b+c",
        "standard+a": "standard", "paper+a": "quick", "forest": "quick",
    }  # fmt: skip
    assert {name: plainer(name, runs, "quick") for name in wanted} == wanted


def test_the_best_rival_comes_first() -> None:
    text = as_markdown(page_groups(several()))
    line = next(line for line in text.splitlines() if line.startswith("| here: 2 folds"))
    assert "| forest | -10.00 ± 0.00 \\* | -10.00 ± 0.00 \\* |" in line
    assert "In short" not in as_markdown(page_groups([make_entry(), make_entry(configuration="quick+no-cnn")]))


def test_tables_in_the_papers_layout() -> None:
    text = as_markdown(page_groups(several()))
    assert "| Class | forest | quick |" in text and "| Water | 95.00 | 75.00 |" in text
    assert "| OA | 95.00 | 85.00 |" in text and "| Kappa |" in text
    assert "| Measure | quick, OA | quick, AA | quick, Kappa |" in text and "| NSI | 0.0000 | 0.0000 | 0.0000 |" in text
    assert "| Configuration | 5 a class | 8 a class |" in text and "| quick | 85.00 | 95.00 |" in text
    assert "| quick | second | 95.00 |" in text  # with the second sensor hidden


def test_each_kind_has_its_table() -> None:
    names = ("", "+row10", "+row9", "+row12", "+no-cnn", "+ss-mae")
    entries = [make_entry(configuration=f"quick{name}") for name in names]
    entries.append(make_entry(configuration="quick+patch-7+no-cnn", folds=BETTER))
    entries.append(make_entry(configuration="quick+patch-7", folds=BETTER))
    _, *tables = as_markdown(page_groups(entries)).split("### ")
    firsts = {
        text.splitlines()[0]: re.findall(r"^\| (quick\S*) \|", text, re.MULTILINE) for text in tables
    }  # fmt: skip
    assert firsts == {
        "Presets, rivals and re-implemented networks of others": ["quick", "quick+ss-mae"],
        "By class": [],
        "The experiments of Table 2": ["quick+row9", "quick+row10", "quick+row12"],
        "What each choice brings": ["quick+patch-7", "quick+no-cnn", "quick+patch-7+no-cnn"],
    }
    row9 = next(line for text in tables for line in text.splitlines() if line.startswith("| quick+row9 |"))
    assert "without guidance of Mamba | 85.00" in row9 and "| quick+row12 | 0 |" in row9


def test_what_a_second_sensor_brings() -> None:
    entries = [make_entry(seed=seed, folds=BETTER) for seed in (0, 1)]
    entries += [make_entry(seed=seed, scene="here/spectral") for seed in (0, 1)]
    text = as_markdown(page_groups(entries))
    assert "what both sensors bring" in text
    line = next(line for line in text.splitlines() if line.startswith("| quick | spectral |"))
    assert "85.00 ± 0.00" in line and "+10.00 ± 0.00 \\*" in line
    assert "run here.json/spectral --protocol" in text
    assert "what both sensors bring" not in as_markdown(page_groups(entries[:2]))


def test_the_newest_settings_count() -> None:
    old = make_entry(settings={"steps": 1}, folds=BETTER)
    text = as_markdown(page_groups([old, make_entry(settings={"steps": 2})]))
    assert "quick as it is | 85.00 |" in text and "quick as it is | 95.00" not in text


def test_what_has_two_names_is_told_under_both() -> None:
    entries = [
        make_entry(configuration=name, settings={"all": 1}, seed=s) for s, name in enumerate(("quick+a", "quick+b"))
    ]
    text = as_markdown(page_groups([make_entry(settings={"all": 0}), *entries]))
    for name in ("quick+a", "quick+b"):
        assert f"--configuration {name} --seeds 0-1`" in text
    twice = make_entry(configuration="quick+a", settings={"all": 1}, seed=1)
    assert "--configuration quick+a --seeds 0-1`" in as_markdown(page_groups([*entries, twice]))


def test_figures_of_other_data_are_left_out() -> None:
    old = make_entry(
        scene_identity="old", configuration="forest", classes=["Water", "Land", "Ice"], folds=[[[1] * 3] * 3]
    )
    text = as_markdown(page_groups([old, make_entry()]))
    assert "forest" not in text and "quick as it is | 85.00 |" in text


def test_an_empty_ledger_makes_no_figures(tmp_path: Path) -> None:
    write_page([], tmp_path / "results.md", tmp_path / "results.html")
    assert "Nothing was measured yet." in (tmp_path / "results.md").read_text()
    assert "Nothing was measured yet." in (tmp_path / "results.html").read_text()


def test_names_from_data_break_nothing() -> None:
    nasty = "<script>|`x`\n# A [b](c)"
    entries = [make_entry(classes=[nasty, "Land"], scene="a|b")]
    html, markdown = as_html(page_groups(entries)), as_markdown(page_groups(entries))
    assert "<script>" not in html and "&lt;script&gt;" in html
    row = next(line for line in markdown.splitlines() if "script" in line)
    assert "\\<script\\>\\|" in row and "\n# A" not in markdown


def test_the_same_ledger_makes_the_same_page() -> None:
    assert as_html(page_groups(several())) == as_html(page_groups(several()))


def test_figures_as_csv_and_json() -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(several()[:1]))))
    assert [row["figure"] for row in rows][:4] == ["OA", "AA", "Kappa", "producer's accuracy of Water"]
    assert float(rows[0]["value"]) == 0.85
    assert as_json(several())[0]["overall_accuracy"] == 0.85


def test_commands_tell_how_it_was_run() -> None:
    assert command([make_entry(blanked={"second": BETTER})]).endswith("--seeds 0 --blank")
    anew = [make_entry(seed=1, pretraining={"seed": 1}), make_entry(seed=4, pretraining={"seed": 4})]
    assert command(anew).endswith("--seeds 1,4 --pretrain-anew")
