"""A hasty user: things in the wrong order, at the wrong time, of the wrong size."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from PySide6.QtWidgets import QDialog

from studio.app.main_window import Window
from studio.app.model_picker import ModelPicker
from studio.state.compare_columns import ColumnChoice
from studio.state.requests import FitRequest
from tests.engine.model.test_hub import NAME
from tests.models import tiny
from tests.studio.app.test_main_job import ANSWER_MS, FIT_MS, ask, endless
from tests.studio.app.test_model_picker import loaded
from tests.studio.conftest import ready
from tests.studio.state.test_undo import state

ODD = "مرحبا 🏴‍☠️ \u202e evil \u202c 日本語 <b>bold</b> &amp " + "x" * 300


@pytest.fixture
def other(tmp_path) -> str:
    return str(tiny.save(tiny.model("gpt2"), tmp_path / ("odd 🐦 نورس & <b>x " + "long" * 40)))


def test_names_of_any_length_and_script_leave_the_window_as_it_is(qtbot, open_window, other):
    window = ready(qtbot, open_window())
    workspace, size = window.workspace, window.size()
    for channel in workspace.channels:
        workspace.mixer.rename_head(channel.key, ODD)
    workspace.mixer.keep_preset(ODD)
    workspace.add_column(ColumnChoice("head", workspace.channels[0].key))
    window.mixer._preset_menu.aboutToShow.emit()
    assert "&&amp" in window.mixer._preset_menu.actions()[0].text()  # no shortcut
    window.actions_["page_compare"].trigger()
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=ANSWER_MS)
    window.actions_["page_conversation"].trigger()
    ask(qtbot, window, ODD)
    assert window.size() == size
    window.files.open([other])
    loaded(qtbot, window, other)
    window.actions_["model"].trigger()
    [picker] = [d for d in window.findChildren(ModelPicker) if d.isVisible()]
    qtbot.waitUntil(lambda: "Listing" not in picker.list.item(0).text(), timeout=ANSWER_MS)
    [row] = [i for i in range(picker.list.count()) if picker.list.item(i).toolTip().startswith(f"{other}\n")]
    assert "(in use)" in picker.list.item(row).text() and not picker.list.horizontalScrollBar().maximum()
    picker.close()
    assert window.size() == size
    window = ready(qtbot, open_window())
    assert [c.name for c in window.workspace.channels] == [ODD.strip()] * 3


@pytest.mark.parametrize("text", ["a\n" * 50_000, "x" * 100_000, ODD * 300], ids=["lines", "a word", "odd"])
def test_a_hundred_thousand_characters_are_refused_with_a_remedy(qtbot, window, text):
    size = window.size()
    window.actions_["live"].trigger()
    window.steering.prompt.setPlainText(text)
    window.composer.question.setPlainText(text)
    for page in ("page_conversation", "page_compare", "page_lab"):
        window.actions_[page].trigger()
        # Another page asks other lanes, which are counted anew.
        qtbot.waitUntil(lambda: window.controllers.metering.objection() is not None, timeout=ANSWER_MS)
        window.actions_["send"].trigger()
        assert not window.controllers.talking and not window.comparing.running
        assert "not sent" in window.banner.text.text()
    window.controllers.distilling.start(window.steering.request())
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    assert "Shorten the prompt" in window.banner.text.text()
    qtbot.wait(50)
    assert window.size() == size


def test_heads_go_while_they_are_heard_made_and_compared(qtbot, window):
    endless(window)
    workspace = window.workspace
    workspace.add_column(ColumnChoice("head", workspace.channels[0].key))
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: bool(workspace.turns) and len(workspace.turns[0].answers[0]) > 3)
    answer = workspace.turns[0].answers[0]
    while workspace.channels:
        workspace.select_channel(workspace.channels[0].key)
        window.actions_["remove_head"].trigger()
    assert not any(window.actions_[f"{what}_head"].isEnabled() for what in ("save", "rename", "mute", "solo"))
    qtbot.waitUntil(lambda: answer.trace.strengths[-1][0] == 0.0, timeout=ANSWER_MS)
    for _ in range(3):
        workspace.undo()
    window.actions_["stop"].trigger()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    workspace.set_settings(replace(workspace.settings, max_tokens=40))
    window.controllers.distilling.start(FitRequest("Be gloomy.", recipe="refine", responses=8))
    qtbot.waitUntil(lambda: len(workspace.channels) == 4, timeout=FIT_MS)
    workspace.mixer.remove_head(workspace.channels[3].key)
    qtbot.waitUntil(lambda: not window.controllers.fitting, timeout=FIT_MS)
    window.actions_["page_compare"].trigger()
    window.composer.set_question("Tell me about bees.")
    window.actions_["send"].trigger()
    for channel in workspace.channels:
        workspace.mixer.remove_head(channel.key)
    workspace.remove_column(0)
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=ANSWER_MS)
    assert len(window.comparing.round.answers) == 4 and len(window.workspace.comparison.columns) == 3


def test_a_model_is_switched_while_columns_answer(qtbot, window, other):
    endless(window)
    window.actions_["page_compare"].trigger()
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: len(window.comparing.round.answers[0]) > 3, timeout=ANSWER_MS)
    window.files.open([other])  # which ends the answers as soon as the other model is found
    loaded(qtbot, window, other)
    assert {answer.state for answer in window.comparing.round.answers} == {"cancelled"}
    window.workspace.set_settings(replace(window.workspace.settings, max_tokens=8))
    window.actions_["send"].trigger()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=ANSWER_MS)
    window.workspace.select(window.comparing.round.answers[2], 0)
    assert window.comparing.round.answers[2].trace.coefficients.shape[1] == 3


def test_the_picker_is_closed_while_it_still_looks(qtbot, window, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr("engine.model.available_models.local_models", lambda *asked: go_on.wait(20) and [])
    picker = window.files.choose_model()
    qtbot.wait(100)
    picker.close()
    assert not go_on.is_set() and not picker.worker.alive  # nobody waited
    go_on.set()
    qtbot.wait(100)


def test_the_precision_is_a_setting_of_the_next_model(qtbot, window, monkeypatch):
    window.preferences.set("precision", "bfloat16")
    assert window.workspace.loading.facts.dtype == "float32"
    picker = window.files.choose_model()
    qtbot.waitUntil(lambda: "(bfloat16)" in picker.list.item(0).text(), timeout=ANSWER_MS)
    picker.close()
    window.actions_["model_pocket"].trigger()
    qtbot.waitUntil(
        lambda: getattr(window.workspace.loading.facts, "dtype", "") == "bfloat16", timeout=ANSWER_MS
    )
    ask(qtbot, window, "Tell me about bees.")
    assert window.workspace.turns[0].answers[0].state == "eos"
    monkeypatch.setattr("engine.model.quantised.find_spec", lambda name: None)
    window.preferences.set("precision", "int8")
    window.actions_["model_pocket"].trigger()
    qtbot.waitUntil(window.banner.isVisible, timeout=ANSWER_MS)
    assert "steering-studio[quant]" in window.banner.text.text()
    loaded(qtbot, window, "pocket")
    assert window.workspace.loading.facts.dtype == "bfloat16"


@pytest.mark.parametrize("seed", range(3))
def test_anything_goes_in_any_order(qtbot, open_window, other, hub, seed):
    hub.pause = 0.02
    chance = random.Random(seed)
    window = ready(qtbot, open_window())
    workspace = window.workspace
    workspace.set_settings(replace(workspace.settings, max_tokens=30))
    said: list[str] = []
    for _ in range(120):
        name, act = chance.choice(whims(window, chance, other))
        said.append(name)
        act()
        for dialog in window.findChildren(QDialog):
            if dialog.isVisible() and chance.random() < 0.7:
                dialog.close()
        qtbot.wait(chance.choice([0, 5, 30, 120]))
        assert "This is a bug" not in window.banner.text.text(), (said, window.banner.text.text())
    for dialog in window.findChildren(QDialog):
        dialog.close()
    window.actions_["stop"].trigger()
    window.actions_["cancel_distill"].trigger()
    session = window.controllers
    qtbot.waitUntil(lambda: not (session.worker.busy or session.opening.fetcher.busy), timeout=ANSWER_MS)
    assert workspace.source == workspace.loading.facts.source == session.host.need_model().source, said
    assert not workspace.loading.coming


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_all_is_taken_back_and_made_again_in_the_end(qtbot, open_window, other, hub, seed):
    chance = random.Random(seed)
    window = ready(qtbot, open_window())
    workspace, session = window.workspace, window.controllers
    window.preferences.set("live", False)
    workspace.set_settings(replace(workspace.settings, max_tokens=10))
    workspace.clear_history()

    def idle() -> bool:
        busy = session.talking or session.fitting or window.comparing.running
        return not (busy or session.worker.busy or session.opening.fetcher.busy or workspace.loading.coming)

    def settled() -> tuple:
        for dialog in window.findChildren(QDialog):
            dialog.close()
        qtbot.waitUntil(idle, timeout=FIT_MS)
        return (*state(workspace), [c.note for c in workspace.channels])

    start, said = settled(), []
    for _ in range(300):
        name, act = chance.choice([whim for whim in whims(window, chance, other) if whim[0] != "live"])
        said.append(name)
        act()
        qtbot.wait(chance.choice([0, 5, 30, 120]))
    for key in ("stop", "cancel_distill", "cancel_loading"):
        window.actions_[key].trigger()
    end, steps = settled(), workspace.stack.index()
    for _ in range(2):
        while workspace.stack.canUndo():
            workspace.undo()
        assert settled() == start, said
        for _ in range(steps):
            workspace.redo()
        assert settled() == end, said


def whims(window: Window, chance: random.Random, other: str) -> list[tuple[str, Callable[[], object]]]:
    """What one may do next: half of the time a command, else a model, words, a head, the history, a token."""
    asking = {"quit", "model_folder", "load_head", "save_head", "recent"}  # what pops up over the window
    commands = [k for k in window.actions_ if k not in asking and not k.startswith("export")]
    workspace, key = window.workspace, chance.choice(commands)
    source = chance.choice([other, "pocket", NAME, "nobody/nothing", "/gone"])
    words = chance.choice(["Tell me about bees.", "Be gloomy.", "", ODD])
    found: list[tuple[str, Callable[[], object]]] = [
        (source, partial(window.controllers.open_model, source)),
        ("prompt", partial(workspace.set_prompt, words)),
        ("question", partial(window.composer.set_question, words)),
        ("undo", workspace.undo),
        ("redo", workspace.redo),
    ]
    if workspace.channels:
        row = chance.choice(workspace.channels).key
        found += [
            ("strength", partial(workspace.mixer.set_strength, row, chance.uniform(-200, 200))),
            ("solo", partial(workspace.mixer.set_solo, row, chance.random() < 0.5)),
            ("remove", partial(workspace.mixer.remove_head, row)),
            ("column", partial(workspace.add_column, ColumnChoice("head", row))),
        ]
    said = [a for turn in workspace.turns for a in turn.answers if a.trace is not None and len(a)]
    if said:
        found.append(("token", partial(workspace.select, chance.choice(said), chance.randrange(20))))
    return found + [(key, window.actions_[key].trigger)] * len(found)
