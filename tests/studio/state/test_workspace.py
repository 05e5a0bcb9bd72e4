from __future__ import annotations

import numpy as np
import pytest

from engine.generation.live_strengths import LiveStrengths
from engine.generation.trace import Trace
from studio.export.markdown import as_markdown
from studio.state.conversation import STEERED, UNSTEERED, MixEntry, Turn, history
from studio.state.mixer import Misfit
from studio.state.sampling_settings import SamplingSettings
from studio.state.workspace import Workspace
from tests.studio.conftest import make_head
from tests.traces import made_token


@pytest.fixture
def workspace():
    return Workspace()


def answered(question: str, text: str, lane: str = STEERED) -> Turn:
    turn = Turn(question, SamplingSettings(seed=7), (MixEntry("pirate", "abc", 1.0),))
    answer = turn.add(lane)
    answer.text, answer.state = text, "eos"
    return turn


def test_a_row_off_or_bypassed_counts_as_nothing(workspace):
    key = workspace.mixer.add_head(make_head(), strength=1.5)
    assert workspace.strength_of(key) == 1.5
    workspace.mixer.set_enabled(key, False)
    assert workspace.strength_of(key) == 0.0
    workspace.mixer.set_enabled(key, True)
    workspace.mixer.set_bypass(True)
    assert workspace.strength_of(key) == 0.0
    assert workspace.channel(key).strength == 1.5


def test_strengths_stay_within_the_number_box(workspace):
    key = workspace.mixer.add_head(make_head())
    workspace.mixer.set_strength(key, 900.0)
    assert workspace.strength_of(key) == 100.0


def test_every_move_reaches_the_live_run(workspace):
    first, second = workspace.mixer.add_head(make_head("a")), workspace.mixer.add_head(make_head("b"))
    live = LiveStrengths([0.0, 0.0])
    workspace.live.begin([first, second], live)
    workspace.mixer.set_strength(second, -0.5)
    assert live.values() == (1.0, -0.5)
    workspace.mixer.set_bypass(True)
    assert live.values() == (0.0, 0.0)
    workspace.undo()
    workspace.mixer.remove_head(first)
    assert live.values() == (0.0, -0.5)
    workspace.live.end(live)
    workspace.mixer.set_strength(second, 2.0)
    assert live.values() == (0.0, -0.5)


def test_one_drag_is_one_step_back(workspace):
    key = workspace.mixer.add_head(make_head())
    for strength in (1.1, 1.2, 1.3):
        workspace.mixer.set_strength(key, strength)
    workspace.undo()
    assert workspace.strength_of(key) == 1.0
    workspace.redo()
    assert workspace.strength_of(key) == 1.3


def test_undo_brings_a_removed_head_back(workspace):
    key = workspace.mixer.add_head(make_head())
    workspace.mixer.set_strength(key, 0.7)
    workspace.mixer.remove_head(key)
    assert workspace.channels == ()
    workspace.undo()
    assert workspace.strength_of(key) == 0.7


def test_a_refined_head_takes_its_row_over_and_no_undo_loses_it(workspace):
    key = workspace.mixer.add_head(make_head("instant"))
    workspace.mixer.set_strength(key, 0.5)
    workspace.swap_head(workspace.channel(key).slot, make_head("refined", blocks=3))
    assert workspace.channel(key).name == "refined" and workspace.strength_of(key) == 0.5
    workspace.undo()
    assert workspace.channel(key).name == "refined" and workspace.strength_of(key) == 1.0
    workspace.undo()
    workspace.redo()
    assert workspace.channel(key).name == "refined"


def test_a_head_added_alone_silences_the_others_in_one_step(workspace):
    first = workspace.mixer.add_head(make_head("a"))
    second = workspace.mixer.add_head(make_head("b"), alone=True)
    assert (workspace.strength_of(first), workspace.strength_of(second)) == (0.0, 1.0)
    workspace.undo()
    assert workspace.strength_of(first) == 1.0


def test_unusable_rows_are_left_out(workspace):
    _, second = workspace.mixer.add_head(make_head("a")), workspace.mixer.add_head(make_head("b"))
    workspace.set_misfit_check(
        lambda head: Misfit("made for another model") if head.info.name == "a" else None
    )
    assert [c.key for c in workspace.active_rows()] == [second]


def test_rows_that_undo_and_redo_bring_are_judged_by_the_model_that_is_there_then(workspace):
    key = workspace.mixer.add_head(make_head("a"))
    workspace.undo()
    workspace.set_misfit_check(lambda head: Misfit("made for tiny"))
    workspace.redo()
    assert workspace.channel(key).note == "made for tiny" and not workspace.active_rows()
    workspace.undo()
    workspace.set_misfit_check(lambda head: None)
    workspace.redo()
    assert not workspace.channel(key).note and workspace.strength_of(key) == 1.0


