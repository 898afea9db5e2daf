"""What a verb tells of itself."""

from __future__ import annotations

from tiny_scene import Events

from bdgf_core.progress import Progress


def test_a_warning_is_told_once_a_job() -> None:
    events = Events()
    progress = Progress(events)
    progress.warning("a\nb")
    for part in (progress.part(0.0, 0.5), progress.part(0.5, 1.0)):
        part.warning("a b")
        part.warning("c")
        part.message("d")
    Progress(events).warning("c")
    assert events.texts("warning") == ["a b", "c", "c"] and events.texts("message") == ["d", "d"]
