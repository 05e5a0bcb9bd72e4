"""What a long command says on stderr."""

from __future__ import annotations

import pytest

from engine.cli import terminal_progress
from engine.events import Download, Progress


def test_a_log_gets_a_line_a_minute_and_short_work_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 20.0, 61.0, 61.0, 90.0, 122.0, 122.0])
    monkeypatch.setattr(terminal_progress.time, "monotonic", lambda: next(clock))
    with terminal_progress.progress_bar() as emit:
        emit(Progress("refining", 1, 9, 200.0))
        emit(Progress("refining", 4, 9, 99.0))
        emit(Progress("refining", 5, 9, 50.0))
        emit(Download("model.safetensors", 2_000_000, 4_000_000, 2.0, rate=1e6))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "\r" not in "".join(lines)
    assert lines[0] == "refining: 4/9  99 s left"
    assert lines[1].startswith("model.safetensors: ") and lines[1].endswith("/s  2 s left")
