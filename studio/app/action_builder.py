"""Rows of an action table and the QActions made of them: the one place where actions are connected."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from inspect import Parameter, signature

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenuBar, QWidget

from studio.app.window_parts import WindowParts
from studio.widgets.translation import shown


def _always(_: WindowParts) -> bool:
    return True


def _nothing(_: WindowParts) -> str:
    return ""


@dataclass(frozen=True)
class Action:
    """What both kinds of rows have in common.

    key: its name in code; menu: marked text of the menu that it stands in; text: of the menu's row, in which
    {0} stands for what `about` returns; tip: what it does, as a sentence; keys: shortcuts, the first is
    shown; separate: a line above it in the menu; enabled: whether it can be done now.
    """

    key: str
    menu: str
    text: str
    tip: str
    _: KW_ONLY
    keys: tuple[str, ...] = ()
    separate: bool = False
    enabled: Callable[[WindowParts], bool] = _always
    about: Callable[[WindowParts], str] = _nothing

    def __post_init__(self) -> None:
        _require(self.key, self.enabled, 1)
        _require(self.key, self.about, 1)


@dataclass(frozen=True, kw_only=True)
class Command(Action):
    """A row that does something each time it is triggered."""

    run: Callable[[WindowParts], object]

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.key, self.run, 1)


@dataclass(frozen=True, kw_only=True)
class Toggle(Action):
    """A row with a tick. switch: takes the state that is wanted; checked: the state that there is."""

    switch: Callable[[WindowParts, bool], object]
    checked: Callable[[WindowParts], bool]

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(self.key, self.switch, 2)
        _require(self.key, self.checked, 1)


def make_actions(
    table: Sequence[Action], owner: QWidget, menus: Sequence[str], bar: QMenuBar
) -> dict[str, QAction]:
    """One QAction per row, by its key, in the menus of `bar`; ActionBinding connects them."""
    made: dict[str, QAction] = {}
    by_menu = {menu: bar.addMenu(shown(menu)) for menu in menus}
    for row in table:
        action = QAction(_text(row, ""), owner)
        action.setObjectName(row.key)
        action.setCheckable(isinstance(row, Toggle))
        action.setShortcuts([QKeySequence(keys) for keys in row.keys])
        tip = shown(row.tip)
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)
        action.setStatusTip(tip)
        owner.addAction(action)
        if row.separate:
            by_menu[row.menu].addSeparator()
        by_menu[row.menu].addAction(action)
        made[row.key] = action
    return made


class ActionBinding(QObject):
    """Connects the actions of a table with the parts of a window, and shows the state of those parts in them.

    A wish goes by `triggered` alone, which only a person's act emits (menu, shortcut, palette, a button that
    triggers the action); a state is set by `refresh` alone. So no row answers to its own display.
    """

    def __init__(
        self, table: Sequence[Action], actions: Mapping[str, QAction], parts: WindowParts, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._rows = [(row, actions[row.key]) for row in table]
        self._parts = parts
        for row, action in self._rows:
            action.triggered.connect(self._handler(row))
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Enables and ticks every action as its row says."""
        for row, action in self._rows:
            action.setEnabled(row.enabled(self._parts))
            action.setText(_text(row, row.about(self._parts)))
            if isinstance(row, Toggle):
                action.setChecked(row.checked(self._parts))

    def _handler(self, row: Action) -> Callable[[bool], None]:
        def on_triggered(checked: bool) -> None:
            if isinstance(row, Command):
                row.run(self._parts)
            elif isinstance(row, Toggle):
                row.switch(self._parts, checked)
            self.refresh()

        return on_triggered


def _text(row: Action, about: str) -> str:
    return shown(row.text).format(about).strip()


def _require(key: str, function: Callable[..., object], count: int) -> None:
    """TypeError unless `function` takes exactly `count` arguments by position: a default, as in
    `lambda parts, key=key:`, would take the place of an argument that is passed."""
    parameters = signature(function).parameters.values()
    plain = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    if len(parameters) != count or any(p.kind not in plain or p.default is not p.empty for p in parameters):
        raise TypeError(f"{key}: {signature(function)} does not take exactly {count} arguments")
