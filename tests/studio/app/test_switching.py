"""A really different model in Pocket's place: in mid-work, with heads that do not fit, and back."""

from __future__ import annotations

import gc
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.model import loading
from engine.model.language_model import wrap
from engine.model.loading import load
from studio.__main__ import _parse
from studio.state.conversation import STEERED
from studio.state.heatmap_quantities import QUANTITIES
from studio.state.requests import FitRequest
from tests.models import tiny
from tests.studio.app.test_main_job import ANSWER_MS, FIT_MS, ask, endless
from tests.studio.app.test_model_picker import loaded
from tests.studio.conftest import ready


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random GPT-2 of 3 blocks, 32 wide, with a vocabulary of its own."""
    return str(tiny.save(tiny.model("gpt2"), tmp_path_factory.mktemp("models") / "tiny-gpt2"))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Llama of 9 blocks, 48 wide, with Pocket's vocabulary."""
    tokenizer = load().tokenizer
    size = {"hidden_size": 48, "num_hidden_layers": 9, "vocab_size": len(tokenizer)}
    made = wrap(tiny.network("llama", max_position_embeddings=512, **size), tokenizer, source="tiny-llama")
    return str(tiny.save(made, tmp_path_factory.mktemp("models") / "tiny-llama"))


def switch(qtbot, window, source: str) -> None:
    window.files.open([source]) if source != "pocket" else window.actions_["model_pocket"].trigger()
    loaded(qtbot, window, source)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random Mistral of Pocket's shape: its blocks and width."""
    pocket = load()
    size = {
        "hidden_size": pocket.width,
        "num_hidden_layers": len(pocket.blocks),
        "vocab_size": len(pocket.tokenizer),
    }
    made = wrap(tiny.network("mistral", max_position_embeddings=512, **size), pocket.tokenizer, source="twin")
    return str(tiny.save(made, tmp_path_factory.mktemp("models") / "twin"))


def shorter(window, count: int = 12) -> None:
    window.workspace.set_settings(replace(window.workspace.settings, max_tokens=count))


def touch(window) -> None:
    """Changes a strength: the bundled heads of which none was changed would go with Pocket."""
    window.mixer.row(window.workspace.channels[1].key).box.setValue(0.9)


def answer_of(window):
    return window.workspace.turns[-1].answer(STEERED)


def test_heads_that_do_not_fit_are_named_kept_muted_and_usable_again(qtbot, window, gpt2):
    workspace = window.workspace
    touch(window)
    keys = [c.key for c in workspace.channels]
    names = [c.name for c in workspace.channels]
    before = [(c.key, c.strength, c.enabled) for c in workspace.channels]
    switch(qtbot, window, gpt2)
    told = window.status.busy.text()
    assert "tiny-gpt2" in told and all(name in told for name in names) and "switched off" in told
    for key in keys:
        row = window.mixer.row(key)
        assert "made for pocket" in row.note.text() and row.note.isVisible() and not row.slider.isEnabled()
    assert not workspace.active_rows()
    shorter(window)
    ask(qtbot, window, "Tell me about the harbour.")
    assert (
        not answer_of(window).trace.coefficients.any() and answer_of(window).trace.coefficients.shape[1] == 3
    )
    qtbot.wait(900)  # longer than the pause after which a head follows the typing: nobody typed
    assert len(workspace.channels) == 3 and not window.controllers.fitting
    switch(qtbot, window, "pocket")
    assert [(c.key, c.strength, c.enabled) for c in workspace.channels] == before
    assert not any(c.note for c in workspace.channels) and len(workspace.active_rows()) == 1
    ask(qtbot, window, "Tell me about the harbour.")
    assert np.abs(answer_of(window).trace.coefficients).max() > 0


def test_heads_of_a_model_of_the_same_shape_are_silent_until_the_person_says_so(qtbot, open_window, twin):
    window = ready(qtbot, open_window())
    workspace = window.workspace
    key, names = workspace.channels[0].key, [c.name for c in workspace.channels]
    switch(qtbot, window, twin)
    told = window.status.busy.text()
    assert (
        "until you choose Use anyway" in told
        and all(name in told for name in names)
        and not workspace.active_rows()
    )
    shorter(window)
    ask(qtbot, window, "Tell me about the harbour.")
    assert not answer_of(window).trace.coefficients.any() and not answer_of(window).turn.mix
    row = window.mixer.row(key)
    assert row.accept.isVisible() and not row.slider.isEnabled()
    row.accept.click()
    workspace.undo()
    assert not workspace.active_rows() and row.accept.isVisible()
    workspace.redo()
    assert [c.key for c in workspace.active_rows()] == [key]
    ask(qtbot, window, "And the castle?")
    assert answer_of(window).trace.coefficients.any()
    switch(qtbot, window, "pocket")
    assert [c.note for c in workspace.channels] == [""] * 3
    switch(qtbot, window, twin)
    assert [bool(c.note) for c in workspace.channels] == [False, True, True]
    again = ready(qtbot, open_window())
    assert again.workspace.source == twin
    assert [bool(c.note) for c in again.workspace.channels] == [False, True, True]


