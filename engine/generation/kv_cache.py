"""A key-value cache that grows in steps: a new token costs a copy of itself, not of all before it."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers.cache_utils import DynamicCache, DynamicLayer

_STEP = 64  # positions of room added at a time, at least


def growing_cache(config: Any) -> DynamicCache:
    """The library's cache for this model, its plain layers exchanged; sliding and recurrent ones stay."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def plain(cache: Any) -> bool:
    """Whether every layer is a growing one, so that the cache can be cut, split and joined."""
    return all(type(layer) is GrowingLayer for layer in cache.layers)


def cut(cache: Any, length: int) -> None:
    """Forgets all positions from `length` on."""
    for layer in cache.layers:
        layer.cut(length)


def split(cache: Any, row: int, start: int) -> Any:
    """A copy of one row's keys and values from position `start` on."""
    return _remade(cache, [_part(layer, row, start) for layer in cache.layers])


def join(caches: Sequence[Any], pads: Sequence[int]) -> Any:
    """Rows that were run alone as one batch, each padded on the left by as many positions."""
    layers = []
    for parts in zip(*(cache.layers for cache in caches), strict=True):
        made = GrowingLayer()
        padded = [
            [functional.pad(states, (0, 0, pad, 0)) for states in (part.keys, part.values)]
            for part, pad in zip(parts, pads, strict=True)
        ]
        made.update(*(torch.cat(states) for states in zip(*padded, strict=True)))
        layers.append(made)
    return _remade(caches[0], layers)


def _part(layer: Any, row: int, start: int) -> GrowingLayer:
    made = GrowingLayer()
    made.update(layer.keys[row : row + 1, :, start:], layer.values[row : row + 1, :, start:])
    return made


def _remade(cache: Any, layers: list[Any]) -> Any:
    made = copy(cache)
    made.layers = layers
    return made


class GrowingLayer(DynamicLayer):
    """Keys and values [rows, heads, T, d] as views of buffers with room to spare."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._buffers: tuple[Tensor, Tensor] | None = None
        self._length = 0

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
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

    def cut(self, length: int) -> None:
        """Forgets all positions from `length` on."""
        assert self._buffers is not None
        self._length = length
        self.keys, self.values = (buffer.narrow(-2, 0, length) for buffer in self._buffers)

    def batch_select_indices(self, indices: Tensor) -> None:
        if self._buffers is not None:
            keys, values = self._buffers
            self._buffers = keys[indices], values[indices]
            self.keys = self._buffers[0].narrow(-2, 0, self._length)
            self.values = self._buffers[1].narrow(-2, 0, self._length)

    def _grow(self, key_states: Tensor, value_states: Tensor, least: int) -> None:
        """Room for at least half as much again, what is there kept."""
        room = -(-max(least, self._length * 3 // 2) // _STEP) * _STEP
        old, made = self._buffers, []
        for index, states in enumerate((key_states, value_states)):
            buffer = torch.empty(
                (*states.shape[:-2], room, states.shape[-1]), dtype=states.dtype, device=states.device
            )
            if old is not None:
                buffer.narrow(-2, 0, self._length).copy_(old[index].narrow(-2, 0, self._length))
            made.append(buffer)
        self._buffers = made[0], made[1]
        self.dtype, self.device, self.is_initialized = key_states.dtype, key_states.device, True
