"""Reports are whole, escape every text, hold no script and survive what is absent."""

from __future__ import annotations

import copy
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from bdgf_core.accuracy import Accuracy
from bdgf_core.errors import ModelFileError
from bdgf_core.report import model_report, training_report, write_report
from bdgf_core.report_curves import curves

OWN = Accuracy(((5, 3, 0), (0, 8, 2), (0, 0, 0)))
RANDOM = Accuracy(((8, 0, 0), (1, 9, 0), (0, 0, 0)))
CLASSES = ((2, "Wald"), (7, "水"), (9, "Reed"))
SHRUNK = {"kind": "shrunk_gap", "name": "{Reed}", "gap": 9, "least": 2, "shrunk": 1, "folds": 4}
DOCUMENT: dict[str, Any] = {
    "created_with": "BDGF 0.1.0",
    "legend": [{"value": v, "label": n, "name": n, "color": "#11aa33"} for v, n in CLASSES],
    "class_counts": [8, 10, 3],
    "accuracy": {"protocol": "polygon", "gap": 9, "folds": 4, "notes": [SHRUNK], **OWN.to_json()},
    "training": {
        "preset": "quick", "epochs": 3, "seed": 0, "device": "cpu", "seconds": 431.0,
        "losses": [{"epoch": 1, "total": 3.0, "unmasked": 0.5}, {"epoch": 2, "total": 2.0}, {"epoch": 3, "total": 1.0}],
    },
    "sensors": {
        "spectral": {
            "kind": "optical", "source": "oli.tif",
            "bands": [{"number": i, "name": f"B{i}", "wavelength_nm": 400.5 + i, "used": i != 2} for i in (1, 2, 3)],
        },
        "second": {"kind": "sar_db", "source": "s1.tif", "bands": [{"number": 1, "name": "", "wavelength_nm": None}]},
    },
}  # fmt: skip
DOCUMENT["accuracy"]["random_split"] = RANDOM.to_json()
DOCUMENT["calibration"] = {
    "method": "temperature scaling", "temperature": 1.25, "fitted": 1.25, "samples": 18, "folds": 4,
    "before": {"calibration_error": 0.213, "log_loss": 0.9, "reliability": [[8, 0.5, 0.25], [10, 0.95, 0.9]]},
    "after": {"calibration_error": 0.104, "log_loss": 0.8, "reliability": [[18, 0.7, 0.6]]},
}  # fmt: skip
DOCUMENT["features"] = {
    "held_out": True, "classes": [0, 0, 1, 2],
    "branches": {"cnn": [[-1.0, 0.5], [-0.9, 0.4], [1.0, -0.2], [0.0, 0.0]], "mamba": [[0.0, 0.0]] * 4},
}  # fmt: skip
DOCUMENT["pretrained"] = {
    "training": {"losses": [{"step": s, "total": 0.5, "unmasked": 1 / s, "second": 2 / s} for s in (1, 2, 3)]}
}


class WellFormed(HTMLParser):
    """Every element that opens closes in order."""

    def __init__(self, *, images: bool = False) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images = 0
        self._may_hold_images = images

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script" and not any(name.startswith("on") for name, _ in attrs)
        if tag == "img":
            assert self._may_hold_images
            assert re.fullmatch(r"data:image/png;base64,[A-Za-z0-9+/]+=*", dict(attrs)["src"] or "")
            self.images += 1
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass


def check(page: str) -> None:
    parser = WellFormed()
    parser.feed(page)
    assert parser.open == []
    assert "NaN" not in page and "None" not in page
    assert not re.search(r"https?://|url\(|@import|src=", page), "a report refers to nothing outside"


