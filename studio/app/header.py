"""The line at the top: which model, how it is doing, which page, and the way to every command."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QProgressBar, QToolBar, QToolButton, QWidget

from engine.model.memory import in_words
from studio.runtime.model_sources import short_name
from studio.state.workspace import Workspace
from studio.widgets.label import ElidedLabel

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
        self.facts = ElidedLabel("muted")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(120)
        self.progress.setAccessibleName(self.tr("Loading progress"))
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
            self.facts.show_text(loading.stage)
            return
        if loading.stage:
            self.facts.show_text(f"{self._cut(short_name(loading.coming), COMING_WIDTH)}: {loading.stage}")
            return
        told = self.tr("{device} {dtype}  ·  %n block(s)  ·  {size}", "", facts.blocks).format(
            device=facts.device.upper(), dtype=facts.dtype, size=in_words(facts.bytes)
        )
        about = self.tr("Weights in memory: {0}")
        self.facts.show_text(told, f"{told}\n{about.format(in_words(facts.bytes))}")

    def _cut(self, name: str, width: int) -> str:
        return self.model.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, width)
