"""Keys and values of a conversation's last run: the next one starts behind what both have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.generation.kv_cache import can_truncate, split_row, truncate
from engine.heads.head import Head
from engine.heads.mix import Mix


@dataclass(eq=False)
class CachedPrefix:
    """The tokens of one row with their key-value cache.

    Attributes:
        ids: T token ids.
        heads: the heads of the mix that steered them.
        strengths: float32 [T, K], how strongly, over the columns of `heads`.
        cache: their keys and values.
    """

    ids: list[int]
    heads: tuple[Head, ...]
    strengths: np.ndarray
    cache: Any

    def reuse(self, ids: Sequence[int], strengths: np.ndarray, mix: Mix) -> tuple[Any, int]:
        """The part of the cache that a new prompt can start from.

        The prompt's last token is always run again, because its logits are needed. A cache that cannot be
        truncated (sliding windows, recurrent states) can only be used whole.

        Args:
            ids: the T token ids of the prompt.
            strengths: float32 [T, K], how they are steered, over the columns of `mix`.
            mix: the heads of the new run.

        Returns:
            The cache, truncated in place, and its number of tokens; (None, 0) where nothing can be used.
        """
        count = min(self.common_length(ids, strengths, mix), len(ids) - 1)
        if count < len(self.ids):
            if count == 0 or not can_truncate(self.cache):
                return None, 0
            truncate(self.cache, count)
        return self.cache, min(count, len(self.ids))

    def copy(self) -> CachedPrefix:
        """The same tokens with a copy of the cache."""
        return CachedPrefix(self.ids, self.heads, self.strengths, split_row(self.cache, 0, 0))

    def common_length(self, ids: Sequence[int], strengths: np.ndarray, mix: Mix) -> int:
        """How many of the first tokens are the same and are steered in the same way; arguments as `reuse`."""
        count = min(len(self.ids), len(ids))
        known = np.zeros((count, mix.rank), np.float32)
        same = np.array(self.ids[:count]) == np.array(ids[:count])
        start = 0
        for head in self.heads:
            columns = self.strengths[:count, start : start + head.rank]
            start += head.rank
            if head in mix:
                known[:, mix.columns[mix.index_of(head)]] = columns
            else:
                same &= ~columns.any(axis=1)
        same &= (known == strengths[:count]).all(axis=1)
        return count if same.all() else int(same.argmin())


class PrefixCache:
    """The cached prefixes of one conversation, given to `generate` turn after turn.

    A prefix is used as far as its tokens and their strengths equal those of the new prompt and no further: an
    edited turn or another strength costs the forward passes that it changes. Belongs to one model, and to
    one run at a time.
    """

    def __init__(self) -> None:
        self._lanes: dict[int, CachedPrefix] = {}

    def take(self, lane: int) -> CachedPrefix | None:
        """Removes and returns the lane's prefix, so that a run that fails leaves no half-changed cache."""
        return self._lanes.pop(lane, None)

    def put(self, lane: int, prefix: CachedPrefix) -> None:
        """Keeps the lane's prefix for the next run."""
        self._lanes[lane] = prefix

    def clear(self) -> None:
        """Frees the memory of all prefixes."""
        self._lanes.clear()
