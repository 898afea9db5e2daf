"""What the engine runs on, as a page to read and to send."""

from __future__ import annotations

from typing import Any, Mapping

from . import report_page as html
from .installed import OPTIONAL
from .report_page import Html, Section
from .translation import tr

Document = Mapping[str, Any]


def environment_report(document: Document) -> str:
    """``document`` is the redacted one of the verb ``environment``."""
    sections = [
        Section("", _verdict(document)),
        _self_test(document),
        _packages(document),
        _machine(document),
        Section(tr("Caller"), html.pairs(document["facts"].items())) if document["facts"] else Section("", Html("")),
    ]
    shown = [section for section in sections if section.body]
    return html.page(tr("Environment report"), document["created_with"], shown)


def _verdict(document: Document) -> Html:
    verdict = tr("The engine is ready.") if document["ok"] else tr("The engine cannot work yet.")
    privacy = tr("User names, home folders, names of computers and secrets were removed from this page.")
    return html.join(
        [
            html.figures([(tr("Verdict"), verdict)]),
            html.notes([*document["problems"], *document["remarks"]]),
            html.paragraph(privacy, "quiet"),
        ]
    )


def _self_test(document: Document) -> Section:
    rows: list[list[html.Content]] = [
        [check["title"], tr("works") if check["ok"] else tr("fails"), f"{check['seconds']:.2f}", check["detail"]]
        for check in document["self_test"]
    ]
    head = [tr("Part"), tr("Result"), tr("Seconds"), tr("Detail")]
    return Section(tr("Self-test"), html.table(head, rows, numbers=(2,)) if rows else Html(""))


def _packages(document: Document) -> Section:
    rows: list[list[html.Content]] = [
        [package["name"], _version(package), package["failure"] or package["folder"] or ""]
        for package in document["packages"]
    ]
    return Section(tr("Packages"), html.table([tr("Package"), tr("Version"), tr("Place")], rows))


def _version(package: Mapping[str, Any]) -> html.Content:
    if package["folder"] is None:
        return tr("not there (optional)") if package["name"] in OPTIONAL else tr("missing")
    version: html.Content = package["version"] or tr("there")
    return version


def _machine(document: Document) -> Section:
    machine, python, cuda, disk = (document[name] for name in ("machine", "python", "cuda", "disk"))
    gpus = ", ".join(
        gpu["name"] + ("" if gpu["capability"] is None else f" ({gpu['capability']})") for gpu in machine["gpus"]
    )
    facts: list[tuple[str, html.Content]] = [
        ("Python", f"{python['version']}, {python['implementation']}, {python['bits']} bits"),
        (tr("Interpreter"), python["executable"]),
        (tr("System"), " ".join(filter(None, (machine["system"], machine["release"], machine["architecture"])))),
        (tr("C library"), machine["libc"]),
        (tr("Processors"), machine["processors"]),
        (tr("Memory (MB)"), machine["memory_mb"]),
        (tr("Free disk space for temporary files (MB)"), disk["free_mb"]),
        (tr("NVIDIA driver"), machine["driver"] or tr("none found")),
        (tr("NVIDIA GPUs (compute capability)"), gpus or None),
        (tr("CUDA that torch is built for"), cuda and (cuda["built_for"] or tr("none, a CPU build"))),
        (tr("GPUs that torch uses"), ", ".join(cuda["gpus"]) or tr("none") if cuda else None),
    ]
    return Section(tr("Machine"), html.pairs(facts))
