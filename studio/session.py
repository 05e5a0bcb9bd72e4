"""From wishes to jobs and back: submits work to the worker and writes what comes into the workspace."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.events import HeadReady, LossPoint, Progress
from studio.jobs import Bench, FitRequest, LaneRequest, Loaded, OtherModels, make_strengths, make_trace
from studio.turns import STEERED, UNSTEERED, Answer, Turn, history
from studio.worker import Failed, Job, Worker
from studio.workspace import Channel, Faithfulness, Fit, Loading, Workspace


class Session(QObject):
    """Lives on the GUI thread; never waits for a job."""

    noticed = Signal(str)  # a sentence worth telling, no failure
    headRefused = Signal(object)  # OtherModels: usable if the person says so
    tokensCounted = Signal(int)
    talkingChanged = Signal(bool)
    asked = Signal()  # the question has become a turn

    def __init__(self, workspace: Workspace, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.workspace = workspace
        self.bench = Bench()
        self.worker = Worker(self.bench.may_pause, self)
        self._answering: Job | None = None
        self._fitting: Job | None = None
        self._counting: Job | None = None
        self._waiting = False  # a question was sent before the model was ready
        self._fit_key: int | None = None
        workspace.strengthsChanged.connect(self._on_strengths)

    @property
    def talking(self) -> bool:
        return self._answering is not None or self._waiting

    @property
    def fitting(self) -> bool:
        return self._fitting is not None

    # The model.

    def open_model(self, source: str, *, with_heads: bool = False) -> None:
        """Loads `source` in place of the model that is there."""
        if self._answering:
            self.worker.withdraw(self._answering)
        self.workspace.set_loading(Loading(stage=self.tr("Loading {0}").format(source)))
        self.worker.submit(
            Job(
                self.tr("Loading the model"),
                lambda emit, cancel: self.bench.load(source, with_heads, emit, cancel),
                self._on_loading,
                self._on_loaded,
                self._on_not_loaded,
            )
        )

    def _on_loading(self, events: list[Any]) -> None:
        last = events[-1]
        if isinstance(last, Progress):
            self.workspace.set_loading(Loading(None, last.stage, last.done, last.total))

    def _on_loaded(self, loaded: Loaded) -> None:
        workspace = self.workspace
        first = not workspace.channels
        for index, head in enumerate(loaded.heads if first else ()):
            key = workspace.add_head(head, enabled=index == 0)
            self._keep_faithfulness(head)
            if index == 0:
                workspace.choose(key)
        if first:
            if workspace.channels:
                workspace.choose(workspace.channels[0].key)
            workspace.forget()
        workspace.note({c.key: self._misfit(c, loaded.facts.identity) for c in workspace.channels})
        workspace.methods = loaded.methods
        workspace.set_loading(Loading(loaded.facts))
        for sentence in loaded.unread:
            what = self.tr("A bundled head could not be read")
            self.worker.failed.emit(Failed(what, sentence, self.tr("The other heads work."), sentence))
        if self._waiting:
            self._waiting = False
            self.send(workspace.question)

    def _on_not_loaded(self, failed: Failed) -> None:
        self._waiting = False
        self.workspace.set_loading(Loading(stage=self.tr("No model")))
        self.talkingChanged.emit(self.talking)

    def _misfit(self, channel: Channel, identity: Any) -> str:
        if identity.same_shape(channel.head.info.model):
            return ""
        return self.tr("made for {0}").format(channel.head.info.model.id)

    # Answers.

    def send(self, question: str) -> None:
        """Answers `question` with the heads as they are; asked before the model is ready, it waits for it."""
        question = question.strip()
        if not question or self.talking:
            return
        if self.workspace.loading.facts is None:
            self._waiting = True
            self.workspace.question = question
            self.talkingChanged.emit(True)
            return
        turn = Turn(question, self.workspace.settings, self._mix())
        turn.add(STEERED)
        if self.workspace.compare:
            turn.add(UNSTEERED)
        before = self.workspace.turns
        self.workspace.clear_selection()
        self.workspace.extend_turns(turn)
        self.asked.emit()
        self._answer(turn, before, turn.answers)

    def again(self) -> None:
        """Answers the last question again in place; undo brings the old answer back."""
        turns = self.workspace.turns
        if not turns or self.talking or self.workspace.loading.facts is None:
            return
        self.workspace.clear_selection()
        turn = Turn(turns[-1].question, self.workspace.settings, self._mix())
        turn.add(STEERED)
        if self.workspace.compare:
            turn.add(UNSTEERED)
        self.workspace.set_turns((*turns[:-1], turn), self.tr("answer again"))
        self._answer(turn, turns[:-1], turn.answers)

    def compare(self, wanted: bool) -> None:
        """Turned on with an answer on the screen, makes the unsteered one for it too, same seed."""
        self.workspace.set_compare(wanted)
        turns = self.workspace.turns
        if wanted and turns and not self.talking and turns[-1].answer(UNSTEERED) is None:
            answer = turns[-1].add(UNSTEERED)
            self.workspace.turnsChanged.emit()
            self._answer(turns[-1], turns[:-1], [answer])

    def stop(self) -> None:
        """Stops the answer; what is there stays."""
        if self._waiting:
            self._waiting = False
            self.talkingChanged.emit(self.talking)
        if self._answering:
            self.worker.withdraw(self._answering)

    def _mix(self) -> tuple[tuple[str, str, float], ...]:
        shares = ((c.name, c.digest, self.workspace.strength_of(c.key)) for c in self.workspace.sounding())
        return tuple(share for share in shares if share[2])

    def _answer(self, turn: Turn, before: tuple[Turn, ...], answers: list[Answer]) -> None:
        channels = self.workspace.sounding()
        live = make_strengths([self.workspace.strength_of(c.key) for c in channels])
        heads = tuple(c.head for c in channels)
        lanes = [
            LaneRequest(
                (*history(before, answer.lane), ("user", turn.question, None)),
                *((heads, live) if answer.lane == STEERED else ()),
            )
            for answer in answers
        ]
        self.workspace.go_live([c.key for c in channels], live)
        self.workspace.show(turn.answer(STEERED) or answers[0])
        self._answering = self.worker.submit(
            Job(
                self.tr("Answering"),
                lambda emit, cancel: self.bench.generate(lanes, turn.settings, emit, cancel),
                partial(self._on_tokens, answers),
                partial(self._on_answered, answers),
                partial(self._on_unanswered, answers, "failed"),
                partial(self._on_unanswered, answers, "cancelled", None),
                urgent=True,
            )
        )
        self.talkingChanged.emit(True)

    def _on_tokens(self, answers: list[Answer], tokens: list[Any]) -> None:
        for answer_index, answer in enumerate(answers):
            mine = [token for token in tokens if token.lane == answer_index]
            if not mine:
                continue
            if answer.trace is None:
                answer.trace = make_trace(mine[0])
                answer.state = "running"
                self.workspace.answerChanged.emit(answer)
            first = len(answer)
            for token in mine:
                answer.trace.append(token)
            answer.text += "".join(token.text for token in mine)
            self.workspace.widen(
                min(float(token.coefficients.min()) for token in mine),
                max(float(token.coefficients.max()) for token in mine),
            )
            self.workspace.answerGrew.emit(answer, first)

    def _on_answered(self, answers: list[Answer], generations: list[Any]) -> None:
        for answer, generation in zip(answers, generations, strict=True):
            answer.state = generation.stopped
            answer.text = generation.text
            answer.said = generation.said
            answer.tokens_per_second = generation.tokens_per_second
            answer.first_token_seconds = generation.first_token_seconds
        self._end_answer(answers)

    def _on_unanswered(self, answers: list[Answer], state: Any, failed: Failed | None) -> None:
        for answer in answers:
            answer.state = state
        self._end_answer(answers)

    def _end_answer(self, answers: list[Answer]) -> None:
        self._answering = None
        self.workspace.end_live()
        for answer in answers:
            self.workspace.answerChanged.emit(answer)
        self.talkingChanged.emit(self.talking)

    @Slot()
    def _on_strengths(self) -> None:
        late = [c for c in self.workspace.sounding() if c.key not in self.workspace.live_keys]
        if self._answering and late and not self.workspace.bypass:
            self.noticed.emit(self.tr("“{0}” joins with the next answer.").format(late[-1].name))

    # Distilling.

    def distill(self, request: FitRequest) -> None:
        if self._fitting or not request.prompt.strip():
            return
        self._fit_key = None
        self.workspace.fit = Fit(running=True, stage=self.tr("Waiting for the engine"))
        self.workspace.fitChanged.emit()
        self._fitting = self.worker.submit(
            Job(
                self.tr("Distilling"),
                lambda emit, cancel: self.bench.distill(request, emit, cancel),
                self._on_fit,
                self._on_fitted,
                self._on_not_fitted,
                partial(self._end_fit, self.tr("cancelled")),
            )
        )

    def cancel_distill(self) -> None:
        if self._fitting:
            self.worker.withdraw(self._fitting)

    def _on_fit(self, events: list[Any]) -> None:
        fit = self.workspace.fit
        grown = False
        for event in events:
            if isinstance(event, Progress):
                fit.stage, fit.done, fit.total, fit.eta = event.stage, event.done, event.total, event.eta
            elif isinstance(event, LossPoint):
                fit.losses.append(event.loss)
                grown = True
            elif isinstance(event, HeadReady):
                self._take_head(event.head, event.final)
            elif hasattr(event, "verdict"):  # engine.distill's Effect
                fit.effect, fit.verdict, fit.enough = event.kl, event.verdict, event.enough
        if grown:
            self.workspace.lossAdded.emit()
        self.workspace.fitChanged.emit()

    def _take_head(self, head: Any, final: bool) -> None:
        workspace = self.workspace
        self._keep_faithfulness(head)
        row = workspace.channel(self._fit_key)
        if row and row.digest == head.digest:
            return
        if self._fit_key is not None and row:
            workspace.swap_head(self._fit_key, head)
            self.noticed.emit(self.tr("The refined head of “{0}” is in the mixer.").format(head.info.name))
            return
        # Heard alone, so that what it does is seen. A running answer keeps its mix, and the next one is not
        # to be steered twice: then the head waits for its switch.
        quiet = not self.talking
        self._fit_key = workspace.add_head(head, enabled=quiet, alone=quiet)
        said = (
            self.tr("The head “{0}” is in the mixer and on.")
            if quiet
            else self.tr("The head “{0}” is in the mixer; switch it on to hear it.")
        )
        self.noticed.emit(said.format(head.info.name))

    def _on_fitted(self, result: Any) -> None:
        if self._fit_key is None:
            self._take_head(result.head, True)
        self.workspace.faithfulness[result.head.digest] = Faithfulness(
            dict(result.faithfulness), dict(result.paraphrase) if result.paraphrase else None
        )
        fit = self.workspace.fit
        fit.effect, fit.verdict = result.effect.kl, result.effect.verdict
        fit.losses = [float(x) for x in result.loss]
        self.workspace.lossAdded.emit()
        total = result.seconds.get("total", sum(result.seconds.values()))
        self._end_fit(self.tr("done in {0:.1f} s").format(total))
        self.workspace.channelsChanged.emit()

    def _on_not_fitted(self, failed: Failed) -> None:
        self._end_fit(self.tr("failed"))

    def _end_fit(self, outcome: str) -> None:
        self._fitting = None
        self.workspace.fit.running = False
        self.workspace.fit.outcome = outcome
        self.workspace.fitChanged.emit()

    def _keep_faithfulness(self, head: Any) -> None:
        """A head file carries the figures of its own fit."""
        figures = head.info.figures
        if figures.get("faithfulness"):
            paraphrase = figures.get("paraphrase")
            self.workspace.faithfulness[head.digest] = Faithfulness(
                {int(block): float(x) for block, x in figures["faithfulness"].items()},
                {int(block): float(x) for block, x in paraphrase.items()} if paraphrase else None,
            )

    # Files and small things.

    def load_head(self, path: Path) -> None:
        self.worker.submit(
            Job(
                self.tr("Loading a head"),
                lambda emit, cancel: self.bench.load_head(path, emit, cancel),
                on_done=self._on_head_loaded,
            )
        )

    def _on_head_loaded(self, loaded: Any) -> None:
        if isinstance(loaded, OtherModels):
            self.headRefused.emit(loaded)
        else:
            self.take(loaded)

    def take(self, head: Any) -> None:
        """Puts a loaded head into the mixer, on."""
        self._keep_faithfulness(head)
        self.workspace.add_head(head)

    def save_head(self, channel: Channel, path: Path) -> None:
        self.worker.submit(
            Job(
                self.tr("Saving the head"),
                lambda emit, cancel: self.bench.save_head(channel.head, path, emit, cancel),
                on_done=lambda saved: self.noticed.emit(self.tr("Saved {0}").format(saved)),
            )
        )

    def count_tokens(self, text: str) -> None:
        """The answer comes as tokensCounted; a newer question replaces an older one."""
        if self._counting:
            self.worker.withdraw(self._counting)
        if self.workspace.loading.facts is None:
            return
        self._counting = self.worker.submit(
            Job(
                self.tr("Counting tokens"),
                lambda emit, cancel: self.bench.count(text, emit, cancel),
                on_done=self.tokensCounted.emit,
            )
        )

    def close(self) -> None:
        """Cancels everything and waits for the worker to end."""
        self.worker.close()
