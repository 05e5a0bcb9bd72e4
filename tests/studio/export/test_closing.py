"""A file that was promised is written, also when the window is closed before its turn came."""

from __future__ import annotations

import json

from tests.studio.app.test_main_job import endless

WAIT_MS = 30000


def answering(qtbot, window):
    endless(window)
    window.controllers.answering.send("Tell me about bees.")
    qtbot.waitUntil(lambda: len(window.workspace.shown or ()) > 5, timeout=WAIT_MS)
    return window.workspace.shown


def test_closing_stops_the_answer_and_writes_what_was_promised(qtbot, window, tmp_path):
    answer = answering(qtbot, window)
    paths = [tmp_path / "trace.json", tmp_path / "it.run.safetensors", tmp_path / "it.head.safetensors"]
    window.exporting.write("export_trace", paths[0])
    window.exporting.write("export_run", paths[1])
    window.controllers.save_head(window.workspace.channels[0], paths[2])
    window.controllers.answering.stop()
    window.controllers.answering.send("A question that waits for the end of the answer")
    window.close()
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=WAIT_MS)
    assert all(path.exists() for path in paths)
    told = json.loads(paths[0].read_text())
    assert len(told["tokens"]) == len(answer) and answer.state == "cancelled"
    assert len(window.workspace.turns) <= 1


def test_a_promise_that_cannot_be_kept_is_told_before_the_window_goes(qtbot, window, tmp_path):
    answering(qtbot, window)
    window.exporting.write("export_trace", tmp_path / "nowhere" / "trace.json")
    window.close()
    qtbot.waitUntil(window.banner.isVisible, timeout=WAIT_MS)
    qtbot.wait(50)
    assert window.isVisible() and "nowhere" in window.banner.text.text()


def test_who_closes_twice_waits_for_nothing(qtbot, window, tmp_path):
    answering(qtbot, window)
    window.exporting.write("export_trace", tmp_path / "trace.json")
    window.close()
    assert window.isVisible()
    window.close()
    assert not window.isVisible()


def test_an_answer_is_whole_in_a_file_that_waited_for_it(qtbot, window, tmp_path):
    answer, told = answering(qtbot, window), []
    window.exporting.noticed.connect(told.append)
    path = tmp_path / "trace.json"
    window.exporting.write("export_trace", path)
    window.controllers.answering.stop()
    while window.controllers.worker.doing != "Exporting":
        pass  # the answer is over there, and its last tokens are not taken in here
    assert not answer.over
    qtbot.waitUntil(path.exists, timeout=WAIT_MS)
    assert len(json.loads(path.read_text())["tokens"]) == len(answer) and answer.state == "cancelled"
    qtbot.waitUntil(lambda: len(told) == 3, timeout=WAIT_MS)
    assert told[0].startswith("trace.json will be saved after") and told[1] == "Saving trace.json…"
