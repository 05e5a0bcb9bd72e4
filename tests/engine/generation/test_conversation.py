"""Conversations over several turns: the cache goes on, and what is rebuilt is rebuilt as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from engine.errors import InputError
from engine.events import Cancel, PrefillStart
from engine.generation.compiled_step import CompiledStep
from engine.generation.context_window import predict_usage
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.prefix_cache import PrefixCache
from engine.generation.sampling import Sampling
from engine.generation.trace import Token
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel
from tests.models import tiny

ASK = Message("user", "Tell me about the garden!")
MORE = Message("user", "What else? And who are you?")


def count_tokens(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tokens every later forward runs, all rows together."""
    counts: list[int] = []
    forward = model.network.forward

    def counting(*args: Any, **kwargs: Any) -> Any:
        counts.append(kwargs["input_ids"].numel())
        return forward(*args, **kwargs)

    monkeypatch.setattr(model.network, "forward", counting)
    return counts


def same(one: Any, other: Any) -> bool:
    return one.trace.ids.tolist() == other.trace.ids.tolist() and all(
        np.allclose(getattr(one.trace, name), getattr(other.trace, name), atol=1e-3, equal_nan=True)
        for name in ("logprobs", "coefficients", "lengths", "prompt_effect", "distance_to_prompt")
    )


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "gemma2"])
def test_the_next_turn_goes_on_from_the_cache_and_equals_a_rebuilt_run(
    architecture: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.model(architecture)
    heads = tiny.head(model, positions="question_and_response"), tiny.head(model, seed=1, rank=2)
    memory, sampling = PrefixCache(), Sampling(temperature=0.9, max_tokens=12)
    strengths = LiveStrengths([1.0, 0.5])

    def slide(token: Token) -> None:
        strengths.set(0, token.index / 6)

    lane = Lane([ASK], "Be brief.", heads, strengths, seed=5)
    first = generate(model, [lane], sampling, prefix_cache=memory, on_token=slide)[0]
    # The second turn is steered by other heads; the first stays as it was.
    history = [ASK, Message("assistant", first.text, first.tokens), MORE]
    turn = replace(lane, messages=history, heads=heads[1:], strengths=LiveStrengths([1.3]))
    rebuilt = generate(model, [turn], sampling)[0]
    counts = count_tokens(model, monkeypatch)
    cached = generate(model, [turn], sampling, prefix_cache=memory)[0]
    assert same(cached, rebuilt)
    assert np.allclose(cached.prompt_coefficients, rebuilt.prompt_coefficients, atol=1e-3)
    assert counts[0] < 30 < cached.prompt_tokens


def test_an_edited_turn_is_run_again_from_where_it_differs(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, memory, sampling = tiny.head(model), PrefixCache(), Sampling(max_tokens=8)
    first = generate(model, [Lane([ASK], heads=[head])], sampling, prefix_cache=memory)[0]
    said = Message("assistant", first.text, first.tokens)
    counts = count_tokens(model, monkeypatch)
    for messages, few in (
        ([ASK, said, MORE], True),
        ([ASK, said, Message("user", "No, tell me about the river.")], True),
        ([ASK, Message("assistant", "Something else."), MORE], False),
        ([MORE], False),
    ):
        counts.clear()
        lane = Lane(messages, heads=[head])
        cached = generate(model, [lane], sampling, prefix_cache=memory)[0]
        first_forward = counts[0]
        assert same(cached, generate(model, [lane], sampling)[0])
        assert (first_forward < cached.prompt_tokens - 10) == few


def test_lanes_with_a_reference_prompt_go_on_together(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    head, memory, sampling = tiny.head(model), PrefixCache(), Sampling(temperature=0.7, max_tokens=9)
    lanes = [
        Lane([ASK], heads=[head], reference_prompt="Be loud."),
        Lane([MORE, MORE], system="Be brief.", seed=3),
    ]
    answers = generate(model, lanes, sampling, prefix_cache=memory)
    turns = [
        replace(lane, messages=[*lane.messages, Message("assistant", answer.text, answer.tokens), MORE])
        for lane, answer in zip(lanes, answers, strict=True)
    ]
    rebuilt = generate(model, turns, sampling)
    counts = count_tokens(model, monkeypatch)
    cached = generate(model, turns, sampling, prefix_cache=memory)
    assert all(same(one, other) for one, other in zip(cached, rebuilt, strict=True))
    assert max(counts[:4]) < 30  # one forward per row, none of them over the whole prompt


def test_a_padded_row_that_outlives_the_others_is_remembered_without_its_padding(
    model: LanguageModel,
) -> None:
    memory, sampling = PrefixCache(), Sampling(max_tokens=9)
    lanes = [
        Lane([ASK, Message("assistant", "Yes."), MORE], forced=[5, 6]),
        Lane([MORE], heads=[tiny.head(model)]),
    ]
    answers = generate(model, lanes, sampling, prefix_cache=memory)
    assert len(answers[1].trace) > 2  # alone for a while
    turns = [
        Lane([*lane.messages, Message("assistant", answer.text, answer.tokens), ASK], heads=lane.heads)
        for lane, answer in zip(lanes, answers, strict=True)
    ]
    cached = generate(model, turns, sampling, prefix_cache=memory)
    rebuilt = generate(model, turns, sampling)
    assert all(same(one, other) for one, other in zip(cached, rebuilt, strict=True))


def test_a_stopped_answer_is_gone_on_from_too(model: LanguageModel) -> None:
    cancel, memory, head = Cancel(), PrefixCache(), tiny.head(model)

    def stop(token: Token) -> None:
        if token.index == 3:
            cancel.set()

    lane = Lane([ASK], heads=[head])
    first = generate(model, [lane], Sampling(), prefix_cache=memory, cancel=cancel, on_token=stop)[0]
    turn = replace(lane, messages=[ASK, Message("assistant", first.text, first.tokens), MORE])
    sampling = Sampling(max_tokens=6)
    assert same(
        generate(model, [turn], sampling, prefix_cache=memory)[0], generate(model, [turn], sampling)[0]
    )


def test_a_compiled_step_leaves_its_part_in_the_memory(model: LanguageModel) -> None:
    step, head, memory = (
        CompiledStep(model, columns=1, max_positions=160).prepare(),
        tiny.head(model),
        PrefixCache(),
    )
    sampling = Sampling(max_tokens=9)
    first = generate(model, [Lane([ASK], heads=[head])], sampling, prefix_cache=memory, compiled=[step])[0]
    turn = Lane([ASK, Message("assistant", first.text, first.tokens), MORE], heads=[head])
    cached = generate(model, [turn], sampling, prefix_cache=memory, compiled=[step])[0]
    assert cached.compiled
    assert same(cached, generate(model, [turn], sampling)[0])


def test_whole_turns_are_left_out_when_the_conversation_outgrows_the_model(model: LanguageModel) -> None:
    assert model.context == 256
    told = [
        message
        for index in range(12)
        for message in (
            Message("user", f"Question {index}: {ASK.text}"),
            Message("assistant", "The harbour."),
        )
    ]
    lane = Lane([*told, MORE], heads=[tiny.head(model)], reference_prompt="Talk so.")
    answer = generate(model, [lane], Sampling(max_tokens=20))[0]
    assert answer.cut > 0
    assert answer.cut % 2 == 0
    assert len(answer.trace) == 20
    kept = replace(lane, messages=lane.messages[answer.cut :])
    assert same(answer, generate(model, [kept], Sampling(max_tokens=20))[0])
    assert generate(model, [Lane([MORE])], Sampling(max_tokens=5))[0].cut == 0
    seen: list[Any] = []
    pair = generate(
        model,
        [lane, Lane([MORE])],
        Sampling(max_tokens=20),
        on_prefill=seen.append,
        on_forward=lambda rows: seen.append("forward"),
    )
    begun = [PrefillStart(0, pair[0].prompt_tokens, answer.cut), PrefillStart(1, pair[1].prompt_tokens, 0)]
    assert seen[:3] == [*begun, "forward"]
    with pytest.raises(InputError, match="last turn has"):
        generate(model, [Lane([*told, Message("user", "x y z " * 200)])], Sampling())


def test_what_is_left_out_of_a_long_conversation_is_not_even_laid_out(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    laid: list[int] = []

    def counting(model: LanguageModel, messages: Any, *texts: str | None) -> Any:
        laid.append(len(messages))
        return encode(model, messages, *texts)

    monkeypatch.setattr("engine.generation.context_window.encode", counting)
    pair = [Message("user", ASK.text), Message("assistant", "The harbour.")]
    for turns in (1, 2, 3, 5, 9, 200):
        lane, laid[:] = Lane([*(pair * turns), MORE]), []
        [use] = predict_usage(model, [lane], 20)
        assert use.prompt_tokens == len(encode(model, lane.messages[use.cut :]).ids) <= 256 - 20
        if use.cut:  # no turn more than it takes
            assert len(encode(model, lane.messages[use.cut - 2 :]).ids) > 256 - 20
    assert use.cut > 300 and sum(laid) < 400


def test_a_conversation_without_heads_is_remembered_too(model: LanguageModel) -> None:
    memory = PrefixCache()
    lane = Lane([Message("user", "one two three")])
    sampling = Sampling(max_tokens=4)
    first = generate(model, [lane], sampling, prefix_cache=memory)
    assert generate(model, [lane], sampling, prefix_cache=memory)[0].text == first[0].text
    assert generate(model, [lane], sampling)[0].text == first[0].text


def test_lanes_with_one_prompt_run_it_once(model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = [[], [tiny.head(model)], [tiny.head(model, seed=1)]]
    lanes = [Lane([ASK], heads=own) for own in heads]
    apart = generate(model, lanes, Sampling(max_tokens=7))
    counts = count_tokens(model, monkeypatch)
    shared = generate(model, lanes, Sampling(max_tokens=7), prefix_cache=PrefixCache())
    assert counts[:3] == [shared[0].prompt_tokens, 1, 1]
    assert all(same(one, other) for one, other in zip(shared, apart, strict=True))
