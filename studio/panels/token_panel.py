"""One token in numbers: what it was, what else could have come, what each block applied; one block's row."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from studio.panels.bar_list import BarList
from studio.panels.block_strip import BlockStrip
from studio.panels.token_facts import TokenFacts
from studio.state.workspace import Workspace
from studio.widgets.label import plain_label
from studio.widgets.tooltips import explained
from studio.widgets.vertical_scroll import VerticalScroll


class TokenPanel(VerticalScroll):
    """Follows the selection; several tokens show their mean coefficients and joined text."""

    forkWanted = Signal(object, int, int)  # Answer, token, the id to take there instead

    def __init__(self, workspace: Workspace, parent: QWidget | None = None) -> None:
        super().__init__(parent=parent)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._workspace = workspace
        self.setAccessibleName(self.tr("Token inspector"))
        self.piece = plain_label("", "strong")
        self.piece.setWordWrap(True)
        self.piece.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._empty = plain_label(
            self.tr(
                "Click a token in the answer or the heatmap. Use the arrow keys to move, Shift+click "
                "to select a range."
            ),
            "muted",
        )
        self._empty.setWordWrap(True)
        self._facts = TokenFacts()
        self._block: int | None = None  # whose row is shown; None: where the token is strongest
        self.bars = BarList("")
        self.bars.let_choose(
            explained(
                "coefficient",
                "block",
                about=self.tr("Click or press Enter to show this block for all tokens"),
            )
        )
        self.bars.chosen.connect(self.show_block)
        self.row = BlockStrip(workspace)
        self.truth = BarList(self.tr("effect of the prompt itself, per block"), hue="muted")
        self.alternatives = BarList(self.tr("alternatives"), hue="muted")  # colour is kept for coefficients
        self.alternatives.let_choose(
            self.tr("Click or press Enter to continue from here with this token (Ctrl+Z to undo)")
        )
        self.alternatives.chosen.connect(self._on_alternative)
        page = QWidget()
        page.setProperty("role", "panel")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(16, 4, 16, 8)
        layout.setSpacing(8)
        layout.addWidget(self._empty)
        layout.addWidget(self.piece)
        layout.addWidget(self._facts)
        layout.addWidget(self.bars)
        layout.addWidget(self.row)
        layout.addWidget(self.truth)
        layout.addWidget(self.alternatives)
        layout.addStretch(1)
        self.setWidget(page)
        workspace.selectionChanged.connect(self.refresh)
        workspace.scales.changed.connect(self.refresh)
        self.refresh()

    def sizeHint(self) -> QSize:
        return QSize(256, 360)

    @Slot()
    def refresh(self) -> None:
        selection = self._workspace.selection
        for widget in (self.piece, self._facts, self.bars, self.row, self.truth, self.alternatives):
            widget.setVisible(selection is not None)
        self._empty.setVisible(selection is None)
        if selection is None:
            return
        trace, at = selection.answer.trace, selection.cursor
        several = selection.start != selection.stop
        span = slice(selection.start, selection.stop + 1)
        pieces = trace.pieces[span]
        self.piece.setText("“" + "".join(pieces).replace("\n", "⏎") + "”")
        total = float(np.sum(trace.logprobs[span]))
        self._facts.say("token", f"{selection.start}–{selection.stop}" if several else str(at))
        self._facts.say("id", "" if several else str(int(trace.ids[at])))
        self._facts.say("logprob", f"Σ {total:z.3f}" if several else f"{total:z.3f}")
        self._facts.say("rank", "" if several else str(int(trace.ranks[at])))
        self._facts.say(
            "strength", "" if several else ", ".join(f"{s:.2f}" for s in trace.strengths[at] if s) or "0"
        )
        rows = np.asarray(trace.coefficients[span]).mean(axis=0)
        heads = int((trace.strengths[span] != 0).any(axis=0).sum())
        self.bars.set_title(
            self.tr("combined coefficient of %n head(s), per block", "", heads)
            if heads > 1
            else self.tr("applied coefficient per block")
        )
        scale = self._workspace.scales.activation
        self.bars.set_rows(
            [(str(b), float(v) / scale.limit, f"{float(v):.2f}") for b, v in enumerate(rows)],
            signed=scale.signed,
        )
        strongest = int(np.abs(rows).argmax()) if len(rows) else 0
        known = self._block is not None and self._block < len(rows)
        self.row.set_row(selection.answer, self._block if known else strongest)  # type: ignore[arg-type]
        told = np.asarray(trace.prompt_effect[span]).mean(axis=0)
        self.truth.setVisible(bool(np.isfinite(told).any()))
        self.truth.set_rows(
            [(str(b), float(v) / scale.limit, f"{float(v):.2f}") for b, v in enumerate(told)],
            signed=scale.signed,
        )
        others = [] if several else trace.alternatives[at]
        self.alternatives.setVisible(bool(others))
        self.alternatives.set_rows(
            [("“" + text.replace("\n", "⏎") + "”", float(p), f"{float(p):.3f}") for _, text, p in others]
        )

    @Slot(int)
    def show_block(self, block: int) -> None:
        """From now on this block's row over the tokens, whichever token is selected."""
        self._block = block
        self.refresh()

    @Slot(int)
    def _on_alternative(self, row: int) -> None:
        selection = self._workspace.selection
        if selection is not None:
            choice = selection.answer.trace.alternatives[selection.cursor][row][0]
            self.forkWanted.emit(selection.answer, selection.cursor, int(choice))
