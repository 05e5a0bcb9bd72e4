"""The log panel: what engine and studio said since the start, filtered, for reading and for copying."""

from __future__ import annotations

import logging

from PySide6.QtCore import Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from studio.app.log_buffer import LogBuffer
from studio.widgets.named_combo_box import NamedComboBox
from studio.widgets.translation import QT_TR_NOOP, shown

LEVELS = (
    (logging.DEBUG, QT_TR_NOOP("Everything")),
    (logging.INFO, QT_TR_NOOP("Information")),
    (logging.WARNING, QT_TR_NOOP("Warnings")),
)


class LogPanel(QWidget):
    def __init__(self, book: LogBuffer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self._book = book
        self.entry = self.filter = QLineEdit()
        self.filter.setPlaceholderText(self.tr("Filter"))
        self.filter.setAccessibleName(self.tr("Show only lines with these words"))
        self.filter.setClearButtonEnabled(True)
        self.level = NamedComboBox(self.tr("Minimum level"))
        self.level.setToolTip(self.tr("Minimum level"))
        for level, words in LEVELS:
            self.level.addItem(shown(words), level)
        self.level.setCurrentIndex(1)
        self.copy = QPushButton(self.tr("Copy"))
        self.copy.setToolTip(self.tr("Copy the lines shown"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.shown.toPlainText()))
        self.shown: QPlainTextEdit = QPlainTextEdit()
        self.shown.setReadOnly(True)
        self.shown.setProperty("role", "log")
        self.shown.setAccessibleName(self.tr("Log"))
        self.shown.setPlaceholderText(self.tr("No messages at this level"))
        self.shown.setTabChangesFocus(True)
        self.shown.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        tools = QHBoxLayout()
        tools.setContentsMargins(16, 0, 16, 0)
        tools.setSpacing(8)
        tools.addWidget(self.filter, 1)
        tools.addWidget(self.level)
        tools.addWidget(self.copy)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(tools)
        layout.addWidget(self.shown, 1)
        self.filter.textChanged.connect(self.refresh)
        self.level.currentIndexChanged.connect(self.refresh)
        book.grew.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Shows what the filters let through, the newest line in sight unless one scrolled away."""
        if not self.isVisible() and self.shown.toPlainText():
            return  # taken up when it is seen again
        bar = self.shown.verticalScrollBar()
        place, at_end = bar.value(), bar.value() >= bar.maximum() - 4
        self.shown.setPlainText(self._book.text(self.level.currentData(), self.filter.text()))
        bar.setValue(bar.maximum() if at_end else place)

    def showEvent(self, event: object) -> None:
        self.refresh()
