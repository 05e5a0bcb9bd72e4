from __future__ import annotations

import pytest
from PySide6.QtCore import QLocale, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from studio.panels.strength_slider import StrengthSlider
from studio.widgets.number_box import NumberBox


def slider(qtbot) -> StrengthSlider:
    made = StrengthSlider((0.0, 1.5))
    qtbot.addWidget(made)
    made.resize(216, 24)
    made.show()
    return made


def turn(made: StrengthSlider, angle: int) -> None:
    """The wheel, in eighths of a degree; a notch is 120."""
    spot = QPointF(100, 12)
    event = QWheelEvent(
        spot, spot, QPoint(), QPoint(0, angle), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(made, event)


def test_double_click_resets_to_one(qtbot):
    made = slider(qtbot)
    made.set_strength(-2.0)
    QTest.mouseDClick(made, Qt.MouseButton.LeftButton)
    assert made.strength() == 1.0


def test_wheel_and_keys_step(qtbot):
    made = slider(qtbot)
    made.set_strength(0.0)
    turn(made, 120)
    assert made.strength() == 0.05
    QTest.keyClick(made, Qt.Key.Key_Left)
    QTest.keyClick(made, Qt.Key.Key_Left)
    assert made.strength() == -0.05
    QTest.keyClick(made, Qt.Key.Key_1)
    assert made.strength() == 1.0


def test_a_touchpad_that_turns_by_less_than_a_step_moves_it_too(qtbot):
    made = slider(qtbot)
    made.set_strength(0.0)
    for _ in range(30):
        turn(made, -8)
    assert made.strength() == -0.1


@pytest.mark.parametrize("country", ["en_US", "de_DE"])
@pytest.mark.parametrize("typed, read", [("-3,5", -3.5), ("2.25", 2.25), ("1,500", 1.5), ("-7", -7.0)])
def test_a_comma_is_the_decimal_point_and_groups_no_digits(qtbot, country, typed, read):
    QLocale.setDefault(QLocale(country))
    box = NumberBox()
    QLocale.setDefault(QLocale.c())
    qtbot.addWidget(box)
    box.setRange(-100, 100)
    box.setDecimals(3)
    box.selectAll()
    QTest.keyClicks(box, typed)
    QTest.keyClick(box, Qt.Key.Key_Return)
    assert box.value() == read


def test_a_click_jumps_there(qtbot):
    made = slider(qtbot)
    QTest.mouseClick(made, Qt.MouseButton.LeftButton, pos=QPoint(108, 12))
    assert made.strength() == 0.0
    QTest.mouseClick(made, Qt.MouseButton.LeftButton, pos=QPoint(208, 12))
    assert made.strength() == 3.0
