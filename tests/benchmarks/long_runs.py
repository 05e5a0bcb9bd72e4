"""Answers longer than the bundled model can give, made of seeded numbers, for what the window must hold."""

from __future__ import annotations

from typing import Any

import numpy as np

BATCH = 10  # tokens that come to the window at once
_WORDS = (" the", " harbour", " be", " salty", " and", " old", ",", " matey", ".", "\n")


def conversation(tokens: int, blocks: int, each: int) -> tuple[Any, ...]:
    """Turns (studio.state.conversation.Turn) whose answers have `each` tokens, `tokens` in all."""
    from engine.generation.trace import Trace
    from studio.state.conversation import STEERED, Turn
    from studio.state.sampling_settings import SamplingSettings

    turns = []
    for number in range(tokens // each):
        turn = Turn(f"Question {number}?", SamplingSettings())
        answer = turn.add(STEERED)
        answer.trace, answer.state = Trace(1, blocks), "eos"
        rng = np.random.default_rng(number)
        for token in _tokens(rng, 0, each, blocks):
            answer.trace.append(token)
        answer.text = answer.trace.text
        turns.append(turn)
    return tuple(turns)


def next_batch(answer: Any) -> list[Any]:
    """The next tokens of `answer`, as one batch of the worker brings them."""
    rng, at = np.random.default_rng(len(answer)), len(answer)
    return _tokens(rng, at, BATCH, answer.trace.coefficients.shape[1])


def _tokens(rng: np.random.Generator, first: int, count: int, blocks: int) -> list[Any]:
    from engine.generation.trace import Token

    rows = rng.normal(scale=3.0, size=(count, blocks)).astype(np.float32)
    words = rng.integers(len(_WORDS), size=count)
    return [
        Token(
            lane=0,
            index=first + i,
            id=7,
            text=_WORDS[word],
            logprob=-0.5,
            rank=1,
            alternatives=((7, " x", 0.5),),
            strengths=(1.0,),
            coefficients=row,
            lengths=9 + abs(row),
        )
        for i, (row, word) in enumerate(zip(rows, words, strict=True))
    ]
