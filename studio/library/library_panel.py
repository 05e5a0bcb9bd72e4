"""The library panel: what was kept, to search, open, rename, tag, remove and export."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, QTimer, Signal, Slot
from PySide6.QtGui import QAction, QDragEnterEvent, QDropEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from engine.library.records import COMPARISON, LibraryItem, Shelf
from studio.library.autosave import Autosave
from studio.runtime.head_files import HEAD_FILES
from studio.runtime.worker import Job
from studio.widgets.dropped_files import dropped_files
from studio.widgets.list_rows import FittingRows
from studio.widgets.named_combo_box import NamedComboBox

TYPING_MS = 150

_Item = Qt.ItemDataRole.UserRole


class LibraryPanel(QWidget):
    """Lists what the library's thread finds; what shall change is told by signals."""

    opened = Signal(object)  # Item: asked for with Enter, double click or the menu
    renameWanted = Signal(object)  # Item
    tagsWanted = Signal(object)  # Item
    removeWanted = Signal(list)  # Items
    exportWanted = Signal(object)  # Item
    dropped = Signal(object)  # Path of a head file

    def __init__(self, autosave: Autosave, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("role", "panel")
        self.setAcceptDrops(True)
        self._autosave = autosave
        self._asked = 0  # the newest question to the library; older answers are not shown
        self.shelf = NamedComboBox(self.tr("Library section"))
        self.shelf.setToolTip(self.tr("Show conversations, heads or distillation runs"))
        shelves: tuple[tuple[Shelf, str], ...] = (
            ("conversation", self.tr("Conversations")),
            ("head", self.tr("Heads")),
            ("run", self.tr("Runs")),
        )
        for key, words in shelves:
            self.shelf.addItem(words, key)
        self.entry = self.search = QLineEdit()
        self.search.setPlaceholderText(self.tr("Search names, text and tags"))
        self.search.setAccessibleName(self.tr("Search the Library"))
        self.search.setClearButtonEnabled(True)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Library items"))
        self.list.setProperty("role", "panel")
        self.list.setItemDelegate(FittingRows(self.list))
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list.customContextMenuRequested.connect(self._on_menu)
        self.list.itemActivated.connect(lambda row: self.opened.emit(row.data(_Item)))
        self.list.itemSelectionChanged.connect(self._enable)
        self._empty = QLabel()
        self._empty.setProperty("role", "muted")
        self._empty.setWordWrap(True)
        self._empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._empty.setContentsMargins(16, 8, 16, 8)
        self.actions_ = {
            "open": self._action(self.tr("Open"), "", lambda i: self.opened.emit(i[0])),
            "rename": self._action(self.tr("Rename…"), "F2", lambda i: self.renameWanted.emit(i[0])),
            "tags": self._action(self.tr("Tags…"), "Ctrl+Shift+T", lambda i: self.tagsWanted.emit(i[0])),
            "export": self._action(self.tr("Export…"), "", lambda i: self.exportWanted.emit(i[0])),
            "remove": self._action(self.tr("Remove"), "Del", self.removeWanted.emit),
        }
        self._menu = QMenu(self)
        self._menu.addActions(list(self.actions_.values()))
        self.more = QToolButton()
        self.more.setText("…")
        self.more.setProperty("role", "small")
        self.more.setAccessibleName(self.tr("Actions for the selected items"))
        self.more.setToolTip(self.tr("Open, rename, tag, export or remove the selected items"))
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.more.setMenu(self._menu)
        self._lay_out()
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_MS)
        self._pause.timeout.connect(self.refresh)
        self.search.textChanged.connect(lambda _: self._pause.start())
        self.shelf.currentIndexChanged.connect(self.refresh)
        autosave.stateChanged.connect(self._on_saved)
        self._enable()

    def show_shelf(self, shelf: Shelf) -> None:
        self.shelf.setCurrentIndex(self.shelf.findData(shelf))

    def chosen(self) -> list[LibraryItem]:
        return [row.data(_Item) for row in self.list.selectedItems()]

    @Slot()
    def refresh(self) -> None:
        """Asks the library again with the words as they are."""
        if not self.isVisible():
            return
        self._asked += 1
        shelf, words, number = self.shelf.currentData(), self.search.text(), self._asked
        self._autosave.worker.submit(
            Job(
                self.tr("Searching the library"),
                lambda emit, cancel: self._autosave.archive.items(shelf, words),
                on_done=lambda items: self._fill(items, number),
            )
        )

    def _fill(self, items: list[LibraryItem], number: int) -> None:
        if number != self._asked:
            return
        kept = {item.key for item in self.chosen()}
        self.list.clear()
        for item in items:
            words = f"{self._title(item)}\n{self._facts(item)}"
            row = QListWidgetItem(words)
            row.setToolTip(words)
            row.setData(_Item, item)
            self.list.addItem(row)
            row.setSelected(item.key in kept)
        self._empty.setText(self._describe_empty())
        self._pages.setCurrentIndex(0 if items else 1)
        self._enable()

    def _title(self, item: LibraryItem) -> str:
        return self.tr("Comparison: {0}").format(item.title) if item.kind == COMPARISON else item.title

    def _facts(self, item: LibraryItem) -> str:
        tags = "".join(f"  #{tag}" for tag in item.tags)
        return f"{item.about}  ·  {item.changed[:10]}{tags}"

    def _describe_empty(self) -> str:
        if self.search.text().strip():
            return self.tr("No matches")
        if not self._autosave.keeps:
            return self.tr("Nothing is saved in this session.")
        return {
            "conversation": self.tr(
                "Conversations and comparisons are saved here automatically. Ask something."
            ),
            "head": self.tr("Heads you distill or load are saved here. You can also drop a head file."),
            "run": self.tr("Distillation runs are listed here."),
        }[self.shelf.currentData()]

    def _lay_out(self) -> None:
        tools = QHBoxLayout()
        tools.setContentsMargins(16, 0, 16, 0)
        tools.setSpacing(8)
        tools.addWidget(self.shelf)
        tools.addStretch(1)
        tools.addWidget(self.more)
        line = QHBoxLayout()
        line.setContentsMargins(16, 0, 16, 0)
        line.addWidget(self.search)
        self._pages = QStackedLayout()
        self._pages.addWidget(self.list)
        self._pages.addWidget(self._empty)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(8)
        layout.addLayout(tools)
        layout.addLayout(line)
        layout.addLayout(self._pages, 1)

    def _action(self, text: str, keys: str, do: object) -> QAction:
        action = QAction(text, self)
        action.setShortcut(QKeySequence(keys))
        action.setShortcutContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        action.triggered.connect(lambda: do(self.chosen()) if self.chosen() else None)  # type: ignore[operator]
        self.list.addAction(action)
        return action

    @Slot()
    def _enable(self) -> None:
        items = self.chosen()
        for key, action in self.actions_.items():
            action.setEnabled(bool(items) and (key == "remove" or len(items) == 1))
        self.more.setEnabled(bool(items))

    @Slot(QPoint)
    def _on_menu(self, spot: QPoint) -> None:
        if self.chosen():
            self._menu.popup(self.list.mapToGlobal(spot))

    @Slot(str)
    def _on_saved(self, state: str) -> None:
        if state == "saved":
            self._pause.start()

    def showEvent(self, event: object) -> None:
        self._pause.start(0)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down and self.search.hasFocus() and self.list.count():
            self.list.setFocus()
            self.list.setCurrentRow(0)
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if dropped_files(event.mimeData(), HEAD_FILES):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        for path in dropped_files(event.mimeData(), HEAD_FILES):
            self.dropped.emit(path)
        event.acceptProposedAction()
