"""The trace of one answer: every token with its probabilities and its steering, in arrays that grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Alternative = tuple[int, str, float]
"""Token id, its text, and its probability in [0, 1]."""

ALTERNATIVES = 5  # the most probable tokens that are kept of every distribution
_PER_BLOCK = ("coefficients", "lengths", "prompt_effect", "distance_to_prompt")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Token:
    """One generated token with what is known of it.

    Attributes:
        lane: index of its lane in the batch.
        index: its place in the answer, from 0.
        id: its id in the vocabulary.
        text: the characters that it completed; "" for one that ends inside a character.
        logprob: natural logarithm of its probability (nats) under the model's distribution at temperature 1,
            steering included.
        rank: its place in that distribution, 1 for the most probable.
        alternatives: the most probable tokens of that distribution, at most ALTERNATIVES.
        strengths: one per head of the lane, in force at this token's own position.
        coefficients: float32 [blocks], the signed length of what steering added to each block's output, in
            activation units; 0 where nothing was added (engine/README.md, Eq. 2 and 5).
        lengths: float32 [blocks], the length of the activation that it was added to.
        prompt_effect: float32 [blocks], what the reference prompt changes at this token, |Delta_PS|
            (engine/README.md, Eq. 1); None without a reference prompt.
        distance_to_prompt: float32 [blocks], the distance of the steered activation from the prompted one;
            None without a reference prompt.
    """

    lane: int
    index: int
    id: int
    text: str
    logprob: float
    rank: int
    alternatives: tuple[Alternative, ...]
    strengths: tuple[float, ...]
    coefficients: np.ndarray
    lengths: np.ndarray
    prompt_effect: np.ndarray | None = None
    distance_to_prompt: np.ndarray | None = None


class Trace:
    """All tokens of one answer; its arrays are read-only views of the n tokens so far.

    Args:
        heads: how many heads steer the lane.
        blocks: how many blocks the model has.

    Attributes:
        pieces: the text of each token.
        alternatives: the most probable tokens at each place.
    """

    def __init__(self, heads: int, blocks: int) -> None:
        self.pieces: list[str] = []
        self.alternatives: list[tuple[Alternative, ...]] = []
        self._count = 0
        self._arrays: dict[str, np.ndarray] = {
            "ids": np.empty(64, np.int64),
            "logprobs": np.empty(64, np.float32),
            "ranks": np.empty(64, np.int32),
            "strengths": np.empty((64, heads), np.float32),
            **{name: np.empty((64, blocks), np.float32) for name in _PER_BLOCK},
        }

    @classmethod
    def of(
        cls,
        arrays: Mapping[str, np.ndarray],
        pieces: Sequence[str],
        alternatives: Sequence[tuple[Alternative, ...]],
    ) -> Trace:
        """A trace of n given tokens, which can grow on.

        Args:
            arrays: n rows each, by the names of this class's properties; they are copied. Where a row of
                `prompt_effect` holds a value that is not finite, the token counts as not measured.
            pieces: the n texts.
            alternatives: n tuples of alternatives.

        Raises:
            IndexError, ValueError: arrays of other shapes.
            TypeError: pieces that are not texts.
        """
        trace = cls(arrays["strengths"].shape[1], arrays["coefficients"].shape[1])
        trace.pieces, trace.alternatives, trace._count = list(pieces), list(alternatives), len(pieces)
        if not all(isinstance(piece, str) for piece in pieces):
            raise TypeError("a piece is not a text")
        if len(alternatives) != len(pieces):
            raise ValueError(f"{len(alternatives)} alternatives of {len(pieces)} tokens")
        for name, empty in trace._arrays.items():
            given = arrays[name]
            if given.shape != (len(pieces), *empty.shape[1:]):
                raise ValueError(f"{name} {given.shape} of {len(pieces)} tokens")
            trace._arrays[name] = given.astype(empty.dtype)
        not_measured = ~np.isfinite(trace._arrays["prompt_effect"]).all(1)
        for name in ("prompt_effect", "distance_to_prompt"):
            trace._arrays[name][not_measured] = np.nan
        return trace

    def append(self, token: Token) -> None:
        """Adds a token at the end; its `index` is not looked at."""
        at, arrays = self._count, self._arrays
        if at == len(arrays["ids"]):
            self._grow()
        arrays["ids"][at] = token.id
        arrays["logprobs"][at] = token.logprob
        arrays["ranks"][at] = token.rank
        arrays["strengths"][at] = token.strengths
        for name in _PER_BLOCK:
            row = getattr(token, name)
            arrays[name][at] = np.nan if row is None else row
        self.pieces.append(token.text)
        self.alternatives.append(token.alternatives)
        self._count = at + 1

    def __len__(self) -> int:
        return self._count

    @property
    def text(self) -> str:
        """The whole text so far."""
        return "".join(self.pieces)

    @property
    def ids(self) -> np.ndarray:
        """int64 [n], token ids."""
        return self._view("ids")

    @property
    def logprobs(self) -> np.ndarray:
        """float32 [n], log probability in nats."""
        return self._view("logprobs")

    @property
    def ranks(self) -> np.ndarray:
        """int32 [n], 1 for the most probable token."""
        return self._view("ranks")

    @property
    def strengths(self) -> np.ndarray:
        """float32 [n, heads], in force at each token's own position."""
        return self._view("strengths")

    @property
    def coefficients(self) -> np.ndarray:
        """float32 [n, blocks], signed length of the addition in activation units."""
        return self._view("coefficients")

    @property
    def lengths(self) -> np.ndarray:
        """float32 [n, blocks], length of the activation before the addition."""
        return self._view("lengths")

    @property
    def prompt_effect(self) -> np.ndarray:
        """float32 [n, blocks], |A(prompted) - A(base)| (engine/README.md, Eq. 1); NaN where not measured."""
        return self._view("prompt_effect")

    @property
    def distance_to_prompt(self) -> np.ndarray:
        """float32 [n, blocks], |A(steered) - A(prompted)|; NaN where not measured."""
        return self._view("distance_to_prompt")

    def _view(self, name: str) -> np.ndarray:
        view = self._arrays[name][: self._count]
        view.flags.writeable = False
        return view

    def _grow(self) -> None:
        """Doubles the arrays into new ones: views handed out before keep what they showed."""
        for name, old in self._arrays.items():
            new = np.empty((max(64, 2 * len(old)), *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            self._arrays[name] = new
