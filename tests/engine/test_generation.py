"""The decode loop: tokens, coefficients, live strengths, lanes, and how it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import InputError, ModelError
from engine.events import Cancel
from engine.generation.answer import Generation
from engine.generation.decode import generate
from engine.generation.lanes import Lane, Said
from engine.generation.plan import plan, steered
from engine.generation.sampling import Sampling, choose
from engine.generation.stops import StopText
from engine.generation.strengths import Strengths
from engine.generation.trace import Token
from engine.heads.head import Head
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model.blocks import hidden_of
from engine.model.chat import Message, encode
from engine.model.language_model import LanguageModel
from tests.engine import tiny
from tests.engine.conftest import hooks

ASK = [Message("user", "Tell me about the garden!")]
LONG = [*ASK, Message("assistant", "The harbour is old."), Message("user", "What else? And who are you?")]


def run(model: LanguageModel, lane: Lane, *, tokens: int = 16, **rules: Any) -> Generation:
    return generate(model, [lane], Sampling(max_tokens=tokens, **rules))[0]


@pytest.fixture
def heads(model: LanguageModel) -> tuple[Head, ...]:
    return tiny.head(model), tiny.head(model, seed=1, rank=2, blocks=(1,))


def test_greedy_tokens_are_those_of_the_library(model: LanguageModel) -> None:
    ids = torch.tensor([encode(model, ASK).ids])
    theirs = model.network.generate(ids, max_new_tokens=16, do_sample=False)[0, ids.shape[1] :]
    assert run(model, Lane(ASK)).trace.ids.tolist() == theirs.tolist()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_strength_zero_gives_exactly_the_unsteered_tokens(
    model: LanguageModel, heads: tuple[Head, ...], temperature: float
) -> None:
    plain = run(model, Lane(ASK, seed=3), temperature=temperature)
    zero = run(model, Lane(ASK, seed=3, heads=heads, strengths=Strengths([0, 0])), temperature=temperature)
    assert zero.trace.ids.tolist() == plain.trace.ids.tolist()
    assert zero.trace.logprobs.tolist() == plain.trace.logprobs.tolist()
    assert not zero.trace.coefficients.any()


def test_steering_changes_the_tokens(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    assert run(model, Lane(ASK, heads=heads, strengths=Strengths([2, 0]))).text != run(model, Lane(ASK)).text


def whole_run(model: LanguageModel, lane: Lane, answer: Generation) -> tuple[Any, list[Any], Mix]:
    """Logits and coefficients of the finished sequence in one forward without a cache."""
    prompt = encode(model, lane.messages, lane.system)
    mix = Mix(lane.heads, model)
    told = mix.expand(lane.values()).expand(len(answer.trace), -1)
    table = torch.cat([torch.from_numpy(plan(prompt, lane.heads, lane.values(), mix)), told])
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
    lane = Lane(messages, system="Be brief.", heads=heads, strengths=Strengths([1.5, -0.7]))
    answer = run(model, lane)
    logits, coefficients, mix = whole_run(model, lane, answer)
    logprobs = logits.log_softmax(-1)[:-1]
    ids = torch.from_numpy(answer.trace.ids.copy())
    assert torch.allclose(
        logprobs.gather(1, ids[:, None])[:, 0], torch.from_numpy(answer.trace.logprobs.copy()), atol=1e-4
    )
    for index, (part, c) in enumerate(zip(mix.blocks.values(), coefficients, strict=True)):
        length = (c @ part.z).norm(dim=-1).numpy()
        assert np.allclose(length[0], answer.prompt_coefficients[index], atol=1e-4)
        assert np.allclose(length[1:], answer.trace.coefficients[:, index], atol=1e-4)


def test_a_single_head_shows_its_signed_coefficient(model: LanguageModel) -> None:
    answer = run(model, Lane(ASK, heads=[tiny.head(model, blocks=(1,))], strengths=Strengths([-1.0])))
    shown = answer.trace.coefficients
    assert (shown[:, 1] <= 0).all()
    assert (shown[:, 1] < 0).any()
    assert not shown[:, [0, 2]].any()


def test_positions_differ_in_the_question_only(model: LanguageModel) -> None:
    prompt = encode(model, LONG, "Be brief.")
    response, both = steered(prompt, "response"), steered(prompt, "question_and_response")
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
    strengths = Strengths([0.0, 0.0])

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
    assert strengths.version == 1


def test_a_lane_does_not_depend_on_its_neighbours(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    lanes = [
        Lane(ASK, seed=1),
        Lane(LONG, system="Be brief.", heads=heads, strengths=Strengths([1.5, 0.5]), seed=2),
        Lane(ASK, heads=[tiny.head(model, seed=5, positions="question_and_response")], seed=3),
        Lane(ASK, forced=[9, 8, 7, 1, 6], heads=heads, strengths=Strengths([1.0, 1.0])),
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
        Lane(ASK, heads=heads, strengths=Strengths([1.0])),
        Lane(LONG, heads=heads, strengths=Strengths([1.0])),
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
        Message("assistant", "Ships come.", Said((9, 8, 7), heads[:1], np.ones((4, 1)))),
        *ASK,
    ]
    lane = Lane(messages, system=system, heads=heads, truth="Talk like a pirate.", seed=3)
    plain, answer = (
        generate(model, [one, Lane(LONG, heads=heads[1:])], Sampling(temperature=1.0, max_tokens=9))[0]
        for one in (replace(lane, truth=None), lane)
    )
    assert answer.trace.ids.tolist() == plain.trace.ids.tolist()
    assert np.allclose(answer.trace.coefficients, plain.trace.coefficients, atol=1e-4)

    told = answer.trace.ids.tolist()
    bare = [replace(m, said=None if m.said is None else m.said.unsteered()) for m in messages]
    wording = "Talk like a pirate." if system is None else "Be brief.\n\nTalk like a pirate."
    runs = []
    for text, steer in ((None, True), (None, False), (wording, False)):
        prompt = encode(model, messages if steer else bare, system if text is None else text)
        mix = Mix(heads, model)
        table = np.concatenate([plan(prompt, heads, (1, 1), mix), np.ones((len(told), mix.rank), np.float32)])
        with torch.inference_mode(), Steering(model, mix) as steering, watching(model) as seen:
            steering.strengths = torch.from_numpy(table)[None] if steer else None
            model.network(torch.tensor([prompt.ids + told]), use_cache=False)
        runs.append(torch.stack([h[0, len(prompt.ids) :] for h in seen]))
    steered_run, bare_run, prompted = runs
    assert np.allclose(answer.trace.truth, (prompted - bare_run).norm(dim=-1).T, atol=1e-3)
    assert np.allclose(answer.trace.gap, (steered_run - prompted).norm(dim=-1).T, atol=1e-3)


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


def test_an_answer_that_was_steered_is_run_again_as_it_was(
    model: LanguageModel, heads: tuple[Head, ...]
) -> None:
    strengths = Strengths([1.0])

    def slide(token: Token) -> None:
        strengths.set(0, token.index / 4)

    first = generate(
        model, [Lane(ASK, heads=heads[:1], strengths=strengths)], Sampling(max_tokens=8), on_token=slide
    )[0]
    history = [*ASK, Message("assistant", first.text, first.said), *ASK]
    prompt = encode(model, history)
    span = prompt.spans[1]
    assert prompt.ids[span.start : span.stop] == first.trace.ids.tolist()
    mix = Mix(heads, model)
    table = plan(prompt, heads[1:], (0.5,), mix)
    assert table[span.start - 1 : span.stop, 0].tolist() == [1.0, *first.trace.strengths[:, 0].tolist()]
    assert not table[: span.stop, 1:].any()
    assert table[-1].tolist() == [0, 0.5, 0.5]
    again = run(model, Lane(history, heads=heads[1:], strengths=Strengths([0.5])), tokens=3)
    assert again.prompt_tokens == len(prompt.ids)


def test_lanes_that_ended_may_stay_in_the_batch(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = [Lane(ASK, forced=[5, 6]), Lane(ASK)]
    dropped = generate(model, lanes, Sampling(max_tokens=9))
    monkeypatch.setattr("engine.generation.batch.Batch.droppable", False)
    kept = generate(model, lanes, Sampling(max_tokens=9))
    assert [answer.trace.ids.tolist() for answer in kept] == [answer.trace.ids.tolist() for answer in dropped]


def test_the_same_seed_gives_the_same_answer_and_another_one_another(model: LanguageModel) -> None:
    texts = [run(model, Lane(ASK, seed=seed), temperature=1.0).text for seed in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def test_events_are_the_trace(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    seen: list[Token] = []
    lane = Lane(ASK, heads=heads, strengths=Strengths([1.0, 1.0]))
    answer = generate(model, [lane], Sampling(max_tokens=100), on_token=seen.append)[0]
    trace = answer.trace
    assert [token.index for token in seen] == list(range(len(trace)))
    assert [token.id for token in seen] == trace.ids.tolist()
    assert np.array_equal(np.stack([token.coefficients for token in seen]), trace.coefficients)
    assert np.array_equal(np.stack([token.lengths for token in seen]), trace.lengths)
    assert (trace.lengths > 0).all()
    assert np.isnan(trace.truth).all()
    assert "".join(token.text for token in seen) == answer.text == model.tokenizer.decode(trace.ids.tolist())
    first = seen[0]
    assert first.rank == 1
    assert first.alternatives[0][0] == first.id
    assert first.alternatives[0][2] == pytest.approx(np.exp(first.logprob), rel=1e-4)
    with pytest.raises(ValueError, match="read-only"):
        trace.ids[0] = 0


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

    lane = Lane(ASK, heads=heads, strengths=Strengths([1.0, 0.0]))
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
        generate(model, [Lane(ASK, heads=heads, strengths=Strengths([1, 1]))], Sampling(), on_token=fail)
    assert hooks(model) == 0


def test_logits_that_are_no_numbers_end_in_an_error(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    with pytest.raises(ModelError, match="no numbers"):
        run(model, Lane(ASK, heads=heads, strengths=Strengths([float("nan"), 0])))
    assert hooks(model) == 0


def test_memory_that_runs_out_is_an_error_with_a_remedy(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError

    monkeypatch.setattr(type(model.network.model), "forward", exhausted)
    with pytest.raises(ModelError, match="Memory ran out"):
        run(model, Lane(ASK))


def test_requests_that_make_no_sense_are_refused(model: LanguageModel, heads: tuple[Head, ...]) -> None:
    with pytest.raises(InputError, match="1 strengths for 2 heads"):
        run(model, Lane(ASK, heads=heads, strengths=Strengths([1])))
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
        ids = choose(logits, Sampling(**rules), generators)
        return (torch.bincount(ids, minlength=4) / 2000).tolist()

    assert count(temperature=1.0) == pytest.approx(shares.tolist(), abs=0.04)
    assert count(temperature=1.0, top_k=2) == pytest.approx([0.625, 0.375, 0, 0], abs=0.04)
    assert count(temperature=1.0, top_p=0.9) == pytest.approx([0.526, 0.316, 0.158, 0], abs=0.04)
    assert count(temperature=1e-6) == [1, 0, 0, 0]
    assert count() == [1, 0, 0, 0]


def test_the_growing_cache_gives_the_logits_of_the_librarys_own_over_several_growths() -> None:
    from transformers.cache_utils import DynamicCache

    from engine.generation.cache import growing_cache

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
