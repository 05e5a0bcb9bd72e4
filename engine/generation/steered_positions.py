"""Which prompt tokens are steered, and how strongly: the same whether they are run now or were run before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.generation.result import SpokenTurn
from engine.heads.head import Head, Positions
from engine.heads.mix import Mix
from engine.model.chat_template import Prompt


def plan(prompt: Prompt, heads: Sequence[Head], now: Sequence[float], mix: Mix) -> np.ndarray:
    """The strengths of every prompt token, float32 [T, K] over the columns of the mix.

    Tokens of an answer that was generated before, and those of the prompt that it answered, get the
    strengths recorded with it; all others those of `heads` now.
    """
    table = np.zeros((len(prompt.ids), mix.rank), np.float32)
    start = 0
    for span in prompt.spans:
        if isinstance(span.said, SpokenTurn):
            _lay(table, prompt, start, span.start, span.said.heads, span.said.strengths[:1], mix)
            _lay(table, prompt, span.start, span.stop, span.said.heads, span.said.strengths[1:], mix)
            start = span.stop
    _lay(table, prompt, start, len(prompt.ids), heads, np.array([now], np.float32), mix)
    return table


def steered(prompt: Prompt, positions: Positions) -> list[bool]:
    """For each prompt token whether it is steered (METHOD.md section 2).

    Always the last one, whose activation yields the first response token, and earlier answers as they were
    when they were generated: each with the token before it. With question_and_response also the user's
    tokens. Every generated token is steered besides.
    """
    marks = [False] * len(prompt.ids)
    marks[-1] = True
    for span in prompt.spans:
        if span.role == "assistant":
            start = max(span.start - 1, 0)
        elif span.role == "user" and positions == "question_and_response":
            start = span.start
        else:
            continue
        marks[start : span.stop] = [True] * (span.stop - start)
    return marks


def _lay(
    table: np.ndarray,
    prompt: Prompt,
    start: int,
    stop: int,
    heads: Sequence[Head],
    strengths: np.ndarray,
    mix: Mix,
) -> None:
    """Writes the strengths, [1 or stop - start, heads], of tokens [start, stop) into the heads' columns."""
    for index, head in enumerate(heads):
        marks = np.array(steered(prompt, head.info.positions)[start:stop], np.float32)
        table[start:stop, mix.columns[mix.place(head)]] += (marks * strengths[:, index])[:, None]
