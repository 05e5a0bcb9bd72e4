"""The panels around the page: where each stands at first, how they are moved, kept and put back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QDockWidget, QMainWindow, QTabWidget, QWidget

from studio.settings import Preferences
from studio.translation import QT_TR_NOOP, shown

VERSION = 2  # of the arrangement; a kept one of another version is not taken
WIDE = 1600  # pixels of window width from which the library has a place of its own

Area = Qt.DockWidgetArea


@dataclass(frozen=True)
class Place:
    """One dock: its key (the action is panel_<key>), title, area, least size, and whether it is there at
    first; behind: the dock whose tab neighbour it becomes when there is no room."""

    key: str
    title: str
    area: Area
    least: tuple[int, int] = (0, 0)
    shown: bool = True
    behind: str = ""


# fmt: off
PLACES = (
    Place("steering", QT_TR_NOOP("STEERING"), Area.LeftDockWidgetArea, (288, 0)),
    Place("mixer", QT_TR_NOOP("MIXER"), Area.LeftDockWidgetArea, (288, 160)),
    Place("library", QT_TR_NOOP("LIBRARY"), Area.LeftDockWidgetArea, (240, 160), False, "mixer"),
    Place("heatmap", QT_TR_NOOP("HEATMAP"), Area.BottomDockWidgetArea, (240, 104)),
    Place("log", QT_TR_NOOP("LOG"), Area.BottomDockWidgetArea, (240, 120), False, "heatmap"),
    Place("inspector", QT_TR_NOOP("TOKEN"), Area.RightDockWidgetArea, (216, 176)),
    Place("faithfulness", QT_TR_NOOP("FAITHFULNESS"), Area.RightDockWidgetArea, (216, 176)),
    Place("settings", QT_TR_NOOP("SETTINGS"), Area.RightDockWidgetArea, (240, 200), False, "inspector"),
)
# fmt: on


class Docks(QObject):
    """Contents come as widgets or as factories, which are called when the dock is first seen."""

    def __init__(self, window: QMainWindow, preferences: Preferences, actions: Mapping[str, QAction]) -> None:
        super().__init__(window)
        self._window, self._preferences = window, preferences
        self._makers: dict[str, Callable[[], QWidget]] = {}
        self._docks: dict[str, QDockWidget] = {}
        window.setDockNestingEnabled(True)
        window.setTabPosition(Area.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        window.setCorner(Qt.Corner.BottomLeftCorner, Area.LeftDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, Area.RightDockWidgetArea)
        for place in PLACES:
            self._docks[place.key] = self._dock(place, actions[f"panel_{place.key}"])

    def __getitem__(self, key: str) -> QDockWidget:
        return self._docks[key]

    def fill(self, key: str, content: QWidget | Callable[[], QWidget]) -> None:
        """Puts `content` into the dock, now or when it is first seen."""
        if isinstance(content, QWidget):
            old = self._docks[key].widget()
            self._docks[key].setWidget(content)
            if old:
                old.deleteLater()
        else:
            self._makers[key] = content
            if self._docks[key].isVisible():
                self._make(key)

    def show(self, key: str) -> None:
        """Brings the panel to the front and the keyboard into it."""
        dock = self._docks[key]
        dock.show()
        dock.raise_()
        if dock.widget():
            dock.widget().setFocus(Qt.FocusReason.ShortcutFocusReason)

    def arrange(self) -> None:
        """The arrangement of a first start, for the width that the window has."""
        size, wide = self._window.size(), self._window.width() >= WIDE
        for place in PLACES:
            dock = self._docks[place.key]
            dock.hide()  # all of them side by side would not fit, and the window would grow
            dock.setFloating(False)
            self._window.addDockWidget(place.area, dock)
        for place in PLACES:
            if place.behind and not (wide and place.key == "library"):
                self._window.tabifyDockWidget(self._docks[place.behind], self._docks[place.key])
        for place in PLACES:
            self._docks[place.key].setVisible(place.shown or (wide and place.key == "library"))
        self._window.resize(size)
        self._size(wide)

    def restore(self) -> bool:
        """The arrangement that was kept; False when there is none that fits this version."""
        state, frame = self._preferences.layout("docks"), self._preferences.layout("window")
        if frame is not None:
            self._window.restoreGeometry(frame)
        return state is not None and self._window.restoreState(state, VERSION)

    def keep(self) -> None:
        self._preferences.keep_layout("docks", self._window.saveState(VERSION))
        self._preferences.keep_layout("window", self._window.saveGeometry())

    def _dock(self, place: Place, action: QAction) -> QDockWidget:
        dock = QDockWidget(shown(place.title), self._window)
        dock.setObjectName(place.key)
        dock.setMinimumSize(*place.least)
        page = QWidget()
        page.setProperty("role", "panel")
        dock.setWidget(page)
        dock.visibilityChanged.connect(lambda seen, key=place.key: self._make(key) if seen else None)
        dock.toggleViewAction().toggled.connect(action.setChecked)
        action.triggered.connect(lambda on, key=place.key: self.show(key) if on else dock.hide())
        return dock

    def _make(self, key: str) -> None:
        if key in self._makers:
            self.fill(key, self._makers.pop(key)())

    def _size(self, wide: bool) -> None:
        docks, window = self._docks, self._window
        sides = [344, 320] if wide else [304, 256]
        window.resizeDocks([docks["steering"], docks["inspector"]], sides, Qt.Orientation.Horizontal)
        window.resizeDocks([docks["heatmap"]], [320 if wide else 232], Qt.Orientation.Vertical)
        left, right = [docks["steering"], docks["mixer"]], [docks["inspector"], docks["faithfulness"]]
        heights = [344, 320]
        if wide:
            left, heights = [*left, docks["library"]], [344, 320, 240]
        window.resizeDocks(left, heights, Qt.Orientation.Vertical)
        window.resizeDocks(right, [472, 200], Qt.Orientation.Vertical)
