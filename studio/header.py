"""The line at the top: which model, how it is doing, which page, and the way to every command."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QProgressBar, QSizePolicy, QToolBar, QToolButton, QWidget

from studio.workspace import Workspace

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
        self.facts = QLabel()
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
        spring = QWidget()
        spring.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        find = QToolButton()
        find.setText(self.tr("Commands  Ctrl+K"))
        find.setProperty("role", "small")
        find.setToolTip(actions["palette"].toolTip())
        find.setAccessibleName(self.tr("Find a command"))
        find.clicked.connect(actions["palette"].trigger)
        self._shown = [self.addWidget(w) for w in (self.model, self.facts, self.progress, self.cancel)]
        for widget in (spring, tabs, find):
            self.addWidget(widget)
        for button in (self.model, self.cancel, find):
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        workspace.modelChanged.connect(self._on_model)
        workspace.sourceChanged.connect(self._on_model)
        self._on_model()

    @Slot()
    def _on_model(self) -> None:
        loading = self._workspace.loading
        facts = loading.facts
        for action in self._shown[2:]:
            action.setVisible(facts is None and bool(loading.total))
        if facts is None:
            source = self._workspace.source
            self.model.setText(self.tr("Pocket") if source == "pocket" else source.rsplit("/", 1)[-1])
            self.facts.setText(loading.stage or self.tr("Starting"))
            # In steps, not in bytes: a download has more of them than Qt's integers hold.
            self.progress.setRange(0, _STEPS)
            self.progress.setValue(round(_STEPS * loading.done / max(1, loading.total)))
            return
        self.model.setText(facts.name)
        words = self.tr("{device} {dtype}  ·  {blocks} blocks  ·  {size}")
        self.facts.setText(
            words.format(
                device=facts.device.upper(), dtype=facts.dtype, blocks=facts.blocks, size=size_of(facts.bytes)
            )
        )


def size_of(count: float) -> str:
    """Bytes for people: 12 MB, 1.5 GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
