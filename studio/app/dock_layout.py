"""The panels around the page: where each stands at first, how they are moved, kept and put back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QByteArray, QCoreApplication, QEvent, QObject, QSize, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QHelpEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QDockWidget,
    QMainWindow,
    QTabBar,
    QTabWidget,
    QToolTip,
    QWidget,
)

from studio.state.preferences import Preferences
from studio.widgets import theme
from studio.widgets.tab_order import enter
from studio.widgets.tooltips import Term, explained
from studio.widgets.translation import QT_TR_NOOP, shown

VERSION = 2  # of the arrangement; a kept one of another version is not taken
# All in lines of text, so that a window is as good as full sooner when the text is large.
WIDE = 106  # width of the window from which the library has a place of its own
NARROW = 50  # below it the docks of the right side stand at the bottom
SHORT = 40  # height of the window below which docks that stand above each other become tabs

Area = Qt.DockWidgetArea


@dataclass(frozen=True)
class PanelPlace:
    """One dock: its key, title, area, least size in lines of text where its
    content does not say it, and whether it is there at first; behind: the dock whose tab neighbour it is;
    stacked: or only where there is no room above each other; terms: what its title's tooltip explains."""

    key: str
    title: str
    area: Area
    least: tuple[int, int] = (0, 0)
    shown: bool = True
    behind: str = ""
    stacked: bool = False
    terms: tuple[Term, ...] = ()


# fmt: off
PLACES = (
    PanelPlace("steering", QT_TR_NOOP("STEERING"), Area.LeftDockWidgetArea, terms=("head",)),
    PanelPlace("mixer", QT_TR_NOOP("MIXER"), Area.LeftDockWidgetArea, (0, 7), True, "steering", True,
               ("head", "strength")),
    PanelPlace("library", QT_TR_NOOP("LIBRARY"), Area.LeftDockWidgetArea, (14, 7), False, "mixer"),
    PanelPlace("heatmap", QT_TR_NOOP("HEATMAP"), Area.BottomDockWidgetArea, (16, 0),
               terms=("coefficient", "block")),
    PanelPlace("log", QT_TR_NOOP("LOG"), Area.BottomDockWidgetArea, (16, 6), False, "heatmap"),
    PanelPlace("inspector", QT_TR_NOOP("TOKEN"), Area.RightDockWidgetArea, terms=("coefficient", "block")),
    PanelPlace("faithfulness", QT_TR_NOOP("FAITHFULNESS"), Area.RightDockWidgetArea,
               (12, 0), True, "inspector", True, ("faithfulness", "block")),
    PanelPlace("settings", QT_TR_NOOP("SETTINGS"), Area.RightDockWidgetArea, (16, 6), False, "inspector"),
)
# fmt: on


class _Dock(QDockWidget):
    """Its tooltip is the title's alone: Qt shows a dock's tooltip over all of its content too."""

    def __init__(self, title: str, about: str, parent: QWidget) -> None:
        super().__init__(title, parent)
        self._about = about
        self.setAccessibleDescription(about)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            on_title = event.pos().y() < self.widget().y()
            QToolTip.showText(event.globalPos(), self._about if on_title else "", self)
            return True
        return super().event(event)


