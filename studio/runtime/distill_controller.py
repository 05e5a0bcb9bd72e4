"""Heads from prompts: the distillation that was asked for, and the quick one that follows the typing."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.events import ChosenPlace, Effect, HeadReady, LossPoint, Progress
from studio.runtime.job_controller import JobController
from studio.runtime.model_jobs import ModelHost
from studio.runtime.worker import JobFailure, Worker
from studio.state.faithfulness import keep_faithfulness
from studio.state.mixer import HeadSlot, MixerChannel
from studio.state.progress import Faithfulness, Fit
from studio.state.requests import FitRequest, WeakPrompt
from studio.state.workspace import Workspace

TYPING_PAUSE_MS = 600
LIVE_LIMIT_S = 3.0  # a live head takes no longer than this, or is not made
LIVE_RESPONSES = 12  # enough for the closed form (engine/README.md, section 3)


class DistillController(JobController):
    """At most one distillation runs, and a live one gives way to anything else."""

    distilled = Signal(object)  # engine.distill.Distillation of a head that was asked for

    def __init__(
        self,
        workspace: Workspace,
        host: ModelHost,
        worker: Worker,
        save: Callable[[], threading.Event],
        parent: QObject | None = None,
    ) -> None:
        """save: puts the workspace on the disk; its event is set when that is done."""
        super().__init__(worker, save, parent)
        self._workspace, self._host = workspace, host
        self._request: FitRequest | None = None
        self._slot: HeadSlot | None = None  # what the running distillation fills, in the mixer or undone
        self._before: tuple[HeadSlot, Any, bool] | None = None  # slot, head, draft: what it replaced
        self._added: tuple[int, int, frozenset[int]] | None = None  # row, step, rows that went off for it
        self._done = ""  # the prompt that the live head was last made for, or found to be without effect
        self._typed = False  # whether the words that stand there were typed; else the history brought them
        self._enabled = False
        self._talking = False
        self._waits = False  # until another job, which tells how long it takes, is done
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE_MS)
        self._pause.timeout.connect(self._follow)
        workspace.promptChanged.connect(self._on_words)
        worker.progressed.connect(self._on_progressed)

    def start(self, request: FitRequest) -> None:
        """Distills `request`; its head is in the mixer as soon as it is usable."""
        if not request.prompt.strip() or (self.running and not self._workspace.fit.live):
            return
        self._give_way()
        row = self._draft()
        self._slot = row.slot if row and row.head.info.prompt == request.prompt else None
        self._distill(request, live=False)

    @Slot()
    def leave(self) -> None:
        """Another model comes: the words that stand there are not made a head of again until they change."""
        self._give_way()
        self._done = self._wanted()
        if not self.running:  # what was measured was the other model's
            self._workspace.set_fit(Fit())

    # Following the typing.

    def set_live(self, on: bool) -> None:
        self._enabled = on
        if on:
            self._typed = True  # to be followed is what was asked for
            self._on_prompt()
        else:
            self._give_way()

    @Slot(bool)
    def set_talking(self, talking: bool) -> None:
        """Answers have priority: a live distillation gives way and is taken up again afterwards."""
        self._talking = talking
        if talking:
            self._give_way()
        else:
            self._on_prompt()

    @Slot()
    def _on_words(self) -> None:
        self._typed = not self._workspace.just_navigated_undo
        self._on_prompt()

    def _may_step(self) -> bool:
        """Whether a live head may change the mixer by a step: it follows the typing, not the way through the
        history, and takes from nobody what could be made again."""
        return self._typed and not self._workspace.stack.canRedo()

    def _on_prompt(self) -> None:
        if self._workspace.fit.live and self._request and self._request.prompt != self._wanted():
            self._give_way()
        if self._enabled and self._wanted() and self._wanted() != self._done:
            self._pause.start()
        else:
            self._pause.stop()

    def _wanted(self) -> str:
        return self._workspace.prompt.strip()

    @Slot()
    def _follow(self) -> None:
        facts = self._workspace.loading.facts
        if facts is None or self._talking or self.running or not self._enabled:
            return
        if not self._wanted() or self._wanted() == self._done:
            return
        row, made = self._draft(), self._row_of(self._wanted())
        if (row is None or made is not None) and not self._may_step():
            return
        if made is not None:
            self._done = self._wanted()
            if row is not None and row.enabled:  # else the words would say one thing and the model another
                self._workspace.mixer.switch_to(made.key, row.key)
                told = self.tr("“{0}” is already distilled; using that head.")
                self.noticed.emit(told.format(made.name))
            return
        self._slot = row.slot if row else None
        place = self._workspace.fit_options.place
        self._distill(
            FitRequest(self._wanted(), responses=LIVE_RESPONSES, recipe="instant", rank=1, place=place),
            live=True,
        )

    def _row_of(self, prompt: str) -> MixerChannel | None:
        fitting = (c for c in self._workspace.channels if not c.note and not c.slot.draft)
        return next((c for c in fitting if c.head.info.prompt.strip() == prompt), None)

    def _too_long(self, seconds: float) -> str:
        if math.isinf(seconds):
            return self.tr("Live preview starts after your first Distill")
        return self.tr("Live preview off: it would take about {0:.0f} s").format(seconds)

    def _give_way(self) -> None:
        self._pause.stop()
        if self.running and self._workspace.fit.live:
            self._abandon()
            self._conclude("")

    # The job.

    def _distill(self, request: FitRequest, live: bool) -> None:
        self._request, self._before, self._added = request, None, None
        short = request.recipe == "instant"  # for which a long job makes a pause
        doing = self._worker.doing
        self._waits = bool(doing) and not short
        stage = self.tr("Waiting for the engine to start…")
        if doing:
            pause, end = self.tr("Waiting for a pause in: {0}"), self.tr("Waiting for: {0}")
            stage = (pause if short else end).format(doing)
        fit = Fit(running=True, live=live, stage=stage, prompt=request.prompt.strip())
        self._workspace.set_fit(fit)
        limit = LIVE_LIMIT_S if live else None
        self._submit(
            self.tr("Distilling"),
            lambda emit, cancel: self._host.distill(request, limit, emit, cancel),
            on_events=self._on_events,
            on_done=self._on_done,
            on_failed=self._on_failed,
            on_stopped=self._on_cancelled,
            urgent=short,
            quiet=live,
        )

    def _on_events(self, events: list[Any]) -> None:
        self._waits = False
        fit = self._workspace.fit
        fit = replace(fit, losses=(*fit.losses, *(e.loss for e in events if isinstance(e, LossPoint))))
        for event in events:
            if isinstance(event, Progress):
                fit = replace(fit, stage=event.stage, done=event.done, total=event.total, eta=event.eta)
            elif isinstance(event, Effect):
                fit = replace(fit, effect=event.kl, verdict=event.verdict, enough=event.enough)
            elif isinstance(event, ChosenPlace):
                fit = replace(fit, place=event.why if event.scores else "")
        self._workspace.set_fit(fit)
        for event in events:
            if isinstance(event, HeadReady):
                self._take(event.head)

    @Slot(object)
    def _on_progressed(self, progress: Progress) -> None:
        if self._waits and self.running:
            self._workspace.set_fit(replace(self._workspace.fit, eta=progress.eta))

    def _take(self, head: Any) -> None:
        workspace, live, slot = self._workspace, self._workspace.fit.live, self._slot
        keep_faithfulness(workspace, head)
        way = workspace.locate_slot(slot) if slot is not None else ""
        if slot is None or not way:
            self._slot = None
            if not live or self._may_step():
                self._add(head, live)
            return
        told = {
            "here": self.tr("“{0}” is refined."),
            "undo": self.tr("The refined “{0}” belongs to a row you removed. Ctrl+Z restores it."),
            "redo": self.tr("The refined “{0}” belongs to a row you undid. Ctrl+Shift+Z restores it."),
        }
        if not live and self._before is None and self._added is None:
            self._before = slot, slot.head, slot.draft
        refined = not live and not slot.draft and slot.head.digest != head.digest
        workspace.swap_head(slot, head, draft=live)
        if refined:
            row = next((c for c in workspace.channels if c.slot is slot), None)
            self.noticed.emit(told[way].format(row.name if row else head.info.name))

    def _draft(self) -> MixerChannel | None:
        """The row that follows the typing."""
        return next((c for c in self._workspace.channels if c.slot.draft and not c.note), None)

    def _add(self, head: Any, live: bool) -> None:
        """A new row. Heard alone, so that what it does is seen; but a running answer keeps its mix, and the
        next one is not to be steered twice: then, and for a live head, it waits for its switch."""
        quiet, others = not self._talking, self._workspace.active_rows()
        on = frozenset(c.key for c in self._workspace.channels if c.enabled and not c.note)
        key = self._workspace.mixer.add_head(head, enabled=quiet, alone=quiet, draft=live)
        row = self._workspace.channel(key)
        self._slot = row.slot if row else None
        if not live:
            self._added = key, self._workspace.stack.index(), on if quiet else frozenset()
        if quiet and others:
            told = self.tr("“{0}” added; the other heads are off. Ctrl+Z restores them.")
        elif live:
            return
        elif quiet:
            told = self.tr("“{0}” added to the mixer and switched on.")
        else:
            told = self.tr("“{0}” added to the mixer, switched off.")
        self.noticed.emit(told.format(row.name if row else head.info.name))

    def _on_done(self, result: Any) -> None:
        workspace = self._workspace
        if isinstance(result, float):  # live, and it would have taken too long
            self._done = self._request.prompt if self._request else ""
            self._conclude(self._too_long(result))
            return
        if isinstance(result, WeakPrompt):
            self._done = self._request.prompt if self._request else ""
            workspace.set_fit(replace(workspace.fit, weak=True))
            self._conclude(self.tr("Not distilled: the prompt has almost no effect"))
            return
        self._take(result.head)
        paraphrase = dict(result.paraphrase) if result.paraphrase else None
        workspace.set_faithfulness(result.head.digest, Faithfulness(dict(result.faithfulness), paraphrase))
        fit = replace(
            workspace.fit,
            effect=result.effect.kl,
            verdict=result.effect.verdict,
            losses=tuple(float(x) for x in result.loss),
        )
        workspace.set_fit(fit)
        if not fit.live:
            self.distilled.emit(result)
        elif self._slot is not None:
            self._done = self._request.prompt if self._request else ""
        total = result.seconds.get("total", sum(result.seconds.values()))
        words = self.tr("Preview head ready ({0:.1f} s)") if fit.live else self.tr("Head ready in {0:.1f} s")
        self._conclude(words.format(total) if self._slot is not None else "")

    def _on_cancelled(self) -> None:
        """The mixer is as it was before: a head that was not finished goes."""
        workspace = self._workspace
        if self._before is not None:
            slot, head, draft = self._before
            workspace.swap_head(slot, head, draft=draft)
        if self._added is not None:
            key, step, off = self._added
            if not workspace.retract(step):
                workspace.mixer.remove_head(key, on_again=off)
        self._slot = None
        self._conclude(self.tr("Cancelled"))

    def _on_failed(self, failed: JobFailure) -> None:
        live = self._workspace.fit.live
        if live and self._request:
            self._done = self._request.prompt
        self._conclude(failed.why if live else self.tr("Not distilled – see the message above"))

    def _conclude(self, outcome: str) -> None:
        self._workspace.set_fit(replace(self._workspace.fit, running=False, outcome=outcome))
        self._on_prompt()  # typed on meanwhile?
