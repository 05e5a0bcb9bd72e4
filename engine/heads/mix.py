"""Several heads as one: their rows side by side, block by block, ready for two matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from engine.errors import HeadError
from engine.heads.head import Gate, Head


class Fits(Protocol):
    """What a mix must know of the model that it will steer."""

    width: int
    device: torch.device

    @property
    def blocks(self) -> Sequence[object]: ...


@dataclass(frozen=True, eq=False)
class MixBlock:
    """One block's rows: c = maximum(h @ w.T + b, floor) * strengths, h <- h + c @ z.

    w [K, d], b [K], z [K, d]; floor [K], 0 for a ReLU gate, -inf for the identity; gram [K, K] = z @ z.T.
    Tensors may be trainable; gram is then only right at the time it was made.
    """

    w: Tensor
    b: Tensor
    z: Tensor
    floor: Tensor
    gram: Tensor = field(init=False)

    def __post_init__(self) -> None:
        z = self.z.detach()
        object.__setattr__(self, "gram", z @ z.T)

    def on(self, device: torch.device) -> MixBlock:
        """The same rows where a spread model's block needs them; gradients find their way back."""
        if self.z.device == device:
            return self
        return MixBlock(*(rows.to(device) for rows in (self.w, self.b, self.z, self.floor)))


class Mix:
    """The heads' rows per block, over K columns that mean the same in every block.

    A block that a head leaves alone has zero rows in that head's columns. Row tensors are float32 whatever
    the model's dtype: a gate's sum over d terms must not be rounded to eight bits.
    """

    def __init__(self, heads: Sequence[Head], model: Fits) -> None:
        """Raises HeadError when a head has another width or more blocks than the model."""
        for head in heads:
            _require_fit(head, model)
        self.columns: list[slice] = _columns([head.rank for head in heads])
        self._places = {head.digest: index for index, head in enumerate(heads)}
        self.heads = tuple(heads)
        self.blocks: dict[int, MixBlock] = {
            index: _stack(heads, index, model) for index in sorted({b for head in heads for b in head.blocks})
        }
        self._widths = torch.tensor([head.rank for head in heads])

    @classmethod
    def of_tensors(cls, blocks: dict[int, MixBlock], ranks: Sequence[int]) -> Mix:
        """A mix of given tensors, trainable ones for instance; ranks: the columns of each head."""
        mix = cls.__new__(cls)
        mix.columns = _columns(ranks)
        mix._places, mix.heads = {}, ()
        mix.blocks = dict(sorted(blocks.items()))
        mix._widths = torch.tensor(list(ranks))
        return mix

    @property
    def rank(self) -> int:
        """K, the number of columns."""
        return self.columns[-1].stop if self.columns else 0

    def place(self, head: Head) -> int:
        """Which of the mix's heads has these numbers."""
        return self._places[head.digest]

    def has(self, head: Head) -> bool:
        return head.digest in self._places

    def spread(self, heads: Sequence[Head], strengths: Sequence[float]) -> np.ndarray:
        """[K] over all columns, from the strengths of some of the mix's heads; 0 for the others."""
        row = np.zeros(self.rank, np.float32)
        for head, strength in zip(heads, strengths, strict=True):
            row[self.columns[self.place(head)]] += strength
        return row

    def expand(self, strengths: Sequence[float] | Tensor) -> Tensor:
        """[K] strengths on the CPU, from one per head; the rows of a head share its strength."""
        values = torch.as_tensor(strengths, dtype=torch.float32)
        return values.repeat_interleave(self._widths)


def floor_of(gate: Gate) -> float:
    """The least value that a gate lets through."""
    return 0.0 if gate == "relu" else -float("inf")


def _columns(ranks: Sequence[int]) -> list[slice]:
    stops = np.cumsum([0, *ranks]).tolist()
    return [slice(start, stop) for start, stop in pairwise(stops)]


def _stack(heads: Sequence[Head], index: int, model: Fits) -> MixBlock:
    w, b, z, floor = [], [], [], []
    for head in heads:
        part = head.blocks.get(index)
        empty = np.zeros((head.rank, model.width), np.float32)
        w.append(part.w if part else empty)
        z.append(part.z if part else empty)
        b.append(part.b if part else empty[:, 0])
        floor.append(np.full(head.rank, floor_of(head.gate), np.float32))

    def joined(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.concatenate(arrays), np.float32)).to(model.device)

    return MixBlock(joined(w), joined(b), joined(z), joined(floor))


def _require_fit(head: Head, model: Fits) -> None:
    name = head.info.name
    remedy = "Use a head that was made for this model, or distill the prompt again."
    if not head.blocks:
        raise HeadError(f"The head {name} cannot be used", "It steers no block.", remedy)
    for index, part in head.blocks.items():
        if part.width != model.width:
            raise HeadError(
                f"The head {name} does not fit this model",
                f"Its width is {part.width}, the model's is {model.width}.",
                remedy,
            )
        if not 0 <= index < len(model.blocks):
            raise HeadError(
                f"The head {name} does not fit this model",
                f"It steers block {index} and the model has {len(model.blocks)} blocks.",
                remedy,
            )
        if part.rank != head.rank:
            raise HeadError(f"The head {name} cannot be used", "Its blocks differ in rank.", remedy)
