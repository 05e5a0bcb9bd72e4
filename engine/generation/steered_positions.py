"""Which prompt tokens are steered, and how strongly: the same whether they run now or were run before."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.generation.result import SteeredTokens
from engine.heads.head import Head, Positions
from engine.heads.mix import Mix
from engine.model.chat_template import Prompt


def prompt_strengths(prompt: Prompt, heads: Sequence[Head], current: Sequence[float], mix: Mix) -> np.ndarray:
    """The strengths of every prompt token.

    Tokens of an earlier answer that was steered, and those of the prompt that it answered, get the strengths
    recorded with that answer. All others get the current ones.

    Args:
        prompt: T tokens.
        heads: the heads that steer the lane now.
        current: one strength per head.
        mix: holds these heads and those of earlier answers; K columns.

    Returns:
        float32 [T, K].
    """
    table = np.zeros((len(prompt.ids), mix.rank), np.float32)
    start = 0
    for span in prompt.spans:
        turn = span.tokens
        if isinstance(turn, SteeredTokens):
            _add_strengths(table, prompt, start, span.start, turn.heads, turn.strengths[:1], mix)
            _add_strengths(table, prompt, span.start, span.stop, turn.heads, turn.strengths[1:], mix)
            start = span.stop
    _add_strengths(table, prompt, start, len(prompt.ids), heads, np.array([current], np.float32), mix)
    return table


def steered_mask(prompt: Prompt, positions: Positions) -> list[bool]:
    """For each prompt token whether it is steered.

    Always the last one, whose activation yields the first response token, and each earlier answer together
    with the token before it, as when it was generated. With "question_and_response" also the user's tokens.
    Generated tokens are always steered. Source: engine/README.md, Eq. 2 (paper, Eq. 7).

    Args:
        prompt: T tokens.
        positions: which positions the head steers.

    Returns:
        T booleans.
    """
    mask = [False] * len(prompt.ids)
    mask[-1] = True
    for span in prompt.spans:
        if span.role == "assistant":
            start = max(span.start - 1, 0)
        elif span.role == "user" and positions == "question_and_response":
            start = span.start
        else:
            continue
        mask[start : span.stop] = [True] * (span.stop - start)
    return mask


def _add_strengths(
    table: np.ndarray,
    prompt: Prompt,
    start: int,
    stop: int,
    heads: Sequence[Head],
    strengths: np.ndarray,
    mix: Mix,
) -> None:
    """Adds strengths [1 or stop - start, heads] of tokens [start, stop) to the heads' columns."""
    for index, head in enumerate(heads):
        mask = np.array(steered_mask(prompt, head.info.positions)[start:stop], np.float32)
        table[start:stop, mix.columns[mix.index_of(head)]] += (mask * strengths[:, index])[:, None]
