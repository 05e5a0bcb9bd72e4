"""A key-value cache that grows in steps: adding a token copies that token, not all tokens before it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.cache_utils import DynamicCache, DynamicLayer

_STEP = 64  # the least number of positions by which a buffer grows


def growing_cache(config: Any) -> DynamicCache:
    """An empty cache for a model.

    Args:
        config: the model's transformers configuration.

    Returns:
        transformers' own cache with GrowingLayer in place of its plain layers; layers with a sliding window
        or a recurrent state stay as they are.
    """
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def can_truncate(cache: Any) -> bool:
    """Whether every layer is a GrowingLayer, so that the cache can be truncated, split and joined."""
    return all(type(layer) is GrowingLayer for layer in cache.layers)


def truncate(cache: Any, length: int) -> None:
    """Drops all positions from `length` on."""
    for layer in cache.layers:
        layer.truncate(length)


def split_row(cache: Any, row: int, start: int) -> Any:
    """A copy of one row's keys and values from position `start` on."""
    return _with_layers(cache, [_row_of(layer, row, start) for layer in cache.layers])


def join_rows(caches: Sequence[Any], padding: Sequence[int]) -> Any:
    """One cache of several single-row caches.

    Args:
        caches: caches that `can_truncate`, of one row each.
        padding: per row the number of positions to put before it, so that all rows end together.
    """
    layers = []
    for parts in zip(*(cache.layers for cache in caches), strict=True):
        joined = GrowingLayer()
        padded = [
            [functional.pad(states, (0, 0, pad, 0)) for states in (part.keys, part.values)]
            for part, pad in zip(parts, padding, strict=True)
        ]
        joined.update(*(torch.cat(states) for states in zip(*padded, strict=True)))
        layers.append(joined)
    return _with_layers(caches[0], layers)


def _row_of(layer: Any, row: int, start: int) -> GrowingLayer:
    single = GrowingLayer()
    single.update(layer.keys[row : row + 1, :, start:], layer.values[row : row + 1, :, start:])
    return single


def _with_layers(cache: Any, layers: list[Any]) -> Any:
    other = copy(cache)
    other.layers = layers
    return other


class GrowingLayer(DynamicLayer):
    """Keys and values [rows, heads, T, d] as views of larger buffers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._buffers: tuple[Tensor, Tensor] | None = None
        self._length = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Appends keys and values [rows, heads, n, d]; returns all of them [rows, heads, T + n, d]."""
        start, count = self._length, key_states.shape[-2]
        stop = start + count
        if self._buffers is None or stop > self._buffers[0].shape[-2]:
            self._grow(key_states, value_states, stop)
        assert self._buffers is not None
        keys, values = self._buffers
        keys.narrow(-2, start, count).copy_(key_states)
        values.narrow(-2, start, count).copy_(value_states)
        self._length = stop
        self.keys, self.values = keys.narrow(-2, 0, stop), values.narrow(-2, 0, stop)
        return self.keys, self.values

    def truncate(self, length: int) -> None:
        """Drops all positions from `length` on."""
        assert self._buffers is not None
        self._length = length
        self.keys, self.values = (buffer.narrow(-2, 0, length) for buffer in self._buffers)

    def batch_select_indices(self, indices: Tensor) -> None:
        """Keeps only the rows at `indices`, int64 [n]."""
        if self._buffers is not None:
            keys, values = self._buffers
            self._buffers = keys[indices], values[indices]
            self.keys = self._buffers[0].narrow(-2, 0, self._length)
            self.values = self._buffers[1].narrow(-2, 0, self._length)

    def _grow(self, key_states: Tensor, value_states: Tensor, least: int) -> None:
        """New buffers for `least` positions and at least half as many again as there are, contents copied."""
        capacity = -(-max(least, self._length * 3 // 2) // _STEP) * _STEP
        old, grown = self._buffers, []
        for index, states in enumerate((key_states, value_states)):
            buffer = torch.empty(
                (*states.shape[:-2], capacity, states.shape[-1]), dtype=states.dtype, device=states.device
            )
            if old is not None:
                buffer.narrow(-2, 0, self._length).copy_(old[index].narrow(-2, 0, self._length))
            grown.append(buffer)
        self._buffers = grown[0], grown[1]
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
