"""The four bubbles of the first start."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QWidget

from studio.welcome import Step

if TYPE_CHECKING:
    from studio.window import Window


def steps(window: Window) -> tuple[Step, ...]:
    return (
        Step(
            lambda: window.composer,
            _t("Ask"),
            _t(
                "A question is typed. Press Enter: the answer streams, every token on a shade as strong "
                "as the coefficient that was applied to it."
            ),
        ),
        Step(
            lambda: _shown(window, "mixer"),
            _t("Move a strength"),
            _t(
                "Each row is a head: a steering prompt, distilled. Move its slider while the model "
                "speaks; the next token follows. Below zero it pushes the other way."
            ),
        ),
        Step(
            lambda: _shown(window, "steering"),
            _t("Type a prompt of your own"),
            _t(
                "While you pause a quick head of these words is made and follows your typing. "
                "Distill makes the one to keep."
            ),
        ),
        Step(
            lambda: _shown(window, "heatmap"),
            _t("See what was done"),
            _t(
                "Every column is a token, every row a block. Click one and read its numbers on the "
                "right. Ctrl+K finds every command."
            ),
        ),
    )


def _shown(window: Window, key: str) -> QWidget:
    """The dock, brought into sight."""
    dock = window.docks[key]
    if not dock.isVisible():
        window.docks.show(key)
    return dock


def _t(text: str) -> str:
    return QCoreApplication.translate("welcome", text)
