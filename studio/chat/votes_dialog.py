"""Every vote of the blind comparisons, in a list; the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from studio.chat.compare_controller import TIE
from studio.widgets.label import one_line, plain_label


class VotesDialog(QDialog):
    """Reads them as they are now."""

    exportWanted = Signal()

    def __init__(self, votes: Iterable[Mapping[str, Any]], told: str, parent: QWidget | None = None) -> None:
        """votes: their facts, the oldest first; told: what they come to, in words."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Votes"))
        about = plain_label(
            told or self.tr("No votes yet. Switch Blind on in Compare, ask a question, and vote.")
        )
        about.setWordWrap(True)
        self.list = QTreeWidget()
        self.list.setAccessibleName(self.tr("Votes in blind comparisons"))
        self.list.setRootIsDecorated(False)
        self.list.setUniformRowHeights(True)
        self.list.setHeaderLabels(
            [self.tr("Preferred"), self.tr("Among"), self.tr("Question"), self.tr("Model")]
        )
        for vote in reversed(list(votes)):
            names = ", ".join(lane["name"] for lane in vote["lanes"])
            choice = self.tr("tie") if vote["choice"] == TIE else vote["choice"]
            row = QTreeWidgetItem([choice, names, one_line(vote["question"]), vote["model"]])
            row.setToolTip(2, vote["question"])
            self.list.addTopLevelItem(row)
        for column, letters in enumerate((14, 28, 32)):
            self.list.setColumnWidth(column, letters * self.fontMetrics().averageCharWidth())
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.export = buttons.addButton(self.tr("Export…"), QDialogButtonBox.ButtonRole.ActionRole)
        self.export.setEnabled(self.list.topLevelItemCount() > 0)
        self.export.clicked.connect(self.exportWanted)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        for widget in (about, self.list, buttons):
            layout.addWidget(widget)
        self.resize(112 * self.fontMetrics().averageCharWidth(), 360)
