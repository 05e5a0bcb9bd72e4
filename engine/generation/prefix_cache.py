"""What a conversation's last run left in the cache, to be gone on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.generation.kv_cache import cut, plain, split
from engine.heads.head import Head
from engine.heads.mix import Mix


@dataclass(eq=False)
class CachedPrefix:
    """One row's T tokens, their cache, and how each was steered: [T, K] over the columns of `heads`."""

    ids: list[int]
    heads: tuple[Head, ...]
    strengths: np.ndarray
    cache: Any

    def usable(self, ids: Sequence[int], strengths: np.ndarray, mix: Mix) -> tuple[Any, int]:
        """The cache, cut to what a new prompt has in common with it, and how many tokens that is; None for
        none.

        The prompt's last token is always run again, for its logits. A cache that cannot be cut (sliding
        windows, recurrent states) is of use only when all of it is.
        """
        count = min(self.shared(ids, strengths, mix), len(ids) - 1)
        if count < len(self.ids):
            if count == 0 or not plain(self.cache):
                return None, 0
            cut(self.cache, count)
        return self.cache, min(count, len(self.ids))

    def copy(self) -> CachedPrefix:
        """The same with a cache of its own."""
        return CachedPrefix(self.ids, self.heads, self.strengths, split(self.cache, 0, 0))

    def shared(self, ids: Sequence[int], strengths: np.ndarray, mix: Mix) -> int:
        """How many of the first tokens are these very ones, steered in this very way."""
        count = min(len(self.ids), len(ids))
        known = np.zeros((count, mix.rank), np.float32)
        start, alike = 0, np.array(self.ids[:count]) == np.array(ids[:count])
        for head in self.heads:
            own = self.strengths[:count, start : start + head.rank]
            start += head.rank
            if mix.has(head):
                known[:, mix.columns[mix.place(head)]] = own
            else:
                alike &= ~own.any(axis=1)
        alike &= (known == strengths[:count]).all(axis=1)
        return count if alike.all() else int(alike.argmin())


class PrefixCache:
    """One conversation's rows, given to `generate` turn after turn.

    A row is used as far as its tokens and their strengths are those of the new prompt, and no further: an
    edited turn or another strength simply costs the forward passes that it changes. Belongs to one model;
    one run at a time.
    """

    def __init__(self) -> None:
        self._rows: dict[int, CachedPrefix] = {}

    def take(self, row: int) -> CachedPrefix | None:
        """The row's past, which is then no longer held: a run that fails leaves nothing half-done behind."""
        return self._rows.pop(row, None)

    def keep(self, row: int, past: CachedPrefix) -> None:
        self._rows[row] = past

    def clear(self) -> None:
        """Gives the memory back."""
        self._rows.clear()
