"""Distillation knows nothing of the bundled model: random networks of other architectures distill as well."""

from __future__ import annotations

import pytest

from engine.distill import Request, distill
from engine.distill.response_filter import LikelihoodFilter
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.model.chat_template import Message
from tests.hooks import hooks
from tests.models import tiny


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
@pytest.mark.parametrize("positions", ["response", "question_and_response"])
def test_a_head_is_fitted_and_closer_to_the_prompt_than_nothing(architecture: str, positions) -> None:
    model = tiny.model(architecture)
    result = distill(
        model, Request("Talk like a pirate.", anyway=True, responses=6, max_tokens=12, positions=positions)
    )
    assert result.head.info.positions == positions
    last = max(result.faithfulness)
    assert result.faithfulness[last] < 1
    lane = Lane([Message("user", "Hi there")], heads=[result.head])
    run = generate(model, [lane], Sampling(max_tokens=6))[0]
    assert (abs(run.trace.coefficients) > 0).any()
    assert hooks(model) == 0


def test_without_a_judge_loops_and_garble_are_dropped() -> None:
    model = tiny.model()
    questions = ["Hi there", "Who are you?", "What else?", "Tell me about the river"]
    lanes = [Lane([Message("user", q)], seed=i) for i, q in enumerate(questions[:3])]
    fair = generate(model, lanes, Sampling(temperature=0.3, max_tokens=16))
    looping = generate(model, [Lane([Message("user", questions[3])], forced=[50] * 30)], Sampling())
    judged = LikelihoodFilter().judge(model, "Be kind.", questions, [*fair, *looping])
    assert [j.trait for j in judged] == [1.0] * 4
    assert judged[3].coherence == 0.0 and any(j.coherence for j in judged[:3])
