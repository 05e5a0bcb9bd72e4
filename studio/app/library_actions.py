"""What the library panel's wishes come to: a conversation on the page, a head in the mixer, a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QMessageBox, QWidget

from engine.atomic_write import write_atomic
from engine.errors import LibraryError
from engine.heads import HEAD_SUFFIX
from engine.library.records import COMPARISON, LibraryItem
from studio.app.controllers import Controllers
from studio.app.text_dialogs import TextDialogs
from studio.export.markdown import as_markdown, round_as_markdown
from studio.library.autosave import Autosave
from studio.library.library_edits import LibraryEdits
from studio.library.library_jobs import OpenedConversation
from studio.library.library_panel import LibraryPanel
from studio.runtime.worker import Job, JobFailure
from studio.state.workspace import Workspace
from studio.widgets.label import one_line
from studio.widgets.save_dialog import ask_where


class LibraryActions(QObject):
    """Connects one panel with library, session and workspace."""

    noticed = Signal(str)
    comparisonOpened = Signal(object)  # Round

    def __init__(
        self,
        workspace: Workspace,
        controllers: Controllers,
        autosave: Autosave,
        asking: TextDialogs,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self._workspace, self._controllers, self._autosave = workspace, controllers, autosave
        self._asking, self._window = asking, window
        self.shelving = LibraryEdits(workspace, autosave, self)
        self.shelving.noticed.connect(self.noticed)
        controllers.distilling.distilled.connect(self._on_distilled)
        controllers.taken.connect(self._list)

    def make_panel(self) -> LibraryPanel:
        panel = LibraryPanel(self._autosave)
        panel.opened.connect(self.open)
        panel.renameWanted.connect(self._rename)
        panel.tagsWanted.connect(self._tag)
        panel.removeWanted.connect(self.shelving.remove)
        self.shelving.changed.connect(panel.refresh)
        panel.exportWanted.connect(self._export)
        panel.dropped.connect(self._controllers.load_head)
        return panel

    def open(self, item: LibraryItem) -> None:
        """A conversation, or a comparison, instead of the present one (which stays kept), a head into the
        mixer, a run's figures in a dialog."""
        archive, at = self._autosave.archive, self._workspace.round
        if at is not None and at.key == item.key:
            self.comparisonOpened.emit(at)
        elif item.shelf == "conversation":
            if item.kind != COMPARISON and self._controllers.talking:
                self.noticed.emit(self.tr("Stop the answer first."))
                return
            label = self.tr("Opening {0}").format(one_line(item.title))
            self._autosave.open_conversation(label, item.key, lambda opened: self._begin(item, opened))
        elif item.shelf == "head":
            self._ask(self.tr("Opening a head"), lambda: archive.head(item.key), self._controllers.take)
        else:
            self._ask(
                self.tr("Opening a run"), lambda: archive.run(item.key), lambda facts: self._show(item, facts)
            )

    def export(self, item: LibraryItem, path: Path) -> None:
        """Writes a head as a file of its own, a conversation as Markdown, a run's figures as JSON."""
        archive = self._autosave.archive

        def work() -> Path:
            if item.shelf == "head":
                return self._controllers.host.save_head(archive.head(item.key), path)
            if item.shelf == "conversation":
                opened = archive.turns(item.key)
                text = round_as_markdown(opened.round) if opened.round else as_markdown(opened.turns)
                text += "".join(f"\n*{words}*\n" for words in opened.lost)
            else:
                text = json.dumps(archive.run(item.key), indent=2, ensure_ascii=False) + "\n"
            write_atomic(path, text.encode(), item.shelf, LibraryError)
            return path

        self._ask(self.tr("Exporting"), work, lambda at: self.noticed.emit(self.tr("Saved {0}").format(at)))

    def choose_votes(self) -> None:
        kinds = {self.tr("JSON (*{0})").format(".json"): ".json"}
        path = ask_where(self._window, self.tr("Export the votes"), self.tr("votes"), kinds)
        if path is not None:
            self.export_votes(path)

    def export_votes(self, path: Path) -> None:
        """Writes every vote that was ever kept, with what was compared, as JSON."""
        archive = self._autosave.archive

        def work() -> Path:
            votes = archive.votes()
            if not votes:
                raise LibraryError(
                    self.tr("Nothing to export"),
                    self.tr("There are no votes yet."),
                    self.tr("Switch Blind on in Compare, ask a question, and vote."),
                )
            text = json.dumps(votes, indent=2, ensure_ascii=False) + "\n"
            write_atomic(path, text.encode(), "export", LibraryError)
            return path

        self._ask(self.tr("Exporting"), work, lambda at: self.noticed.emit(self.tr("Saved {0}").format(at)))

    def _begin(self, item: LibraryItem, opened: OpenedConversation) -> None:
        """One with damage goes on as a copy: what could not be read is left where it lies."""
        if opened.lost:
            failed = JobFailure(
                self.tr("“{0}” was only partly opened").format(item.title),
                " ".join(opened.lost),
                self.tr("You continue in a copy without it; the Library keeps the original."),
                opened.details,
            )
            self._controllers.worker.failed.emit(failed)
        if item.kind != COMPARISON:
            self._workspace.begin_conversation(opened.turns, "" if opened.lost else item.key)
        elif opened.round is not None:
            self.comparisonOpened.emit(opened.round)

    def _ask(self, label: str, work: Any, then: Any) -> None:
        self._autosave.worker.submit(Job(label, lambda emit, cancel: work(), on_done=then))

    def _rename(self, item: LibraryItem) -> None:
        self._asking.name(
            self.tr("Rename"), self.tr("Name:"), item.title, lambda name: self.shelving.rename(item, name)
        )

    def _tag(self, item: LibraryItem) -> None:
        self._asking.name(
            self.tr("Tags"),
            self.tr("Tags (comma-separated):"),
            ", ".join(item.tags),
            lambda words: self.shelving.tag(item, _tags(words)),
            or_none=True,
        )

    def _export(self, item: LibraryItem) -> None:
        suffix, kinds = {
            "head": (HEAD_SUFFIX, self.tr("Heads (*{0})")),
            "conversation": (".md", self.tr("Markdown (*{0})")),
            "run": (".json", self.tr("JSON (*{0})")),
        }[item.shelf]
        path = ask_where(self._window, self.tr("Export"), item.title, {kinds.format(suffix): suffix})
        if path is not None:
            self.export(item, path)

    def _show(self, item: LibraryItem, facts: dict[str, Any]) -> None:
        box = QMessageBox(QMessageBox.Icon.NoIcon, item.title, item.title, parent=self._window)
        box.setInformativeText(f"{item.about}, {item.created[:16].replace('T', ' ')}")
        box.setDetailedText(json.dumps(facts, indent=2, ensure_ascii=False))
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def _list(self, head: Any) -> None:
        archive, digest = self._autosave.archive, head.digest
        self._ask(self.tr("Saving the head"), lambda: archive.list_head(digest), lambda _: None)

    def _on_distilled(self, result: Any) -> None:
        self._list(result.head)
        info = result.head.info
        facts = {
            "prompt": info.prompt,
            "method": info.method,
            "objective": info.objective,
            "recipe": info.recipe,
            "model": info.model.id,
            "head": result.head.digest,
            "effect": result.effect.kl,
            "responses": result.responses,
            "kept": result.kept,
            "seconds": result.seconds,
            "strength_range": list(result.strength_range),
            "faithfulness": {str(block): value for block, value in result.faithfulness.items()},
        }
        self._ask(
            self.tr("Saving the run"),
            lambda: self._autosave.archive.add_run("distillation", info.name, facts),
            lambda _: None,
        )


def _tags(words: str) -> tuple[str, ...]:
    """As the library keeps them: small letters, in order, each once."""
    return tuple(sorted({word.strip(" #").lower() for word in words.split(",") if word.strip(" #")}))
