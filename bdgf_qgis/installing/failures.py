"""What pip or a library says, as a sentence with a mend."""

from __future__ import annotations

import re

from bdgf_qgis.translation import tr


def sentence(said: str) -> str:
    """The known failure in ``said``, pip's output or an exception's text; "" where it is none of them."""
    for pattern, explain in _KNOWN:
        if re.search(pattern, said, re.IGNORECASE):
            return explain()
    return ""


def is_no_wheel(said: str) -> bool:
    """Whether pip found no package that fits, which it says of a broken connection too."""
    return bool(
        re.search(
            r"could not find a version|no matching distribution|not a supported wheel|resolutionimpossible", said, re.I
        )
    )


def _proxy() -> str:
    return tr(
        "The proxy refused the connection: check Settings ▸ Options ▸ Network ▸ Use proxy for web access, or install "
        "from a wheel folder."
    )


def _socks() -> str:
    return tr(
        "pip cannot use the SOCKS proxy of QGIS's settings: choose an HTTP proxy there, or install from a wheel folder."
    )


def _tls() -> str:
    return tr(
        "The package index could not be trusted (TLS): behind a proxy that inspects traffic, name your organization's "
        "certificate in the environment variable PIP_CERT; check the computer's clock; or install from a wheel folder."
    )


def _disk() -> str:
    return tr("The disk became full while installing; nothing was changed. Free some space and run this again.")


def _network() -> str:
    return tr(
        "The package index cannot be reached: check the network and the proxy in Settings ▸ Options ▸ Network, or "
        "install from a wheel folder."
    )


def _damaged() -> str:
    return tr("A download or a wheel is damaged; run this again, or copy the wheel folder anew.")


def _conflict() -> str:
    return tr("The wheels contradict each other, or want another numpy than QGIS's own; use other wheels.")


def _managed() -> str:
    return tr(
        "This Python is managed by the system and refuses to be installed into, although the packages go to the "
        "profile: update pip, or install python3-torch, python3-einops, python3-safetensors and python3-sklearn as "
        "packages of the system."
    )


def _long_paths() -> str:
    return tr(
        "Windows refused a path of more than 260 characters: switch on long paths (LongPathsEnabled in the registry, "
        "or ask your administrator), or use a QGIS profile in a folder with a short name."
    )


def _denied() -> str:
    return tr(
        "A file could not be written for want of permission, or a virus scanner held it: check that the folder of the "
        "QGIS profile can be written to, and run this again."
    )


def _visual_c() -> str:
    return tr(
        "Windows lacks Microsoft's Visual C++ runtime that torch needs: install "
        "https://aka.ms/vs/17/release/vc_redist.x64.exe, and run this again."
    )


_KNOWN = (  # the first that fits: pip says of many causes in the end that no distribution was found
    (r"missing dependencies for socks", _socks),
    (r"proxyerror|cannot connect to proxy|407 proxy|proxy authentication", _proxy),
    (r"sslerror|certificate_verify_failed|sslcertverification|ssl: |certificate verify", _tls),
    (r"no space left|errno 28\b|winerror 112|not enough space on the disk|disk quota", _disk),
    (r"winerror 206|long path support|filename or extension is too long|errno 36\b", _long_paths),
    (
        r"failed to establish a new connection|name resolution|getaddrinfo|network is unreachable|connection refused"
        r"|connection aborted|connection reset|timed out|timeouterror|max retries exceeded|no route to host",
        _network,
    ),
    (r"do not match the hashes|badzipfile|bad magic number|is invalid, it cannot|incompleteread|crc-32", _damaged),
    # without a dependency newer versions of pip say so of a package that has no wheel
    (r" depends on [\s\S]*resolutionimpossible", _conflict),
    (r"externally-managed", _managed),
    (
        r"winerror (126|127|1114)\b|vcruntime|msvcp140|dll load failed|error loading .*\.dll"
        r"|specified module could not be found",
        _visual_c,
    ),
    (r"permission denied|winerror (5|32)\b|access is denied|errno 13\b", _denied),
)
