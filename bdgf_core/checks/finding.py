"""One thing found out about the inputs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

from bdgf_core.translation import tr

SEVERITIES = ("error", "warning", "note", "fine")  # the worst first


@dataclass(frozen=True)
class Finding:
    """What (``text``) was found out on which ``topic`` about which ``layer`` and ``bands`` (numbers from 1, none where
    it is the layer as a whole), and the ``mend``. What is not fine has a mend, else ValueError."""

    severity: str
    topic: str
    layer: str
    text: str
    mend: str = ""
    bands: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"{self.severity!r} is no severity; use one of {', '.join(SEVERITIES)}.")
        if self.severity != "fine" and not self.mend:
            raise ValueError(f"What is not fine needs a mend: {self.text}")

    @property
    def is_grave(self) -> bool:
        return self.severity in ("error", "warning")

    @property
    def sentence(self) -> str:
        """All of it, for a log."""
        if not self.bands:
            return f"{self.layer}: {self.text} {self.mend}".rstrip()
        told = tr("{layer}, bands {bands}: {what}", layer=self.layer, bands=ranges(self.bands), what=self.text)
        return f"{told} {self.mend}".rstrip()


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def ranges(numbers: Sequence[int]) -> str:
    """1, 2, 3, 7 → "1–3, 7"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in runs)


def percent(share: float) -> str:
    """A share in words that stays apart from nothing."""
    if 0 < share < 0.001:
        return tr("less than 0.1 %")
    return f"{100 * share:.1f} %" if 0 < share < 0.1 else f"{100 * share:.0f} %"
