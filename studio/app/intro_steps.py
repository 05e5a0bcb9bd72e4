"""The four bubbles of the first start."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from studio.app.dock_layout import DockLayout
from studio.app.intro_tour import Step
from studio.widgets.translation import tr


def steps(composer: QWidget, docks: DockLayout) -> tuple[Step, ...]:
    return (
        Step(
            lambda: composer,
            tr("Ask"),
            tr(
                "A question is typed. Press Enter: the answer streams, every token on a shade as strong "
                "as the coefficient that was applied to it."
            ),
        ),
        Step(
            lambda: _shown(docks, "mixer"),
            tr("Move a strength"),
            tr(
                "Each row is a head: a steering prompt, distilled. Move its slider while the model "
                "speaks; the next token follows. Below zero it pushes the other way."
            ),
        ),
        Step(
            lambda: _shown(docks, "steering"),
            tr("Type a prompt of your own"),
            tr(
                "While you pause a quick head of these words is made and follows your typing. "
                "Distill makes the one to keep."
            ),
        ),
        Step(
            lambda: _shown(docks, "heatmap"),
            tr("See what was done"),
            tr(
                "Every column is a token, every row a block. Click one and read its numbers on the "
                "right. Ctrl+K finds every command."
            ),
        ),
    )


def _shown(docks: DockLayout, key: str) -> QWidget:
    """The dock, brought into sight."""
    dock = docks[key]
    if not dock.isVisible():
        docks.show(key)
    return dock