def test_a_head_made_on_another_model_leaves_those_that_are_silent_as_they_were(
    qtbot, window, llama, monkeypatch
):
    monkeypatch.setattr("engine.distill.prompt_effect.LEAST_NATS", 0.0)
    workspace = window.workspace
    touch(window)
    switch(qtbot, window, llama)
    window.controllers.distilling.start(FitRequest("Talk like a pirate.", responses=4, recipe="instant"))
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    assert [bool(c.note) for c in workspace.channels] == [True, True, True, False], workspace.fit.outcome
    assert sorted(workspace.channels[3].head.blocks) == list(range(9))
    shorter(window)
    ask(qtbot, window, "Tell me about the harbour.")
    assert answer_of(window).trace.coefficients.shape[1] == 9 and answer_of(window).trace.coefficients.any()
    switch(qtbot, window, "pocket")
    assert [bool(c.note) for c in workspace.channels] == [False, False, False, True]
    assert [c.name for c in workspace.active_rows()] == [workspace.channels[0].name]


def test_the_conversation_goes_on_with_the_other_model_and_back(qtbot, window, gpt2, llama):
    shorter(window, 20)
    ask(qtbot, window, "Tell me about the harbour.")
    for number, source in enumerate((gpt2, llama, "pocket"), start=1):
        switch(qtbot, window, source)
        assert len(window.workspace.turns) == number and window.workspace.turns[0].answers[0].text
        ask(qtbot, window, "And the castle?")
        answer = answer_of(window)
        assert answer.over and answer.state != "failed" and len(answer) > 0
        assert answer.turn.model == window.workspace.loading.facts.key
        assert answer.prompt_tokens > 30  # it read what was said before


