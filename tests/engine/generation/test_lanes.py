"""Lanes of one batch: independent of each other, following each other, with a reference prompt."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.errors import InputError
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.result import SteeredTokens
from engine.generation.sampling import Sampling
from engine.generation.steered_positions import prompt_strengths
from engine.heads.head import Head
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model.blocks import hidden_of
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel
from tests.engine.asking import ASK, LONG, run
from tests.models import tiny


def test_a_lane_does_not_depend_on_its_neighbours(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    lanes = [
        Lane(ASK, seed=1),
        Lane(LONG, system="Be brief.", heads=heads, strengths=LiveStrengths([1.5, 0.5]), seed=2),
        Lane(ASK, heads=[tiny.head(model, seed=5, positions="question_and_response")], seed=3),
        Lane(ASK, forced=[9, 8, 7, 1, 6], heads=heads, strengths=LiveStrengths([1.0, 1.0])),
    ]
    rules = Sampling(temperature=0.7, top_p=0.95, max_tokens=20)
    together = generate(model, lanes, rules)
    for lane, answer in zip(lanes, together, strict=True):
        alone = generate(model, [lane], rules)[0]
        assert answer.trace.ids.tolist() == alone.trace.ids.tolist()
        assert answer.text == alone.text
        assert np.allclose(answer.trace.coefficients, alone.trace.coefficients, atol=1e-3)
    assert together[3].trace.ids.tolist() == [9, 8, 7, 1, 6]


@pytest.mark.parametrize("architecture", ["gpt2", "gemma2", "qwen2", "gpt_neox"])
def test_padded_lanes_agree_with_lone_ones_in_every_architecture(architecture: str) -> None:
    made = tiny.model(architecture)
    heads = [tiny.head(made)]
    lanes = [
        Lane(ASK, heads=heads, strengths=LiveStrengths([1.0])),
        Lane(LONG, heads=heads, strengths=LiveStrengths([1.0])),
    ]
    together = generate(made, lanes, Sampling(max_tokens=12))
    for lane, answer in zip(lanes, together, strict=True):
        assert answer.trace.ids.tolist() == run(made, lane, tokens=12).trace.ids.tolist()


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_truth_is_what_the_prompt_would_have_done_at_the_same_tokens(
    model: LanguageModel, heads: tuple[Head, ...], system: str | None
) -> None:
    messages = [
        *LONG[:1],
        Message("assistant", "Ships come.", SteeredTokens((9, 8, 7), heads[:1], np.ones((4, 1)))),
        *ASK,
    ]
    lane = Lane(messages, system=system, heads=heads, reference_prompt="Talk like a pirate.", seed=3)
    plain, answer = (
        generate(model, [one, Lane(LONG, heads=heads[1:])], Sampling(temperature=1.0, max_tokens=9))[0]
        for one in (replace(lane, reference_prompt=None), lane)
    )
    assert answer.trace.ids.tolist() == plain.trace.ids.tolist()
    assert np.allclose(answer.trace.coefficients, plain.trace.coefficients, atol=1e-4)

    told = answer.trace.ids.tolist()
    bare = [replace(m, tokens=None if m.tokens is None else m.tokens.unsteered()) for m in messages]
    wording = "Talk like a pirate." if system is None else "Be brief.\n\nTalk like a pirate."
    runs = []
    for text, steer in ((None, True), (None, False), (wording, False)):
        prompt = encode(model, messages if steer else bare, system if text is None else text)
        mix = Mix(heads, model)
        table = np.concatenate(
            [prompt_strengths(prompt, heads, (1, 1), mix), np.ones((len(told), mix.rank), np.float32)]
        )
        with torch.inference_mode(), Steering(model, mix) as steering, watching(model) as seen:
            steering.strengths = torch.from_numpy(table)[None] if steer else None
            model.network(torch.tensor([prompt.ids + told]), use_cache=False)
        runs.append(torch.stack([h[0, len(prompt.ids) :] for h in seen]))
    steered_run, bare_run, prompted = runs
    assert np.allclose(answer.trace.prompt_effect, (prompted - bare_run).norm(dim=-1).T, atol=1e-3)
    assert np.allclose(answer.trace.distance_to_prompt, (steered_run - prompted).norm(dim=-1).T, atol=1e-3)


@contextmanager
def watching(model: LanguageModel) -> Iterator[list[torch.Tensor]]:
    """The blocks' whole outputs, in order."""
    seen: list[torch.Tensor] = []
    handles = [
        block.register_forward_hook(lambda block, given, output: seen.append(hidden_of(output)))
        for block in model.blocks
    ]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def test_a_lane_can_follow_another(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    lanes = [Lane(ASK, seed=1), Lane(LONG, system="Be brief.", heads=heads, follows=0), Lane(ASK, seed=2)]
    first, follower, other = generate(model, lanes, Sampling(temperature=1.0, max_tokens=12))
    assert follower.trace.ids.tolist() == first.trace.ids.tolist() != other.trace.ids.tolist()
    alone = run(model, replace(lanes[1], follows=None, forced=first.trace.ids.tolist()), temperature=1.0)
    assert np.allclose(follower.trace.coefficients, alone.trace.coefficients, atol=1e-4)
    assert np.allclose(follower.trace.logprobs, alone.trace.logprobs, atol=1e-4)
    for wrong in (Lane(ASK, follows=1), Lane(ASK, follows=7), Lane(ASK, follows=0, forced=[5])):
        with pytest.raises(InputError, match="cannot follow"):
            generate(model, [Lane(ASK), wrong], Sampling())


def test_lanes_that_ended_may_stay_in_the_batch(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = [Lane(ASK, forced=[5, 6]), Lane(ASK)]
    dropped = generate(model, lanes, Sampling(max_tokens=9))
    monkeypatch.setattr("engine.generation.batch.Batch.can_drop_rows", False)
    kept = generate(model, lanes, Sampling(max_tokens=9))
    assert [answer.trace.ids.tolist() for answer in kept] == [answer.trace.ids.tolist() for answer in dropped]
