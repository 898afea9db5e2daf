"""Reports that can be sent to others: without names of people and computers, and without secrets."""

from __future__ import annotations

import getpass
import os
import re
import socket
from dataclasses import dataclass
from typing import Any

HOME, USER, HOST, SECRET = "~", "<user>", "<host>", "<secret>"

# the home folder of anyone, with single or doubled backslashes
_ANY_HOME = re.compile(r"""(?:\b[A-Za-z]:)?[\\/]+(?:Users|home|Documents and Settings)[\\/]+[^\\/\s"':;,<>()]+""", re.I)
_SERVER = re.compile(r"(?<![\w:\\])(\\\\(?:\\\\)?)[^\\/\s]+(?=\\)")  # \\server\share
_CREDENTIALS = re.compile(r"(?<=://)[^/\s]*@")  # of a proxy or an index
_TOKEN = re.compile(r"([?&;](?:access_?token|token|api_?key|key|auth|sig|signature|password|pwd)=)[^&\s\"']+", re.I)
_BEARER = re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{8,}", re.I)
_NO_HOSTS = {"", "localhost", "localhost.localdomain"}


@dataclass(frozen=True)
class Identity:
    """Whose report it is: home folders, user names and names of computers, none of which leaves the house."""

    homes: frozenset[str]
    users: frozenset[str]
    hosts: frozenset[str]

    @classmethod
    def here(cls) -> Identity:
        home = os.path.expanduser("~")
        users = {os.environ.get(name, "") for name in ("USER", "USERNAME", "LOGNAME", "SUDO_USER")}
        try:
            users.add(getpass.getuser())
        except (OSError, KeyError, ImportError):  # no entry for this user
            pass
        hosts = {socket.gethostname(), *(os.environ.get(n, "") for n in ("HOSTNAME", "COMPUTERNAME", "USERDOMAIN"))}
        hosts |= {host.split(".")[0] for host in hosts}
        homes = {place for place in (home, os.path.realpath(home)) if len(place) > 3}  # not the root of a drive
        return cls(frozenset(homes), frozenset(users - {""}), frozenset(hosts - _NO_HOSTS))

    def redact(self, value: Any) -> Any:
        """``value`` with every text in it redacted, in lists and dictionaries too; their keys stay."""
        if isinstance(value, dict):
            return {key: self.redact(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.redact(item) for item in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        text = _CREDENTIALS.sub(SECRET + "@", text)
        text = _TOKEN.sub(rf"\1{SECRET}", text)
        text = _BEARER.sub(rf"\1 {SECRET}", text)
        for home in sorted(self.homes, key=len, reverse=True):
            parts = [re.escape(part) for part in re.split(r"[\\/]+", home)]
            text = re.sub(r"[\\/]+".join(parts) + r"(?![\w.-])", HOME, text, flags=re.I if ":" in home else 0)
        text = _ANY_HOME.sub(HOME, text)
        text = _SERVER.sub(rf"\1{HOST}", text)
        for names, mark in ((self.hosts, HOST), (self.users, USER)):
            for name in sorted(names, key=len, reverse=True):
                text = re.sub(rf"(?<![\w<]){re.escape(name)}(?![\w>])", mark, text, flags=re.I)
        return text