def test_the_training_report_says_what_matters() -> None:
    page = training_report(DOCUMENT, warnings=["s1.tif was warped."])
    check(page)
    assert page.index("72.2 %") < page.index("94.4 %"), "the honest figure comes first"
    told = (
        "optimistic",
        "gap of 9 pixels",
        "in 4 folds",
        "shrank from 9 to 2 pixels in 1 of 4 folds",
        "s1.tif was warped.",
        "水",
    )
    facts = ("Reference ↓", "Predicted →", "2 used of 3", "401.5 to 403.5 nm", "SAR, dB", "7 min", "n/a")
    for words in told + facts:
        assert words in page, words


def test_notes_speak_the_language_of_the_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    accuracy = {**DOCUMENT["accuracy"], "notes": [SHRUNK, "Class Reed is small.", {"kind": "unheard of"}]}
    monkeypatch.setenv("BDGF_LANGUAGE", "de")
    page = training_report({**DOCUMENT, "accuracy": accuracy})
    assert "Der Klasse {Reed}" in page and "shrank" not in page
    assert "Class Reed is small." in page and "unheard of" in page, "as other versions wrote them"


def test_the_matrix_stands_the_right_way_round() -> None:
    page = training_report(DOCUMENT)
    row = re.search(r"Wald</th>(.*?)</tr>", page)
    assert row is not None
    assert re.findall(r">([\d·]+)</td>", row.group(1)) == ["5", "3", "·", "8"]


def test_the_report_tells_how_far_confidence_can_be_believed() -> None:
    page = training_report(DOCUMENT)
    assert page.index("10.4 %") < page.index("21.3 %"), "what maps have comes first"
    assert "1.25" in page and page.count('class="ideal"') == 2
    kept = {**DOCUMENT, "calibration": {**DOCUMENT["calibration"], "temperature": 1.0}}
    page = training_report(kept)
    assert "left as it is" in page and page.count('class="ideal"') == 1 and "21.3 %" in page and "10.4 %" not in page
    assert "not calibrated" in training_report({**DOCUMENT, "calibration": None})


def test_each_branch_has_its_picture_of_the_classes() -> None:
    page = training_report(DOCUMENT)
    pictures = re.findall(r"<svg [^>]*Features of a branch.*?</svg>", page)
    assert len(pictures) == 2 and all(picture.count("<circle") == 4 for picture in pictures)
    places = [float(value) for value in re.findall(r'c[xy]="([-\d.]+)"', pictures[0])]
    assert 0 < min(places) and max(places) < 300
    assert re.findall(r"<title>(.*?)</title>", pictures[0]) == ["Wald", "水", "Reed"], "shown without colours too"
    assert re.findall(r">(\d)</text>", pictures[0]) == ["2", "7", "9"]


def test_losses_stand_apart_by_sensor() -> None:
    page = training_report(DOCUMENT)
    pretraining = page[page.index("<h2>Pretraining") :]
    for title in ("Spectral", "Second sensor"):
        assert re.search(rf"<h3>{title}</h3><svg", pretraining), title
    assert "where masked" not in pretraining[: pretraining.index("<h2>", 5)]


@pytest.mark.parametrize(("protocol", "told"), [("polygon", True), ("random", False)])
def test_where_random_pixels_do_not_stand_beside_it_is_said_why(protocol: str, told: bool) -> None:
    accuracy = {**DOCUMENT["accuracy"], "random_split": None, "protocol": protocol}
    assert ("would flatter" in training_report({**DOCUMENT, "accuracy": accuracy})) == told
    assert "would flatter" not in training_report(DOCUMENT)


def test_polygons_stand_against_random_pixels() -> None:
    page = training_report(DOCUMENT)
    part = page[page.index("Polygons against random") :]
    row = re.search(r"Wald</td>(.*?)</tr>", part)
    assert row is not None and re.findall(r"([\d.]+) %", row.group(1)) == ["76.9", "94.1"]
    full, ring = (
        float(x) for kind in ("dot", "ring") for x in re.findall(rf'class="{kind}" cx="([\d.]+)"', row.group(1))
    )
    assert full < ring, "the honest figure lies to the left"


