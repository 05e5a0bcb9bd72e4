"""The line at the bottom: how fast, how soon, which seed."""

from __future__ import annotations

import time

from PySide6.QtCore import QSize, Qt, QTimer, Slot
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QLabel, QStatusBar, QToolButton, QWidget

from studio.runtime.worker import JobFailure
from studio.state.conversation import STEERED, Answer
from studio.state.progress import fit_words
from studio.state.workspace import Workspace
from studio.widgets.label import ElidedLabel

NOTICE_MS = 8000


class StatusBar(QStatusBar):
    """Figures of the running or last answer; each has a fixed place."""

    def __init__(self, workspace: Workspace, save: QAction, parent: QWidget | None = None) -> None:
        """save: tries at once to save the work."""
        super().__init__(parent)
        self._workspace = workspace
        self._begun: dict[Answer, float] = {}
        self.setSizeGripEnabled(False)
        self.setContentsMargins(0, 0, 16, 0)
        self.setAccessibleName(self.tr("Status"))
        self.busy = ElidedLabel("muted")
        self.busy.setContentsMargins(16, 0, 0, 0)
        self.addWidget(self.busy, 1)
        self.speed = _Figure(self.tr("{0:.0f} tok/s").format(9999))
        self.first = _Figure(self.tr("First token {0:.2f} s").format(99))
        self.seed = _Figure(self.tr("Seed {0}").format(9999))
        self.saved = _Saved()
        self.saved.clicked.connect(save.trigger)
        for figure in (self.speed, self.first, self.seed, self.saved):
            self.addPermanentWidget(figure)
        self.saved.hide()  # until there is something to tell
        workspace.answerGrew.connect(self._on_grown)
        workspace.answerChanged.connect(self._on_answer)
        workspace.settingsChanged.connect(self._on_settings)
        workspace.loadingChanged.connect(self._on_model)
        workspace.fitChanged.connect(self._on_model)
        self._notice = QTimer(self)
        self._notice.setSingleShot(True)
        self._notice.timeout.connect(self._on_model)
        workspace.travelling.connect(self._on_travelling)
        self._on_settings()
        self._on_model()

    @Slot(str)
    def notice(self, sentence: str) -> None:
        """Tells something for a while, where the state stands otherwise."""
        self.busy.show_text(sentence)
        self._notice.start(NOTICE_MS)

    def set_saved(self, trouble: JobFailure | None) -> None:
        """trouble: why the work is not saved."""
        self.saved.show_trouble(trouble)

    @Slot()
    def _on_travelling(self) -> None:
        """What was told is not so much longer."""
        self._notice.stop()
        self._on_model()

    @Slot(object, int)
    def _on_grown(self, answer: Answer, first: int) -> None:
        if answer.lane != STEERED:
            return
        now = time.perf_counter()
        begun = self._begun.setdefault(answer, now)
        if now - begun > 0.2:
            self.speed.setText(self.tr("{0:.0f} tok/s").format(len(answer) / (now - begun)))

    @Slot(object)
    def _on_answer(self, answer: Answer) -> None:
        if answer.over:
            self._begun.pop(answer, None)
        if answer.over and answer.tokens_per_second and answer.lane == STEERED:
            self.speed.setText(self.tr("{0:.0f} tok/s").format(answer.tokens_per_second))
            self.first.setText(self.tr("First token {0:.2f} s").format(answer.first_token_seconds))
            self.seed.setText(self.tr("Seed {0}").format(answer.turn.settings.seed))

    @Slot()
    def _on_settings(self) -> None:
        self.seed.setText(self.tr("Seed {0}").format(self._workspace.settings.seed))

    @Slot()
    def _on_model(self) -> None:
        if self._notice.isActive():
            return
        loading = self._workspace.loading
        if loading.facts is not None and self._workspace.fit.running:
            self.busy.show_text(fit_words(self._workspace.fit))
        elif loading.facts is not None:
            self.busy.show_text(self.tr("Ready"))
        else:
            self.busy.show_text(loading.stage)


class _Figure(QLabel):
    """As wide as its sample, or wider: no figure moves because another one grew."""

    def __init__(self, sample: str) -> None:
        super().__init__()
        self._sample = sample
        self.setProperty("role", "muted")
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.setContentsMargins(16, 0, 0, 0)

    def sizeHint(self) -> QSize:
        return (
            super().sizeHint().expandedTo(QSize(self.fontMetrics().horizontalAdvance(self._sample) + 16, 0))
        )

    minimumSizeHint = sizeHint


class _Saved(QToolButton):
    """Whether the work is saved; while it is not, the keyboard reaches it, and a click tries again."""

    def __init__(self) -> None:
        super().__init__()
        self._sample = self.tr("Autosaved")
        self.setText(self._sample)
        self.setAccessibleName(self.tr("Nothing has been saved yet"))
        room = self.sizePolicy()
        room.setRetainSizeWhenHidden(True)  # nothing moves when it is first shown
        self.setSizePolicy(room)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setProperty("role", "saved")

    def show_trouble(self, trouble: JobFailure | None) -> None:
        if trouble is None:
            self.setText(self.tr("Autosaved"))
            self.setToolTip(self.tr("All of your work is saved in the Library"))
        else:
            self.setText(self.tr("Not saved"))
            words = self.tr("{0} The studio keeps retrying; click to retry now.")
            self.setToolTip(words.format(f"{trouble.what}. {trouble.why} {trouble.remedy}"))
        self.setAccessibleName(self.text())
        self.setAccessibleDescription(self.toolTip())
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus if trouble is None else Qt.FocusPolicy.TabFocus)
        self.setProperty("role", "saved" if trouble is None else "unsaved")
        self.style().polish(self)
        self.show()

    def sizeHint(self) -> QSize:
        width = self.fontMetrics().horizontalAdvance
        longer = max(0, width(self._sample) - width(self.text()))
        return super().sizeHint() + QSize(longer, 0)

    minimumSizeHint = sizeHint
