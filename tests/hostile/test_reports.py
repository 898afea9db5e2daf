"""Reports of hostile names hold them as text: nothing in them runs, loads or leads anywhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from model_mutations import ModelFile
from tally import Models, Tally

from bdgf_core.console import Console
from bdgf_core.errors import one_line
from bdgf_core.info import InfoConfig, info
from bdgf_core.progress import Progress
from bdgf_core.report import model_report, training_report

HOSTILE = (
    "<script>alert(1)</script>", "</td></table><script src=//x.example/a.js></script>", "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>", "' onmouseover='alert(1)", "javascript:alert(1)", "<a href='javascript:alert(1)'>x</a>",
    "</style><script>alert(1)</script>", "</title><script>alert(1)</script>", "<!--", "--><b>", "]]>",
    "&lt;script&gt;", "&#60;script&#62;",
    "<iframe srcdoc='<script>alert(1)</script>'>", "<base href=//x.example/>",
    "<meta http-equiv=refresh content='0;url=//x.example'>",
    "{0}{folds}{gap}%s", "${alert(1)}", "<style>*{display:none}</style>", "expression(alert(1))", "url(//x.example)",
    "\u202e<b>",
    "+ADw-script+AD4-", "\x00<script>", "<scr\x00ipt>alert(1)</scr\x00ipt>", "\ud800<b>", "a\nb\r\n<b>", "<b>" * 1000,
    "C:\\<b>\\x.tif",
)  # fmt: skip
QUIET = {"html", "head", "meta", "title", "style", "body", "main", "header", "section", "h1", "h2", "h3", "p", "div",
         "dl", "dd",
         "dt", "ul", "li", "table", "thead", "tbody", "tr", "th", "td", "span", "details", "summary", "svg", "line",
         "rect",
         "text", "polyline", "circle", "g"}  # fmt: skip


class Reader(HTMLParser):
    """Reads a page as a browser would, and minds what it holds."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self.styles = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in QUIET, f"an element {tag}"
        self.styles += tag == "style"
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("src", "href", "srcdoc", "action", "formaction"), name
            if name != "aria-label":  # which is only read aloud
                assert "script" not in (value or "").lower() and "//" not in (value or ""), value
            if name == "style":
                assert re.fullmatch(r"background:(#[0-9a-f]{6}|rgb\(var\(--accent\) / [\d.]+\))", value or ""), value

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment {data!r}")


def read(page: str) -> str:
    """The text of a page that is sound."""
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.styles == 1
    return "".join(reader.words)


def poisoned(value: Any, poison: str) -> Any:
    """The document with each text but colours and kinds that are looked up replaced."""
    if isinstance(value, dict):
        return {key: item if key in ("color", "protocol") else poisoned(item, poison) for key, item in value.items()}
    if isinstance(value, list):
        return [poisoned(item, poison) for item in value]
    return poison if isinstance(value, str) else value


@pytest.fixture(scope="module")
def document(models: Models) -> dict[str, Any]:
    return ModelFile(models.classifier.read_bytes()).document


@pytest.mark.parametrize("poison", HOSTILE, ids=lambda text: ascii(text[:20]))
def test_every_text_of_a_report_is_text(document: dict[str, Any], poison: str) -> None:
    tally = Tally("reports")
    bad = poisoned(document, poison)
    bad["training"][poison] = poison
    bad["training"]["losses"] = [{"step": 1, poison: 1.0}, {"step": 2, poison: 0.5}]
    bad["sensors"][poison] = bad["sensors"]["second"]
    bad["accuracy"]["notes"] = [poison, {"kind": poison}, {"kind": "cut", "name": poison, poison: poison}]
    pages = {
        "training": lambda: training_report(bad, warnings=[poison]),
        "classifier": lambda: model_report("classifier", bad, parameters={poison: 3}),
        "pretrained": lambda: model_report("pretrained", bad["pretrained"], parameters={poison: 3}),
        "protocol": lambda: training_report(
            {**bad, "accuracy": {**bad["accuracy"], "protocol": poison, "gap": poison}}
        ),
    }
    for name, make in pages.items():
        with tally.case(f"{name}, {poison[:20]!r}"):
            words = read(make())
            assert poison in words or "\x00" in poison or "\r" in poison, "the name is not shown as it is"
    tally.check()