class DockLayout(QObject):
    """Contents come as widgets or as factories, which are called when the dock is first seen."""

    changed = Signal()  # a panel was shown or hidden

    def __init__(self, window: QMainWindow, preferences: Preferences) -> None:
        super().__init__(window)
        self._window, self._preferences = window, preferences
        self._makers: dict[str, Callable[[], QWidget]] = {}
        self._docks: dict[str, QDockWidget] = {}
        window.setDockNestingEnabled(True)
        window.setTabPosition(Area.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        window.setCorner(Qt.Corner.BottomLeftCorner, Area.LeftDockWidgetArea)
        window.setCorner(Qt.Corner.BottomRightCorner, Area.RightDockWidgetArea)
        self._seen: set[str] = set()  # those that are in sight, behind no other
        for place in PLACES:
            self._docks[place.key] = self._dock(place)
        self._before = QByteArray()  # the arrangement that the look changes under
        self._chosen = window.size()  # the window's, as long as nothing in it needs more
        self._crowding: str | None = None  # what the docks stand there for; None: they do not stand yet
        window.installEventFilter(self)

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
            enter(dock.widget())

    def is_shown(self, key: str) -> bool:
        """Whether the panel is there, in sight or behind another one."""
        return self._docks[key].toggleViewAction().isChecked()

    def is_in_sight(self, key: str) -> bool:
        """Whether the panel is shown and stands behind no other one."""
        return key in self._seen

    def set_shown(self, key: str, shown: bool) -> None:
        if shown:
            self.show(key)
        else:
            self._docks[key].hide()

    def hides(self, widget: QWidget | None) -> bool:
        """Whether it is in a panel that another one stands before."""
        behind = (dock for key, dock in self._docks.items() if key not in self._seen)
        return widget is not None and any(dock.isAncestorOf(widget) for dock in behind)

    def arrange(self) -> None:
        """The arrangement of a first start, for the size that the window has."""
        self._arrange(self._chosen)

    def _arrange(self, size: QSize) -> None:
        wide = size.width() >= theme.lines(WIDE)
        self._crowding = _crowded(size)
        for place in PLACES:
            dock = self._docks[place.key]
            dock.hide()  # all of them side by side would not fit, and the window would grow
            dock.setFloating(False)
            self._window.addDockWidget(place.area, dock)
        for place in PLACES:
            behind = self._behind(place, wide)
            if behind:
                self._window.tabifyDockWidget(self._docks[behind], self._docks[place.key])
        for place in PLACES:
            self._docks[place.key].setVisible(place.shown or (wide and place.key == "library"))
        for place in PLACES:
            if not self._behind(place, wide):
                self._docks[place.key].raise_()
        self._take()
        self._size(wide)

    def _take(self) -> None:
        """The window grew with what was in it, and is made smaller again where that allows it."""
        layout = self._window.layout()
        if layout is not None:
            layout.activate()
        chosen = self._chosen
        self._window.resize(chosen)
        self._chosen = chosen  # though it came out larger

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(watched, QTabBar):
            if event.type() == QEvent.Type.Move:
                _take_focus(watched)
        elif isinstance(event, QResizeEvent):
            old, new = event.oldSize(), event.size()
            needed = old.expandedTo(self._window.minimumSizeHint())
            if new != new.boundedTo(needed).expandedTo(old):  # not what is in it: somebody chose this size
                self._chosen = new
        elif event.type() == QEvent.Type.LayoutRequest and self._window.size() != self._chosen:
            QTimer.singleShot(0, self, self._take)  # when the layout has heard of it
        return super().eventFilter(watched, event)

    @Slot()
    def remember(self) -> None:
        """The size of the text is about to change, and with it the room that everything takes."""
        self._before = self._window.saveState(VERSION)

    @Slot()
    def fit(self) -> None:
        """Takes the size of the text. Where it leaves less room than before, or more, the panels that are
        shown stand as they did when there was as much."""
        for place in PLACES:
            self._docks[place.key].setMinimumSize(*(theme.lines(side) for side in place.least))
        if self._crowding is not None:
            QTimer.singleShot(0, self, self._regroup)  # when everything else has taken the size

    @Slot()
    def _regroup(self) -> None:
        window, size = self._window, self._chosen
        QCoreApplication.sendPostedEvents(None, QEvent.Type.LayoutRequest)
        crowding = _crowded(size)
        if crowding == self._crowding:
            self._take()
            return
        at = window.focusWidget()
        typed_in = next((dock for dock in self._docks.values() if at and dock.isAncestorOf(at)), None)
        shown = {place.key: not self._docks[place.key].isHidden() for place in PLACES}
        self._preferences.keep_layout(f"aside{self._crowding}", self._before)
        kept = self._preferences.layout(f"aside{crowding}")
        if kept is None or not window.restoreState(kept, VERSION):
            self._arrange(size)
        self._crowding = crowding
        for key, is_shown in shown.items():
            self._docks[key].setVisible(is_shown)
        self._take()
        if at is not None and typed_in is not None:
            typed_in.raise_()
            at.setFocus()

    def restore(self) -> bool:
        """The arrangement that was kept; False when there is none that fits this version."""
        state, frame = self._preferences.layout("docks"), self._preferences.layout("window")
        if frame is not None:
            self._window.restoreGeometry(frame)
        self._crowding = _crowded(self._window.size())
        return state is not None and self._window.restoreState(state, VERSION)

    def keep(self) -> None:
        self._preferences.keep_layout("docks", self._window.saveState(VERSION))
        self._preferences.keep_layout("window", self._window.saveGeometry())

    def _dock(self, place: PanelPlace) -> QDockWidget:
        dock = _Dock(shown(place.title), explained(*place.terms), self._window)
        dock.setObjectName(place.key)
        page = QWidget()
        page.setProperty("role", "panel")
        dock.setWidget(page)
        tips = (
            ("float", self.tr("Undock / dock panel")),
            ("close", self.tr("Hide panel (show it again from the View menu)")),
        )
        for button, tip in tips:  # Qt's own
            found = dock.findChild(QAbstractButton, f"qt_dockwidget_{button}button")
            if found is not None:
                found.setToolTip(tip)
        dock.visibilityChanged.connect(lambda seen, key=place.key: self._on_seen(key, seen))
        dock.visibilityChanged.connect(self._name_tabs)
        dock.toggleViewAction().toggled.connect(self.changed)
        return dock

    @Slot()
    def _name_tabs(self) -> None:
        """For eyes and screen readers; Qt makes the tabs when docks come to stand behind each other."""
        for tabs in self._window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly):
            tabs.setAccessibleName(self.tr("Tabbed panels"))
            tabs.setElideMode(Qt.TextElideMode.ElideNone)  # of a few letters one guesses nothing
            tabs.setUsesScrollButtons(True)
            for place in range(tabs.count()):
                tabs.setTabToolTip(place, tabs.tabText(place))
            tabs.installEventFilter(self)
            _take_focus(tabs)

    def _on_seen(self, key: str, seen: bool) -> None:
        if seen:
            self._seen.add(key)
            self._make(key)
        else:
            self._seen.discard(key)

    def _make(self, key: str) -> None:
        if key in self._makers:
            self.fill(key, self._makers.pop(key)())

    def _behind(self, place: PanelPlace, wide: bool) -> str:
        """The dock whose tab neighbour it is, if any."""
        crowding = self._crowding or ""
        if place.area == Area.RightDockWidgetArea and "narrow" in crowding:
            return "heatmap"
        alone = "short" not in crowding if place.stacked else wide and place.key == "library"
        return "" if alone else place.behind

    def _size(self, wide: bool) -> None:
        docks, window = self._docks, self._window
        sides = [344, 320] if wide else [304, 256]
        window.resizeDocks([docks["steering"], docks["inspector"]], sides, Qt.Orientation.Horizontal)
        window.resizeDocks([docks["heatmap"]], [320 if wide else 232], Qt.Orientation.Vertical)
        left, right = [docks["steering"], docks["mixer"]], [docks["inspector"], docks["faithfulness"]]
        heights = [348, 284]
        if wide:
            left, heights = [*left, docks["library"]], [348, 316, 240]
        window.resizeDocks(left, heights, Qt.Orientation.Vertical)
        window.resizeDocks(right, [472, 200], Qt.Orientation.Vertical)


def _take_focus(tabs: QTabBar) -> None:
    """Qt keeps tabs with nothing to choose between out of sight, where the keyboard must not get lost."""
    tabs.setFocusPolicy(Qt.FocusPolicy.TabFocus if tabs.x() >= 0 else Qt.FocusPolicy.NoFocus)


def _crowded(window: QSize) -> str:
    """How little room there is for the text in a window of this size; "" is enough."""
    narrow, short = window.width() < theme.lines(NARROW), window.height() < theme.lines(SHORT)
    return "-narrow" * narrow + "-short" * short
