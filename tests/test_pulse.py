"""The heartbeat tells that the process lives, and for how long its work has not been heard of."""

from __future__ import annotations

import threading
import time

from bdgf_core.pulse import Pulse


def test_beats_tell_for_how_long_the_job_has_not_asked():
    stop, beats = threading.Event(), []
    pulse = Pulse(stop, beats.append, every_s=0.05)
    end = time.monotonic() + 0.6
    while time.monotonic() < end:
        assert not pulse()
        time.sleep(0.01)
    busy = len(beats)
    time.sleep(0.6)
    assert busy >= 2 and all(beat["event"] == "alive" for beat in beats)
    assert min(beat["idle_s"] for beat in beats[:busy]) <= 0.3
    assert beats[-1]["idle_s"] >= 0.4
    stop.set()
    assert pulse()


def test_nothing_is_told_after_the_end():
    beats = []
    pulse = Pulse(threading.Event(), beats.append, every_s=0.02)
    time.sleep(0.1)
    pulse.end()
    told = len(beats)
    time.sleep(0.1)
    assert len(beats) == told >= 1
