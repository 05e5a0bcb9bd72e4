"""A head: per block w, b, z and a gate. Every method yields one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from engine.model.chat_template import Place
from engine.model.identity import ModelIdentity
from engine.text import encodable

__all__ = ["BlockHead", "Gate", "Head", "HeadInfo", "ModelIdentity", "Positions"]

Gate = Literal["relu", "identity"]
Positions = Literal["response", "question_and_response"]


@dataclass(frozen=True, eq=False)
class BlockHead:
    """What a head does at one block: h <- h + strength * sum_k gate(h . w_k + b_k) z_k.

    Source: engine/README.md, Eq. 2 and 3 (paper, Eq. 7 and 8). Arrays are float32 on the CPU.

    Attributes:
        w: [r, d], gate directions.
        b: [r], gate biases.
        z: [r, d], directions that are added, of unit length.
    """

    w: np.ndarray
    b: np.ndarray
    z: np.ndarray

    @property
    def rank(self) -> int:
        """r, the number of directions."""
        return self.w.shape[0]

    @property
    def width(self) -> int:
        """d, the length of an activation."""
        return self.w.shape[1]

    def canonical(self) -> BlockHead:
        """The same function with z rows of unit length; w and b are scaled by their old lengths.

        Both gates are positively homogeneous, so the function stays the same (engine/README.md, section 2). A
        row of length 0 becomes a unit vector whose gate is always 0.
        """
        length = np.linalg.norm(self.z, axis=1)
        safe = np.where(length > 0, length, 1.0)
        z = self.z / safe[:, None]
        z[length == 0] = np.eye(1, self.width, dtype=np.float32)
        return BlockHead(
            (self.w * length[:, None]).astype(np.float32),
            (self.b * length).astype(np.float32),
            z.astype(np.float32),
        )


@dataclass(frozen=True)
class HeadInfo:
    """Where a head comes from; stored with it.

    Attributes:
        name: as shown.
        method: name of the method that made it.
        prompt: the steering prompt; "" where there was none.
        model: the model that it was made for.
        objective: what was minimised; None for closed forms.
        positions: which positions it steers, see generation.steered_positions.steered_mask.
        recipe: the settings of its distillation, JSON values.
        figures: what was measured at its distillation, JSON values.
        strength_range: ends of its strength slider.
        created: date and time in ISO 8601; "" where it is not known.
    """

    name: str
    method: str
    prompt: str
    model: ModelIdentity
    objective: str | None = None
    positions: Positions = "response"
    recipe: dict[str, Any] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    strength_range: tuple[float, float] = (0.0, 2.0)
    created: str = ""

    def __post_init__(self) -> None:
        for name in ("name", "method", "prompt"):
            object.__setattr__(self, name, encodable(getattr(self, name)))

    @property
    def place(self) -> Place:
        """Where the prompt stood at the distillation; older heads always had it as a system message."""
        return "before" if self.recipe.get("place") == "before" else "system"


@dataclass(frozen=True, eq=False)
class Head:
    """A steering head.

    Attributes:
        blocks: what it does at each block that it steers, by block index; all of one rank.
        gate: "relu" or "identity", for all blocks.
        info: where it comes from.
    """

    blocks: dict[int, BlockHead]
    gate: Gate
    info: HeadInfo

    @property
    def rank(self) -> int:
        """r, the number of directions per block."""
        return next(iter(self.blocks.values())).rank

    @cached_property
    def digest(self) -> str:
        """A hash of the numbers alone, by which mixes and caches tell heads apart.

        16 hexadecimal digits. The same head under another name, read again from its file or limited again to
        the same blocks has the same digest.
        """
        h = hashlib.sha256(self.gate.encode())
        for block in sorted(self.blocks):
            h.update(block.to_bytes(4, "little"))
            rows = self.blocks[block]
            for array in (rows.w, rows.b, rows.z):
                h.update(np.ascontiguousarray(array, np.float32).tobytes())
        return h.hexdigest()[:16]

    def limited_to(self, first: int, last: int) -> Head | None:
        """The head in blocks first..last alone, both included; None when it steers none of these."""
        if (first, last) not in self._limited:
            blocks = {index: block for index, block in self.blocks.items() if first <= index <= last}
            self._limited[first, last] = replace(self, blocks=blocks) if blocks else None
        return self._limited[first, last]

    @cached_property
    def _limited(self) -> dict[tuple[int, int], Head | None]:
        """By range: a range that is used again needs no new head and no new digest."""
        return {}

    def renamed(self, name: str) -> Head:
        """The same head under another name."""
        return replace(self, info=replace(self.info, name=name))
