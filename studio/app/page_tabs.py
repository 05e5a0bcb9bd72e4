"""The pages in the middle of the window, one at a time, and the tabs that choose among them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QStackedWidget, QToolButton, QWidget

from studio.widgets.tab_order import enter
from studio.widgets.vertical_scroll import VerticalScroll


class PageTabs(QStackedWidget):
    """`tabs` shows one button per page; with a single page it hides itself."""

    turned = Signal(str)  # key of the page that is shown

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys: list[str] = []
        self._pages: list[QWidget] = []
        self.tabs = QWidget()
        self._row = QHBoxLayout(self.tabs)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self.tabs.hide()
        self.currentChanged.connect(self._on_turned)

    def add(self, key: str, page: QWidget, action: QAction) -> None:
        """action: turns to the page and is checked while it is shown; its text names the tab."""
        self._keys.append(key)
        self._pages.append(page)
        self.addWidget(page if isinstance(page, QScrollArea) else VerticalScroll(page))
        tab = QToolButton()
        tab.setProperty("role", "tab")
        tab.setCheckable(True)
        tab.setText(action.text().replace("&", ""))
        tab.setToolTip(action.toolTip())
        tab.setAccessibleName(tab.text())
        tab.clicked.connect(action.trigger)
        tab.setChecked(action.isChecked())
        action.toggled.connect(tab.setChecked)
        self._row.addWidget(tab)
        self.tabs.setVisible(len(self._keys) > 1)
        self._on_turned(self.currentIndex())

    def turn(self, key: str) -> None:
        """Shows the page and gives it the keyboard."""
        self.setCurrentIndex(self._keys.index(key))
        enter(self._pages[self.currentIndex()])
        self._on_turned(self.currentIndex())

    @property
    def key(self) -> str:
        return self._keys[self.currentIndex()]

    def _on_turned(self, index: int) -> None:
        self.turned.emit(self._keys[index])
