"""Changes that can be taken back: each knows the values before and after; one gesture is one step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakMethod, finalize

import shiboken6
from PySide6.QtGui import QUndoCommand, QUndoStack

GESTURE_S = 1.5  # a longer pause ends a drag or a run of typing

Values = Mapping[str, Any]


def make_stack(owner: object, limit: int) -> QUndoStack:
    """A stack of `limit` steps for the changes of `owner`, emptied before `owner` ends.

    Python's collector frees a stack and the commands in it in any order, and each frees the other: a crash.
    So the stack is nobody's child, no command holds its owner, and the stack is empty when it is collected.
    """
    stack = QUndoStack()
    stack.setUndoLimit(limit)
    finalize(owner, _empty, stack)
    return stack


def _empty(stack: QUndoStack) -> None:
    if shiboken6.isValid(stack):  # at the end of the process Qt may have gone first
        stack.blockSignals(True)  # who would hear of it may be half gone
        stack.clear()


class Change(QUndoCommand):
    """The values `after` in place of `before`, put there by the method `put`, which is held weakly.

    merge: changes of the same word in a row become one step while no pause lies between them; "" never
    merges. begins: this one never joins the step before it.
    """

    def __init__(
        self,
        put: Callable[[Values], None],
        before: Values,
        after: Values,
        label: str,
        merge: str = "",
        begins: bool = False,
    ) -> None:
        super().__init__(label)
        self._method = WeakMethod(put)
        self._before, self._after = dict(before), dict(after)
        self._merge, self._begins, self._made = merge, begins, time.monotonic()
        self._for_good = False

    def id(self) -> int:
        return 1 if self._merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, Change) or other._begins or other._merge != self._merge:
            return False
        if other._made - self._made > GESTURE_S:
            return False
        self._before = {**other._before, **self._before}
        self._after = {**self._after, **other._after}
        self._made = other._made
        other._before, other._after = {}, {}  # the binding keeps the merged one: let it be an empty one
        self.setObsolete(self._before == self._after)  # typed and taken back: no step at all
        return True

    def holds(self, name: str) -> tuple[Any, Any]:
        """The value `name` before and after; None where it is none of the step's."""
        return self._before.get(name), self._after.get(name)

    def retract(self) -> None:
        """The undo that follows is for good: nothing makes this step again."""
        self._for_good = True

    def undo(self) -> None:
        self._put(self._before)
        self.setObsolete(self._for_good)  # not sooner: Qt passes over the undo of an obsolete one

    def redo(self) -> None:
        self._put(self._after)

    def _put(self, values: Values) -> None:
        put = self._method()
        assert put is not None, "a step outlived what it changes"
        put(values)
