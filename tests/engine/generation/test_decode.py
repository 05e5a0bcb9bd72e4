"""The decode loop: tokens, coefficients, live strengths, choices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import InputError
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.result import Generation
from engine.generation.sampling import Sampling, choose_tokens, draw_uniform, may_choose
from engine.generation.steered_positions import prompt_strengths, steered_mask
from engine.generation.trace import Token
from engine.heads.head import Head
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel
from tests.engine.asking import ASK, LONG, run
from tests.models import tiny


def test_greedy_tokens_are_those_of_the_library(model: LanguageModel) -> None:
    ids = torch.tensor([encode(model, ASK).ids])
    theirs = model.network.generate(ids, max_new_tokens=16, do_sample=False)[0, ids.shape[1] :]
    assert run(model, Lane(ASK)).trace.ids.tolist() == theirs.tolist()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_strength_zero_gives_exactly_the_unsteered_tokens(
    model: LanguageModel, heads: tuple[Head, ...], temperature: float
) -> None:
    plain = run(model, Lane(ASK, seed=3), temperature=temperature)
    zero = run(
        model, Lane(ASK, seed=3, heads=heads, strengths=LiveStrengths([0, 0])), temperature=temperature
    )
    assert zero.trace.ids.tolist() == plain.trace.ids.tolist()
    assert zero.trace.logprobs.tolist() == plain.trace.logprobs.tolist()
    assert not zero.trace.coefficients.any()


def test_steering_changes_the_tokens(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    assert (
        run(model, Lane(ASK, heads=heads, strengths=LiveStrengths([2, 0]))).text != run(model, Lane(ASK)).text
    )


def whole_run(model: LanguageModel, lane: Lane, answer: Generation) -> tuple[Any, list[Any], Mix]:
    """Logits and coefficients of the finished sequence in one forward without a cache."""
    prompt = encode(model, lane.messages, lane.system)
    mix = Mix(lane.heads, model)
    told = mix.expand(lane.current_strengths()).expand(len(answer.trace), -1)
    table = torch.cat(
        [torch.from_numpy(prompt_strengths(prompt, lane.heads, lane.current_strengths(), mix)), told]
    )
    ids = torch.tensor([prompt.ids + answer.trace.ids.tolist()])
    with torch.inference_mode(), Steering(model, mix) as steering:
        steering.strengths = table[None]
        logits = model.network(ids, use_cache=False).logits[0, len(prompt.ids) - 1 :]
        return logits, [c[0, len(prompt.ids) - 1 :] for c in steering.coefficients()], mix


@pytest.mark.parametrize("positions", ["response", "question_and_response"])
@pytest.mark.parametrize("messages", [ASK, LONG])
def test_cached_decoding_equals_one_uncached_forward(
    model: LanguageModel, messages: list[Message], positions: Any
) -> None:
    heads = tiny.head(model, positions=positions), tiny.head(model, seed=1, rank=2, blocks=(1,))
    lane = Lane(messages, system="Be brief.", heads=heads, strengths=LiveStrengths([1.5, -0.7]))
    answer = run(model, lane)
    logits, coefficients, mix = whole_run(model, lane, answer)
    logprobs = logits.log_softmax(-1)[:-1]
    ids = torch.from_numpy(answer.trace.ids.copy())
    assert torch.allclose(
        logprobs.gather(1, ids[:, None])[:, 0], torch.from_numpy(answer.trace.logprobs.copy()), atol=1e-4
    )
    for index, (part, c) in enumerate(zip(mix.blocks.values(), coefficients, strict=True)):
        length = (c @ part.z).norm(dim=-1).copysign(c.sum(-1)).numpy()
        assert np.allclose(length[0], answer.prompt_coefficients[index], atol=1e-4)
        assert np.allclose(length[1:], answer.trace.coefficients[:, index], atol=1e-4)


def test_a_single_head_shows_its_signed_coefficient(model: LanguageModel) -> None:
    answer = run(model, Lane(ASK, heads=[tiny.head(model, blocks=(1,))], strengths=LiveStrengths([-1.0])))
    shown = answer.trace.coefficients
    assert (shown[:, 1] <= 0).all()
    assert (shown[:, 1] < 0).any()
    assert not shown[:, [0, 2]].any()


def test_heads_that_all_point_backwards_show_a_negative_length(
    model: LanguageModel, heads: tuple[Head, ...]
) -> None:
    back, forth = (
        run(model, Lane(ASK, heads=heads, strengths=LiveStrengths([sign, sign / 2]))).trace.coefficients
        for sign in (-1.0, 1.0)
    )
    assert (back <= 0).all() and (back < 0).any()
    assert (forth >= 0).all() and (forth > 0).any()


def test_positions_differ_in_the_question_only(model: LanguageModel) -> None:
    prompt = encode(model, LONG, "Be brief.")
    response, both = steered_mask(prompt, "response"), steered_mask(prompt, "question_and_response")
    system, first, answer, second = prompt.spans
    assert response[-1]
    assert all(response[answer.start - 1 : answer.stop])
    assert sum(response) == answer.stop - answer.start + 2
    user = {*range(first.start, first.stop), *range(second.start, second.stop)}
    assert {i for i, (r, q) in enumerate(zip(response, both, strict=True)) if r != q} == user
    assert not any(both[system.start : system.stop])


def test_a_changed_strength_takes_effect_at_the_next_token(
    model: LanguageModel, heads: tuple[Head, ...]
) -> None:
    strengths = LiveStrengths([0.0, 0.0])

    def slide(token: Token) -> None:
        if token.index == 4:
            strengths.set(0, 2.0)

    lane = Lane(ASK, heads=heads, strengths=strengths)
    answer = generate(model, [lane], Sampling(max_tokens=10), on_token=slide)[0]
    used = answer.trace.strengths[:, 0]
    fired = answer.trace.coefficients.any(axis=1)
    assert used.tolist() == [0.0] * 5 + [2.0] * 5
    assert not fired[:5].any()
    assert fired[5:].all()


def test_an_answer_that_was_steered_is_run_again_as_it_was(
    model: LanguageModel, heads: tuple[Head, ...]
) -> None:
    strengths = LiveStrengths([1.0])

    def slide(token: Token) -> None:
        strengths.set(0, token.index / 4)

    first = generate(
        model, [Lane(ASK, heads=heads[:1], strengths=strengths)], Sampling(max_tokens=8), on_token=slide
    )[0]
    history = [*ASK, Message("assistant", first.text, first.tokens), *ASK]
    prompt = encode(model, history)
    span = prompt.spans[1]
    assert prompt.ids[span.start : span.stop] == first.trace.ids.tolist()
    mix = Mix(heads, model)
    table = prompt_strengths(prompt, heads[1:], (0.5,), mix)
    assert table[span.start - 1 : span.stop, 0].tolist() == [1.0, *first.trace.strengths[:, 0].tolist()]
    assert not table[: span.stop, 1:].any()
    assert table[-1].tolist() == [0, 0.5, 0.5]
    again = run(model, Lane(history, heads=heads[1:], strengths=LiveStrengths([0.5])), tokens=3)
    assert again.prompt_tokens == len(prompt.ids)


def test_the_same_seed_gives_the_same_answer_and_another_one_another(model: LanguageModel) -> None:
    texts = [run(model, Lane(ASK, seed=seed), temperature=1.0).text for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_events_are_the_trace(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    seen: list[Token] = []
    lane = Lane(ASK, heads=heads, strengths=LiveStrengths([1.0, 1.0]))
    answer = generate(model, [lane], Sampling(max_tokens=100), on_token=seen.append)[0]
    trace = answer.trace
    assert [token.index for token in seen] == list(range(len(trace)))
    assert [token.id for token in seen] == trace.ids.tolist()
    assert np.array_equal(np.stack([token.coefficients for token in seen]), trace.coefficients)
    assert np.array_equal(np.stack([token.lengths for token in seen]), trace.lengths)
    assert (trace.lengths > 0).all()
    assert np.isnan(trace.prompt_effect).all()
    assert "".join(token.text for token in seen) == answer.text == model.tokenizer.decode(trace.ids.tolist())
    first = seen[0]
    assert first.rank == 1
    assert first.alternatives[0][0] == first.id
    assert first.alternatives[0][2] == pytest.approx(np.exp(first.logprob), rel=1e-4)
    with pytest.raises(ValueError, match="read-only"):
        trace.ids[0] = 0


def test_requests_that_make_no_sense_are_refused(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    with pytest.raises(InputError, match="1 strengths for 2 heads"):
        run(model, Lane(ASK, heads=heads, strengths=LiveStrengths([1])))
    with pytest.raises(InputError, match="empty"):
        run(model, Lane([]))
    for wrong in ({"temperature": -1.0}, {"top_p": 0.0}, {"top_k": -1}, {"max_tokens": 0}, {"stop": ("",)}):
        with pytest.raises(InputError):
            Sampling(**wrong)  # type: ignore[arg-type]
    assert generate(model, [], Sampling()) == []


def test_choices_follow_the_distribution_and_its_limits() -> None:
    shares = torch.tensor([0.5, 0.3, 0.15, 0.05])
    logits = shares.log().expand(2000, 4)

    def count(**rules: Any) -> list[float]:
        generators = [torch.Generator().manual_seed(seed) for seed in range(2000)]
        ids = choose_tokens(logits, Sampling(**rules), draw_uniform(generators))
        return (torch.bincount(ids, minlength=4) / 2000).tolist()

    assert count(temperature=1.0) == pytest.approx(shares.tolist(), abs=0.04)
    assert count(temperature=1.0, top_k=2) == pytest.approx([0.625, 0.375, 0, 0], abs=0.04)
    assert count(temperature=1.0, top_p=0.9) == pytest.approx([0.526, 0.316, 0.158, 0], abs=0.04)
    assert count(temperature=1e-6) == count(temperature=1e-320) == [1, 0, 0, 0]
    assert count() == [1, 0, 0, 0]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"temperature": 1.0},
        {"temperature": 0.3},
        {"temperature": 1.0, "top_k": 5},
        {"temperature": 0.8, "top_p": 0.8},
        {"temperature": 1.0, "top_k": 9, "top_p": 0.6},
    ],
)
@pytest.mark.parametrize("slack", [0.25, 1e-3])
def test_what_rounding_can_make_of_a_choice_is_near_and_little_else(
    rules: dict[str, Any], slack: float
) -> None:
    sampling, generator = Sampling(**rules), torch.Generator().manual_seed(1)
    logits = 2 * torch.randn(500, 30, generator=generator)
    moved = logits + slack * (torch.rand(logits.shape, generator=generator) - 0.5)
    draws = torch.rand(500, generator=generator, dtype=torch.float64)
    greedy = sampling.temperature == 0
    others = choose_tokens(moved, sampling, None if greedy else draws).tolist()

    def nearby(row: int, token: int) -> bool:
        return may_choose(logits[row], sampling, None if greedy else float(draws[row]), token, slack)

    assert all(nearby(row, token) for row, token in enumerate(others))
    most = sum(nearby(row, token) for row in range(50) for token in range(30)) / 50
    assert most < (1.1 if slack == 1e-3 else 9)


def test_the_growing_cache_gives_the_logits_of_the_librarys_own_over_several_growths() -> None:
    from transformers.cache_utils import DynamicCache

    from engine.generation.kv_cache import growing_cache

    made = tiny.model("llama")
    ids = torch.randint(5, 400, (2, 250), generator=torch.Generator().manual_seed(3))
    ours, theirs = growing_cache(made.network.config), DynamicCache(config=made.network.config)
    with torch.inference_mode():
        for start, stop in ((0, 5), (5, 130), *((i, i + 1) for i in range(130, 249))):
            logits = [
                made.network(input_ids=ids[:, start:stop], **{made.cache_argument: cache}).logits
                for cache in (ours, theirs)
            ]
            assert torch.allclose(*logits, atol=1e-5)
        for cache in (ours, theirs):
            cache.batch_select_indices(torch.tensor([1]))
        last = [
            made.network(input_ids=ids[1:, 249:], **{made.cache_argument: c}).logits for c in (ours, theirs)
        ]
    assert torch.allclose(*last, atol=1e-5)


def test_an_opening_is_said_first_and_then_the_model_goes_on(pocket):
    free = generate(pocket, [Lane([Message("user", "Tell me about the harbour.")])], Sampling(max_tokens=12))[
        0
    ]
    ids = free.trace.ids.tolist()
    other = free.trace.alternatives[3][1][0]
    lane = Lane([Message("user", "Tell me about the harbour.")], opening=(*ids[:3], other))
    forked = generate(pocket, [lane], Sampling(max_tokens=12))[0].trace.ids.tolist()
    assert forked[:4] == [*ids[:3], other] and len(forked) > 4
    same = generate(pocket, [Lane(lane.messages, opening=ids[:5])], Sampling(max_tokens=12))[0]
    assert same.trace.ids.tolist() == ids
