"""What went wrong or happened, above the conversation and never in the way."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from studio.worker import Failed


class Banner(QFrame):
    """Non-modal. A failure offers its details."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._details = ""
        self.job = ""  # whose failure it tells of, "" for what was no job
        self.setProperty("role", "banner")
        self.text = QLabel()
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setWordWrap(True)
        # A long name in it, which cannot be broken, is cut and does not widen the window.
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.copy = QPushButton(self.tr("Copy details"))
        self.copy.setAccessibleName(self.tr("Copy the details of the failure"))
        self.copy.setToolTip(self.tr("The whole report, for an issue"))
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self._details))
        self.close_button = QToolButton()
        self.close_button.setText("×")
        self.close_button.setProperty("role", "flat")
        self.close_button.setAccessibleName(self.tr("Close this message"))
        self.close_button.setToolTip(self.tr("Close this message"))
        self.close_button.clicked.connect(self.hide)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(16, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.text, 1)
        for control in (self.copy, self.close_button):
            layout.addWidget(control, 0, Qt.AlignmentFlag.AlignTop)
        self.hide()

    @Slot(object)
    def show_failure(self, failed: Failed) -> None:
        self.job = failed.job
        self._details = f"{failed.what}\n{failed.why}\n{failed.remedy}\n\n{failed.details}"
        text = f"{failed.what}: {failed.why} {failed.remedy}"
        self.text.setText(text)
        self.text.setToolTip(text)  # where the window leaves no room for all of it
        self.setAccessibleName(text)
        self.show()
