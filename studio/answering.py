"""Answers: from a question to tokens in the workspace. One at a time; what is there when it stops, stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.events import Cancel, Emit
from studio.intake import note_asked, take_events, take_results
from studio.jobs import Bench, make_strengths
from studio.lane_requests import lane_requests
from studio.requests import LaneRequest
from studio.turns import STEERED, UNSTEERED, Answer, Settings, Turn, rewritten, widened
from studio.worker import Job, Worker
from studio.workspace import Workspace

SAVING_S = 5.0  # the longest that an answer waits for its question to be on the disk


class Answering(QObject):
    """Lives on the GUI thread; never waits for a job."""

    talkingChanged = Signal(bool)
    asked = Signal()  # a question has become a turn
    noticed = Signal(str)

    def __init__(
        self,
        workspace: Workspace,
        bench: Bench,
        worker: Worker,
        save: Callable[[], threading.Event],
        parent: QObject | None = None,
    ) -> None:
        """save: puts the workspace on the disk; its event is set when that is done."""
        super().__init__(parent)
        self._workspace, self._bench, self._worker, self._save = workspace, bench, worker, save
        self._job: Job | None = None
        self._turn: Turn | None = None  # whose answer is being made
        self._step = 0  # of the undo stack, when it was asked for
        self._waiting = False  # a question was sent before the model was ready
        workspace.strengthsChanged.connect(self._on_strengths)
        workspace.channelsChanged.connect(self._on_strengths)
        workspace.turnsChanged.connect(self._on_turns)

    @property
    def talking(self) -> bool:
        return self._job is not None or self._waiting

    def send(self, question: str) -> None:
        """Answers `question` with the heads as they are; before the model is ready, it waits for it."""
        question = question.strip()
        if not question or self.talking:
            return
        if self._workspace.loading.facts is None:
            self._waiting = True
            self._workspace.set_question(question)
            self.talkingChanged.emit(True)
            return
        turn = self._turn_for(question)
        turns = (*self._workspace.turns, turn)
        self._workspace.set_turns(turns, self.tr("question"), question="")
        self._answer(turn, turns[:-1], turn.answers)

    def resume(self) -> None:
        """The model is ready: a question that waited for it is answered."""
        if self._waiting:
            self._waiting = False
            self.send(self._workspace.question)

    def again(self, turn: Turn | None = None) -> None:
        """Answers a question again, the last one unless told; later turns go, undo brings all back."""
        found = turn or (self._workspace.turns[-1] if self._workspace.turns else None)
        if found is not None:
            self._replace(found, found.question, self.tr("answer again"))

    def edit(self, turn: Turn, question: str) -> None:
        """The turn with another question, answered; later turns go, undo brings all back."""
        if question.strip() and question.strip() != turn.question:
            self._replace(turn, question.strip(), self.tr("edit question"))

    def rewrite(self, answer: Answer, text: str) -> None:
        """Other words in an answer's place, which later answers go on from; undo brings all back.

        Later turns go: they answered other words.
        """
        turns, turn = self._workspace.turns, answer.turn
        if turn in turns and not self.talking and text.strip() and text != answer.text:
            self._workspace.clear_selection()
            kept = turns[: turns.index(turn)]
            self._workspace.set_turns((*kept, rewritten(answer, text)), self.tr("edit answer"))
            self._tell_gone(turns[len(kept) + 1 :])

    def fork(self, answer: Answer, token: int, choice: int) -> None:
        """Answers again: the same tokens up to `token`, there the id `choice`, and freely from then on."""
        opening = (*(int(i) for i in answer.trace.ids[:token]), choice)
        self._replace(answer.turn, answer.turn.question, self.tr("fork"), opening)

    def compare(self, wanted: bool) -> None:
        """Turned on with an answer on the screen, makes the unsteered one for it too, same seed; one step."""
        workspace, facts = self._workspace, self._workspace.loading.facts
        if wanted == workspace.compare:
            return  # undo and redo turn the switch too
        turns = workspace.turns
        lacking = wanted and turns and turns[-1].answer(UNSTEERED) is None
        if not lacking or self.talking or facts is None or turns[-1].model != facts.key:
            workspace.set_compare(wanted)
            return
        turn = widened(turns[-1], UNSTEERED)
        workspace.set_turns((*turns[:-1], turn), self.tr("compare"), compare=True)
        self._answer(turn, turns[:-1], turn.answers[-1:])

    def stop(self) -> None:
        """Stops the answer; what is there stays."""
        if self._waiting:
            self._waiting = False
            self.talkingChanged.emit(self.talking)
        self.interrupt()

    def interrupt(self) -> None:
        """Stops the answer that is being made; a question that waits for the model goes on waiting."""
        if self._job:
            self._worker.withdraw(self._job)

    def _turn_for(self, question: str) -> Turn:
        workspace = self._workspace
        mix = tuple((c.name, c.digest, workspace.strength_of(c.key)) for c in workspace.sounding())
        turn = Turn(question, workspace.settings, mix, model=workspace.loading.facts.key)
        turn.add(STEERED)
        if workspace.compare:
            turn.add(UNSTEERED)
        return turn

    def _replace(self, turn: Turn, question: str, label: str, opening: Sequence[int] = ()) -> None:
        turns = self._workspace.turns
        if turn not in turns or self.talking or self._workspace.loading.facts is None:
            return
        before = turns[: turns.index(turn)]
        fresh = self._turn_for(question)
        self._workspace.set_turns((*before, fresh), label)
        self._tell_gone(turns[len(before) + 1 :])
        self._answer(fresh, before, fresh.answers, opening)

    def _tell_gone(self, later: tuple[Turn, ...]) -> None:
        if later:
            words = self.tr("%n later turn(s) went too; Ctrl+Z brings all back.", "", len(later))
            self.noticed.emit(words)

    def _answer(
        self, turn: Turn, before: tuple[Turn, ...], answers: Sequence[Answer], opening: Sequence[int] = ()
    ) -> None:
        workspace = self._workspace
        workspace.clear_selection()
        channels = workspace.sounding()
        live = make_strengths([workspace.strength_of(c.key) for c in channels])
        lanes = lane_requests(workspace, before, turn.question, [a.lane for a in answers], live, opening)
        note_asked(answers, lanes)
        workspace.go_live([c.key for c in channels], live)
        workspace.show(turn.answer(STEERED) or answers[0])
        saved = self._save()
        self._turn, self._step = turn, workspace.stack.index()
        self._job = self._worker.submit(
            Job(
                self.tr("Answering"),
                lambda emit, cancel: self._generate(saved, lanes, turn.settings, emit, cancel),
                partial(take_events, workspace, answers),
                partial(self._on_answered, answers),
                lambda _: self._on_failed(turn, answers),
                partial(self._on_unanswered, answers, "cancelled"),
                urgent=True,
            )
        )
        self.asked.emit()
        self.talkingChanged.emit(True)

    def _generate(
        self,
        saved: threading.Event,
        lanes: Sequence[LaneRequest],
        settings: Settings,
        emit: Emit,
        cancel: Cancel,
    ) -> list[Any]:
        """In the worker's thread: what was typed is on the disk before it runs."""
        saved.wait(SAVING_S)
        return self._bench.generate(lanes, settings, emit, cancel)

    def _on_answered(self, answers: Sequence[Answer], generations: list[Any]) -> None:
        take_results(answers, generations)
        self._end(answers)

    def _on_unanswered(self, answers: Sequence[Answer], state: Any) -> None:
        for answer in answers:
            answer.state = state
        self._end(answers)

    def _on_failed(self, turn: Turn, answers: Sequence[Answer]) -> None:
        """Nothing came: all is as it was before the question, which is typed again. What came stays."""
        untouched = self._workspace.stack.index() == self._step and turn in self._workspace.turns
        self._on_unanswered(answers, "failed")
        if untouched and not any(len(answer) for answer in answers):
            self._workspace.undo()

    def _end(self, answers: Sequence[Answer]) -> None:
        self._job = self._turn = None
        self._workspace.end_live()
        for answer in answers:
            self._workspace.answerChanged.emit(answer)
        self.talkingChanged.emit(self.talking)

    def drop(self) -> None:
        """The model that was to answer does not come: the question stays typed."""
        self._waiting = False
        self.talkingChanged.emit(self.talking)

    @Slot()
    def _on_turns(self) -> None:
        if self._turn is not None and self._turn not in self._workspace.turns:
            self.stop()  # its question was taken back

    @Slot()
    def _on_strengths(self) -> None:
        late = [c for c in self._workspace.sounding() if c.key not in self._workspace.live_keys]
        if self._job and late and not self._workspace.bypass:
            self.noticed.emit(self.tr("“{0}” joins with the next answer.").format(late[-1].name))
