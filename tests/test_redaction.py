"""A report that is sent away names neither people nor computers, and holds no secrets."""

from __future__ import annotations

import pytest

from bdgf_core.redaction import Identity

MAX = Identity(
    homes=frozenset({r"C:\Users\Max Müller", "/home/mmueller"}),
    users=frozenset({"mmueller", "Max Müller"}),
    hosts=frozenset({"amt-pc-17", "AMT"}),
)


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("/home/mmueller/.venv/bin/python", "~/.venv/bin/python"),
        ("/home/mmueller", "~"),
        ("/home/mmueller2/x and /home/other/y", "~/x and ~/y"),
        (r"C:\Users\Max Müller\AppData\Roaming", r"~\AppData\Roaming"),
        ("c:/users/max müller/AppData", "~/AppData"),
        (r"'C:\\Users\\Max Müller\\x.dll'", r"'~\\x.dll'"),
        (r"C:\Users\Ann\x", r"~\x"),
        ("/Users/ann/Library/QGIS", "~/Library/QGIS"),
        (r"\\fileserver3\homes\data", r"\\<host>\homes\data"),
        ("on AMT-PC-17 by Mmueller", "on <host> by <user>"),
        ("http://max:s3cr:et@proxy.amt.example:8080/", "http://<secret>@proxy.<host>.example:8080/"),
        ("https://u:p@ss/word@index.example/simple", "https://<secret>@ss/word@index.example/simple"),
        ("https://index.example/simple?token=abc123&x=1", "https://index.example/simple?token=<secret>&x=1"),
        ("Authorization: Bearer abcdef.123456", "Authorization: Bearer <secret>"),
        ("cuda:0 of torch 2.13.0+cpu in /usr/lib/python3", "cuda:0 of torch 2.13.0+cpu in /usr/lib/python3"),
        ("AMTLICH stays", "AMTLICH stays"),
    ],
)
def test_texts(text: str, redacted: str) -> None:
    assert MAX.redact(text) == redacted


def test_everything_inside_and_nothing_else() -> None:
    value = {"mmueller": ["/home/mmueller/a", 3, None, True, ("mmueller", 0.5)]}
    assert MAX.redact(value) == {"mmueller": ["~/a", 3, None, True, ["<user>", 0.5]]}


def test_whoever_runs_this(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/erika")
    monkeypatch.setenv("USER", "erika")
    monkeypatch.setenv("HOSTNAME", "kiste.amt.example")
    here = Identity.here()
    assert here.redact("/home/erika/a, erika@kiste, kiste.amt.example") == "~/a, <user>@<host>, <host>"
    monkeypatch.setenv("HOME", "/")  # as for services: the root is nobody's home
    assert Identity.here().redact("/usr/lib") == "/usr/lib"
