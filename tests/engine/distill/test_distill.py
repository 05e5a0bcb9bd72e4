"""From a prompt to a head on the bundled model: it does what the prompt does, and failures leave nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from engine.distill import Distillation, Effect, Request, distill
from engine.distill.hooked_forward import run
from engine.distill.pipeline import candidates
from engine.distill.prompt_effect import LEAST_NATS
from engine.distill.questions import evaluation_questions, questions
from engine.distill.teacher_forcing import Response
from engine.distill.training_data import response_rows
from engine.errors import Cancelled, InputError, WeakPromptError
from engine.events import Cancel, HeadReady, LossPoint, Progress
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.sampling import Sampling
from engine.heads.head import Head
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.pocket.rules import coherence, trait
from engine.pocket.topics import by_name

PIRATE = "Talk like a pirate."


def responded(question: str, ids: tuple[int, ...], end: int) -> Response:
    return Response(question=question, ids=ids, end=end, text="", trait=1.0, coherence=1.0)


def answers(
    model: LanguageModel,
    asked: Sequence[str],
    head: Head | None = None,
    strength: float = 1.0,
    system: str | None = None,
) -> list[str]:
    heads = [head] if head else []
    lanes = [
        Lane([Message("user", q)], system, heads, LiveStrengths([strength] * len(heads)), seed=i)
        for i, q in enumerate(asked)
    ]
    return [g.text for g in generate(model, lanes, Sampling(temperature=1.0, max_tokens=160))]


@pytest.fixture(scope="module")
def instant(loaded_pocket: LanguageModel) -> tuple[Distillation, list[Any]]:
    events: list[Any] = []
    return distill(loaded_pocket, Request(PIRATE), emit=events.append), events


def test_an_instant_head_does_what_the_prompt_does_on_topics_it_never_saw(pocket, instant) -> None:
    asked = evaluation_questions(pocket, 32, seed=1)
    head = instant[0].head
    steered, prompted = answers(pocket, asked, head), answers(pocket, asked, system=PIRATE)

    def mean(texts: list[str], rule: Any) -> float:
        return float(np.mean([rule(t, q) for t, q in zip(texts, asked)]))

    assert mean(steered, lambda t, q: trait("pirate", t, q)) >= 0.9 * mean(
        prompted, lambda t, q: trait("pirate", t, q)
    )
    assert mean(steered, coherence) >= min(0.9, mean(prompted, coherence)) - 0.05
    assert mean(answers(pocket, asked), lambda t, q: trait("pirate", t, q)) == 0.0


def test_it_is_more_faithful_than_doing_nothing_on_every_block(instant) -> None:
    result, _ = instant
    assert set(result.faithfulness) == set(result.blocks) == set(range(6))
    assert all(0 < value < 1 for value in result.faithfulness.values())
    assert np.mean(list(result.faithfulness.values())) < 0.9
    assert all(value > 0.5 for value in result.gate_r2.values())


def test_strength_0_gives_exactly_the_unsteered_tokens(pocket, instant) -> None:
    asked = evaluation_questions(pocket, 4, seed=2)
    assert answers(pocket, asked, instant[0].head, strength=0.0) == answers(pocket, asked)


def test_the_events_tell_every_stage_the_effect_and_the_head(instant) -> None:
    result, events = instant
    stages = list(dict.fromkeys(e.stage for e in events if isinstance(e, Progress)))
    assert stages == ["responses", "targets", "closed form", "measuring"]
    early, whole = [e for e in events if isinstance(e, Effect)]
    assert early.enough and whole.enough and whole == result.effect
    assert events.index(early) < next(
        i for i, e in enumerate(events) if isinstance(e, Progress) and e.done == e.total
    )
    ready = [e for e in events if isinstance(e, HeadReady)]
    assert ready[0].head.digest == ready[-1].head.digest == result.head.digest


def test_the_same_request_gives_the_same_head(pocket, instant) -> None:
    assert distill(pocket, Request(PIRATE)).head.digest == instant[0].head.digest


@pytest.mark.parametrize("objective", ["mse", "ll", "mse+ll"])
def test_training_from_noise_lowers_the_loss(pocket, objective) -> None:
    request = Request(PIRATE, recipe="paper", objective=objective, responses=48)
    losses = distill(pocket, request).loss
    assert np.mean(losses[-4:]) < 0.95 * np.mean(losses[:4])


def test_refinement_gives_an_instant_head_first_and_a_faithful_one_at_the_end(pocket) -> None:
    events: list[Any] = []
    result = distill(
        pocket, Request(PIRATE, recipe="refine", objective="mse", responses=24), emit=events.append
    )
    ready = [e for e in events if isinstance(e, HeadReady)]
    assert len(ready) == 2
    assert any(isinstance(e, LossPoint) for e in events)
    assert np.mean(list(result.faithfulness.values())) < 0.9


@pytest.mark.parametrize("prompt", ["You are a helpful assistant.", "Answer the question."])
def test_a_prompt_without_effect_is_refused_before_the_responses_are_sampled(pocket, prompt: str) -> None:
    events: list[Any] = []
    with pytest.raises(WeakPromptError, match="barely changes") as caught:
        distill(pocket, Request(prompt), emit=events.append)
    assert caught.value.kl < LEAST_NATS
    assert [e.kl for e in events if isinstance(e, Effect)] == [caught.value.kl]
    stages = [e for e in events if isinstance(e, Progress)]
    assert {e.stage for e in stages} == {"responses"} and all(e.done < e.total for e in stages)


def test_it_is_distilled_anyway_when_asked_for(pocket) -> None:
    result = distill(pocket, Request("You are a helpful assistant.", responses=8, anyway=True))
    assert not result.effect.enough and "very small" in result.effect.verdict
    assert len(result.blocks) == 6


@pytest.mark.parametrize(
    "wrong",
    [
        {"prompt": "  "},
        {"name": "\udcff"},
        {"method": "magic"},
        {"objective": "mae"},
        {"objective": "ll"},
        {"objective": "ll", "method": "caa"},
        {"recipe": "slow"},
        {"responses": 1},
        {"rank": 0},
        {"method": "s-psr", "block": 6},
        {"method": "a-psr", "block": 2},
        {"method": "caa", "recipe": "refine"},
        {"method": "caa", "rank": 2},
        {"objective": "mse+ll", "weight": 1.0},
        {"positions": "everything"},
        {"negatives": -1},
        {"max_tokens": 3},
        {"prompt": "Talk like a pirate. " * 300},
    ],
)
def test_bad_requests_are_refused_with_a_remedy(pocket, wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        distill(pocket, Request(**{"prompt": PIRATE, **wrong}))
    assert caught.value.remedy


@pytest.mark.parametrize("stage", ["responses", "targets", "closed form", "fit", "measuring"])
def test_cancelling_in_any_stage_stops_and_leaves_no_hook(pocket, stage: str) -> None:
    cancel = Cancel()

    def stop(event: Any) -> None:
        if isinstance(event, Progress) and event.stage == stage:
            cancel.set()

    with pytest.raises(Cancelled):
        distill(pocket, Request(PIRATE, recipe="refine", responses=12), cancel=cancel, emit=stop)


def test_distillation_and_evaluation_ask_about_different_topics(pocket) -> None:
    learned = set(questions(pocket, 400, 0))
    judged = evaluation_questions(pocket, 200, 0)
    assert len(learned) == 400 and len(set(judged)) == 200
    named = {name for name in by_name() if any(name in q for q in learned)}
    assert not any(name in q for q in judged for name in named)


def test_response_positions_hold_the_same_tokens_under_both_prompts(pocket) -> None:
    kept = [
        responded("Tell me about bees.", (300, 301, 302), 1),
        responded("What is surprising about the old library?", (310, 311, 312, 313, 314), -1),
    ]
    request = Request(PIRATE)
    plain, prompted = (response_rows(pocket, request, kept, system) for system in (None, PIRATE))
    assert prompted.first > plain.first
    for rows in (plain, prompted):
        for i, response in enumerate(kept):
            n = len(response.ids)
            assert rows.ids[i, rows.first + 1 : rows.first + 1 + n].tolist() == list(response.ids)
            assert rows.learned[i, rows.first :].sum() == rows.learned[i].sum() == n + 1
            assert rows.labels[i, rows.first + n] == (1 if response.end >= 0 else -100)
        assert torch.equal(rows.steered[:, rows.first], torch.ones(2))
        assert float(rows.steered[:, : rows.first].sum()) == 0.0


def test_padding_changes_nothing(pocket) -> None:
    kept = [
        responded("Tell me about bees.", (300, 301, 302), 1),
        responded("What is surprising about the old library?", (310, 311, 312, 313, 314), 1),
    ]
    request = Request(PIRATE)
    with torch.no_grad():
        together = run(pocket, response_rows(pocket, request, kept, None))
        alone = run(pocket, response_rows(pocket, request, kept[:1], None))
    assert torch.allclose(together[: len(alone)], alone, atol=1e-3)


@pytest.mark.parametrize("blocks", [1, 2, 6, 24, 80])
def test_candidate_blocks_spread_over_the_model_but_the_last(blocks: int) -> None:
    tried = candidates(blocks)
    assert tried == sorted(set(tried)) and len(tried) <= 8
    assert tried[0] == 0 and tried[-1] == max(0, blocks - 2)