@pytest.mark.parametrize(
    "missing",
    ["accuracy", "training", "sensors", "class_counts", "created_with", "calibration", "features", "pretrained"],
)
def test_what_is_absent_is_left_out(missing: str) -> None:
    for absent in ({}, {missing: None}):
        document = {key: value for key, value in DOCUMENT.items() if key != missing} | absent
        check(training_report(document))
        check(model_report("classifier", document, parameters={}))


EVIL = "<script>alert('\"&')</script>"


def poison(value: Any) -> Any:
    """Every text of the document, and every key that is shown, made hostile."""
    if isinstance(value, dict):
        return {key: poison(item) for key, item in value.items()}
    if isinstance(value, list):
        return [poison(item) for item in value]
    return value if not isinstance(value, str) or value.startswith("#") else EVIL + value


def test_every_text_is_escaped() -> None:
    document = poison(DOCUMENT)
    document["training"]["losses"] = [{"step": 1, EVIL: 1.0}, {"step": 2, EVIL: 2.0}]
    document["training"][EVIL] = EVIL
    document["sensors"][EVIL] = document["sensors"]["second"]
    about_model = model_report("classifier", document, parameters={EVIL: 1})
    for page in (training_report(document, warnings=[EVIL]), about_model):
        assert "<script" not in page and "alert(&#x27;&quot;&amp;&#x27;)" in page
        check(page)


@pytest.mark.parametrize(
    "path, value",
    [
        (("legend",), None), (("legend",), [{"value": "x"}]), (("legend",), 7), (("accuracy",), [1]),
        (("accuracy", "confusion"), [[1, 2], [3]]), (("accuracy", "confusion"), [[1]]), (("sensors",), [1]),
        (("sensors", "second"), {"kind": "sar_db"}), (("training", "losses"), [{"step": 1, "a": "x"}]),
        (("training", "losses"), [{"total": 1.0}]), (("training", "losses"), [{"step": 10**400, "a": 1}]),
        (("training",), "long"), (("class_counts",), 3), (("calibration",), "x"), (("calibration", "temperature"), "2"),
        (("calibration", "temperature"), 1e9), (("calibration", "before"), None), (("features",), [1]),
        (("calibration", "before", "reliability"), [[1, "a", 2]]), (("calibration", "after", "log_loss"), "x"),
        (("features", "classes"), [99, 0, 0, 0]), (("features", "branches", "cnn"), [[0, 0]]), (("pretrained",), [1]),
        (("features", "branches", "cnn"), [["a", 0]] * 4), (("features", "branches"), 3),
    ],
)  # fmt: skip
def test_a_document_of_another_form_is_a_clear_error(path: tuple[str, ...], value: Any) -> None:
    document = copy.deepcopy(DOCUMENT)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(ModelFileError, match="expected form"):
        model_report("classifier", document, parameters={})


def test_a_pretrained_model_has_a_report_too() -> None:
    document = {key: DOCUMENT[key] for key in ("sensors", "training")}
    page = model_report("pretrained", document, parameters={"denoiser": 4299633})
    check(page)
    assert "4,299,633" in page and "Confusion" not in page


@pytest.mark.parametrize(
    "points", [[], [(1.0, 2.0)], [(0.0, 0.0)], [(1.0, float("nan"))], [(i, -i) for i in range(2000)], [(5, 1), (5, 1)]]
)
def test_curves_of_any_shape(points: list[tuple[float, float]]) -> None:
    page = curves({"a": points}, x_label="step", y_label="loss")
    assert "nan" not in page and page.count("polyline") == bool(points and points[0][1] == points[0][1])
    check(page)


def test_a_report_is_written_whole(tmp_path: Path) -> None:
    write_report(tmp_path / "Bericht ö.html", training_report(DOCUMENT))
    assert [path.name for path in tmp_path.iterdir()] == ["Bericht ö.html"]
    assert (tmp_path / "Bericht ö.html").read_text("utf-8").endswith("</html>\n")
