"""Files that come and go: dialogs, drops, recent ones, and those that a second start hands over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QCursor
from PySide6.QtWidgets import QFileDialog, QMenu, QMessageBox, QWidget

from engine.heads import HEAD_SUFFIX
from studio.app.controllers import Controllers
from studio.app.model_picker import ModelPicker
from studio.runtime.head_files import HEAD_FILES
from studio.runtime.model_sources import with_short_revision
from studio.runtime.worker import JobFailure
from studio.state.preferences import Preferences
from studio.state.workspace import Workspace
from studio.widgets.save_dialog import ask_where


class FileOpener(QObject):
    """Asks for files on behalf of `window` and gives them to the session."""

    refused = Signal(object)  # Failed: a file that is nothing for the studio

    def __init__(
        self, workspace: Workspace, controllers: Controllers, preferences: Preferences, window: QWidget
    ) -> None:
        super().__init__(window)
        self._workspace, self._controllers = workspace, controllers
        self._preferences, self._window = preferences, window
        self.recent = QMenu(window)
        self.recent.aboutToShow.connect(self._list_recent)
        controllers.modelOpened.connect(self._on_model)
        controllers.headFileUsed.connect(lambda path: preferences.note_recent("recent_heads", path))

    def open(self, sources: Iterable[str]) -> None:
        """Heads into the mixer; a folder, a GGUF file or a hub id as the model; the rest is refused."""
        from engine.model.source import choices, is_model_file

        for source in sources:
            path = Path(source)
            if choices(source):
                self._ask_adapter(path.name, choices(source))
            elif path.is_file() and is_model_file(path):
                self._controllers.open_model(source)
            elif source.lower().endswith(HEAD_FILES) and not path.is_dir():
                self._controllers.load_head(path)
            elif path.is_file():
                self.refused.emit(
                    JobFailure(
                        self.tr("{0} was not opened").format(path.name),
                        self.tr("It is neither a head nor a model folder."),
                        self.tr("Choose a head file ({0}) or a whole model folder.").format(
                            ", ".join(HEAD_FILES)
                        ),
                        source,
                    )
                )
            else:
                self._controllers.open_model(source)

    def _ask_adapter(self, name: str, sources: Sequence[str]) -> None:
        """A folder holds a model and a LoRA adapter: which of the sources, alone or both, is meant?"""
        dialog = QMessageBox(self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setIcon(QMessageBox.Icon.Question)
        dialog.setText(self.tr("{0} holds a model and a LoRA adapter. What should be loaded?").format(name))
        words = (self.tr("Model only"), self.tr("Model with adapter"))
        for source, label in zip(sources, words, strict=True):
            button = dialog.addButton(label, QMessageBox.ButtonRole.AcceptRole)
            button.clicked.connect(lambda _=False, s=source: self._controllers.open_model(s))
        dialog.addButton(QMessageBox.StandardButton.Cancel)
        dialog.open()

    def choose_head(self) -> None:
        heads = self.tr("Heads ({0})").format(" ".join(f"*{ending}" for ending in HEAD_FILES))
        name, _ = QFileDialog.getOpenFileName(self._window, self.tr("Load a head"), "", heads)
        if name:
            self._controllers.load_head(Path(name))

    def choose_save(self) -> None:
        channel = self._workspace.channel(self._workspace.selected_key)
        if channel is None:
            return
        kinds = {self.tr("Heads (*{0})").format(HEAD_SUFFIX): HEAD_SUFFIX}
        path = ask_where(self._window, self.tr("Save the head"), channel.name, kinds)
        if path is not None:
            self._controllers.save_head(channel, path)

    def choose_model(self) -> ModelPicker:
        """The picker over everything that can be loaded."""
        recent = self._preferences.recent("recent_models")
        picker = ModelPicker(
            self._workspace.source,
            recent,
            self._window,
            dtype=self._controllers.opening.dtype,
            room=partial(self._controllers.host.room, self._controllers.opening.device),
        )
        picker.picked.connect(lambda source: self.open([source]))
        picker.folderWanted.connect(self.choose_folder)
        picker.fileWanted.connect(self.choose_model_file)
        picker.open()
        return picker

    def show_recent(self) -> None:
        """The recent files where the mouse is, for those who came by the command palette."""
        self.recent.popup(QCursor.pos())

    def choose_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(self._window, self.tr("Open model folder"))
        if name:
            self.open([name])

    def choose_model_file(self) -> None:
        kinds = self.tr("GGUF models (*.gguf)")
        name, _ = QFileDialog.getOpenFileName(self._window, self.tr("Open a model file"), "", kinds)
        if name:
            self.open([name])

    def _list_recent(self) -> None:
        self.recent.clear()
        models, heads = (self._preferences.recent(key) for key in ("recent_models", "recent_heads"))
        for source in (*models, *heads):
            row = self.recent.addAction(with_short_revision(source).replace("&", "&&"))
            row.triggered.connect(lambda _=False, s=source: self.open([s]))
        if not models and not heads:
            self.recent.addAction(self.tr("None yet")).setEnabled(False)

    def _on_model(self, source: str) -> None:
        if source != "pocket":
            self._preferences.note_recent("recent_models", source)
