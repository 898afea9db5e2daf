"""The pages of docs/ as HTML, to be read without a network: ``help_pages.py FOLDER``. Needs the package markdown."""

from __future__ import annotations

import html
import os
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote

DOCS = Path(__file__).resolve().parent.parent / "docs"
MENU = ("index", "tutorial", "data", "scripting", "method")  # on every page, above it


def write_pages(folder: Path, docs: Path = DOCS) -> list[Path]:
    """Write every page and the pictures that it shows into ``folder``, and return the pages.

    Raises ValueError where a link or a picture leads nowhere.
    """
    sources = sorted(docs.rglob("*.md"))
    texts = {source: source.read_text(encoding="utf-8") for source in sources}
    titles = {source: title_of(text) for source, text in texts.items()}
    pages = {source: content(text) for source, text in texts.items()}
    anchors = {source: set(re.findall(r' id="([^"]+)"', page)) for source, page in pages.items()}
    shown = {path for source, page in pages.items() for path in _linked(source, page, anchors)}
    for path in (path for path in shown if path.suffix != ".md"):
        target = folder / path.relative_to(docs)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for source in sources:
        target = folder / source.relative_to(docs).with_suffix(".html")
        target.parent.mkdir(parents=True, exist_ok=True)
        menu = [(os.path.relpath(docs / f"{name}.html", source.parent), titles[docs / f"{name}.md"]) for name in MENU]
        target.write_text(_document(titles[source], _to_html_pages(pages[source]), menu), encoding="utf-8")
    return [folder / source.relative_to(docs).with_suffix(".html") for source in sources]


def title_of(text: str) -> str:
    return text.splitlines()[0].lstrip("# ").strip()


def content(text: str) -> str:
    """The HTML of a page's Markdown; headings have the anchors that forges give them, tables may be scrolled."""
    import markdown

    made = markdown.markdown(text, extensions=["tables", "fenced_code", "toc", "sane_lists"], output_format="html")
    return made.replace("<table>", '<div class="wide"><table>').replace("</table>", "</table></div>")


def _linked(source: Path, page: str, anchors: dict[Path, set[str]]) -> list[Path]:
    """The files of docs/ that a page needs."""
    found = []
    for link in re.findall(r'(?:href|src)="([^"]*)"', page):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = unquote(html.unescape(link)).partition("#")
        path = (source.parent / file).resolve() if file else source
        if not path.is_file() or (path.suffix == ".md" and path not in anchors):
            raise ValueError(f"{source.name} links to {link}, which is not there.")
        if anchor and anchor not in anchors.get(path, ()):
            raise ValueError(f"{source.name} links to {link}, but {path.name} has no such heading.")
        found.append(path)
    return found


def _to_html_pages(page: str) -> str:
    return re.sub(r'href="(?![a-z]+:)([^"#]*)\.md(#[^"]*)?"', r'href="\1.html\2"', page)


def _document(title: str, body: str, menu: list[tuple[str, str]]) -> str:
    links = "".join(f'<a href="{html.escape(Path(link).as_posix())}">{html.escape(name)}</a>' for link, name in menu)
    name = menu[0][1]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title if title == name else f'{title} – {name}')}</title><style>{STYLE}</style></head>\n"
        f"<body><nav>{links}</nav><main>\n{body}\n</main></body></html>\n"
    )


STYLE = """
:root { color-scheme: light dark; --ink: #1d2329; --quiet: #66717c; --line: #d9dfe4; --ground: #fff; --soft: #f4f6f8;
  --link: #1f62a8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ec; --quiet: #97a3ae; --line: #38414a; --ground: #171b1f;
  --soft: #20262c; --link: #7db4ee; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", Roboto,
  "Helvetica Neue", "DejaVu Sans", sans-serif; }
nav { border-bottom: 1px solid var(--line); padding: .7rem 1.5rem; display: flex; flex-wrap: wrap; gap: .3rem 1.6rem;
  justify-content: center; font-size: .92rem; }
nav a:first-child { font-weight: 650; }
main { max-width: 54rem; margin: 0 auto; padding: 1.6rem 1.5rem 5rem; overflow-wrap: break-word; }
a { color: var(--link); text-decoration-thickness: 1px; text-underline-offset: 2px; } nav a { text-decoration: none; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 1rem 0 .8rem; font-weight: 650; }
h2 { font-size: 1.3rem; margin: 2.4rem 0 .6rem; font-weight: 650; }
h3 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; font-weight: 650; }
p, ul, ol { margin: .6rem 0; } li + li { margin-top: .25rem; }
img { display: block; max-width: 100%; height: auto; margin: 1rem 0; border: 1px solid var(--line);
  border-radius: 6px; }
code { font: .88em ui-monospace, Consolas, "DejaVu Sans Mono", monospace; background: var(--soft); padding: .12em .3em;
  border-radius: 4px; }
pre { background: var(--soft); padding: .8rem 1rem; border-radius: 6px; overflow-x: auto; line-height: 1.4; }
pre code { padding: 0; background: none; }
.wide { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .93rem; }
th, td { padding: .4rem 1.2rem .4rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
th { font-weight: 500; color: var(--quiet); }
td:first-child code { white-space: nowrap; }
blockquote { margin: 1rem 0; padding: .1rem 1rem; border-left: 3px solid var(--line); color: var(--quiet); }
@media print { nav { display: none; } main { max-width: none; padding: 0; } }
"""


if __name__ == "__main__":
    try:
        write_pages(Path(sys.argv[1]))
    except ImportError:
        sys.exit("help_pages: the Python package markdown is missing")
    except ValueError as error:
        sys.exit(f"help_pages: {error}")
