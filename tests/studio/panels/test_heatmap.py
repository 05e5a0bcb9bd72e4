from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from engine.generation.trace import Trace
from studio.panels.heatmap_panel import FIRST_CAPACITY, WINDOW, HeatmapGrid, HeatmapPanel
from studio.panels.token_panel import TokenPanel
from studio.state.color_scale import ACTIVATION, FIRST, ColorScale
from studio.state.conversation import STEERED, Turn
from studio.state.heatmap_quantities import holding
from studio.state.sampling_settings import SamplingSettings
from studio.state.workspace import Workspace
from studio.widgets import theme
from tests.traces import made_token


def test_the_array_grows_by_doubling_and_keeps_its_rows():
    grid, rng = HeatmapGrid(), np.random.default_rng(0)
    rows = rng.normal(size=(3 * FIRST_CAPACITY, 6)).astype(np.float32)
    for start in range(0, len(rows), 50):
        grid.extend(rows[start : start + 50])
    assert np.array_equal(grid.filled, rows)
    assert grid.capacity == 4 * FIRST_CAPACITY


@pytest.fixture
def shown(qtbot):
    workspace = Workspace()
    heatmap = HeatmapPanel(workspace)
    qtbot.addWidget(heatmap)
    heatmap.resize(640, 240)
    heatmap.show()
    answer = Turn("?", SamplingSettings()).add(STEERED)
    workspace.show(answer)

    def grow(count: int, value: float = 1.0) -> None:
        answer.trace = answer.trace or Trace(1, 6)
        first = len(answer)
        for index in range(first, first + count):
            row = np.full(6, value, np.float32)
            answer.trace.append(made_token(index, row, 9 * row))
        workspace.scales.include(answer, first)
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
    assert heatmap.scale.levels == (0.0, 1.0)
    grow(5, -3.0)
    assert heatmap.scale.levels == (-3.0, 3.0)
    assert heatmap.bar.accessibleName() == "Scale from -3 to 3, activation units"


def test_other_quantities_of_the_same_answer(shown):
    workspace, heatmap, answer, grow = shown
    grow(40, 2.0)
    heatmap.show_quantity("share")
    assert np.allclose(heatmap.values(), answer.trace.coefficients / answer.trace.lengths)
    assert heatmap.scale.limit < 1 and workspace.scales.activation.limit == 2.0
    assert "× norm" in heatmap.bar.accessibleName()
    heatmap.show_quantity("truth")
    assert not heatmap.plot.isVisible() and heatmap.measure.isVisible()
    heatmap.measure.click()
    assert workspace.truth and not heatmap.measure.isEnabled()
    row = np.arange(6, dtype=np.float32)
    for index in range(40, 60):
        answer.trace.append(made_token(index, row, row, prompt_effect=3 * row, distance_to_prompt=2 * row))
    workspace.scales.include(answer, 40)
    workspace.answerGrew.emit(answer, 40)
    assert heatmap.plot.isVisible() and heatmap.tokens == 60
    assert np.array_equal(heatmap.values(), answer.trace.prompt_effect, equal_nan=True)
    heatmap.show_quantity("gap")
    assert np.array_equal(heatmap.values()[40:], answer.trace.distance_to_prompt[40:])
    heatmap.show_quantity("applied")
    assert heatmap.scale is workspace.scales.activation
    assert np.array_equal(heatmap.values(), answer.trace.coefficients)


def colours(heatmap) -> np.ndarray:
    """[tokens, blocks] of what is painted."""
    heatmap.image.render()
    image = heatmap.image.qimage
    return np.array([[image.pixel(x, y) for y in range(image.height())] for x in range(image.width())])


