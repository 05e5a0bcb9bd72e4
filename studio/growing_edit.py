"""Text fields that grow with what stands in them, whether it was typed or put there."""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QObject, Slot
from PySide6.QtGui import QFontMetricsF
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy

FRAME = 19  # pixels around the text: border, padding and the margins of the document


class Growing(QObject):
    """Keeps `edit` as high as its lines, broken ones counted, up to `most`."""

    def __init__(self, edit: QPlainTextEdit, most: int) -> None:
        super().__init__(edit)
        self._edit, self._most = edit, most
        edit.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        edit.document().documentLayout().documentSizeChanged.connect(self.fit)
        edit.installEventFilter(self)
        self.fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.FontChange, QEvent.Type.Show):
            self.fit()
        return False

    @Slot()
    def fit(self) -> None:
        lines = max(1, min(self._most, round(self._edit.document().size().height())))
        line = math.ceil(QFontMetricsF(self._edit.font()).lineSpacing())
        self._edit.setFixedHeight(line * lines + FRAME)
