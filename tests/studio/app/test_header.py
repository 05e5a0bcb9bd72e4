"""The header: how far a model is, whatever its size."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from studio.app.header import Header
from studio.state.progress import Loading
from studio.state.workspace import Workspace


@pytest.mark.parametrize(
    ("done", "total", "share"), [(0, 0, 0.0), (3, 12, 0.25), (60 * 10**9, 80 * 10**9, 0.75)]
)
def test_progress_shows_the_share_also_of_very_large_downloads(
    qtbot: QtBot, done: int, total: int, share: float
) -> None:
    workspace = Workspace()
    actions = {name: QAction(name) for name in ("model", "cancel_loading", "palette")}
    header = Header(workspace, actions, QWidget())
    qtbot.addWidget(header)
    workspace.set_loading(Loading(None, "downloading", done, total))
    bar = header.progress
    assert bar.value() / bar.maximum() == pytest.approx(share)
