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
                "A question is ready below. Press Enter to stream an answer; with a head on, each token is "
                "shaded by how strongly it was steered."
            ),
        ),
        Step(
            lambda: _shown(docks, "mixer"),
            tr("Change the strength"),
            tr(
                "Every head – a distilled steering prompt – is a row here. Drag its slider while the model "
                "is answering and the next token responds. Negative values steer the opposite way."
            ),
        ),
        Step(
            lambda: _shown(docks, "steering"),
            tr("Write your own prompt"),
            tr(
                "Say what the model should do, or pick one of the Examples, and press Distill: the prompt "
                "becomes a head in the mixer."
            ),
        ),
        Step(
            lambda: _shown(docks, "heatmap"),
            tr("See where it steered"),
            tr(
                "Columns are tokens, rows are blocks. Click a cell to inspect it on the right. Press "
                "Ctrl+K to search all commands."
            ),
        ),
    )


def _shown(docks: DockLayout, key: str) -> QWidget:
    """The dock, brought into sight."""
    if not docks.is_in_sight(key):
        docks.show(key)
    return docks[key]
