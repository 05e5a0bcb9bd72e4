"""The command palette: every action by its words, found also by a few of their letters."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QLineEdit, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from studio.widgets import theme
from studio.widgets.list_rows import FittingRows


class CommandPalette(QDialog):
    """Type, choose with the arrows, Enter runs. The best match stands first."""

    def __init__(self, actions: Mapping[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Find a command"))
        self._actions = [a for key, a in actions.items() if key != "palette"]
        self.line = QLineEdit()
        self.line.setPlaceholderText(self.tr("What do you want to do?"))
        self.line.setAccessibleName(self.tr("Command search"))
        self.line.textChanged.connect(self._filter)
        self.line.returnPressed.connect(self._run)
        self.line.installEventFilter(self)
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Commands"))
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.list.setItemDelegate(FittingRows(self.list))
        self.list.itemClicked.connect(self._run)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.setSpacing(8)
        layout.addWidget(self.line)
        layout.addWidget(self.list)
        self.resize(QSize(theme.lines(32), theme.lines(27)).boundedTo(self.screen().availableSize()))
        self._filter("")

    def _filter(self, typed: str) -> None:
        self.list.clear()
        found = [
            (score(typed, _name(a), f"{a.statusTip()} {_keys(a)}"), place)
            for place, a in enumerate(self._actions)
        ]
        for rank, place in sorted(found):
            if rank < MISS:
                self._add(self._actions[place])
        if not self.list.count():
            self.list.addItem(self.tr("No matching commands"))
            self.list.item(0).setFlags(Qt.ItemFlag.NoItemFlags)
        self.list.setCurrentRow(0)

    def _add(self, action: QAction) -> None:
        tick = "✓ " if action.isChecked() else ""
        item = QListWidgetItem(f"{tick}{_name(action)}    {_keys(action)}".rstrip())
        item.setToolTip(f"{item.text()}\n{action.statusTip()}")
        item.setData(Qt.ItemDataRole.UserRole, action)
        if not action.isEnabled():
            item.setFlags(Qt.ItemFlag.NoItemFlags)
        self.list.addItem(item)

    def _run(self) -> None:
        item = self.list.currentItem()
        if item and item.flags() & Qt.ItemFlag.ItemIsEnabled:
            action = item.data(Qt.ItemDataRole.UserRole)
            # When this dialog is gone: what the action opens would lose the keyboard to it.
            self.destroyed.connect(action.trigger, Qt.ConnectionType.QueuedConnection)
            self.accept()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(event.key()))
            if step and self.list.count():
                self.list.setCurrentRow((self.list.currentRow() + step) % self.list.count())
                return True
        return super().eventFilter(watched, event)


def _keys(action: QAction) -> str:
    return action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)


MISS = 1000


def score(typed: str, name: str, tip: str) -> int:
    """How far `typed` is from a command, smaller is nearer, MISS when it is not meant.

    Best is the whole name, then its words at the beginning of words of the name, then anywhere in the name,
    then in what it does, then its letters in this order in the name, the fewer between them the better.
    """
    name, tip = name.lower(), tip.lower()
    words = typed.lower().split()
    begun = f" {name}"
    if all(f" {word}" in begun for word in words):
        return 0 if name.split() == words else 1 if name.startswith(" ".join(words)) else 2
    if all(word in name for word in words):
        return 3
    if all(word in f"{name} {tip}" for word in words):
        return 4
    return min(MISS, 5 + gap) if (gap := _scattered("".join(words), name)) is not None else MISS


def _scattered(letters: str, name: str) -> int | None:
    """How many letters of the name lie between those looked for; None when they are not there in order."""
    place, first = -1, None
    for letter in letters:
        place = name.find(letter, place + 1)
        if place < 0:
            return None
        first = place if first is None else first
    return place - (first or 0) + 1 - len(letters)


def _name(action: QAction) -> str:
    return action.text().replace("&", "").rstrip("…")
