"""The compiled step: the same tokens and figures as the eager one, prepared while the model is in use."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from engine.errors import ModelError
from engine.generation.compiled_step import CompiledStep
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.sampling import Sampling
from engine.generation.trace import Token
from engine.heads.head import Head
from engine.heads.head_file import load_head, save_head
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from tests.engine.asking import ASK, LONG
from tests.hooks import hooks
from tests.models import tiny


@pytest.fixture(scope="module")
def step(session_model: LanguageModel) -> CompiledStep:
    """Laid out while the model is steered: nothing of that may come along."""
    mix = Mix([tiny.head(session_model, seed=5)], session_model)
    with Steering(session_model, mix) as steering:
        steering.strengths = mix.expand([9.0])
        made = CompiledStep(session_model, rows=3, columns=3, max_positions=128)
    return made.prepare()


@pytest.mark.parametrize("penalty", [1.0, 1.6])
def test_a_compiled_step_gives_the_tokens_and_figures_of_the_eager_one(
    model: LanguageModel, step: CompiledStep, penalty: float
) -> None:
    first, second = tiny.head(model), tiny.head(model, seed=1, rank=2, blocks=(1,))
    sampling = Sampling(temperature=0.8, max_tokens=24, repetition_penalty=penalty)
    for lanes in (
        [Lane(ASK, heads=[first], reference_prompt="Be brief.", seed=4)],
        [Lane(ASK), Lane(LONG, heads=[first, second], seed=2), Lane(ASK, "Be loud.", [second], seed=3)],
        [Lane(ASK, seed=1), Lane(ASK, seed=2), Lane(ASK, seed=3)],
    ):
        eager = generate(model, lanes, sampling)
        compiled = generate(model, lanes, sampling, compiled=[step])
        assert [answer.compiled for answer in compiled] == [True] * len(lanes)
        for one, other in zip(eager, compiled, strict=True):
            assert one.trace.ids.tolist() == other.trace.ids.tolist()
            for figure in ("coefficients", "lengths", "logprobs", "prompt_effect", "distance_to_prompt"):
                assert np.allclose(
                    getattr(one.trace, figure), getattr(other.trace, figure), atol=1e-3, equal_nan=True
                ), figure
    assert hooks(model) == 0


def test_strengths_stay_live(model: LanguageModel, step: CompiledStep) -> None:
    strengths = LiveStrengths([0.0])

    def slide(token: Token) -> None:
        if token.lane == 0 and token.index == 4:
            strengths.set(0, 2.0)

    lanes = [Lane(ASK, heads=[tiny.head(model)], strengths=strengths), Lane(ASK), Lane(ASK)]
    answer = generate(model, lanes, Sampling(max_tokens=10), compiled=[step], on_token=slide)[0]
    fired = answer.trace.coefficients.any(axis=1)
    assert answer.trace.strengths[:, 0].tolist() == [0.0] * 5 + [2.0] * 5
    assert fired.tolist() == [False] * 5 + [True] * 5


def test_two_steps_in_one_process_keep_apart(model: LanguageModel, step: CompiledStep) -> None:
    other = tiny.model(initializer_range=0.05)
    both = [(model, step), (other, CompiledStep(other, rows=3, columns=3, max_positions=128).prepare())]
    for made, own in [*both, *both]:
        lanes = [Lane(ASK, heads=[tiny.head(made)], seed=seed) for seed in range(3)]
        eager = generate(made, lanes, Sampling(max_tokens=12))
        compiled = generate(made, lanes, Sampling(max_tokens=12), compiled=[own])
        assert [a.compiled for a in compiled] == [True] * 3
        assert [a.trace.ids.tolist() for a in compiled] == [a.trace.ids.tolist() for a in eager]


def test_what_does_not_fit_is_generated_eagerly_and_says_so(model: LanguageModel, step: CompiledStep) -> None:
    four = tiny.head(model, rank=4)
    for lanes, tokens in (
        ([Lane(ASK)], 5),
        ([Lane(ASK, heads=[four]), Lane(ASK), Lane(ASK)], 5),
        ([Lane(ASK)] * 3, 125),
    ):
        answers = generate(model, lanes, Sampling(max_tokens=tokens), compiled=[step])
        assert not any(answer.compiled for answer in answers)


def test_a_head_cut_to_a_block_and_read_again_stays_one_head_over_a_long_conversation(
    model: LanguageModel, step: CompiledStep, tmp_path: Path
) -> None:
    """Each turn has a Head object of its own, as a block range makes one; the step has just its columns."""
    whole = tiny.head(model, rank=step.columns)
    turns: list[Message] = []
    for number in range(20):
        if number == 10:  # as after a restart
            save_head(whole, tmp_path / "again.head.safetensors")
            whole = load_head(tmp_path / "again.head.safetensors", model.identity)
        head = Head({1: whole.blocks[1]}, whole.gate, whole.info)
        turns.append(Message("user", "a"))
        lanes = [Lane(turns, heads=[head]), Lane(turns), Lane(turns)]
        answer, *others = generate(model, lanes, Sampling(max_tokens=1), compiled=[step])
        assert answer.compiled, f"turn {number}"
        assert [other.compiled for other in others] == [True, True]
        turns.append(Message("assistant", answer.text, answer.tokens))


@pytest.mark.slow
def test_it_is_prepared_while_the_model_answers(model: LanguageModel) -> None:
    lane = Lane(ASK, heads=[tiny.head(model)])
    before = generate(model, [lane], Sampling(max_tokens=20))[0]
    made: list[CompiledStep] = []
    thread = threading.Thread(
        target=lambda: made.append(CompiledStep(model, columns=2, max_positions=64).prepare())
    )
    thread.start()
    answers = []
    while thread.is_alive():
        answers.append(generate(model, [lane], Sampling(max_tokens=20))[0].trace.ids.tolist())
    thread.join()
    assert answers
    assert all(ids == before.trace.ids.tolist() for ids in answers)
    compiled = generate(model, [lane], Sampling(max_tokens=20), compiled=made)[0]
    assert compiled.compiled
    assert compiled.trace.ids.tolist() == before.trace.ids.tolist()


def test_a_model_without_plain_caches_is_refused() -> None:
    with pytest.raises(ModelError, match="keep no plain cache"):
        CompiledStep(tiny.model("gemma2"))
