from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.generation.trace import Token, Trace
from studio.heatmap import FIRST_CAPACITY, WINDOW, Grid, Heatmap
from studio.inspector import Inspector
from studio.quantities import widened
from studio.scale import Scale
from studio.turns import STEERED, Settings, Turn
from studio.workspace import Workspace


def test_the_array_grows_by_doubling_and_keeps_its_rows():
    grid, rng = Grid(), np.random.default_rng(0)
    rows = rng.normal(size=(3 * FIRST_CAPACITY, 6)).astype(np.float32)
    for start in range(0, len(rows), 50):
        grid.extend(rows[start : start + 50])
    assert np.array_equal(grid.filled, rows)
    assert grid.capacity == 4 * FIRST_CAPACITY


@pytest.fixture
def shown(qtbot):
    workspace = Workspace()
    heatmap = Heatmap(workspace)
    qtbot.addWidget(heatmap)
    heatmap.resize(640, 240)
    heatmap.show()
    answer = Turn("?", Settings()).add(STEERED)
    workspace.show(answer)

    def grow(count: int, value: float = 1.0) -> None:
        answer.trace = answer.trace or Trace(1, 6)
        first = len(answer)
        for index in range(first, first + count):
            row = np.full(6, value, np.float32)
            answer.trace.append(Token(0, index, 5, " x", -0.1, 1, (), (1.0,), row, 9 * row))
        workspace.widen(min(0.0, value), value)
        workspace.answerGrew.emit(answer, first)

    return workspace, heatmap, answer, grow


def test_it_shows_the_very_numbers_of_the_trace(shown):
    _, heatmap, answer, grow = shown
    for _ in range(20):
        grow(17)
    assert np.array_equal(heatmap.values(), answer.trace.coefficients)
    assert heatmap.image.image.shape == (340, 6)


def test_it_follows_the_live_edge_until_scrolled_away(shown):
    _, heatmap, _, grow = shown
    view = heatmap.plot.getViewBox()
    grow(200)
    assert view.viewRange()[0] == [200 - WINDOW, 200]
    view.setXRange(0, 40, padding=0)
    view.sigRangeChangedManually.emit([True, False])
    grow(50)
    assert view.viewRange()[0][1] == 40 and heatmap.latest.isVisible()
    heatmap.follow()
    assert view.viewRange()[0][1] == 250 and not heatmap.latest.isVisible()


def test_short_answers_do_not_move_the_picture(shown):
    _, heatmap, _, grow = shown
    grow(1)
    before = heatmap.plot.getViewBox().viewRange()
    grow(30)
    assert heatmap.plot.getViewBox().viewRange() == before


def test_negative_values_bring_the_signed_map(shown):
    _, heatmap, _, grow = shown
    grow(5)
    assert tuple(heatmap.image.levels) == (0.0, 1.0)
    grow(5, -3.0)
    assert tuple(heatmap.image.levels) == (-3.0, 3.0)


def test_other_quantities_of_the_same_answer(shown):
    workspace, heatmap, answer, grow = shown
    grow(40, 2.0)
    heatmap.show_quantity("share")
    assert np.allclose(heatmap.values(), answer.trace.coefficients / answer.trace.lengths)
    assert heatmap.scale.limit < 1 and workspace.scale.limit == 2.0
    heatmap.show_quantity("truth")
    assert not heatmap.plot.isVisible() and heatmap.measure.isVisible()
    heatmap.measure.click()
    assert workspace.truth and not heatmap.measure.isEnabled()
    row = np.arange(6, dtype=np.float32)
    for index in range(40, 60):
        answer.trace.append(Token(0, index, 5, " x", -0.1, 1, (), (1.0,), row, row, 3 * row, 2 * row))
    workspace.answerGrew.emit(answer, 40)
    assert heatmap.plot.isVisible() and heatmap.tokens == 60
    assert np.array_equal(heatmap.values(), answer.trace.truth, equal_nan=True)
    heatmap.show_quantity("gap")
    assert np.array_equal(heatmap.values()[40:], answer.trace.gap[40:])
    heatmap.show_quantity("applied")
    assert heatmap.scale is workspace.scale and np.array_equal(heatmap.values(), answer.trace.coefficients)


def test_a_few_spikes_do_not_pale_the_rest():
    rows = np.ones((400, 6), np.float32)
    rows[7, 5] = 1000.0
    assert widened(Scale(0.0), rows).limit == 1.0
    assert widened(Scale(0.0), np.full((4, 6), np.nan, np.float32)) == Scale(0.0)


def test_a_selection_far_back_is_brought_into_sight(shown):
    workspace, heatmap, answer, grow = shown
    grow(300)
    workspace.select(answer, 10)
    low, high = heatmap.plot.getViewBox().viewRange()[0]
    assert low <= 10 < high and not heatmap.following


def test_a_blocks_row_over_the_tokens_follows_the_cell_and_the_bar(qtbot):
    workspace = Workspace()
    inspector = Inspector(workspace)
    qtbot.addWidget(inspector)
    inspector.resize(260, 640)
    inspector.show()
    answer = Turn("?", Settings()).add(STEERED)
    answer.trace = Trace(1, 6)
    rng = np.random.default_rng(0)
    for index in range(900):  # more tokens than pixels
        row = rng.normal(size=6).astype(np.float32)
        answer.trace.append(Token(0, index, 5, " x", -0.1, 1, (), (1.0,), row, 9 * row))
    workspace.widen(-4.0, 4.0)
    workspace.select(answer, 3)
    assert inspector.row.block == int(np.abs(answer.trace.coefficients[3]).argmax())
    inspector.show_block(2)
    workspace.select(answer, 4)
    assert inspector.row.block == 2 and "block 2" in inspector.row.accessibleName()
    assert np.array_equal(inspector.row.values(), answer.trace.coefficients[:, 2])
    QTest.mousePress(inspector.row, Qt.MouseButton.LeftButton, pos=inspector.row.rect().center())
    assert abs(workspace.selection.cursor - 450) < 10
    inspector.bars.setFocus()
    QTest.keyClick(inspector.bars, Qt.Key.Key_Down)
    QTest.keyClick(inspector.bars, Qt.Key.Key_Return)
    assert inspector.row.block == 1
    assert not inspector.grab().isNull()


def test_the_axes_grow_and_shrink_with_the_text(qtbot, window):
    axis = window.heatmap.plot.getAxis("bottom")
    normal = axis.height()
    window.preferences.set("zoom", 2.0)
    qtbot.waitUntil(lambda: axis.height() > 1.6 * normal, timeout=2000)
    window.preferences.set("zoom", 1.0)
    qtbot.waitUntil(lambda: axis.height() == normal, timeout=2000)


def test_what_several_heads_add_is_called_so(qtbot):
    workspace = Workspace()
    inspector = Inspector(workspace)
    qtbot.addWidget(inspector)
    answer = Turn("?", Settings()).add(STEERED)
    answer.trace = Trace(2, 3)
    for index, strengths in enumerate([(1.0, 0.0), (1.0, -0.5)]):
        row = np.ones(3, np.float32)
        answer.trace.append(Token(0, index, 5, " x", -0.1, 1, (), strengths, row, row))
    workspace.select(answer, 0)
    assert inspector.bars.accessibleName() == "applied coefficient per block"
    workspace.select(answer, 1)
    assert "2 head" in inspector.bars.accessibleName()
