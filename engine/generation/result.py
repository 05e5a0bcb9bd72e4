"""What a generated answer is made of: the finished answer, and how an assistant turn was said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from engine.generation.trace import Trace
from engine.heads.head import Head

Stopped = Literal["eos", "length", "stop", "cancelled"]


@dataclass(frozen=True, eq=False)
class Generation:
    """A finished answer.

    trace: its tokens; text: their pieces joined; stopped: why it ended ("cancelled": the person stopped it,
    what was there is kept); prompt_tokens: the length of the prompt; cut: how many of the first
    messages were left out for want of room; prompt_coefficients: float32 [L], those
    of the last prompt token; said: what a Message carries for this answer to be run again as it was;
    seconds: from the call until this lane ended; first_token_seconds: until its first token was chosen;
    tokens_per_second: the pace after that; compiled: whether a compiled step was used; columns: of the mix
    that steered the batch, the ranks of all its heads together; agreement: with the recorded answer that this
    one was to give again, see Lane.recorded; end: the id of the token that ended it, None where none did.
    """

    trace: Trace
    text: str
    stopped: Stopped
    prompt_tokens: int
    cut: int
    prompt_coefficients: np.ndarray
    said: SpokenTurn
    seconds: float
    first_token_seconds: float
    tokens_per_second: float
    seed: int
    compiled: bool = False
    columns: int = 0
    agreement: Agreement | None = None
    end: int | None = None


@dataclass(frozen=True, eq=False)
class SpokenTurn:
    """How an assistant turn was generated, so that it can be run through the model again as it was.

    ids: its n tokens; heads: what steered it; strengths: float32 [n + 1, heads], in row 0 those of the
    prompt before it, in row 1 + i those of token i at its own position.
    """

    ids: tuple[int, ...]
    heads: tuple[Head, ...] = ()
    strengths: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    def unsteered(self) -> SpokenTurn:
        """The same words without what steered them."""
        return SpokenTurn(self.ids)


@dataclass(frozen=True)
class Agreement:
    """How a replayed answer agrees with the recorded one, as far as both said the same.

    ties: tokens that are the recorded ones though this run drew others, as rounding alone decided; within: by
    how much nine of ten tokens differ at most, in the logprobs of the recorded token and its alternatives;
    alike: whether that is no more than rounding usually makes of it; else the steering or the model's state
    may have been another.
    """

    ties: int
    within: float
    alike: bool
