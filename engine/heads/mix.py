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


class SteerableModel(Protocol):
    """What a mix needs to know of the model that it steers.

    Attributes:
        width: d, the length of an activation.
        device: where the mix's tensors go.
        blocks: the decoder blocks.
    """

    width: int
    device: torch.device

    @property
    def blocks(self) -> Sequence[object]: ...


@dataclass(frozen=True, eq=False)
class MixBlock:
    """The K rows of one block: c = maximum(h @ w.T + b, floor) * strengths, h <- h + c @ z.

    Source: engine/README.md, Eq. 4.

    Attributes:
        w: [K, d], gate directions.
        b: [K], gate biases.
        z: [K, d], directions that are added.
        floor: [K], 0 for a ReLU gate and -inf for the identity.
        gram: [K, K] = z @ z.T. Where z is trainable it holds for the values that z had at the start.
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
        """The same rows on `device`, for a model on several devices; gradients flow back."""
        if self.z.device == device:
            return self
        return MixBlock(*(rows.to(device) for rows in (self.w, self.b, self.z, self.floor)))


class Mix:
    """The rows of several heads per block, over K columns that mean the same in every block.

    Heads are told apart by their digest: the same head in another object is the same head. A block that a
    head does not steer has zero rows in that head's columns. Tensors are float32 whatever the precision of
    the model: a gate's sum over d terms must not be rounded to eight bits.

    Args:
        heads: the heads, in the order of their columns.
        model: the model that they steer.

    Attributes:
        heads: the heads.
        columns: per head its columns.
        blocks: the rows by block index, for the blocks that any head steers.

    Raises:
        HeadError: a head has another width than the model, or a block that the model lacks.
    """

    def __init__(self, heads: Sequence[Head], model: SteerableModel) -> None:
        for head in heads:
            _require_fit(head, model)
        self.columns: list[slice] = _columns([head.rank for head in heads])
        self.heads = tuple(heads)
        self._index_of = {head.digest: index for index, head in enumerate(heads)}
        self.blocks: dict[int, MixBlock] = {
            index: _stack(heads, index, model) for index in sorted({b for head in heads for b in head.blocks})
        }
        self._ranks = torch.tensor([head.rank for head in heads])

    @classmethod
    def of_tensors(cls, blocks: dict[int, MixBlock], ranks: Sequence[int]) -> Mix:
        """A mix of given tensors, trainable ones for instance.

        Args:
            blocks: the rows by block index.
            ranks: the number of columns of each head.
        """
        mix = cls.__new__(cls)
        mix.columns = _columns(ranks)
        mix.heads, mix._index_of = (), {}
        mix.blocks = dict(sorted(blocks.items()))
        mix._ranks = torch.tensor(list(ranks))
        return mix

    @property
    def rank(self) -> int:
        """K, the number of columns."""
        return self.columns[-1].stop if self.columns else 0

    def __contains__(self, head: Head) -> bool:
        return head.digest in self._index_of

    def index_of(self, head: Head) -> int:
        """Which of the mix's heads this one is. Raises KeyError when it is none."""
        return self._index_of[head.digest]

    def column_strengths(self, heads: Sequence[Head], strengths: Sequence[float]) -> np.ndarray:
        """float32 [K] over all columns, from strengths of some of the mix's heads; 0 for the others."""
        row = np.zeros(self.rank, np.float32)
        for head, strength in zip(heads, strengths, strict=True):
            row[self.columns[self.index_of(head)]] += strength
        return row

    def expand(self, strengths: Sequence[float] | Tensor) -> Tensor:
        """float32 [K] on the CPU, from one strength per head; all columns of a head get its strength."""
        values = torch.as_tensor(strengths, dtype=torch.float32)
        return values.repeat_interleave(self._ranks)


def floor_of(gate: Gate) -> float:
    """The least value that a gate lets through: 0 for a ReLU, -inf for the identity."""
    return 0.0 if gate == "relu" else -float("inf")


def _columns(ranks: Sequence[int]) -> list[slice]:
    stops = np.cumsum([0, *ranks]).tolist()
    return [slice(start, stop) for start, stop in pairwise(stops)]


def _stack(heads: Sequence[Head], index: int, model: SteerableModel) -> MixBlock:
    """The rows of all heads at block `index`."""
    w, b, z, floor = [], [], [], []
    for head in heads:
        block = head.blocks.get(index)
        empty = np.zeros((head.rank, model.width), np.float32)
        w.append(block.w if block else empty)
        z.append(block.z if block else empty)
        b.append(block.b if block else empty[:, 0])
        floor.append(np.full(head.rank, floor_of(head.gate), np.float32))

    def joined(arrays: list[np.ndarray]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.concatenate(arrays), np.float32)).to(model.device)

    return MixBlock(joined(w), joined(b), joined(z), joined(floor))


def _require_fit(head: Head, model: SteerableModel) -> None:
    name = head.info.name
    remedy = "Use a head that was made for this model, or distill the prompt again."
    if not head.blocks:
        raise HeadError(f"The head {name} cannot be used", "It steers no block.", remedy)
    for index, block in head.blocks.items():
        if block.width != model.width:
            raise HeadError(
                f"The head {name} does not fit this model",
                f"Its width is {block.width}, the model's is {model.width}.",
                remedy,
            )
        if not 0 <= index < len(model.blocks):
            raise HeadError(
                f"The head {name} does not fit this model",
                f"It steers block {index} and the model has {len(model.blocks)} blocks.",
                remedy,
            )
        if block.rank != head.rank:
            raise HeadError(f"The head {name} cannot be used", "Its blocks differ in rank.", remedy)
