"""One question to two to four lanes at once, same seed: who speaks in which, and the blind vote on it."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

from PySide6.QtCore import QObject, Signal, Slot

from studio.chat.lane_requests import place_of
from studio.runtime.answer_events import note_asked, take_events, take_results
from studio.runtime.engine_objects import make_strengths
from studio.runtime.job_controller import JobController
from studio.runtime.model_jobs import ModelHost
from studio.runtime.worker import Worker
from studio.state.compare_columns import LEAST, MOST, ColumnChoice
from studio.state.compare_round import CompareRound
from studio.state.conversation import (
    STEERED,
    Answer,
    ColumnSource,
    State,
    Turn,
    UsedHead,
    in_blocks,
    used_heads,
)
from studio.state.mixer import MixerChannel, share_of
from studio.state.requests import LaneRequest
from studio.state.undo import Values
from studio.state.workspace import Workspace

TIE = "tie"
VOTE = {"choice", "lanes", "question", "model"}  # what must be known of a vote


class CompareController(JobController):
    """One round at a time."""

    changed = Signal()  # another round, its end, or a vote
    voted = Signal(str, dict)  # a vote's key and facts, to be kept
    unvoted = Signal(str)  # the key of a vote that was taken back
    takenBack = Signal(str)  # the key of a round that is kept no longer

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
        self._workspace, self._host, self._save_now = workspace, host, save
        self._waiting = False  # asked anew before the round that was stopped has ended
        self._live: list[Any] = []  # strengths of the columns that the mixer's sliders move
        self.votes: dict[str, dict[str, Any]] = {}  # facts by key, the oldest first
        self._known: set[str] = set()  # keys of rounds whose names came out
        workspace.turnsChanged.connect(self._hold)
        workspace.roundChanged.connect(self._on_round)
        workspace.strengthsChanged.connect(self._on_strengths)
        workspace.channelsChanged.connect(self._on_strengths)

    @property
    def round(self) -> CompareRound | None:
        return self._workspace.round

    @property
    def tally(self) -> Counter[str]:
        """How often each was preferred."""
        return Counter(vote["choice"] for vote in self.votes.values())

    def told_votes(self) -> str:
        """The same in words; "" before the first vote."""
        names = {TIE: self.tr("tie")}
        told = ", ".join(f"{names.get(name, name)} ({count})" for name, count in self.tally.most_common())
        return self.tr("Votes so far: {0}").format(told) if told else ""

    def take_votes(self, kept: Sequence[dict[str, Any]]) -> None:
        """Those of earlier runs, which nothing takes back; a damaged one counts for nobody."""
        whole = (vote for vote in kept if vote.keys() >= VOTE)
        self.votes = {**{f"kept {place}": vote for place, vote in enumerate(whole)}, **self.votes}
        self.changed.emit()

    def run(self) -> None:
        """Answers the typed question in all columns, in one batch with one seed; blind ones in an unknown
        order. It waits for the end of a comparison that was stopped."""
        wanted, facts = self._workspace.comparison, self._workspace.loading.facts
        question, columns, blind = self._workspace.question.strip(), wanted.columns, wanted.blind
        if not question or not LEAST <= len(columns) <= MOST:
            return
        if self.running:
            self._waiting = self._stopping
            return
        if facts is None:
            self.noticed.emit(self.tr("No model is loaded yet. Ask again when one is."))
            return
        order = list(columns)
        if blind:
            random.SystemRandom().shuffle(order)
        answers, lanes = [], self.requests(order)
        for column in order:
            mix = tuple(share_of(channel, strength) for channel, strength in self._rows(column))
            turn = Turn(question, self._workspace.settings, mix, model=facts.key)
            answers.append(turn.add(STEERED))
        note_asked(answers, lanes, facts.precision)
        names = tuple(self.name(column) for column in order)
        made = tuple(self._made(column) for column in order)
        heard_of = [row for column in order for row, _ in self._rows(column)]
        methods = {row.digest: self._workspace.method_of(row.head) for row in heard_of}
        fresh = CompareRound(names, made, tuple(answers), methods, blind)
        self._show(self.tr("comparison"), fresh, {"taken back": fresh.key})
        keys = [channel.key for channel in self._workspace.active_rows()]
        self._live = [lane.strengths for lane, at in zip(lanes, order, strict=True) if at.kind == "mixer"]
        for strengths in self._live:
            self._workspace.live.begin(keys, strengths)
        settings = self._workspace.settings
        self._submit(
            self.tr("Comparing"),
            lambda emit, cancel: self._host.generate(lanes, settings, emit, cancel),
            on_events=partial(take_events, self._workspace, answers),
            on_done=partial(self._on_answered, answers),
            on_failed=lambda _: self._conclude(answers, "failed"),
            on_stopped=partial(self._conclude, answers, "cancelled"),
            urgent=True,
        )
        self.changed.emit()

    def open(self, at: CompareRound) -> bool:
        """Shows a round of the library; the present one stays there. False while one is answered."""
        if self.running and at is not self.round:
            self.noticed.emit(self.tr("Stop the answers first."))
            return False
        if at is not self.round:
            self._show(self.tr("open comparison"), at)
        return True

    def _show(self, label: str, at: CompareRound, undone: Values | None = None) -> None:
        """A step to another round; undone: what else comes of taking it back."""
        self._workspace.step(
            label,
            self._put,
            {"round": self.round, "shown": self._workspace.shown, **(undone or {})},
            {"round": at, "shown": None if at.blind else _steered(at.answers)},  # its heatmap would tell
        )

    def requests(self, columns: Sequence[ColumnChoice] | None = None) -> list[LaneRequest]:
        """What each of the columns, all unless told, is asked."""
        question, prompt = self._workspace.question.strip(), self._workspace.prompt.strip()
        lanes = []
        for column in self._workspace.comparison.columns if columns is None else columns:
            rows = self._rows(column)
            lanes.append(
                LaneRequest(
                    (("user", question, None),),
                    heads=tuple(channel.steering_head for channel, _ in rows),
                    strengths=make_strengths([strength for _, strength in rows]),
                    system=prompt or None if column.kind == "prompt" else None,
                    place=place_of(self._workspace, prompt),
                )
            )
        return lanes

    def stop(self) -> None:
        """Stops the answers; what is there stays."""
        self._waiting = False
        self.interrupt()

    @Slot()
    def look(self) -> None:
        """The heatmap is of an answer of this page, of none before the vote: it would tell who speaks. On an
        empty page it may be the conversation's."""
        at, shown = self.round, self._workspace.shown
        if at is not None and shown not in at.answers:
            self._workspace.clear_selection()
            self._workspace.show(None if at.blind else _steered(at.answers), hidden_until_vote=at.blind)
        elif at is None and (shown is None or shown.turn not in self._workspace.turns):
            self._workspace.clear_selection()
            self._workspace.show(None)

    def vote(self, choice: int | None) -> None:
        """For the answer shown at a place, or for none (a tie): names come out, the vote is kept. It can be
        taken back, but not cast anew by one who knows the names."""
        at = self.round
        if at is None or not at.judgeable:
            return
        chosen = TIE if choice is None else at.names[choice]
        facts = {
            "question": at.question,
            "model": at.answers[0].turn.model,
            "seed": at.answers[0].turn.settings.seed,
            "prompt": next((a.asked.system for a in at.answers if a.asked and a.asked.system), ""),
            "lanes": [
                {"name": name, "heads": _heads(answer), "text": answer.text}
                for name, answer in zip(at.names, at.answers, strict=True)
            ],
            "choice": chosen,
        }
        key, shown = uuid4().hex, _steered(at.answers)
        self._known.add(at.key)
        self._workspace.step(
            self.tr("vote"),
            self._put,
            {"round": at, "shown": shown, "unvote": (key, facts)},
            {"round": replace(at, choice=choice), "shown": shown, "vote": (key, facts)},
        )

    @Slot()
    def _hold(self) -> None:
        """The scales are the conversation's too, which begins afresh while these answers stay."""
        for answer in self.round.answers if self.round else ():
            self._workspace.scales.include(answer)

    @Slot()
    def _on_round(self) -> None:
        """What is being answered is no longer wanted."""
        self.stop()
        self._hold()
        self.changed.emit()

    @Slot()
    def _on_strengths(self) -> None:
        rows = self._workspace.rows_not_in_run()
        if self._live and rows:
            self.noticed.emit(self.tr("“{0}” applies from the next comparison.").format(rows[-1].name))

    def _put(self, values: Values) -> None:
        """Another round in the place of the one that is there."""
        at = values["round"]
        if "vote" in values:
            key, facts = values["vote"]
            self.votes[key] = facts
            self.voted.emit(key, facts)
        if "unvote" in values:
            key, _ = values["unvote"]
            del self.votes[key]
            self.unvoted.emit(key)
            self.noticed.emit(
                self.tr("Vote withdrawn. The names are already revealed, so ask again to vote.")
            )
        self._workspace.show_round(replace(at, blind=False) if at and at.key in self._known else at)
        if "taken back" in values:
            self.takenBack.emit(values["taken back"])
        if "vote" in values or "unvote" in values:
            self._save_now()  # nobody votes twice because the studio ended meanwhile
        self._workspace.clear_selection()
        hidden_until_vote = values["shown"] is None and self.round is not None and self.round.blind
        self._workspace.show(values["shown"], hidden_until_vote=hidden_until_vote)

    def name(self, column: ColumnChoice) -> str:
        """What a column is called."""
        if column.kind == "head":
            row = self._workspace.channel(column.key)
            if row is None:
                return self.tr("a removed head")
            return (
                self.tr("{0} (off)").format(row.name) if row.note else f"{row.name} × {column.strength:.2f}"
            )
        return {
            "none": self.tr("unsteered"),
            "prompt": self.tr("prompt"),
            "mixer": self.tr("mixer"),
        }[column.kind]

    def made(self, place: int) -> str:
        """What made the column at this place speak as it did: the prompt, or heads with their methods and
        strengths, both ends of one that moved."""
        assert self.round is not None
        told = (
            _with_method(each, self.round.methods[each.digest])
            for each in used_heads(self.round.answers[place])
        )
        return self.round.made[place] or " + ".join(told) or self.tr("unsteered")

    def source(self, answer: Answer) -> ColumnSource | None:
        """Who gave the answer; None where it is not of this page, or nobody may know yet."""
        at = self.round
        if at is None or at.blind or answer not in at.answers:
            return None
        place = at.answers.index(answer)
        return ColumnSource(at.names[place], self.made(place))

    def _made(self, column: ColumnChoice) -> str:
        if column.kind == "prompt":
            prompt = self._workspace.prompt.strip()
            return self.tr("“{0}”").format(prompt) if prompt else self.tr("empty prompt")
        if column.kind == "none":
            return self.tr("no prompt, no head")
        if column.kind == "mixer":
            return ""
        methods = [
            in_blocks(self._workspace.method_of(row.head), row.blocks) for row, _ in self._rows(column)
        ]
        return " + ".join(methods) or self.tr("unsteered")

    def _rows(self, column: ColumnChoice) -> list[tuple[MixerChannel, float]]:
        """Every row that steers a column, and how strongly."""
        workspace = self._workspace
        if column.kind == "mixer":
            rows = [(c, workspace.strength_of(c.key)) for c in workspace.active_rows()]
        elif column.kind == "head":
            rows = [(c, column.strength) for c in workspace.usable() if c.key == column.key]
        else:
            rows = []
        return [(c, strength) for c, strength in rows if c.steering_head is not None]

    def _on_answered(self, answers: Sequence[Answer], generations: list[Any]) -> None:
        take_results(answers, generations)
        self._conclude(answers)

    def _conclude(self, answers: Sequence[Answer], state: State | None = None) -> None:
        """state: of the answers that came to nothing else."""
        again, self._waiting = self._waiting, False
        for strengths in self._live:
            self._workspace.live.end(strengths)
        self._live = []
        self._workspace.end_answers(answers, state)
        self.changed.emit()
        if again:
            self.run()


def _with_method(used: UsedHead, method: str) -> str:
    """Name, method where the name does not have it already, blocks and strengths."""
    return used.words if f"({method}" in used.name else f"{used.called} ({method}) × {used.at}"


def _steered(answers: Sequence[Answer]) -> Answer:
    """The first that heads steer, whose heatmap has something to show; else the first."""
    return next((answer for answer in answers if answer.turn.mix), answers[0])


def _heads(answer: Answer) -> list[list[Any]]:
    """Name, digest and strength of each, for a file; of one that moved the last strength too."""
    return [[each.called, each.digest, *each.strengths] for each in used_heads(answer)]