@pytest.mark.parametrize(
    "place", ["class_counts", "folds", "gap", "number", "wavelength_nm", "seconds", "created_with"]
)
def test_values_of_another_type_are_text_too(document: dict[str, Any], place: str) -> None:
    """Where a number belongs a document may hold a text, a list or an object with texts."""
    tally = Tally("reports")
    for poison in HOSTILE[:6]:
        for value in (poison, [poison] * 3, {poison: poison}):
            bad = json.loads(json.dumps(document))
            holders = {"folds": bad["accuracy"], "gap": bad["accuracy"], "seconds": bad["training"]}
            band = bad["sensors"]["spectral"]["bands"][0]
            holders.get(place, band if place in band else bad)[place] = value
            with tally.case(f"{place} = {str(value)[:20]!r}"):
                read(model_report("classifier", bad, parameters={}))
    tally.check()


def test_a_colour_cannot_leave_its_place(document: dict[str, Any]) -> None:
    tally = Tally("reports")
    for color in (
        "red",
        "#12345",
        "#1234567",
        '#000000"><script>',
        "#000000;background:url(//x)",
        "#GGGGGG",
        "#000000\n",
        7,
        None,
        ["#000000"],
    ):
        bad = json.loads(json.dumps(document))
        bad["legend"][0]["color"] = color
        with tally.case(f"colour {color!r}"):
            read(model_report("classifier", bad, parameters={}))
            raise AssertionError("it was taken")
    tally.check()


def test_the_page_of_a_file_with_hostile_names(models: Models, document: dict[str, Any], tmp_path: Path) -> None:
    """By the verb itself, from a file of a hostile name, to the bytes on the disk."""
    file = ModelFile(models.classifier.read_bytes())
    for poison in HOSTILE[:8]:
        path = tmp_path / "<img src=x onerror=alert(1)>.bdgf"
        path.write_bytes(b"".join(file.with_document(poisoned(document, poison))))
        page, place = tmp_path / "page.html", tmp_path / "page.json"
        result = info(InfoConfig(str(path), str(page), str(place)), Progress())
        assert poison in read(page.read_text("utf-8"))
        assert json.loads(place.read_text("utf-8")) == result["summary"]


def test_lines_stay_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """What a name brings along breaks no line of the log, and tells a terminal nothing."""
    seen: list[dict[str, Any]] = []
    progress = Progress(seen.append)
    name = "a\x1b[2J\x1b]0;x\x07\r\nError: all is lost\u2028b\ud800c"
    progress.message(f"Training samples: {name}.")
    progress.warning(f"{name} is small.")
    for event in seen:
        assert one_line(event["text"]) == event["text"] and "all is lost" in event["text"]
    import threading

    console = Console(threading.Event())
    console.emit({"event": "result", "classes": [{"name": name, "label": name}], "output": name})
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "\x07" not in shown and not re.search(r"^Error", shown, re.M)


def test_what_qgis_shows_as_html_escapes_names() -> None:
    """The log of an algorithm is HTML; its help is, too, and holds no name."""
    core = pytest.importorskip("qgis.core")
    from bdgf_qgis.algorithms.classify import ClassifyAlgorithm
    from bdgf_qgis.algorithms.modelinfo import ModelInfoAlgorithm
    from bdgf_qgis.algorithms.pretrain import PretrainAlgorithm
    from bdgf_qgis.algorithms.train import TrainAlgorithm
    from bdgf_qgis.feedback import EventFeedback

    feedback = core.QgsProcessingFeedback(False)
    events = EventFeedback(feedback)
    for poison in HOSTILE[:8]:
        for kind in ("message", "warning"):
            events.take({"event": kind, "text": f"Training samples: {poison}."})
    log = HTMLParser()
    tags: list[str] = []
    log.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    log.feed(feedback.htmlLog())
    assert feedback.htmlLog().count("alert(1)") >= 10 and set(tags) <= {"br", "span"}
    for algorithm in (PretrainAlgorithm, TrainAlgorithm, ClassifyAlgorithm, ModelInfoAlgorithm):
        assert set(re.findall(r"<(\w+)", algorithm().shortHelpString())) <= {"p", "b", "i"}
