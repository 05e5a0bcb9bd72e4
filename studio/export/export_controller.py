"""File > Export: asks where to, makes the file in the worker thread, tells when it is there."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from engine.atomic_write import write_atomic
from engine.errors import InputError
from engine.events import Cancel, Emit
from studio.export.markdown import as_markdown
from studio.runtime.model_jobs import ModelHost
from studio.runtime.worker import Job, Worker
from studio.state.conversation import Answer, ColumnSource
from studio.state.workspace import Workspace
from studio.widgets.save_dialog import ask_where, ending_of
from studio.widgets.translation import QT_TR_NOOP, shown

if TYPE_CHECKING:
    from studio.lab.lab_jobs import Finished
    from studio.state.heatmap_quantities import Quantity  # brings numpy: not before the first paint

log = logging.getLogger("studio.export.export_controller")

Make = Callable[[str], bytes]
"""The file's bytes from its suffix."""


@dataclass(frozen=True)
class ExportKind:
    """One entry of the menu: its title and the endings that it can write, the first by default."""

    title: str
    suffixes: tuple[str, ...]


KINDS = {
    "export_chat": ExportKind(QT_TR_NOOP("Export the conversation"), (".html", ".md")),
    "export_trace": ExportKind(QT_TR_NOOP("Export the answer's trace"), (".csv", ".json")),
    "export_heatmap": ExportKind(QT_TR_NOOP("Export the heatmap"), (".svg", ".png", ".pdf")),
    "export_figure": ExportKind(QT_TR_NOOP("Export a figure"), (".svg", ".pdf", ".png")),
    "export_faithfulness": ExportKind(QT_TR_NOOP("Export the faithfulness chart"), (".svg", ".pdf", ".png")),
    "export_run": ExportKind(QT_TR_NOOP("Export a replayable run"), (".run.safetensors",)),
    "export_lab": ExportKind(
        QT_TR_NOOP("Export the Lab's results"), (".html", ".csv", ".svg", ".png", ".pdf")
    ),
}


@dataclass(frozen=True)
class LabView:
    """What the Lab holds: its last run where that is whole, the chart that is shown, and of which block."""

    finished: Finished | None
    picture: str
    block: int | None


class ExportController(QObject):
    noticed = Signal(str)

    def __init__(
        self,
        workspace: Workspace,
        host: ModelHost,
        worker: Worker,
        *,
        quantity: Callable[[], Quantity],
        column_of: Callable[[Answer], ColumnSource | None],
        lab: Callable[[], LabView],
        window: QWidget,
    ) -> None:
        """quantity: what the heatmap shows now; column_of: the column of Compare that gave an answer,
        None where there is none or it is not to be known yet; lab: what the Lab holds now."""
        super().__init__(window)
        self._workspace, self._host, self._worker = workspace, host, worker
        self._quantity, self._column_of, self._lab = quantity, column_of, lab
        self._window = window

    def ask(self, key: str) -> None:
        """Asks for a file name and writes it."""
        kind = KINDS[key]
        kinds = {f"{ending[1:].upper()} (*{ending})": ending for ending in kind.suffixes}
        path = ask_where(self._window, shown(kind.title), self._name(key), kinds)
        if path is not None:
            self.write(key, path)

    def _name(self, key: str) -> str:
        """What a file is called unless the person says otherwise: after what it is about."""
        workspace, finished = self._workspace, self._lab().finished
        if key == "export_lab" and finished is not None:
            return finished.request.prompt
        if key == "export_faithfulness" and (row := workspace.channel(workspace.selected_key)) is not None:
            return row.name
        if key == "export_chat" and workspace.turns:
            return workspace.turns[0].question
        return workspace.shown.turn.question if workspace.shown is not None else ""

    def write(self, key: str, path: Path) -> None:
        """Makes the file as a job: after a running answer, which is then whole in it."""
        left_out: list[str] = []
        make, suffix = self._maker(key, left_out), ending_of(path.name, KINDS[key].suffixes) or path.suffix
        taken_in = threading.Event()

        def work(emit: Emit, cancel: Cancel) -> None:
            emit(None)  # delivered after all that came before: the last tokens of an answer are in it then
            while not taken_in.wait(0.05):
                cancel.check()
            write_atomic(path, make(suffix), "export", InputError)
            log.info("Exported to %s", path)

        def begun(_: object) -> None:
            self.noticed.emit(self.tr("Saving {0}…").format(path.name))
            taken_in.set()

        def done(_: object) -> None:
            words = self.tr("Saved {0}. Left out: {1}") if left_out else self.tr("Saved {0}")
            self.noticed.emit(words.format(path, " ".join(left_out)))

        worker = self._worker
        if worker.doing:
            words = self.tr("{0} will be saved after: {1}")
            self.noticed.emit(words.format(path.name, worker.doing))
        worker.submit(Job(self.tr("Exporting"), work, begun, done, promised=True))

    def _maker(self, key: str, left_out: list[str]) -> Make:
        """left_out: takes what the file will not hold though it stands beside, in words."""
        turns, answer, scales = self._workspace.turns, self._workspace.shown, self._workspace.scales.by_unit
        scale = self._workspace.scales.activation
        quantity, lab, compared = self._quantity(), self._lab(), self._workspace.round
        measured, shown = lab.finished, (lab.picture, lab.block)
        source = None if answer is None else self._column_of(answer)
        row = self._workspace.channel(self._workspace.selected_key)
        faith = self._workspace.faithfulness.get(row.digest) if row else None

        def make(suffix: str) -> bytes:
            from studio.export import (
                faithfulness_figure,
                html_page,
                lab_report,
                replayable_run,
                trace_figure,
                trace_table,
            )

            if key == "export_lab":
                lacking = self.tr("The Lab has no results yet.")
                self._require(measured is not None, lacking, self.tr("Run the Lab first."))
                assert measured is not None
                return lab_report.as_bytes(measured, suffix, *shown)
            if key == "export_chat":
                self._require(bool(turns), self.tr("The conversation is empty."))
                return (html_page.page(turns, scale) if suffix == ".html" else as_markdown(turns)).encode()
            if key == "export_faithfulness":
                lacking = self.tr("The selected head has no faithfulness values.")
                self._require(faith is not None, lacking, self.tr("Select or distill a head in the mixer."))
                assert row is not None and faith is not None
                return faithfulness_figure.faithfulness(row, faith, suffix)
            self._require(answer is not None, self.tr("No answer is shown."))
            assert answer is not None
            if key == "export_run":
                beside = [(other.lane, other) for other in answer.turn.answers]
                if compared is not None and answer in compared.answers:
                    beside = list(zip(compared.names, compared.answers, strict=True))
                data, others = replayable_run.as_bytes(self._host.need_model(), turns, answer, beside)
                left_out.extend(others)
                return data
            edited = self.tr("The shown answer was edited by you, so it was not steered.")
            self._require(not answer.edited, edited, self.tr("Undo the edit."))
            lacking = self.tr("The shown answer has no tokens yet.")
            self._require(trace_figure.has_values(answer), lacking, self.tr("Wait until the answer begins."))
            if key == "export_trace":
                told = trace_table.to_csv if suffix == ".csv" else trace_table.to_json
                return told(answer, source).encode()
            if key == "export_heatmap":
                return trace_figure.heatmap(answer, suffix, scales[quantity.unit], quantity, source)
            return trace_figure.figure(answer, suffix, scale, source)

        return make

    def _require(self, fine: bool, why: str, remedy: str = "") -> None:
        if not fine:
            what = self.tr("Nothing to export")
            raise InputError(what, why, remedy or self.tr("Ask something first."))
