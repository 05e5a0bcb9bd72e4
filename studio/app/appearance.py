"""Colours and text size of the whole studio, as the settings say."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from studio.state.preferences import ZOOMS, Preferences
from studio.widgets import theme


class Appearance(QObject):
    changing = Signal()  # everything still stands as it did
    resized = Signal()  # the text has another size
    changed = Signal()  # what draws with colours of its own draws anew

    def __init__(self, preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._preferences = preferences
        preferences.changed.connect(self._on_changed)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_scheme)

    def apply(self) -> None:
        """Puts the settings on the application."""
        self.changing.emit()
        app, before = QApplication.instance(), QApplication.font().pointSizeF()
        chosen = {"light": theme.LIGHT, "dark": theme.DARK}.get(self._preferences.get("scheme"))
        if isinstance(app, QApplication):
            colours = replace(chosen or theme.of_system(), color_map=self._preferences.get("color_map"))
            theme.apply(app, colours, self._preferences.get("zoom"))
        self.changed.emit()
        if QApplication.font().pointSizeF() != before:
            self.resized.emit()

    def zoom(self, steps: int) -> None:
        """Larger or smaller by so many steps; 0 is the normal size."""
        place = ZOOMS.index(self._preferences.get("zoom")) + steps if steps else ZOOMS.index(1.0)
        self._preferences.set("zoom", ZOOMS[max(0, min(len(ZOOMS) - 1, place))])

    @Slot(str)
    def _on_changed(self, key: str) -> None:
        if key in ("scheme", "color_map", "zoom"):
            self.apply()

    @Slot()
    def _on_scheme(self) -> None:
        if self._preferences.get("scheme") == "system":
            self.apply()
