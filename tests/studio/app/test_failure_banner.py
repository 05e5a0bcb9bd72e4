"""Failures wait behind one another; none hides another one for good."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QGuiApplication

from studio.app.failure_banner import FailureBanner
from studio.runtime.worker import JobFailure


def failed(name: str, job: str = "") -> JobFailure:
    return JobFailure(f"{name} was not opened", "It is no head.", "Take another one.", f"of {name}", job)


@pytest.fixture
def banner(qtbot) -> FailureBanner:
    made = FailureBanner()
    qtbot.addWidget(made)
    return made


def test_the_newest_is_shown_and_those_before_it_come_back(banner):
    for name in ("one", "two", "three"):
        banner.show_failure(failed(name))
    for name, waiting in (("three", "2 more messages"), ("two", "1 more message"), ("one", "")):
        assert f"{name} was not opened" in banner.text.text() and not banner.isHidden()
        assert banner.waiting.text() == waiting and banner.waiting.isHidden() == (not waiting)
        assert waiting in banner.accessibleName()
        banner.copy.click()
        assert f"of {name}" in QGuiApplication.clipboard().text()
        banner.close_button.click()
    assert banner.isHidden()


def test_a_success_takes_only_its_own_failure(banner):
    banner.show_failure(failed("one", "Saving"))
    banner.show_failure(failed("two", "Loading a head"))
    banner.settle("Saving")
    assert "two" in banner.text.text() and not banner.waiting.text()
    banner.settle("Saving")
    banner.settle("Loading a head")
    assert banner.isHidden()


def test_the_same_failure_counts_once(banner):
    for name in ("one", "two", "one"):
        banner.show_failure(failed(name))
    assert "one" in banner.text.text() and banner.waiting.text() == "1 more message"


def test_every_file_that_cannot_be_used_is_told(qtbot, window, tmp_path):
    paths = [tmp_path / name for name in ("a.txt", "b.txt", "c.txt")]
    for path in paths:
        path.write_text("nothing")
    window.files.open([str(path) for path in paths])
    assert "c.txt" in window.banner.text.text() and window.banner.waiting.text() == "2 more messages"
