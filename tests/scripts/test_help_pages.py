"""The pages of docs/ become HTML that can be read without a network."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

pytest.importorskip("markdown")

from help_pages import DOCS, write_pages  # noqa: E402

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages(tmp_path_factory) -> list[Path]:
    return write_pages(tmp_path_factory.mktemp("hélp pages"))


class Links(HTMLParser):
    """Where a page leads, and the pictures that it shows."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.found: list[str] = []
        self.open: list[str] = []
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.found += [value for value in (given.get("href"), given.get("src")) if value]
        assert tag != "img" or given.get("alt"), "a picture says nothing to those who cannot see it"
        assert tag != "script"


def test_every_page_is_there_and_every_link_leads_somewhere(pages):
    assert len(pages) == len(list(DOCS.rglob("*.md"))) > 6
    for page in pages:
        for link in Links(page).found:
            if link.startswith("https:"):
                continue
            file, _, anchor = unquote(link).partition("#")
            target = page.parent / file if file else page
            assert target.is_file(), f"{page.name} links to {link}"
            assert not anchor or f'id="{anchor}"' in target.read_text("utf-8"), f"{page.name} links to {link}"


def test_every_picture_is_shown_by_a_page(pages):
    folder = pages[0].parent if pages[0].name == "index.html" else pages[0].parents[1]
    assert {path.name for path in (DOCS / "images").iterdir()} == {p.name for p in (folder / "images").iterdir()}


def test_pictures_and_pages_are_light(pages):
    assert sum(path.stat().st_size for path in DOCS.rglob("*") if path.is_file()) < 8e6


def test_a_link_to_nowhere_is_refused(tmp_path):
    for name in ("index", "tutorial", "data", "scripting", "method"):
        (tmp_path / f"{name}.md").write_text(f"# {name}\n\n## A heading\n\n[x](data.md#a-heading)\n", "utf-8")
    assert len(write_pages(tmp_path / "out", tmp_path)) == 5
    (tmp_path / "data.md").write_text("# Data\n", "utf-8")
    with pytest.raises(ValueError, match="index.md links to data.md#a-heading"):
        write_pages(tmp_path / "out", tmp_path)
    (tmp_path / "index.md").write_text("# Index\n\n![y](images/none.png)\n", "utf-8")
    with pytest.raises(ValueError, match="images/none.png"):
        write_pages(tmp_path / "out", tmp_path)


def test_markdown_is_left_nowhere(pages):
    for page in pages:
        text = re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", page.read_text("utf-8"), flags=re.DOTALL)
        body = text.split("</nav>")[1]
        assert not re.search(r"\*\*|\]\(|^#|^\|", body, re.MULTILINE), page.name
        assert ".md" not in body


def test_the_plugin_has_them(tmp_path):
    subprocess.run(["bash", str(ROOT / "scripts" / "dev_plugin.sh"), str(tmp_path)], check=True, capture_output=True)
    assert (tmp_path / "bdgf_qgis" / "help" / "algorithms" / "train.html").is_file()
