"""What went wrong or happened, above the conversation and never in the way."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from studio.runtime.worker import JobFailure


class FailureBanner(QFrame):
    """Non-modal. Shows the newest failure, which offers its details; those before it wait behind it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._failures: list[JobFailure] = []  # the newest last
        self.setProperty("role", "banner")
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setWordWrap(True)
        # A long name in it, which cannot be broken, is cut and does not widen the window.
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.waiting = QLabel()
        self.waiting.setProperty("role", "muted")
        self.copy = QPushButton(self.tr("Copy details"))
        self.copy.setAccessibleName(self.tr("Copy the error details"))
        self.copy.setToolTip(self.tr("Copy the full error report"))
        self.copy.clicked.connect(self._copy)
        self.close_button = QToolButton()
        self.close_button.setText("×")
        self.close_button.setProperty("role", "flat")
        self.close_button.setAccessibleName(self.tr("Close this message"))
        self.close_button.setToolTip(self.tr("Close this message"))
        self.close_button.clicked.connect(self._dismiss)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.text, 1)
        for control in (self.waiting, self.copy, self.close_button):
            layout.addWidget(control, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    @Slot(object)
    def show_failure(self, failed: JobFailure) -> None:
        """What has the same words as one that waits takes its place."""
        words = _words(failed)
        self._put([*(each for each in self._failures if _words(each) != words), failed])

    @Slot(str)
    def settle(self, job: str) -> None:
        """The failures of `job` are told no longer: it has gone well."""
        self._put([each for each in self._failures if each.job != job])

    def _put(self, failures: list[JobFailure]) -> None:
        self._failures = failures
        if failures:
            text, behind = _words(failures[-1]), len(failures) - 1
            more = self.tr("%n more message(s)", "", behind) if behind else ""
            self.text.setText(text)
            self.text.setToolTip(text)  # where the window leaves no room for all of it
            self.waiting.setText(more)
            self.waiting.setVisible(bool(behind))
            self.setAccessibleName(f"{text} {more}".strip())
        self.setVisible(bool(failures))

    @Slot()
    def _copy(self) -> None:
        shown = self._failures[-1]
        text = f"{shown.what}\n{shown.why}\n{shown.remedy}\n\n{shown.details}"
        QGuiApplication.clipboard().setText(text)

    @Slot()
    def _dismiss(self) -> None:
        self._put(self._failures[:-1])


def _words(failed: JobFailure) -> str:
    return f"{failed.what}. {failed.why} {failed.remedy}"
