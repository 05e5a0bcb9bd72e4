"""Whatever is opened, rewritten, forked, voted on, renamed, removed and undone, in any order: once saved, the
library holds what the page shows."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PySide6.QtCore import QCoreApplication, QEventLoop

from engine.library import sessions
from engine.library.catalog import items
from engine.library.store import LibraryStore
from studio.library.autosave import Autosave
from studio.library.library_edits import LibraryEdits
from studio.library.library_jobs import OpenedConversation
from studio.state.compare_round import CompareRound
from studio.state.conversation import STEERED, Turn, rewritten
from studio.state.sampling_settings import SamplingSettings
from studio.state.workspace import Workspace

WORDS = st.sampled_from(["a", "b", "c", "d"])
PLACES = st.integers(0, 3)
LIMIT_S = 30.0


def answered(question: str, text: str) -> Turn:
    turn = Turn(question, SamplingSettings(seed=1))
    answer = turn.add(STEERED)
    answer.state, answer.text = "eos", text
    return turn


def shown(turns: tuple[Turn, ...]) -> list[tuple[str, str, list[str]]]:
    return [(turn.key, turn.question, [answer.text for answer in turn.answers]) for turn in turns]


class Saves(RuleBasedStateMachine):
    """Rules only ask for things; what was asked for is done when `wait` or `save` lets the events in."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.workspace = Workspace()
        self.autosave = Autosave(self.workspace, self.folder)
        self.edits = LibraryEdits(self.workspace, self.autosave)
        opened: list[object] = []
        self.autosave.open(opened.append, pytest.fail)
        self.until(lambda: bool(opened))
        self.autosave.begin()

    def teardown(self) -> None:
        try:
            self.save()
        finally:
            self.autosave.close()
            self.workspace.clear_history()
            shutil.rmtree(self.folder)

    def until(self, ready) -> None:
        end = time.monotonic() + LIMIT_S
        while not ready():
            assert time.monotonic() < end, "the library never came to rest"
            QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 20)

    def kept(self, key: str) -> list[tuple[str, str, list[str]]]:
        with closing(LibraryStore(self.folder)) as store:
            found = sessions.conversation(store, key)
        turns = found.turns if found else ()
        return [(turn.key, turn.question, [answer.text for answer in turn.answers]) for turn in turns]

    def item(self, place: int):
        with closing(LibraryStore(self.folder)) as store:
            found = items(store, "conversation")
        return found[place % len(found)] if found else None

    # What a person does.

    @rule(question=WORDS, text=WORDS)
    def ask(self, question: str, text: str) -> None:
        self.workspace.set_turns((*self.workspace.turns, answered(question, text)), "question")

    @precondition(lambda self: self.workspace.turns)
    @rule(place=PLACES, text=WORDS)
    def rewrite(self, place: int, text: str) -> None:
        turns = self.workspace.turns
        at = place % len(turns)
        self.workspace.set_turns((*turns[:at], rewritten(turns[at].answers[0], text)), "edit answer")

    @precondition(lambda self: self.workspace.turns)
    @rule(place=PLACES, text=WORDS)
    def fork(self, place: int, text: str) -> None:
        turns = self.workspace.turns
        at = place % len(turns)
        self.workspace.set_turns((*turns[:at], answered(turns[at].question, text)), "fork")

    @rule()
    def begin(self) -> None:
        self.workspace.begin_conversation()

    @rule(question=WORDS)
    def compare(self, question: str) -> None:
        answers = tuple(answered(question, text).answers[0] for text in "xy")
        self.workspace.change("comparison", round=CompareRound(("x", "y"), ("", ""), answers, {}, True))

    @precondition(lambda self: self.workspace.round is not None and self.workspace.round.blind)
    @rule(choice=st.integers(0, 1))
    def vote(self, choice: int) -> None:
        at = self.workspace.round
        self.workspace.change("vote", round=replace(at, choice=choice, blind=False))

    @rule(place=PLACES)
    def open(self, place: int) -> None:
        if (item := self.item(place)) is None:
            return

        def then(opened: OpenedConversation) -> None:
            if opened.round is not None:
                self.workspace.change("open comparison", round=opened.round)
            elif not item.kind:
                self.workspace.begin_conversation(opened.turns, item.key)

        self.autosave.open_conversation("Opening", item.key, then)

    @precondition(lambda self: self.workspace.turns)
    @rule(place=PLACES, at=PLACES, text=WORDS)
    def open_amid_edits(self, place: int, at: int, text: str) -> None:
        """Asked for before the edit and its save, and there after them."""
        self.autosave.flush()
        self.wait()
        self.open(place)
        self.rewrite(at, text)
        self.autosave.flush()

    @rule(place=PLACES, title=WORDS)
    def rename(self, place: int, title: str) -> None:
        if (item := self.item(place)) is not None:
            self.edits.rename(item, title)

    @rule(place=PLACES)
    def remove(self, place: int) -> None:
        if (item := self.item(place)) is not None:
            self.edits.remove([item])

    @rule()
    def undo(self) -> None:
        self.workspace.undo()

    @rule()
    def redo(self) -> None:
        self.workspace.redo()

    @rule()
    def flush(self) -> None:
        self.autosave.flush()

    @rule()
    def wait(self) -> None:
        self.until(lambda: not self.autosave.worker.busy)

    @rule()
    def save(self) -> None:
        self.wait()
        saving = self.autosave.flush()
        self.wait()
        assert saving.kept
        assert self.kept(self.workspace.conversation) == shown(self.workspace.turns)
        if (at := self.workspace.round) is not None:
            assert self.kept(at.key) == shown(at.turns)

    @invariant()
    def nothing_failed(self) -> None:
        assert self.autosave.trouble is None


def test_the_library_holds_what_the_page_shows(qapp):
    few = settings(
        max_examples=20,
        stateful_step_count=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Saves, settings=few)


def test_a_conversation_rewritten_while_it_is_opened_is_kept_as_it_is_shown(qapp):
    machine = Saves()
    machine.ask("a", "b")
    machine.save()
    machine.open(0)
    machine.rewrite(0, "c")
    machine.flush()
    machine.save()
    assert machine.workspace.turns[0].answers[0].text == "b"  # as it was read; undo brings the other back
    machine.undo()
    machine.save()
    machine.teardown()
