"""A label that shows its text as it is: what a person or a model wrote is never taken for markup."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel


def plain_label(text: str, role: str = "") -> QLabel:
    """role: of studio.theme's style sheet."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if role:
        label.setProperty("role", role)
    return label


def one_line(text: str, most: int = 60) -> str:
    """What a person typed, however long and in however many lines, as the beginning of one."""
    words = " ".join(text[: 8 * most].split())
    whole = len(text) <= 8 * most and len(words) <= most
    return words if whole else words[: most - 1].rstrip() + "…"
