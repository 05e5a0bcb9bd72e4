"""A finished answer, its tokens with what steered them, and how closely a replay agrees with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from engine.generation.trace import Trace
from engine.heads.head import Head

Stopped = Literal["eos", "length", "stop", "cancelled"]
"""Why an answer ended: its end token, the token limit, a stop string, or a person who stopped it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Generation:
    """A finished answer.

    Attributes:
        trace: its tokens.
        text: their texts joined.
        stopped: why it ended; after "cancelled" the tokens so far are kept.
        prompt_tokens: length of the prompt.
        cut: how many of the first messages were left out because the context was too short.
        prompt_coefficients: float32 [blocks], the coefficients at the last prompt token.
        tokens: its ids with heads and strengths: what a Message needs to be run through the model again.
        seconds: from the call of `generate` until this lane ended.
        first_token_seconds: from that call until its first token was chosen.
        tokens_per_second: tokens by the time since then.
        seed: of its lane.
        compiled: whether a compiled step was used.
        columns: of the mix that steered the batch, the ranks of all its heads together.
        agreement: with Lane.recorded; None where the lane had no record.
        end: id of the end token; None where none ended it.
    """

    trace: Trace
    text: str
    stopped: Stopped
    prompt_tokens: int
    cut: int
    prompt_coefficients: np.ndarray
    tokens: SteeredTokens
    seconds: float
    first_token_seconds: float
    tokens_per_second: float
    seed: int
    compiled: bool = False
    columns: int = 0
    agreement: Agreement | None = None
    end: int | None = None


@dataclass(frozen=True, eq=False)
class SteeredTokens:
    """The n tokens of an assistant turn with what steered each of them.

    Attributes:
        ids: token ids.
        heads: the heads that steered them; none for text that a person wrote.
        strengths: float32 [n + 1, heads]; row 0 was in force at the prompt before the turn, row 1 + i at the
            position of token i.
    """

    ids: tuple[int, ...]
    heads: tuple[Head, ...] = ()
    strengths: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def unsteered(self) -> SteeredTokens:
        """The same tokens without heads."""
        return SteeredTokens(self.ids)


@dataclass(frozen=True)
class Agreement:
    """How closely a replay computed the same as its record, over the tokens that both have.

    Attributes:
        ties: tokens taken from the record where rounding alone made the draw come out differently.
        within: bound in nats that holds for the greatest log probability difference of nine of ten tokens,
            over the recorded token and its alternatives.
        alike: whether that is no more than rounding usually makes of it; else heads, strengths or the model
            probably differ.
    """

    ties: int
    within: float
    alike: bool