def test_switched_while_it_answers(qtbot, window, gpt2):
    endless(window)
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: bool(window.workspace.turns) and len(answer_of(window)) > 5, timeout=ANSWER_MS)
    window.files.open([gpt2])
    loaded(qtbot, window, gpt2)
    answer = answer_of(window)
    assert answer.state == "cancelled" and "".join(answer.trace.pieces) == answer.text
    shorter(window)
    window.actions_["again"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert answer_of(window) is not answer and answer_of(window).trace.coefficients.shape[1] == 3
    window.workspace.undo()
    assert answer_of(window) is answer


def test_a_question_sent_while_it_is_switched_is_answered_by_the_other_model(qtbot, window, gpt2):
    shorter(window)
    window.files.open([gpt2])
    qtbot.waitUntil(lambda: window.workspace.loading.facts is None, timeout=ANSWER_MS)
    window.composer.set_question("Tell me about the harbour.")
    window.actions_["send"].trigger()
    assert window.controllers.talking and not window.workspace.turns
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert window.workspace.loading.facts.source == gpt2
    assert answer_of(window).turn.model == window.workspace.loading.facts.key and answer_of(window).over


def test_a_question_that_is_emptied_while_it_waits_for_a_model_is_over(qtbot, window):
    ask(qtbot, window, "Tell me about the harbour.")
    window.controllers.open_model("pocket")
    qtbot.waitUntil(lambda: window.workspace.loading.facts is None, timeout=ANSWER_MS)
    window.composer.set_question("And the castle?")
    window.actions_["send"].trigger()
    assert window.controllers.talking and window.composer.stop.isVisible()
    window.composer.question.clear()
    loaded(qtbot, window, "pocket")
    settled(qtbot, window)
    assert not window.controllers.talking and len(window.workspace.turns) == 1
    assert not window.composer.stop.isVisible() and window.actions_["again"].isEnabled()


def test_switched_while_it_distills_the_distillation_is_waited_for_and_that_is_told(qtbot, window, gpt2):
    window.controllers.distilling.start(FitRequest("Be gloomy.", recipe="refine", responses=8))
    qtbot.waitUntil(lambda: bool(window.workspace.fit.losses), timeout=FIT_MS)
    window.files.open([gpt2])
    qtbot.waitUntil(lambda: "Distilling" in window.header.facts.text(), timeout=ANSWER_MS)
    assert window.workspace.fit.running
    window.actions_["cancel_distill"].trigger()  # or one does not wait
    loaded(qtbot, window, gpt2)
    prompts = [channel.head.info.prompt for channel in window.workspace.channels]
    assert "Be gloomy." not in prompts  # what was cancelled leaves nothing behind
    assert not window.controllers.fitting and not window.banner.isVisible()


def test_undo_and_redo_go_over_switches_and_the_last_wish_counts(qtbot, window, gpt2, llama):
    workspace = window.workspace
    switch(qtbot, window, gpt2)
    workspace.set_prompt("typed between the switches")
    switch(qtbot, window, llama)
    for _ in range(3):  # without waiting for any of them
        workspace.undo()
    loaded(qtbot, window, "pocket")
    qtbot.waitUntil(lambda: not workspace.loading.coming, timeout=ANSWER_MS)
    assert workspace.source == "pocket" and workspace.prompt != "typed between the switches"
    assert [c.note for c in workspace.channels] == [""] * 3
    for _ in range(3):
        workspace.redo()
    loaded(qtbot, window, llama)
    assert workspace.prompt == "typed between the switches" and not workspace.stack.canRedo()


def test_undo_to_a_model_that_is_gone_stays_with_the_present_one(qtbot, window, tmp_path, gpt2):
    gone = Path(gpt2).rename(tmp_path / "moved")
    try:
        switch(qtbot, window, str(gone))
        switch(qtbot, window, "pocket")
    finally:
        gone.rename(gpt2)
    window.workspace.undo()
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert window.workspace.source == "pocket" == window.workspace.loading.facts.source
    ask(qtbot, window, "Tell me about the harbour.")
    assert answer_of(window).state == "eos"


def settled(qtbot, window) -> None:
    qtbot.waitUntil(lambda: not window.workspace.loading.coming, timeout=ANSWER_MS)


def test_the_history_goes_past_a_model_that_is_gone_or_was_cancelled(qtbot, window, tmp_path, gpt2):
    gone, workspace = Path(gpt2).rename(tmp_path / "moved"), window.workspace
    workspace.set_prompt("typed before")
    try:
        switch(qtbot, window, str(gone))
        switch(qtbot, window, "pocket")
        workspace.undo()
        window.controllers.opening.cancel()
        settled(qtbot, window)
        assert workspace.source == "pocket" and workspace.stack.index() == 2
        workspace.redo()
        settled(qtbot, window)
    finally:
        gone.rename(gpt2)
    workspace.mixer.set_bypass(True)
    for index in (3, 2, 1, 0):
        workspace.undo()
        settled(qtbot, window)
        assert workspace.stack.index() == index and workspace.source == "pocket"
    assert workspace.prompt != "typed before"
    for index in (1, 2, 3, 4):
        workspace.redo()
        settled(qtbot, window)
        assert workspace.stack.index() == index and workspace.source == "pocket"
    assert workspace.prompt == "typed before" and workspace.bypass


def test_a_head_of_a_model_that_is_gone_comes_back_silent(qtbot, window, tmp_path, twin):
    gone, workspace = Path(twin).rename(tmp_path / "moved"), window.workspace
    try:
        switch(qtbot, window, str(gone))
        made = workspace.channels[0].head
        info = replace(made.info, name="twin's", model=workspace.loading.facts.identity)
        window.controllers.take(replace(made, info=info))
        assert [bool(c.note) for c in workspace.channels] == [True, True, True, False]
        workspace.undo()
        workspace.undo()
        loaded(qtbot, window, "pocket")
    finally:
        gone.rename(twin)
    workspace.redo()
    workspace.redo()
    settled(qtbot, window)
    assert workspace.source == "pocket"
    assert [bool(c.note) for c in workspace.channels] == [False, False, False, True]
    assert (
        not workspace.active_rows()[0].note and window.mixer.row(workspace.channels[3].key).note.isVisible()
    )


def test_of_several_wishes_the_last_one_counts(qtbot, window, gpt2, llama, tmp_path):
    for source in (gpt2, str(tmp_path / "nothing"), llama, gpt2, "pocket", llama):
        window.controllers.open_model(source)
    loaded(qtbot, window, llama)
    qtbot.waitUntil(lambda: not window.workspace.loading.coming, timeout=ANSWER_MS)
    assert window.controllers.host.need_model().source == llama == window.workspace.source
    window.controllers.open_model(gpt2)
    qtbot.waitUntil(lambda: window.workspace.loading.facts is None, timeout=ANSWER_MS)
    window.controllers.open_model("pocket")  # the other one is being read
    loaded(qtbot, window, "pocket")
    qtbot.waitUntil(lambda: not window.workspace.loading.coming, timeout=ANSWER_MS)
    assert window.controllers.host.need_model().is_pocket and window.workspace.source == "pocket"
    ask(qtbot, window, "Tell me about the harbour.")
    assert answer_of(window).state == "eos"


def test_a_model_that_breaks_while_it_is_read_brings_the_one_before_back(
    qtbot, window, gpt2, monkeypatch, complaints
):
    sound = loading.require_finite

    def broken(*asked: Any) -> None:
        monkeypatch.setattr(loading, "require_finite", sound)
        raise RuntimeError("something nobody foresaw")

    monkeypatch.setattr(loading, "require_finite", broken)
    window.files.open([gpt2])
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    complaints.clear()  # the fault is in the log
    loaded(qtbot, window, "pocket")
    ask(qtbot, window, "Tell me about the harbour.")
    assert answer_of(window).state == "eos" and np.abs(answer_of(window).trace.coefficients).max() > 0


def test_the_panels_of_an_answer_stay_right_whatever_model_is_there(qtbot, window, llama, gpt2):
    workspace, heatmap, inspector = window.workspace, window.heatmap, window.inspector
    shorter(window)
    answers = []
    for source in ("pocket", llama, gpt2):
        if source != "pocket":
            switch(qtbot, window, source)
        ask(qtbot, window, "Tell me about the harbour.")
        answers.append(answer_of(window))
    inspector.show_block(5)
    for answer, blocks in zip((answers[1], answers[0], answers[2], answers[1]), (9, 6, 3, 9), strict=True):
        workspace.select(answer, 2)
        assert workspace.shown is answer
        assert np.array_equal(heatmap.values(), answer.trace.coefficients)
        assert heatmap.values().shape[1] == blocks == len(inspector.bars._rows)
        assert len(inspector.row.values()) == len(answer)
        inspector.bars.chosen.emit(blocks - 1)
        for index in range(len(QUANTITIES)):
            heatmap.choice.setCurrentIndex(index)
            window.grab()
        heatmap.choice.setCurrentIndex(0)
        view = window.conversation.view(answer)
        assert view is not None and view.value(2) == pytest.approx(
            float(answer.trace.coefficients[2][abs(answer.trace.coefficients[2]).argmax()])
        )


def test_the_memory_of_the_model_before_comes_back(qtbot, window, gpt2):
    ask(qtbot, window, "Tell me about the harbour.")
    window.controllers.distilling.start(FitRequest("Be gloomy.", responses=8, recipe="instant"))
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    weights = weakref.ref(window.controllers.host.need_model().network.get_input_embeddings().weight)
    switch(qtbot, window, gpt2)
    gc.collect()
    assert weights() is None


def test_a_folder_named_from_where_one_stands_is_found_from_anywhere(qtbot, open_window, gpt2, monkeypatch):
    monkeypatch.chdir(Path(gpt2).parent)
    name = Path(gpt2).name
    assert _parse(["--model", name]).model == gpt2
    assert _parse(["--model", "pocket"]).model == "pocket" and _parse([]).model is None
    window = ready(qtbot, open_window(name))
    assert window.workspace.source == gpt2 == window.workspace.loading.facts.source
    assert window.workspace.stack.count() == 0
    shorter(window)
    ask(qtbot, window, "Tell me about the harbour.")  # else there is nothing to come back to
    monkeypatch.chdir("/")
    window = ready(qtbot, open_window())
    assert window.workspace.loading.facts.source == gpt2


def test_a_session_of_another_model_comes_back_with_its_silent_heads(qtbot, open_window, gpt2):
    window = ready(qtbot, open_window())
    touch(window)
    ask(qtbot, window, "Tell me about the harbour.")
    switch(qtbot, window, gpt2)
    window = ready(qtbot, open_window())
    assert (
        window.workspace.source == gpt2
        and [c.note for c in window.workspace.channels] == ["made for pocket"] * 3
    )
    assert window.workspace.turns[0].answers[0].trace.coefficients.shape[1] == 6
    switch(qtbot, window, "pocket")
    assert not any(c.note for c in window.workspace.channels)
