"""Text fields that grow with what stands in them, whether it was typed or put there."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QObject, QTimer, Slot
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy

FRAME = 19  # pixels around the text: border, padding and the margins of the document


class GrowingEdit(QObject):
    """Keeps `edit` as high as its lines, broken ones counted, from `least` up to `most`."""

    def __init__(self, edit: QPlainTextEdit, most: int, least: int = 1) -> None:
        super().__init__(edit)
        self._edit, self._most, self._least = edit, most, least
        edit.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        edit.document().documentLayout().documentSizeChanged.connect(self.fit)
        edit.installEventFilter(self)
        self.fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.FontChange, QEvent.Type.Show):
            QTimer.singleShot(0, self, self.fit)  # when the edit itself has taken it in
        return False

    @Slot()
    def fit(self) -> None:
        lines, block = 0, self._edit.document().firstBlock()
        layout = self._edit.document().documentLayout()
        while block.isValid() and lines < self._most:
            layout.blockBoundingRect(block)  # breaks it into lines, where the width is another one
            lines, block = lines + block.lineCount(), block.next()
        lines = max(self._least, min(self._most, lines))
        line = math.ceil(QFontMetricsF(self._edit.font()).lineSpacing())
        self._edit.setFixedHeight(line * lines + FRAME)
