"""The pages in the middle of the window, one at a time, and the tabs that choose among them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QStackedWidget, QToolButton, QWidget

from studio.widgets.page import Page, QuestionPage
from studio.widgets.tab_order import enter
from studio.widgets.vertical_scroll import VerticalScroll


class PageTabs(QStackedWidget):
    """`tabs` shows one button per page; with a single page it hides itself."""

    turned = Signal()  # another page is shown

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pages: list[Page] = []
        self._asks: list[QuestionPage] = []
        self.tabs = QWidget()
        self._row = QHBoxLayout(self.tabs)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self.tabs.hide()

    def add(self, page: Page, action: QAction, asks: QuestionPage) -> None:
        """asks: the page that answers a question which is sent while this one is shown; action: turns to the
        page and is checked while it is shown; its text names the tab."""
        assert isinstance(page, QWidget)
        self._pages.append(page)
        self._asks.append(asks)
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
        self.tabs.setVisible(len(self._pages) > 1)

    def turn(self, page: Page) -> None:
        """Shows the page and gives it the keyboard."""
        assert isinstance(page, QWidget)
        self.setCurrentIndex(self._pages.index(page))
        enter(page)
        self.turned.emit()

    @property
    def current(self) -> Page:
        """The page that is shown."""
        return self._pages[self.currentIndex()]

    @property
    def asked(self) -> QuestionPage:
        """The page that answers a question which is sent now."""
        return self._asks[self.currentIndex()]

    @property
    def running(self) -> list[Page]:
        """The pages with work in progress, the one that is shown first."""
        found = [page for page in self._pages if page.running]
        return sorted(found, key=lambda page: page is not self.current)