def test_one_number_has_one_colour_in_every_quantity_of_its_unit_and_every_answer(shown):
    workspace, heatmap, answer, grow = shown
    grow(1)
    several = np.float32([1, 2, 4, 8, 16, 0])
    answer.trace = Trace(1, 6)
    for index, (row, truth) in enumerate([(several, several[::-1]), (0 * several, 2 * several)]):
        answer.trace.append(made_token(index, row, 9 * row, prompt_effect=truth, distance_to_prompt=several))
    workspace.scales.include(answer)
    seen: dict[float, set] = {}
    for key in ("applied", "truth", "gap"):
        heatmap.show_quantity(key)
        assert heatmap.scale.levels == (0.0, 20.0) and heatmap.bar.beyond == (0, int(key == "truth"))
        for number, colour in zip(heatmap.values().ravel(), colours(heatmap).ravel(), strict=True):
            seen.setdefault(float(number), set()).add(int(colour))
    assert len(seen) == 7 and all(len(found) == 1 for found in seen.values())
    other = Turn("?", SamplingSettings()).add(STEERED)
    other.trace = Trace(1, 6)
    other.trace.append(made_token(0, several, 9 * several))
    heatmap.show_quantity("applied")
    workspace.show(other)
    assert {int(c) for c in colours(heatmap).ravel()} == set().union(*(seen[float(n)] for n in several))


def test_a_few_spikes_do_not_pale_the_rest_and_are_told_apart(shown):
    workspace, heatmap, answer, grow = shown
    grow(399)
    rows = answer.trace.coefficients
    answer.trace.append(made_token(1, 1000 * rows[0] * [1, 1, 0, 0, 0, 0], rows[0]))
    workspace.scales.include(answer, 399)
    workspace.answerGrew.emit(answer, 399)
    assert heatmap.scale == ColorScale(1.0) and heatmap.bar.beyond == (0, 2)
    assert "2 above" in heatmap.bar.toolTip()
    painted = colours(heatmap)
    assert len({*painted[399, :2], painted[0, 0], painted[399, 2]}) == 3  # beyond, the end itself, nothing
    assert painted[399, 0] == theme.current().color("above").rgb()


def test_one_steered_block_of_many_is_held_whole():
    rows = np.zeros((400, 32), np.float32)
    rows[:, 9] = np.linspace(1, 50, 400)
    trace = SimpleNamespace(
        coefficients=rows, lengths=100 + rows, prompt_effect=rows * np.nan, distance_to_prompt=rows * np.nan
    )
    assert holding(FIRST, trace)[ACTIVATION] == ColorScale(50.0)
    rows[9, 9] = -1.0
    assert holding(FIRST, trace)[ACTIVATION].signed


def test_a_selection_far_back_is_brought_into_sight(shown):
    workspace, heatmap, answer, grow = shown
    grow(300)
    workspace.select(answer, 10)
    low, high = heatmap.plot.getViewBox().viewRange()[0]
    assert low <= 10 < high and not heatmap.following


def test_a_blocks_row_over_the_tokens_follows_the_cell_and_the_bar(qtbot):
    workspace = Workspace()
    inspector = TokenPanel(workspace)
    qtbot.addWidget(inspector)
    inspector.resize(260, 640)
    inspector.show()
    answer = Turn("?", SamplingSettings()).add(STEERED)
    answer.trace = Trace(1, 6)
    rng = np.random.default_rng(0)
    for index in range(900):  # more tokens than pixels
        row = rng.normal(size=6).astype(np.float32)
        answer.trace.append(made_token(index, row, 9 * row))
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
    inspector = TokenPanel(workspace)
    qtbot.addWidget(inspector)
    answer = Turn("?", SamplingSettings()).add(STEERED)
    answer.trace = Trace(2, 3)
    for index, strengths in enumerate([(1.0, 0.0), (1.0, -0.5)]):
        row = np.ones(3, np.float32)
        answer.trace.append(made_token(index, row, row, strengths=strengths))
    workspace.select(answer, 0)
    assert inspector.bars.accessibleName() == "applied coefficient per block"
    workspace.select(answer, 1)
    assert "2 head" in inspector.bars.accessibleName()
