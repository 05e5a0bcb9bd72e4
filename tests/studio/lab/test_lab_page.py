"""The Lab page with the real worker, the real model and the exact judge."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from studio.lab.chart_data import LARGE
from studio.lab.label_placement import around, place
from tests.engine.lab.judge_server import serving, stalls
from tests.studio.app.test_main_job import endless

WAIT_MS = 60000


def measure(qtbot, window, methods="none,prompt,a-psr", kind=0, questions=6):
    page = window.lab_page
    window.actions_["page_lab"].trigger()
    page.form.kind.setCurrentIndex(kind)
    page.form.methods.setText(methods)
    page.form.questions.setValue(questions)
    QTest.keyClick(page.form.methods, Qt.Key.Key_Return)
    assert window.measuring.running
    return page


def finish(qtbot, window):
    qtbot.waitUntil(lambda: not window.measuring.running, timeout=WAIT_MS)
    return window.measuring.results


def opened(qtbot, window, page):
    with qtbot.waitSignal(window.measuring.opened, timeout=WAIT_MS) as told:
        page.table.cellActivated.emit(page.table.currentRow(), 0)
    return told.args


def test_methods_come_one_by_one_and_a_row_opens_the_answers_behind_its_figure(qtbot, window):
    counts = []
    window.measuring.grew.connect(lambda: counts.append(len(window.measuring.results)))
    page = measure(qtbot, window)
    none, prompt, psr = finish(qtbot, window)
    assert {1, 2, 3} <= set(counts), "the results came together, not as they were done"
    assert none.dot.trait < 0.1 < 0.8 < prompt.dot.trait and psr.dot.trait > 0.5
    assert page.table.rowCount() == 3 and page.table.item(2, 0).text().endswith("a-psr")
    assert len(page.plot.marks) == 3 + len(psr.tried)
    (left, right), (bottom, top) = page.plot.viewRange()
    box = page.plot.getViewBox()
    for mark in page.plot.marks:  # seen whole, also at the ends of the axes
        from_edges = (mark.x - left, right - mark.x), (mark.y - bottom, top - mark.y)
        assert min(from_edges[0]) / (right - left) * box.width() >= LARGE / 2
        assert min(from_edges[1]) / (top - bottom) * box.height() >= LARGE / 2
    page.table.setCurrentCell(2, 0)
    place, spoken = opened(qtbot, window, page)
    assert place == psr.place and len(spoken) == psr.n
    assert sum(each.trait for each in spoken) / len(spoken) == pytest.approx(psr.dot.trait)
    assert page.stack.currentIndex() == 1 and spoken[0].question in page.text.toPlainText()
    page.back.click()
    assert page.stack.currentIndex() == 0


def test_a_name_stands_clear_of_points_and_of_other_names():
    taken = around(np.array([[62.0, 50.0], [50.0, 38.0], [38.0, 50.0], [62.0, 38.0], [38.0, 38.0]]), 5)
    spot = place(np.array([[50.0, 50.0]]), 5, (8, 12), taken, (100, 100))
    assert spot.top > 5  # below: all else is taken
    low = place(np.array([[50.0, 96.0]]), 5, (8, 12), np.empty((0, 4)), (100, 100))
    assert 96 + low.top >= 0 and low.top + 12 + 96 <= 100  # within the picture
    free = place(np.array([[50.0, 50.0], [80.0, 20.0]]), 5, (8, 12), taken, (100, 100))
    assert (free.at, free.left) == (1, 7)  # a point with room, and first to the right of it


def test_every_picture_is_drawn_and_the_shown_one_is_exported(qtbot, window, tmp_path):
    page = measure(qtbot, window, "prompt,a-psr")
    finish(qtbot, window)
    assert "pocket" in page.note.text() and "deterministic" in page.note.text()
    drawn = {}
    for i in range(page.picture.count()):
        page.picture.setCurrentIndex(i)
        key = page.picture.itemData(i)
        drawn[key] = len(page.plot.marks)
        assert page.caption.text() and page.plot.getAxis("left").labelText
        window.exporting.write("export_lab", tmp_path / f"{key}.svg")
    assert list(drawn) == ["pareto", "strengths", "faithfulness", "effects", "distribution"]
    assert drawn["faithfulness"] == drawn["effects"] == 6 and drawn["strengths"] >= 6
    qtbot.waitUntil(lambda: (tmp_path / "effects.svg").exists(), timeout=WAIT_MS)
    assert "Effect per token" in (tmp_path / "effects.svg").read_text()
    assert "Faithfulness" in (tmp_path / "faithfulness.svg").read_text()
    found, model = window.measuring.finished.found, window.workspace.loading.facts.key
    digest = found.rows[1].head
    assert digest and not found.rows[0].head
    for suffix in (".png", ".html", ".csv"):
        window.exporting.write("export_lab", tmp_path / f"lab{suffix}")
    qtbot.waitUntil(lambda: (tmp_path / "lab.csv").exists(), timeout=WAIT_MS)
    for name in ("effects.svg", "lab.png", "lab.html", "lab.csv"):  # where the figures come from
        told = (tmp_path / name).read_bytes().decode(errors="ignore")
        assert model in told and digest in told and window.workspace.prompt in told, name
    caption = " ".join(re.findall(r">([^<]*)</text>", (tmp_path / "effects.svg").read_text()))
    assert model in caption and "seeds: 0;" in caption
    with qtbot.waitSignal(window.measuring.opened, timeout=WAIT_MS) as told:
        page.plot.chosen.emit(page.plot.marks[-1].place)
    assert told.args[0].words == "a-psr"
    window.resize(1280, 800)
    seen = window.lab_page.plot.viewport()
    qtbot.waitUntil(lambda: seen.visibleRegion().boundingRect() == seen.rect())  # whole, without scrolling


def test_the_distribution_is_of_the_block_that_is_chosen(qtbot, window, tmp_path):
    page = measure(qtbot, window, "caa:block2,a-psr")
    _, psr = finish(qtbot, window)
    assert page.block.isHidden()
    page.picture.setCurrentIndex(page.picture.findData("distribution"))
    assert not page.block.isHidden() and page.block.count() == 7
    # Both steer block 2: it tells most. The constant is one spike, the gate is spread as the prompt is.
    assert "block 2" in page.plot.getAxis("bottom").labelText
    constant, gated = ({m.y for m in page.plot.marks if m.place.words == w} for w in ("caa:block2", "a-psr"))
    assert constant == {0.0, 1.0} and len(gated) > 5 and max(gated) == max(psr.effects[2].shares)
    page.block.setCurrentIndex(page.block.findData(5))
    assert "block 5" in page.plot.getAxis("bottom").labelText
    assert {mark.place.words for mark in page.plot.marks} == {"a-psr"}
    window.exporting.write("export_lab", tmp_path / "five.svg")
    qtbot.waitUntil(lambda: (tmp_path / "five.svg").exists(), timeout=WAIT_MS)
    assert "length at block 5" in (tmp_path / "five.svg").read_text()


def test_a_click_on_a_point_opens_it(qtbot, window):
    page = measure(qtbot, window, "prompt")
    [result] = finish(qtbot, window)
    box = page.plot.getViewBox()
    at = page.plot.mapFromScene(box.mapViewToScene(_point(result.dot)))
    with qtbot.waitSignal(window.measuring.opened, timeout=WAIT_MS) as told:
        QTest.mouseClick(page.plot.viewport(), Qt.MouseButton.LeftButton, pos=at)
    assert told.args[0] == result.place


def test_a_question_asked_meanwhile_is_answered_before_the_end(qtbot, window):
    measure(qtbot, window, "a-psr,s-psr:instant,caa,pca", questions=24)
    window.workspace.set_question("Tell me about bees.")
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=WAIT_MS)
    assert window.measuring.running and window.workspace.turns[-1].answers[0].text
    endless(window)
    window.workspace.set_question("Tell me about tea.")
    window.actions_["send"].trigger()
    window.actions_["stop"].trigger()  # what talks; the run goes on
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=WAIT_MS)
    assert window.workspace.turns[-1].answers[0].state == "cancelled" and window.measuring.running
    window.actions_["stop"].trigger()
    finish(qtbot, window)
    assert window.measuring.finished is None and "partial" in window.lab_page.note.text()


def test_a_short_distillation_runs_in_a_pause_and_a_long_one_says_what_it_waits_for(qtbot, window):
    window.preferences.set("live", False)
    measure(qtbot, window, "a-psr,s-psr:instant,caa,pca", questions=24)
    panel, options = window.steering, window.steering.options
    window.workspace.set_prompt("Be gloomy.")
    options.recipe.setCurrentIndex(options.recipe.findData("refine"))
    window.actions_["distill"].trigger()
    assert panel.stage.text() == "Waiting for: Lab run"
    qtbot.waitUntil(lambda: panel.eta.text().endswith("left"), timeout=WAIT_MS)
    window.actions_["cancel_distill"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=1000)  # though its turn has not come
    options.recipe.setCurrentIndex(options.recipe.findData("instant"))
    window.controllers.distilling.start(panel.request())
    qtbot.waitUntil(lambda: len(window.workspace.channels) == 4, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=WAIT_MS)
    assert window.measuring.running and panel.stage.text().startswith("Head ready in")
    window.measuring.stop()
    finish(qtbot, window)


def test_a_sweep_fills_the_table_and_is_exported(qtbot, window, tmp_path):
    page = window.lab_page
    page.form.strengths.setText("0.5, 1")
    measure(qtbot, window, "a-psr,caa:block99", kind=1, questions=4)
    cells = finish(qtbot, window)
    assert [cell.place.strength for cell in cells] == [0.5, 1.0]
    assert len(window.measuring.refused) == 2 and "caa:block99" in page.note.text()
    for suffix in (".csv", ".html", ".svg", ".png"):
        window.exporting.write("export_lab", tmp_path / f"lab{suffix}")
    qtbot.waitUntil(lambda: (tmp_path / "lab.png").exists(), timeout=WAIT_MS)
    rows = list(csv.DictReader((tmp_path / "lab.csv").open()))
    assert [float(row["strength"]) for row in rows if row["trait"]] == [0.5, 1.0]
    assert rows[0]["prompt"] == window.workspace.prompt and "<svg" in (tmp_path / "lab.html").read_text()


def test_a_block_sweep_is_shown_by_other_questions_than_it_was_chosen_by(qtbot, window):
    page = window.lab_page
    page.form.strengths.setText("1, 4")
    page.form.blocks.setText("2-3")
    measure(qtbot, window, "caa:responses12", kind=1, questions=6)
    cells = finish(qtbot, window)
    page.picture.setCurrentIndex(page.picture.findData("blocks"))
    assert [mark.x for mark in page.plot.marks] == [2, 3]
    for mark in page.plot.marks:
        words, strength = mark.place.words, mark.place.strength
        [cell] = [c for c in cells if (c.place.words, c.place.strength) == (words, strength)]
        assert mark.place.half == 1 and mark.y == pytest.approx(sum(cell.done.traits[3:]) / 3)
    with qtbot.waitSignal(window.measuring.opened, timeout=WAIT_MS) as told:
        page.plot.chosen.emit(page.plot.marks[0].place)
    spoken = told.args[1]
    assert sum(each.trait for each in spoken) / 3 == pytest.approx(page.plot.marks[0].y)


def test_a_measurement_stops_at_once_while_its_judge_is_silent(qtbot, window):
    with serving(stalls(20.0)) as server:
        window.lab_page.form.judge.setCurrentText(f"{server.url}#small")
        measure(qtbot, window, "prompt")
        qtbot.waitUntil(lambda: bool(server.bodies), timeout=WAIT_MS)
        window.lab_page.form.go.click()
        qtbot.waitUntil(lambda: not window.measuring.running, timeout=3000)
    assert window.measuring.finished is None and window.banner.isHidden()


def test_the_window_closes_in_the_middle_of_a_run(qtbot, window):
    measure(qtbot, window, questions=24)
    qtbot.waitUntil(lambda: bool(window.measuring.results), timeout=WAIT_MS)
    window.close()
    assert not window.controllers.worker.alive


def test_what_cannot_be_measured_says_why(qtbot, window):
    page = window.lab_page
    window.preferences.set("live", False)
    window.workspace.set_prompt(" ")
    assert not page.form.go.isEnabled() and "steering prompt first" in page.note.text()
    assert page.form.go.toolTip() in page.note.text()
    window.workspace.set_prompt("Talk like a pirate.")
    assert page.form.go.isEnabled() and "partial" not in page.note.text()
    page.form.kind.setCurrentIndex(1)
    for strengths, blocks in (("much", ""), ("nan", ""), ("inf", ""), ("1", "0-999999999"), ("1", "-1")):
        page.form.strengths.setText(strengths)
        page.form.blocks.setText(blocks)
        page.run()
        assert not window.measuring.running and "numbers" in page.note.text()
    page.form.blocks.clear()
    page.form.strengths.setText("1")
    page.form.methods.setText("magic")
    page.run()
    finish(qtbot, window)
    assert not window.banner.isHidden() and not window.measuring.results


def _point(dot):
    import pyqtgraph as pg

    return pg.Point(dot.coherence, dot.trait)
