"""How pip is found and called: into one folder, with locked versions, wheels only, through QGIS's proxy."""

from __future__ import annotations

import glob
import json
import os
import subprocess  # nosec B404: pip is a process of its own
from typing import Any, Mapping, Optional, Sequence
from urllib.parse import quote

from qgis.core import QgsNetworkAccessManager, QgsProcessingException
from qgis.PyQt.QtNetwork import QNetworkProxy

from bdgf_qgis.child import NO_WINDOW
from bdgf_qgis.interpreter import Interpreter
from bdgf_qgis.translation import tr

from .builds import LOCKED, Build

WANTED = ("einops", "safetensors", "scikit-learn")  # besides torch; what these need comes with them

# Python says where it has pip, and the wheel of pip that it brings for new environments.
_WHERE = (
    "import importlib.util as u, json, os;"
    "e = u.find_spec('ensurepip');"
    "f = [os.path.join(os.path.dirname(e.origin), '_bundled')] if e else [];"
    "f += ['/usr/share/python-wheels'];"  # Debian's place for it
    "print(json.dumps({'pip': u.find_spec('pip') is not None, 'folders': f}))"
)
# of the user's settings for pip, those on where packages come from; others would lead them elsewhere than told
_KEPT = (
    "INDEX_URL",
    "EXTRA_INDEX_URL",
    "FIND_LINKS",
    "CERT",
    "CLIENT_CERT",
    "PROXY",
    "TRUSTED_HOST",
    "TIMEOUT",
    "DEFAULT_TIMEOUT",
    "RETRIES",
    "CONFIG_FILE",
    "KEYRING_PROVIDER",
)


def find(python: Interpreter, wheels: Optional[str]) -> list[str]:
    """The command that is pip: QGIS's own, else the wheel of pip that Python brings or that lies in the folder
    ``wheels``, run from where it is. Raises QgsProcessingException with the mend where there is none."""
    try:
        answer = json.loads(
            subprocess.run(  # nosec B603: a list of arguments, no shell
                [python.path, "-c", _WHERE],
                env=environment(python.environment()),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=30,
                check=True,
                creationflags=NO_WINDOW,
            ).stdout.decode("utf-8", "replace")
        )
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise QgsProcessingException(
            tr("{path} could not be asked for pip ({reason}).", path=python.path, reason=error)
        ) from error
    if answer["pip"]:
        return [python.path, "-m", "pip"]
    for folder in [*([wheels] if wheels else []), *answer["folders"]]:
        found = sorted(glob.glob(os.path.join(glob.escape(folder), "pip-*.whl")))
        if found:
            return [python.path, os.path.join(found[-1], "pip")]  # Python runs a folder inside of a zip file
    raise QgsProcessingException(
        tr(
            "QGIS's Python has no pip to install with: on Debian or Ubuntu run 'sudo apt install python3-pip', "
            "elsewhere put a wheel of pip (pip-….whl from pypi.org) into a folder and give it as wheel folder."
        )
    )


def arguments(build: Build, *, target: str, constraints: str, wheels: Optional[str]) -> list[str]:
    """What follows the command :func:`find` to install ``build`` into the folder ``target``."""
    torch = build.torch
    if wheels and not glob.glob(os.path.join(glob.escape(wheels), f"torch-{torch}-*.whl")):
        torch = torch.partition("+")[0]  # another build of the same version
    sources = ["--no-index", "--find-links", wheels] if wheels else []
    if not wheels and build.index:
        sources = ["--extra-index-url", build.index]
    return [
        "install",
        "--target",
        target,
        "--constraint",
        constraints,
        "--only-binary=:all:",
        "--no-cache-dir",
        "--no-compile",
        "--no-warn-script-location",
        "--progress-bar=off",
        *sources,
        f"torch=={torch}",
        *WANTED,
    ]


def constraints(document: Mapping[str, Any], build: Build, *, wheels: Optional[str]) -> str:
    """The text of pip's constraints file: QGIS's numpy stays as it is, and so do the locked versions; from the folder
    ``wheels`` comes what its owner has put there, but for torch."""
    torch = f"torch=={build.torch.partition('+')[0]}"
    return "\n".join((torch, *(() if wheels else LOCKED), *_kept(document))) + "\n"


def download_hint(document: Mapping[str, Any], build: Build) -> str:
    """The command that fills a wheel folder, for the Python of the same version on a machine of the same kind."""
    index = ["--extra-index-url", build.index] if build.index else []
    packages = [*index, f"torch=={build.torch}", *WANTED, *_kept(document)]
    return "python -m pip download --only-binary=:all: --dest FOLDER " + " ".join(packages)


def environment(inherited: Mapping[str, str], proxy: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """The environment of pip: without its user's settings on where to install, with ``proxy``."""
    kept = {k: v for k, v in inherited.items() if not k.upper().startswith("PIP_") or k.upper()[4:] in _KEPT}
    kept.pop("PYTHONPATH", None)
    return {
        **kept,
        **(proxy or {}),
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_INPUT": "1",
        "PIP_NO_COLOR": "1",
    }


def qgis_proxy() -> dict[str, str]:
    """The proxy of QGIS's settings as variables of the environment, where pip's log does not show its password; empty
    where QGIS has none or takes the system's, as pip does by itself. Called on the main thread."""
    manager = QgsNetworkAccessManager.instance()
    return proxy_variables(manager.fallbackProxy(), [*manager.excludeList(), *manager.noProxyList()])


def proxy_variables(proxy: QNetworkProxy, excluded: Sequence[str]) -> dict[str, str]:
    kinds = QNetworkProxy.ProxyType
    schemes = {kinds.HttpProxy: "http", kinds.HttpCachingProxy: "http", kinds.Socks5Proxy: "socks5h"}
    scheme = schemes.get(proxy.type())
    if scheme is None or not proxy.hostName():
        return {}
    credentials = ""
    if proxy.user():
        credentials = ":".join(quote(word, safe="") for word in (proxy.user(), proxy.password())) + "@"
    address = f"{scheme}://{credentials}{proxy.hostName()}:{proxy.port()}"
    hosts = [url.partition("://")[2] or url for url in excluded if url.strip()]
    variables = {"HTTP_PROXY": address, "HTTPS_PROXY": address, "NO_PROXY": ",".join(h.split("/")[0] for h in hosts)}
    return {**variables, **{name.lower(): value for name, value in variables.items()}}


def _kept(document: Mapping[str, Any]) -> list[str]:
    return [f"numpy=={p['version']}" for p in document["packages"] if p["name"] == "numpy" and p["version"]]
