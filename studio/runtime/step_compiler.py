"""A faster decoding step for the loaded model, prepared in the background when the settings ask for it.

Every number of lanes needs a step of its own: that of one lane is prepared when a model is there, another one
after the first answers that could have used it. Until then, and where it cannot be had, answers are generated
uncompiled.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.errors import EngineError
from studio.runtime.job_controller import JobController
from studio.runtime.model_jobs import STEP_COLUMNS, ModelHost
from studio.runtime.worker import Job, JobFailure, Worker

log = logging.getLogger("studio.runtime.step_compiler")

_TURN = 0.0005  # seconds after which the compiler, Python for the most part, lets the window have its turn


class StepCompiler(JobController):
    """Its jobs lay steps out and hand them over. The compiler runs in a thread of its own, which nothing can
    interrupt: whoever ends the process asks `compiling` and does not wait for it."""

    _compiled = Signal(object, object)  # the step, and None or a Failed

    def __init__(self, host: ModelHost, worker: Worker, parent: QObject | None = None) -> None:
        super().__init__(worker, parent=parent)
        self._host = host
        self._wanted = self._closed = False
        self._thread: threading.Thread | None = None
        self._tried: set[int] = set()  # numbers of lanes, for the present model
        self._too_wide = False  # whether the last mix had more columns than a step takes
        self._compiled.connect(self._on_compiled)

    @property
    def compiling(self) -> bool:
        """Whether the compiler is at work."""
        return self._thread is not None and self._thread.is_alive()

    def want(self, wanted: bool) -> None:
        """Whether steps are to be prepared; turned off, those that are there are given back."""
        before, self._wanted = self._wanted, wanted
        if wanted:
            self.consider()
        elif before:
            self._tried.clear()
            give_back = self.tr("Removing compiled steps")
            self._worker.submit(Job(give_back, lambda emit, cancel: self._host.drop_steps()))

    @Slot()
    def on_model(self) -> None:
        """Another model is there."""
        self._tried.clear()
        self.consider()

    @Slot(bool)
    def on_talking(self, talking: bool) -> None:
        """An answer begins or is over."""
        if not talking:
            self._tell_width()
            self.consider()

    def _tell_width(self) -> None:
        """Says once that the mix in use is too wide for any step."""
        before, self._too_wide = self._too_wide, self._host.columns > STEP_COLUMNS
        if self._wanted and self._too_wide and not before:
            words = self.tr(
                "Not compiled: the heads in use have {0} directions in total; a compiled step takes "
                "at most {1}."
            )
            self.noticed.emit(words.format(self._host.columns, STEP_COLUMNS))

    def consider(self) -> None:
        """Prepares the step that the last answers missed, or that of one lane."""
        rows = self._host.lanes or 1
        idle = not self._closed and not self.running and not self.compiling
        if not (self._wanted and idle and self._host.ready) or rows in self._tried:
            return
        self._tried.add(rows)
        self._submit(
            self.tr("Preparing a compiled step"),
            lambda emit, cancel: self._host.lay_out_step(rows),
            on_done=self._compile,
            on_failed=self._on_refused,
            on_stopped=lambda: None,
            quiet=True,
        )

    def close(self) -> None:
        """Nothing is begun any more; what still compiles is forgotten."""
        self._closed = True

    def _compile(self, step: Any) -> None:
        self.noticed.emit(self.tr("Compiling in the background for {0}…").format(self._lanes(step.rows)))
        self._thread = threading.Thread(target=self._run, args=(step,), name="compiler", daemon=True)
        self._thread.start()

    def _run(self, step: Any) -> None:
        """In the compiler's thread."""
        trouble = None
        before = sys.getswitchinterval()
        sys.setswitchinterval(_TURN)
        try:
            step.prepare()
        except EngineError as error:
            trouble = JobFailure(error.what, error.why, error.remedy, traceback.format_exc())
        finally:
            sys.setswitchinterval(before)
        if not self._closed:
            self._compiled.emit(step, trouble)

    @Slot(object, object)
    def _on_compiled(self, step: Any, trouble: JobFailure | None) -> None:
        if self._closed:
            return
        self._thread = None
        if trouble is not None:
            self._on_refused(trouble)
            return
        self._worker.submit(
            Job(
                self.tr("Installing the compiled step"),
                lambda emit, cancel: self._host.take_step(step),
                on_done=lambda taken: self._on_taken(step.rows, taken),
            )
        )

    def _on_taken(self, rows: int, taken: bool) -> None:
        if taken:
            self.noticed.emit(self.tr("Compiled: decoding is now faster for {0}.").format(self._lanes(rows)))
        self.consider()  # the model may be another one by now, and want its own

    def _lanes(self, rows: int) -> str:
        return self.tr("%n answer(s) at once", "", rows)

    def _on_refused(self, failed: JobFailure) -> None:
        log.info("%s. %s", failed.what, failed.why)
        self.noticed.emit(f"{failed.what}. {failed.why} {failed.remedy}")
