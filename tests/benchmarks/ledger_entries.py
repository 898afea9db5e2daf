"""Lines for a ledger."""

from __future__ import annotations

from typing import Any

from benchmarks.ledger import Entry


def make_entry(**changes: Any) -> Entry:
    """A line of the ledger: two classes, two folds."""
    fields: dict[str, Any] = dict(
        scene="here", scene_identity="i", protocol="polygons:2", configuration="quick", differences={}, settings={},
        seed=0, classes=["Water", "Land"], folds=[[[8, 2], [1, 9]], [[7, 3], [0, 10]]], blanked={}, seconds=1.0,
        pretraining={}, commit="abc", machine="2 cores",
    )  # fmt: skip
    fields.update(changes)
    fields["settings"] = fields["settings"] or {"of": fields["configuration"]}  # another name, other settings
    return Entry(**fields)
