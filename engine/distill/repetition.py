"""How repetitive a text is, by its tokens."""

from __future__ import annotations

from collections.abc import Sequence


def distinct_trigrams(ids: Sequence[int]) -> float:
    """The share of different sequences among all of three tokens, in [0, 1].

    Args:
        ids: token ids of one answer. With fewer than three the share is 1.
    """
    trigrams = list(zip(ids, ids[1:], ids[2:]))
    return len(set(trigrams)) / len(trigrams) if trigrams else 1.0
