"""The trace of one answer: what is known of every token, in arrays that grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Alternative = tuple[int, str, float]  # id, text, probability
ALTERNATIVES = 5
_PER_BLOCK = ("coefficients", "lengths", "truth", "gap")


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """One generated token, as it was.

    lane, index: which lane and which of its tokens; text: the characters it completed; logprob (nats) and
    rank (1 = likeliest) under the distribution it was drawn from at temperature 1, steering included;
    strengths: one per head, those in force at this token's own position. Float32 [L], one per block of the
    model, in activation units: coefficients, the signed length of what was added there (of one vector: its
    coefficient), 0 where nothing was; lengths, of the activation that it was added to; truth, what the
    prompt would have changed there; gap, how far the steered activation is from the prompted one (None when
    no truth was asked for).
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
    truth: np.ndarray | None = None
    gap: np.ndarray | None = None


class Trace:
    """All tokens of one answer. The arrays are read-only views that show the tokens so far."""

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
        """A trace of n tokens from copies of the arrays by their names, n rows each; it can grow on.

        A truth that is not whole was not asked for. Raises IndexError or ValueError for arrays of other
        shapes, TypeError for pieces that are no texts.
        """
        trace = cls(arrays["strengths"].shape[1], arrays["coefficients"].shape[1])
        trace.pieces, trace.alternatives, trace._count = list(pieces), list(alternatives), len(pieces)
        if not all(isinstance(piece, str) for piece in pieces):
            raise TypeError("a piece that is no text")
        if len(alternatives) != len(pieces):
            raise ValueError(f"{len(alternatives)} alternatives of {len(pieces)} tokens")
        for name, own in trace._arrays.items():
            given = arrays[name]
            if given.shape != (len(pieces), *own.shape[1:]):
                raise ValueError(f"{name} {given.shape} of {len(pieces)} tokens")
            trace._arrays[name] = given.astype(own.dtype)
        unasked = ~np.isfinite(trace._arrays["truth"]).all(1)
        for name in ("truth", "gap"):
            trace._arrays[name][unasked] = np.nan
        return trace

    def append(self, token: Token) -> None:
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
        return "".join(self.pieces)

    @property
    def ids(self) -> np.ndarray:
        """int64 [n]"""
        return self._view("ids")

    @property
    def logprobs(self) -> np.ndarray:
        """float32 [n], nats"""
        return self._view("logprobs")

    @property
    def ranks(self) -> np.ndarray:
        """int32 [n], 1 = likeliest"""
        return self._view("ranks")

    @property
    def strengths(self) -> np.ndarray:
        """float32 [n, heads]"""
        return self._view("strengths")

    @property
    def coefficients(self) -> np.ndarray:
        """float32 [n, blocks of the model], activation units"""
        return self._view("coefficients")

    @property
    def lengths(self) -> np.ndarray:
        """float32 [n, blocks of the model], the activations' lengths before the addition"""
        return self._view("lengths")

    @property
    def truth(self) -> np.ndarray:
        """float32 [n, blocks of the model], |A(prompted) - A(bare)|; not a number where not asked for"""
        return self._view("truth")

    @property
    def gap(self) -> np.ndarray:
        """float32 [n, blocks of the model], |A(steered) - A(prompted)|; not a number where not asked for"""
        return self._view("gap")

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
