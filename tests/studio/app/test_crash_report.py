from __future__ import annotations

import subprocess
import sys

from PySide6.QtGui import QGuiApplication

from studio.app.crash_report import CrashReport
from tests.studio.app.test_main_job import ask

FAILING = """
import sys, threading, faulthandler
from pathlib import Path
from PySide6.QtCore import QCoreApplication, QTimer
from PySide6.QtGui import QGuiApplication
from studio.app.crash_report import CrashReport

app = QCoreApplication([])
report = CrashReport(Path(sys.argv[1]))
report.install()
def fail(): raise ValueError("in a " + sys.argv[2])
if sys.argv[2] == "slot": QTimer.singleShot(0, fail); QTimer.singleShot(50, app.quit); app.exec()
if sys.argv[2] == "thread": t = threading.Thread(target=fail); t.start(); t.join()
if sys.argv[2] == "fault": faulthandler._sigsegv()
if sys.argv[2] != "nothing": import os; os._exit(1)
report.close()
"""


def run(folder, kind: str) -> None:
    subprocess.run([sys.executable, "-c", FAILING, str(folder), kind], timeout=60, capture_output=True)


def test_faults_of_every_kind_are_there_at_the_next_start(tmp_path):
    for kind, words in (
        ("slot", "ValueError: in a slot"),
        ("thread", "ValueError: in a thread"),
        ("fault", "Segmentation fault"),
        ("nothing", ""),
    ):
        run(tmp_path / kind, kind)
        report = CrashReport(tmp_path / kind)
        assert words in report.before and bool(report.before) == bool(words), kind
        report.close()
        assert CrashReport(tmp_path / kind).before == ""  # told once


def test_a_folder_that_cannot_be_written_holds_no_start_up(tmp_path, complaints, capsys):
    (tmp_path / "file").write_text("in the way")
    report = CrashReport(tmp_path / "file" / "home")
    report.write("main thread", "ValueError")
    report.close()
    assert report.before == "" and "ValueError" in capsys.readouterr().err
    assert [words for words in complaints if "No crash report can be kept" in words]
    complaints.clear()


def test_the_window_offers_the_report_and_says_where_it_lies(qtbot, window, tmp_path):
    window.troubles.show_crash("Fatal Python error: Segmentation fault", tmp_path / "crash-before.txt")
    words = window.banner.text.text()
    assert "crashed last time" in words and str(tmp_path / "crash-before.txt") in words
    window.banner.copy.click()
    assert "Segmentation fault" in QGuiApplication.clipboard().text()
    ask(qtbot, window, "Tell me about the harbour.")
    assert window.banner.isVisible() and window.banner.text.text() == words