def test_another_models_head_is_heard_after_a_word_that_counts_for_that_model_alone(workspace):
    workspace.set_misfit_check(lambda head: Misfit("made for tiny", "one"))
    key = workspace.mixer.add_head(make_head("a"))
    told = []
    workspace.channelsChanged.connect(lambda: told.append(workspace.strength_of(key)))
    workspace.mixer.accept(key)
    assert told[-1] == workspace.strength_of(key) == 1.0
    workspace.undo()
    assert told[-1] == workspace.strength_of(key) == 0.0
    workspace.redo()
    assert told[-1] == workspace.strength_of(key) == 1.0
    workspace.set_misfit_check(lambda head: Misfit("made for tiny", "two"))
    assert workspace.strength_of(key) == 0.0 and workspace.channel(key).acceptable
    workspace.set_misfit_check(lambda head: Misfit("made for tiny", "one"))
    assert workspace.strength_of(key) == 1.0
    workspace.set_misfit_check(lambda head: Misfit("made for tiny"))
    workspace.mixer.accept(key)
    assert workspace.strength_of(key) == 0.0 and not workspace.channel(key).acceptable


def test_a_new_conversation_can_be_taken_back(workspace):
    workspace.set_turns((answered("Hello?", "Hello."),), "question")
    kept = workspace.conversation
    workspace.begin_conversation()
    assert workspace.turns == () and workspace.conversation != kept
    workspace.undo()
    assert workspace.conversation == kept
    assert [t.question for t in workspace.turns] == ["Hello?"]


def test_the_selection_stays_within_the_answer(workspace):
    answer = answered("Hello?", "Hello.").answers[0]
    workspace.select(answer, 3)
    assert workspace.selection is None
    answer.trace = Trace(1, 2)
    for i in range(5):
        nothing = np.zeros(2, np.float32)
        answer.trace.append(made_token(i, nothing, nothing))
    workspace.select(answer, 2)
    workspace.select(answer, 99, extend=True)
    assert (workspace.selection.start, workspace.selection.stop) == (2, 4)


def test_each_lane_remembers_its_own_answers():
    turn = answered("Hello?", "Arr.")
    other = turn.add(UNSTEERED)
    other.text = "Hello."
    later = answered("And?", "Arr again.")
    assert history((turn, later), UNSTEERED)[1::2] == [
        ("assistant", "Hello.", None),
        ("assistant", "Arr again.", None),
    ]
    assert history((turn,), STEERED) == [("user", "Hello?", None), ("assistant", "Arr.", None)]


def test_markdown_carries_heads_and_seed():
    text = as_markdown((answered("Hello?", "Arr."),))
    assert "Arr." in text and "pirate × 1 (abc)" in text and "seed 7" in text


def test_scales_are_of_the_turns_that_are_there(qtbot):
    workspace = Workspace()
    turns = []
    for size in (3.0, 4000.0):
        turn = Turn("?", SamplingSettings())
        trace = turn.add(STEERED).trace = Trace(1, 2)
        row = np.float32([size, size])
        for index in range(3):
            trace.append(made_token(index, row, row))
        turns.append(turn)
    workspace.set_turns((turns[0],), "question")
    usual = workspace.scales.activation
    workspace.set_turns(tuple(turns), "question")
    assert workspace.scales.activation.limit == 4000.0
    workspace.undo()  # the wild one pales the rest no more
    assert workspace.scales.activation == usual
    workspace.begin_conversation()
    assert workspace.scales.activation != usual
    workspace.undo()
    assert workspace.scales.activation == usual


def test_the_chosen_row_comes_back_with_its_head(workspace):
    first, second, third = (workspace.mixer.add_head(make_head(name)) for name in "abc")
    workspace.select_channel(second)
    workspace.mixer.remove_head(second)
    assert workspace.selected_key == third
    workspace.undo()
    assert workspace.selected_key == second
    fourth = workspace.mixer.add_head(make_head("d"))
    assert workspace.selected_key == fourth
    workspace.undo()
    assert workspace.selected_key == second
    for key in (third, second, first):
        workspace.mixer.remove_head(key)
    assert workspace.selected_key is None
    workspace.undo()
    assert workspace.selected_key == first


def test_no_two_heads_that_come_are_called_the_same(workspace):
    for _ in range(3):
        workspace.mixer.add_head(make_head("pirate"))
    workspace.mixer.add_head(make_head("words"), draft=True)
    method = make_head().info.method
    names = [c.name for c in workspace.channels]
    assert names == ["pirate", f"pirate ({method})", f"pirate ({method}, #2)", "words"]


def test_a_preset_leaves_the_heads_of_another_model_as_they_are(workspace):
    own = workspace.mixer.add_head(make_head("a"))
    workspace.mixer.keep_preset("mine")
    other = workspace.mixer.add_head(make_head("b"))
    workspace.set_misfit_check(lambda head: Misfit("made for tiny") if head.info.name == "b" else None)
    workspace.mixer.apply_preset(workspace.presets[0])
    assert workspace.channel(own).enabled and workspace.channel(other).enabled
    workspace.set_misfit_check(lambda head: None)
    workspace.mixer.apply_preset(workspace.presets[0])
    assert not workspace.channel(other).enabled
