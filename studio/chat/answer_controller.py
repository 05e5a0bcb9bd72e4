"""Answers: from a question to tokens in the workspace. One at a time; what is there when it stops, stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from PySide6.QtCore import QObject, Signal, Slot

from studio.chat.lane_requests import NO_OPENINGS, lane_requests
from studio.runtime.answer_events import note_asked, take_events, take_results
from studio.runtime.engine_objects import make_strengths
from studio.runtime.job_controller import JobController
from studio.runtime.model_jobs import ModelHost
from studio.runtime.worker import Worker
from studio.state.conversation import STEERED, UNSTEERED, Answer, MixEntry, State, Turn, rewritten, widened
from studio.state.mixer import MixerChannel, active_rows, rows_for_mix, share_of
from studio.state.requests import LaneRequest
from studio.state.sampling_settings import SamplingSettings
from studio.state.workspace import Workspace


class AnswerController(JobController):
    """One answer, of one or two lanes, at a time."""

    talkingChanged = Signal(bool)
    asked = Signal()  # a question has become a turn

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
        self._turn: Turn | None = None  # whose answer is being made
        self._live: Any = None  # its strengths, which the sliders move
        self._step = 0  # of the undo stack, when it was asked for
        self._last_seed: int | None = None  # of the last answer
        self._waiting = False  # a question was sent before the model was ready, or the last answer quiet
        workspace.strengthsChanged.connect(self._on_strengths)
        workspace.channelsChanged.connect(self._on_strengths)
        workspace.turnsChanged.connect(self._on_turns)

    @property
    def talking(self) -> bool:
        return self.running or self._waiting

    @property
    def takes(self) -> bool:
        """Whether a question that is sent now will be answered."""
        return not self._waiting and (not self.running or self._stopping)

    def requests(self) -> list[LaneRequest]:
        """What would be asked if the typed question were sent now."""
        workspace = self._workspace
        lanes = (STEERED, UNSTEERED) if workspace.compare else (STEERED,)
        return lane_requests(workspace, workspace.turns, workspace.question, lanes)

    def send(self, question: str) -> None:
        """Answers `question` with the heads as they are; it waits for the model, and for the end of an answer
        that was stopped."""
        question = question.strip()
        if not question or not self.takes:
            return
        if self.running or self._workspace.loading.facts is None:
            self._waiting = True
            self._workspace.set_question(question)
            self.talkingChanged.emit(True)
            return
        settings = self._next_settings()
        turn = self._turn_for(question, self._mix(), settings)
        turns = (*self._workspace.turns, turn)
        self._workspace.set_turns(turns, self.tr("send question"), question="", settings=settings)
        self._answer(turn, turns[:-1], turn.answers)

    def resume(self) -> None:
        """A question that waited is answered."""
        if self._waiting:
            self._waiting = False
            self.send(self._workspace.question)
            if not self.talking:  # it was taken back while it waited
                self.talkingChanged.emit(False)

    def again(self, turn: Turn | None = None) -> None:
        """Answers a question again, the last one unless told; later turns go, undo brings all back."""
        found = turn or (self._workspace.turns[-1] if self._workspace.turns else None)
        if found is not None:
            self._replace(found, found.question, self.tr("regenerate"))

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

    def fork(self, answer: Answer, token: int, choice: int) -> bool:
        """Answers again: the same tokens up to `token`, there the id `choice`, and freely from then on.

        An answer of the Compare page had nothing before it: a conversation begins with it, and the mixer is
        as it was at that token. False where that cannot be; a notice says why.
        """
        turn, workspace = answer.turn, self._workspace
        rows, lacking = rows_for_mix(_mix_at(answer, token), workspace.channels)
        compared = turn not in workspace.turns
        objection = self._objection(answer, lacking if compared else ())
        if objection:
            self.noticed.emit(objection)
            return False
        opening = (*(int(i) for i in answer.trace.ids[:token]), choice)
        if compared:
            began = bool(workspace.turns)
            mix = [(c, c.strength) for c in active_rows(rows)]
            fresh = self._turn_for(turn.question, mix, workspace.settings)
            also = {"conversation": uuid4().hex, "channels": rows, "bypass": False}
            workspace.set_turns((fresh,), self.tr("branch"), **also)
            if began:
                self.noticed.emit(
                    self.tr("Opened as a new conversation. Ctrl+Z returns to the previous one.")
                )
            self._answer(fresh, (), fresh.answers, {STEERED: opening})
        else:
            self._replace(turn, turn.question, self.tr("branch"), {answer.lane: opening})
        return True

    def continue_answer(self, answer: Answer | None = None) -> None:
        """The answer that was cut off, the last turn's unless told, goes on from its own tokens: same seed,
        strengths as at its last token, and room for as many tokens more as are set. Later turns go."""
        workspace = self._workspace
        found = answer or (can_continue(workspace.turns[-1]) if workspace.turns else None)
        if found is None or found.turn not in workspace.turns:
            return
        turn = found.turn
        rows, lacking = rows_for_mix(_mix_at(found, -1), workspace.channels)
        objection = self._objection(found, lacking)
        if objection:
            self.noticed.emit(objection)
            return
        openings = {a.lane: tuple(int(i) for i in a.trace.ids) for a in turn.answers if len(a)}
        longest = max(map(len, openings.values())) + workspace.settings.max_tokens
        mix = tuple(share_of(c, c.strength) for c in active_rows(rows))
        fresh = Turn(turn.question, replace(turn.settings, max_tokens=longest), mix, model=turn.model)
        for each in turn.answers:
            fresh.add(each.lane)
        before = workspace.turns[: workspace.turns.index(turn)]
        gone = workspace.turns[len(before) + 1 :]
        also: dict[str, Any] = (
            {} if mix == tuple(share_of(*row) for row in self._mix()) else {"channels": rows}
        )
        if mix and workspace.bypass:
            also["bypass"] = False
        workspace.set_turns((*before, fresh), self.tr("continue"), **also)
        self._tell_gone(gone)
        self._answer(fresh, before, fresh.answers, openings)

    def _objection(self, answer: Answer, lacking: Sequence[str]) -> str:
        """Why nothing can be forked from the answer now; "" when it can. lacking: heads that are gone."""
        facts = self._workspace.loading.facts
        if facts is None:
            return self.tr("No model is loaded yet. Branch when one is.")
        if self.talking or not answer.over:
            return self.tr("An answer is still streaming. Stop it or wait, then branch.")
        if answer.turn.model != facts.key:
            return self.tr("This answer came from another model. Load that model to branch from it.")
        if answer.asked is not None and answer.asked.system:
            return self.tr(
                "This column used a prompt, which a conversation cannot carry. Branch from a steered "
                "column instead."
            )
        if lacking:
            words = self.tr(
                "This answer used “{0}”, which is not in the mixer. Add it again to branch from here."
            )
            return words.format("”, “".join(lacking))
        return ""

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
        workspace.set_turns((*turns[:-1], turn), self.tr("show unsteered answer"), compare=True)
        self._answer(turn, turns[:-1], turn.answers[-1:])

    def stop(self) -> None:
        """Stops the answer, of which what is there stays, and the question that waits."""
        if self._waiting:
            self._waiting = False
            self.talkingChanged.emit(self.talking)
        self.interrupt()

    def _mix(self) -> list[tuple[MixerChannel, float]]:
        """The rows that are heard, as strong as they are now."""
        return [(c, self._workspace.strength_of(c.key)) for c in self._workspace.active_rows()]

    def _next_settings(self) -> SamplingSettings:
        """Those of the next answer: with a seed that neither this conversation nor the last answer had."""
        used = {turn.settings.seed for turn in self._workspace.turns}
        return self._workspace.settings.with_new_seed(used | {self._last_seed})

    def _turn_for(
        self,
        question: str,
        rows: Sequence[tuple[MixerChannel, float]],
        settings: SamplingSettings,
        unsteered: bool = False,
    ) -> Turn:
        """unsteered: with an unsteered answer also where those are not asked for."""
        workspace = self._workspace
        mix = tuple(share_of(c, strength) for c, strength in rows)
        turn = Turn(question, settings, mix, model=workspace.loading.facts.key)
        turn.add(STEERED)
        if workspace.compare or unsteered:
            turn.add(UNSTEERED)
        return turn

    def _replace(
        self, turn: Turn, question: str, label: str, openings: Mapping[str, Sequence[int]] = NO_OPENINGS
    ) -> None:
        turns = self._workspace.turns
        if turn not in turns or self.talking or self._workspace.loading.facts is None:
            return
        before = turns[: turns.index(turn)]
        settings = self._workspace.settings if openings else self._next_settings()
        fresh = self._turn_for(question, self._mix(), settings, UNSTEERED in openings)
        self._workspace.set_turns((*before, fresh), label, settings=settings)
        self._tell_gone(turns[len(before) + 1 :])
        self._answer(fresh, before, fresh.answers, openings)

    def _tell_gone(self, later: tuple[Turn, ...]) -> None:
        if later:
            words = self.tr("%n later turn(s) removed. Ctrl+Z restores them.", "", len(later))
            self.noticed.emit(words)

    def _answer(
        self,
        turn: Turn,
        before: tuple[Turn, ...],
        answers: Sequence[Answer],
        openings: Mapping[str, Sequence[int]] = NO_OPENINGS,
    ) -> None:
        workspace = self._workspace
        workspace.clear_selection()
        channels = workspace.active_rows()
        live = self._live = make_strengths([workspace.strength_of(c.key) for c in channels])
        lanes = lane_requests(workspace, before, turn.question, [a.lane for a in answers], live, openings)
        note_asked(answers, lanes, workspace.loading.facts.precision)
        workspace.live.begin([c.key for c in channels], live)
        workspace.show(turn.answer(STEERED) or answers[0])
        self._turn, self._step, self._last_seed = turn, workspace.stack.index(), turn.settings.seed
        self._submit(
            self.tr("Answering"),
            lambda emit, cancel: self._host.generate(lanes, turn.settings, emit, cancel),
            on_events=partial(take_events, workspace, answers),
            on_done=partial(self._on_answered, answers),
            on_failed=lambda _: self._on_failed(turn, answers),
            on_stopped=partial(self._on_stopped, answers),
            urgent=True,
        )
        self.asked.emit()
        self.talkingChanged.emit(True)

    def _on_answered(self, answers: Sequence[Answer], generations: list[Any]) -> None:
        take_results(answers, generations)
        self._conclude(answers)
        self.resume()

    def _on_stopped(self, answers: Sequence[Answer]) -> None:
        self._conclude(answers, "cancelled")
        self.resume()

    def _on_failed(self, turn: Turn, answers: Sequence[Answer]) -> None:
        """Nothing came: all is as it was before the question, which is typed again. What came stays."""
        untouched = self._workspace.stack.index() == self._step and turn in self._workspace.turns
        self._waiting = False  # its question stays typed
        self._conclude(answers, "failed")
        if untouched and not any(len(answer) for answer in answers):
            self._workspace.undo()

    def _conclude(self, answers: Sequence[Answer], state: State | None = None) -> None:
        """state: of the answers that came to nothing else."""
        self._turn = None
        self._workspace.live.end(self._live)
        self._workspace.end_answers(answers, state)
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
        rows = self._workspace.rows_not_in_run()
        if self.running and rows:
            self.noticed.emit(self.tr("“{0}” applies from the next answer.").format(rows[-1].name))


def can_continue(turn: Turn) -> Answer | None:
    """The answer of the turn that stopped at the length limit, if one did and no person edited any."""
    cut_off = next((a for a in turn.answers if a.state == "length"), None)
    return None if any(a.edited for a in turn.answers) else cut_off


def _mix_at(answer: Answer, token: int) -> list[MixEntry]:
    """The heads in the answer's mix, as strong as at a token of it."""
    mix, used = answer.turn.mix, answer.trace.strengths
    if used.shape[1] != len(mix):  # older turns name only heads that were on
        return list(mix)
    return [each._replace(strength=float(at)) for each, at in zip(mix, used[token], strict=True)]
