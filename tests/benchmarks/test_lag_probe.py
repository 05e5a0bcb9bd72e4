from __future__ import annotations

import time

from tests.benchmarks.lag_probe import LagProbe


def test_a_blocked_gui_thread_is_noticed(qtbot):
    probe = LagProbe()
    probe.start()
    qtbot.wait(50)
    time.sleep(0.12)
    qtbot.wait(50)
    probe.stop()
    assert probe.worst_ms >= 100
    assert probe.p99_ms <= probe.worst_ms
    assert probe.ticks > 3


def test_a_fresh_start_forgets(qtbot):
    probe = LagProbe()
    probe.start()
    time.sleep(0.05)
    qtbot.wait(20)
    probe.start()
    probe.stop()
    assert (probe.ticks, probe.worst_ms, probe.p99_ms) == (0, 0.0, 0.0)
