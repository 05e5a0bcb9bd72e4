"""The line at the top: which model, how it is doing, which page, and the way to every command."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Slot
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import QLabel, QProgressBar, QSizePolicy, QToolBar, QToolButton, QWidget

from engine.model.memory import in_words
from studio.workspace import Workspace

NAME_WIDTH, COMING_WIDTH = 200, 140  # pixels of the longest names that are shown whole
_STEPS = 1000


class Header(QToolBar):
    def __init__(
        self,
        workspace: Workspace,
        actions: Mapping[str, QAction],
        tabs: QWidget,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Model"))
        self.setObjectName("header")
        self.setMovable(False)
        self.toggleViewAction().setEnabled(False)
        self._workspace = workspace
        self.model = QToolButton()
        self.model.setProperty("popup", "true")
        self.model.setAccessibleName(self.tr("Model"))
        self.model.setToolTip(actions["model"].toolTip())
        self.model.clicked.connect(actions["model"].trigger)
        self.facts = _Line()
        self.facts.setProperty("role", "muted")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(120)
        self.progress.setAccessibleName(self.tr("Progress of the loading"))
        self.cancel = QToolButton()
        self.cancel.setText(self.tr("Cancel"))
        self.cancel.setProperty("role", "small")
        self.cancel.setToolTip(actions["cancel_loading"].toolTip())
        self.cancel.setAccessibleName(actions["cancel_loading"].text())
        self.cancel.clicked.connect(actions["cancel_loading"].trigger)
        find = QToolButton()
        find.setText(self.tr("Commands  Ctrl+K"))
        find.setProperty("role", "small")
        find.setToolTip(actions["palette"].toolTip())
        find.setAccessibleName(self.tr("Find a command"))
        find.clicked.connect(actions["palette"].trigger)
        self._shown = [self.addWidget(w) for w in (self.model, self.facts, self.progress, self.cancel)]
        for widget in (tabs, find):
            self.addWidget(widget)
        for button in (self.model, self.cancel, find):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        workspace.loadingChanged.connect(self._on_model)
        self._on_model()

    @Slot()
    def _on_model(self) -> None:
        loading = self._workspace.loading
        facts = loading.facts
        for action in self._shown[2:]:
            action.setVisible(bool(loading.total))
        # In steps, not in bytes: a download has more of them than Qt's integers hold.
        self.progress.setRange(0, _STEPS)
        self.progress.setValue(round(_STEPS * loading.done / max(1, loading.total)))
        name = facts.name if facts is not None else short_name(loading.coming) or self.tr("No model")
        self.model.setText(self._cut(name, NAME_WIDTH).replace("&", "&&"))
        if facts is None:
            self.facts.say(loading.stage)
            return
        if loading.stage:
            self.facts.say(f"{self._cut(short_name(loading.coming), COMING_WIDTH)}: {loading.stage}")
            return
        words = self.tr("{device} {dtype}  ·  {blocks} blocks  ·  {size}")
        self.facts.say(
            words.format(
                device=facts.device.upper(),
                dtype=facts.dtype,
                blocks=facts.blocks,
                size=in_words(facts.bytes),
            ),
            self.tr(
                "{0} are the weights in memory; choosing a model tells its file and what work takes"
            ).format(in_words(facts.bytes)),
        )

    def _cut(self, name: str, width: int) -> str:
        return self.model.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, width)


class _Line(QLabel):
    """Takes the room that is left, and no more: what does not fit is in the tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self._words = self._about = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(1)

    def say(self, words: str, about: str = "") -> None:
        """about: what the words mean, for the tooltip."""
        self._words, self._about = words, about
        self.setAccessibleName(words)
        self._fit()

    def sizeHint(self) -> QSize:
        return QSize(1, super().sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        cut = self.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideRight, self.width())
        self.setText(cut)
        whole = "" if cut == self._words else self._words
        self.setToolTip("\n".join(part for part in (whole, self._about) if part))


def short_name(source: str) -> str:
    """A source without its owner or folder."""
    return "Pocket" if source == "pocket" else Path(source).name
