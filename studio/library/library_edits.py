"""Changes of the library that can be taken back: names, tags, removal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from PySide6.QtCore import QObject, Signal

from engine.library.records import LibraryItem
from studio.library.autosave import Autosave
from studio.runtime.worker import Job
from studio.state.undo import Values
from studio.state.workspace import Workspace

Deed = Callable[..., None]


class LibraryEdits(QObject):
    """Every change is a step of the one undo stack; the library's thread does it, in order."""

    changed = Signal()  # the library holds something else
    noticed = Signal(str)

    def __init__(self, workspace: Workspace, autosave: Autosave, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._workspace, self._autosave = workspace, autosave

    def rename(self, item: LibraryItem, title: str) -> None:
        if title.strip() and title.strip() != item.title:
            before = {"rename": (item, item.title, item.named)}
            after = {"rename": (item, title.strip(), True)}
            self._workspace.step(self.tr("rename"), self._put, before, after)

    def tag(self, item: LibraryItem, tags: tuple[str, ...]) -> None:
        if tags != item.tags:
            before, after = {"tag": (item, item.tags)}, {"tag": (item, tags)}
            self._workspace.step(self.tr("edit tags"), self._put, before, after)

    def remove(self, items: list[LibraryItem]) -> None:
        """All but the conversation on the page, which would come back with its next word. The comparison on
        the Compare page goes from there too."""
        going = tuple(item for item in items if item.key != self._workspace.conversation)
        if len(going) < len(items):
            self.noticed.emit(self.tr("The open conversation was not removed. Start a new one first."))
        if going:
            before: dict[str, Any] = {"put back": (going,)}
            after: dict[str, Any] = {"remove": (going,)}
            at = self._workspace.round
            if at is not None and at.key in [item.key for item in going]:
                before, after = {**before, "round": at}, {"round": None, **after}  # never shown while gone
            self._workspace.step(self.tr("remove from the Library"), self._put, before, after)
            if len(going) == len(items):
                words = self.tr("{0} removed. Undo to restore.")
                self.noticed.emit(words.format(", ".join(f"“{item.title}”" for item in going[:3])))

    def _put(self, values: Values) -> None:
        archive = self._autosave.archive
        deeds: Mapping[str, tuple[str, Deed]] = {
            "rename": (self.tr("Renaming"), archive.rename),
            "tag": (self.tr("Tagging"), archive.tag),
            "remove": (self.tr("Removing"), archive.remove),
            "put back": (self.tr("Restoring"), archive.put_back),
        }
        for name, given in values.items():
            if name == "round":
                self._workspace.show_round(given)
                continue
            if name in ("remove", "put back"):
                for item in given[0]:
                    self._autosave.expect_change(item.key)
            label, deed = deeds[name]
            self._autosave.worker.submit(_job(label, deed, given, self.changed.emit))


def _job(label: str, deed: Deed, given: tuple[Any, ...], then: Callable[[], None]) -> Job:
    return Job(label, lambda emit, cancel: deed(*given), on_done=lambda _: then())
