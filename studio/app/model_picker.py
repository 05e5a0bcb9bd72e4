"""The model picker: models on this machine, a folder, or a hub id with its size before it is fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from engine.events import Cancel
from engine.model.memory import in_words
from studio.runtime.model_sources import of_typed, with_short_revision
from studio.runtime.worker import Job, JobFailure, Worker
from studio.widgets import theme
from studio.widgets.list_rows import FittingRows

NAME_WIDTH = 400  # pixels of a path or an id that are shown
_Source = Qt.ItemDataRole.UserRole
Room = Callable[[], int] | None


class ModelPicker(QDialog):
    """Looks on this machine and on the hub in a thread of its own; `picked` carries what to load."""

    picked = Signal(str)
    folderWanted = Signal()
    fileWanted = Signal()

    def __init__(
        self,
        present: str,
        recent: Sequence[str],
        parent: QWidget | None = None,
        *,
        dtype: str | None = None,
        room: Room = None,
    ) -> None:
        """present: the source of the model in use; dtype: that the next one is to run in; room: asked in the
        picker's thread for the bytes that it may take, by default the free main memory."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Choose a model"))
        self._present, self._recent = present, list(recent)
        self._dtype, self._room = dtype, room
        self._looking: Job | None = None
        self._here: dict[str, list[str]] = {}  # per model the commits that are on this machine
        self._offered = ""  # what was looked up, by its commit
        self._template = ""  # "#NAME" of the chat template that was typed with it
        self.list = QListWidget()
        self.list.setAccessibleName(self.tr("Models on this computer"))
        self.list.itemActivated.connect(lambda row: self._pick(row.data(_Source)))
        self.list.itemSelectionChanged.connect(self._enable)
        self.hub = QLineEdit()
        self.hub.setPlaceholderText(self.tr("owner/name or owner/name@revision"))
        self.hub.setAccessibleName(self.tr("Hugging Face model"))
        self.hub.textChanged.connect(self._on_typed)
        self.hub.returnPressed.connect(self._look)
        self.look = QPushButton(self.tr("Look up"))
        self.look.setToolTip(self.tr("Check size and memory on Hugging Face; nothing is downloaded yet"))
        self.look.clicked.connect(self._look)
        self.fetch = QPushButton(self.tr("Download and load"))
        self.fetch.setToolTip(self.tr("Download (resumable) and load"))
        self.fetch.clicked.connect(lambda: self._pick(self._offered))
        self.told = QLabel(self.tr("Hugging Face model: enter owner/name and look it up."))
        self.told.setProperty("role", "muted")
        self.told.setWordWrap(True)
        self.told.setMinimumHeight(3 * self.told.fontMetrics().lineSpacing())
        self.told.setAlignment(Qt.AlignmentFlag.AlignTop)
        folder = QPushButton(self.tr("Open a folder…"))
        folder.clicked.connect(self._on_folder)
        file = QPushButton(self.tr("Open a GGUF file…"))
        file.clicked.connect(self._on_file)
        self.newer = QPushButton(self.tr("Check for updates"))
        self.newer.setToolTip(self.tr("Look for a newer revision on Hugging Face; nothing is downloaded yet"))
        self.newer.clicked.connect(self._look_for_newer)
        self.use = QPushButton(self.tr("Use"))
        self.use.setProperty("role", "primary")
        self.use.clicked.connect(lambda: self._pick(self.list.currentItem().data(_Source)))
        cancel = QPushButton(self.tr("Cancel"))
        cancel.clicked.connect(self.reject)
        for button in (self.look, self.fetch, folder, file, self.newer, cancel, self.use):
            button.setAutoDefault(
                False
            )  # Enter belongs to the list and to the line, each with its own meaning
        self._lay_out(folder, file, cancel)
        self.list.setItemDelegate(FittingRows(self.list))
        self.resize(QSize(theme.lines(37), theme.lines(32)).boundedTo(self.screen().availableSize()))
        self.worker = Worker(parent=self, name="models")
        self.worker.start()
        self.worker.submit(
            Job(
                self.tr("Listing the models"),
                lambda emit, cancel: _here(dtype, room, cancel),
                on_done=self._fill,
                on_failed=self._on_refused,
                quiet=True,
            )
        )
        self.list.addItem(self.tr("Listing models…"))
        self.list.item(0).setFlags(Qt.ItemFlag.NoItemFlags)
        self._on_typed()
        self._enable()

    def _fill(self, found: _Found) -> None:
        records, broken_off, room = found
        self.list.clear()
        self._here = {str(record["id"]): [] for record in records}
        for record in records:
            name, revision = str(record["id"]), record["revision"]
            source = f"{name}@{revision}" if revision else name
            self._here[name] += [str(revision)] if revision else []
            told = self.tr("Pocket (bundled)") if name == "pocket" else with_short_revision(source)
            self._add(told, self._facts(record), source)
        known = {*self._here, *(name for name, _ in broken_off)}
        for name, size in broken_off:
            words = self.tr("Partly downloaded ({0}); Use resumes it")
            self._add(name, words.format(in_words(size)), name)
        for source in self._recent:
            if source.partition("@")[0] not in known:
                gone = Path(source).is_absolute() and not Path(source.partition("#")[0]).exists()
                lost = self.tr("File not found") if Path(source).suffix else self.tr("Folder not found")
                facts = lost if gone else self.tr("Used before")
                self._add(with_short_revision(source), facts, source)
        self._suggest({*known, *(source.partition("@")[0] for source in self._recent)}, room)
        here = [i for i in range(self.list.count()) if self.list.item(i).data(_Source) == self._present]
        self.list.setCurrentRow(here[0] if here else 0)

    def _suggest(self, known: set[str], room: int) -> None:
        """Models that are worth a first try, except those that are listed already."""
        from engine.model.suggested_models import SUGGESTED

        words = self.tr(
            "Suggested – {parameters} parameters, {license} – {needs} in memory ({dtype}) – {fits}"
        )
        for model in SUGGESTED:
            if model.id not in known:
                needs, dtype = model.needs(self._dtype), self._dtype or model.runs_in
                facts = words.format(
                    parameters=_count(model.parameters),
                    license=model.license,
                    needs=in_words(needs),
                    dtype=dtype,
                    fits=self.tr("fits") if needs <= room else self.tr("too large for free memory"),
                )
                self._add(model.name, facts, model.id)

    def _add(self, name: str, facts: str, source: str) -> None:
        mark = self.tr("  (in use)") if source == self._present else ""
        shown = self.list.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, NAME_WIDTH)
        row = QListWidgetItem(f"{shown}{mark}\n{facts}")
        row.setToolTip(f"{source if source != 'pocket' else name}\n{facts}")
        row.setData(_Source, source)
        self.list.addItem(row)

    def _facts(self, record: dict[str, Any]) -> str:
        words = self.tr(
            "{architecture}, %n block(s) – {size} on disk, {needs} in memory ({dtype}) – {fits}",
            "",
            record["blocks"],
        )
        return words.format(
            architecture=_family(record["architecture"]),
            size=in_words(record["bytes"]),
            dtype=record["runs_in"],
            needs=in_words(record["needs"]),
            fits=self.tr("fits") if record["fits"] else self.tr("too large for free memory"),
        )

    @Slot()
    def _look(self) -> None:
        name, _, template = of_typed(self.hub.text()).partition("#")
        self._template = f"#{template}" if template else ""
        if not name:
            return
        if Path(name).is_absolute():
            self._pick(name + self._template)
            return
        if self._looking:
            self.worker.withdraw(self._looking)
        self.told.setText(self.tr("Asking Hugging Face…"))
        self.fetch.setEnabled(False)
        self._looking = self.worker.submit(
            Job(
                self.tr("Looking up a model"),
                lambda emit, cancel: _described(name, self._dtype, self._room, cancel),
                on_done=self._tell,
                on_failed=self._on_refused,
                quiet=True,
            )
        )

    def _tell(self, offer: Any) -> None:
        words = self.tr(
            "{id}: {architecture}, %n block(s). Download: {size} ({here} already here). Memory: "
            "{needs} in {dtype}, {free} free – {fits}.",
            "",
            offer.blocks,
        )
        text = words.format(
            id=offer.id,
            architecture=_family(offer.architecture),
            size=in_words(offer.bytes),
            here=in_words(offer.here),
            dtype=offer.runs_in,
            needs=in_words(offer.needs),
            free=in_words(offer.free),
            fits=self.tr("fits") if offer.fits else self.tr("too large, choose a smaller model"),
        )
        gated = self.tr(" You must first accept its terms on Hugging Face.") if offer.gated else ""
        self._offered = f"{offer.id}@{offer.revision}{self._template}"
        self.told.setText(self._told_of_revision(offer) + text + gated)
        self.fetch.setEnabled(offer.fits)

    def _told_of_revision(self, offer: Any) -> str:
        """Whether the offer is another revision than those that are here."""
        here = self._here.get(offer.id, [])
        if not here:
            return ""
        if offer.revision in here:
            return self.tr("Revision {0} (already here). ").format(offer.revision[:7])
        words = self.tr("Revision {0} (on this computer: {1}). ")
        return words.format(offer.revision[:7], ", ".join(revision[:7] for revision in here))

    @Slot()
    def _look_for_newer(self) -> None:
        self.hub.setText(self.list.currentItem().data(_Source).partition("@")[0])
        self._look()

    def _on_refused(self, failed: JobFailure) -> None:
        self.told.setText(f"{failed.what}: {failed.why} {failed.remedy}")

    @Slot()
    def _on_typed(self) -> None:
        self.fetch.setEnabled(False)  # until its size is known
        self.look.setEnabled(bool(self.hub.text().strip()))

    @Slot()
    def _enable(self) -> None:
        row = self.list.currentItem()
        source = str(row.data(_Source) or "") if row is not None else ""
        self.use.setEnabled(bool(source))
        self.newer.setEnabled(bool(self._here.get(source.partition("@")[0])))

    def _on_file(self) -> None:
        self.accept()
        self.fileWanted.emit()

    def _on_folder(self) -> None:
        self.accept()
        self.folderWanted.emit()

    def _pick(self, source: str | None) -> None:
        if source:
            self.accept()
            self.picked.emit(source)

    def done(self, result: int) -> None:
        self.worker.close()
        super().done(result)

    def closeEvent(self, event: QCloseEvent) -> None:
        self.worker.close()
        super().closeEvent(event)

    def _lay_out(self, folder: QWidget, file: QWidget, cancel: QWidget) -> None:
        line = QHBoxLayout()
        line.setSpacing(8)
        for widget in (self.hub, self.look, self.fetch):
            line.addWidget(widget)
        ends = QHBoxLayout()
        ends.setSpacing(8)
        ends.addWidget(folder)
        ends.addWidget(file)
        ends.addWidget(self.newer)
        ends.addStretch(1)
        ends.addWidget(cancel)
        ends.addWidget(self.use)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 16, 16, 16)
        layout.setSpacing(8)
        layout.addWidget(self.list, 1)
        layout.addLayout(line)
        layout.addWidget(self.told)
        layout.addLayout(ends)


def _family(architecture: str) -> str:
    """The architecture as people name it: all of them are for causal language models."""
    return architecture.removesuffix("ForCausalLM")


def _count(parameters: int) -> str:
    """A number of parameters as it is written in the names of models: 135M, 1.7B."""
    billions = parameters / 1e9
    return f"{billions:.1f}B" if billions >= 0.95 else f"{parameters / 1e6:.0f}M"


_Found = tuple[list[dict[str, Any]], list[tuple[str, int]], int]


def _here(dtype: str | None, room: Room, cancel: Cancel) -> _Found:
    """What is on this machine, what was downloaded in part, and how many bytes a model may take.

    A large cache takes a while to look through, which nobody need wait for.
    """
    from engine.model.interruptible_wait import wait_for

    def look() -> _Found:
        from engine.model.available_models import broken_off, local_models
        from engine.model.memory import free_memory

        free = room() if room else free_memory()
        return local_models(dtype, free), broken_off(), free

    return wait_for(look, cancel=cancel)


def _described(source: str, dtype: str | None, room: Room, cancel: Cancel) -> Any:
    from engine.model.hub import describe

    name, _, revision = source.partition("@")
    return describe(name, revision or None, dtype=dtype, free=room() if room else None, cancel=cancel)
