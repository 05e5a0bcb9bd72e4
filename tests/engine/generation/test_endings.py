"""How an answer ends: by itself, at a stop string, at the model's limit, cancelled, by an error."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from engine.errors import InputError, ModelError
from engine.events import Cancel
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.sampling import Sampling
from engine.generation.stop_strings import StopText
from engine.generation.trace import Token
from engine.heads.head import Head
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from tests.engine.asking import ASK, run
from tests.hooks import hooks


def test_an_answer_ends_before_the_end_mark_and_says_why(model: LanguageModel) -> None:
    model_ids = run(model, Lane(ASK)).trace.ids.tolist()
    end = next(token for token in model_ids if token != model_ids[0])
    kept, model.eos_ids = model.eos_ids, frozenset({end})
    try:
        answer = run(model, Lane(ASK))
    finally:
        model.eos_ids = kept
    assert answer.stopped == "eos"
    assert answer.trace.ids.tolist() == model_ids[: model_ids.index(end)]


def test_a_stop_string_is_cut_from_text_and_trace(model: LanguageModel) -> None:
    text = run(model, Lane(ASK)).text
    stop = text[5:8]
    answer = run(model, Lane(ASK), stop=("never", stop))
    assert answer.stopped == "stop"
    assert answer.text == text[: text.index(stop)] == "".join(answer.trace.pieces)


@pytest.mark.parametrize("pieces", [["ab", "cST", "OPd"], ["abcS", "T", "O", "P"], ["abcSTOP"]])
def test_text_before_a_possible_stop_is_held_back(pieces: list[str]) -> None:
    stops = StopText(("STOP",))
    shown = []
    for piece in pieces:
        stops.push(piece)
        shown.append(stops.safe)
    assert stops.cut == 3
    assert max(shown) == 3


def test_an_answer_cannot_outgrow_the_model(model: LanguageModel) -> None:
    answer = run(model, Lane(ASK), tokens=10_000)
    assert answer.prompt_tokens + len(answer.trace) == model.context
    with pytest.raises(InputError, match="too long"):
        run(model, Lane([Message("user", "x y z " * 200)]))


def test_cancelling_keeps_what_was_there(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    cancel = Cancel()

    def stop(token: Token) -> None:
        if token.index == 3:
            cancel.set()

    lane = Lane(ASK, heads=heads, strengths=LiveStrengths([1.0, 0.0]))
    rules = Sampling(max_tokens=50)
    answer = generate(model, [lane], rules, cancel=cancel, on_token=stop)[0]
    assert (answer.stopped, len(answer.trace)) == ("cancelled", 4)
    assert answer.trace.ids.tolist() == run(model, lane, tokens=4).trace.ids.tolist()
    at_once = generate(model, [lane], rules, cancel=cancel)[0]
    assert (at_once.stopped, at_once.text) == ("cancelled", "")
    assert hooks(model) == 0


def test_hooks_are_gone_after_an_error_in_the_listener(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    def fail(token: Token) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        generate(model, [Lane(ASK, heads=heads, strengths=LiveStrengths([1, 1]))], Sampling(), on_token=fail)
    assert hooks(model) == 0


def test_logits_that_are_no_numbers_end_in_an_error(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    with pytest.raises(ModelError, match="NaN or infinite"):
        run(model, Lane(ASK, heads=heads, strengths=LiveStrengths([float("nan"), 0])))
    assert hooks(model) == 0


def test_memory_that_runs_out_is_an_error_with_a_remedy(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(type(model.network.model), "forward", exhausted)
    with pytest.raises(ModelError, match="Memory ran out"):
        run(model, Lane(ASK))
