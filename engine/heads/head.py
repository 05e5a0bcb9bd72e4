"""The one head type: per block w, b, z and a gate; every method yields one of these."""

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
    """One block's share: h <- h + strength * sum_k g(h . w_k + b_k) z_k.

    w [r, d], b [r], z [r, d] with unit rows; float32 arrays on the CPU.
    """

    w: np.ndarray
    b: np.ndarray
    z: np.ndarray

    @property
    def rank(self) -> int:
        return self.w.shape[0]

    @property
    def width(self) -> int:
        return self.w.shape[1]

    def canonical(self) -> BlockHead:
        """The same function with unit z rows; w and b take the old lengths.

        Holds for both gates, each being positively homogeneous (engine/README.md, section 2).
        A zero row stays zero and never fires.
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
    """The facts of a head's origin, stored with it."""

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
        """Where the prompt stood when the head was distilled; heads of before had it as a system message."""
        return "before" if self.recipe.get("place") == "before" else "system"


@dataclass(frozen=True, eq=False)
class Head:
    """A steering head: block index -> BlockHead, one gate kind for all of them."""

    blocks: dict[int, BlockHead]
    gate: Gate
    info: HeadInfo

    @property
    def rank(self) -> int:
        return next(iter(self.blocks.values())).rank

    @cached_property
    def digest(self) -> str:
        """A hash of the numbers alone, by which mixes and caches tell heads apart.

        The same head under another name, read again or cut again to the same blocks has the same digest.
        """
        h = hashlib.sha256(self.gate.encode())
        for block in sorted(self.blocks):
            part = self.blocks[block]
            h.update(block.to_bytes(4, "little"))
            for array in (part.w, part.b, part.z):
                h.update(np.ascontiguousarray(array, np.float32).tobytes())
        return h.hexdigest()[:16]

    def limited_to(self, first: int, last: int) -> Head | None:
        """The head in blocks first..last alone, both included; None when it steers none of these."""
        if (first, last) not in self._limited:
            kept = {block: part for block, part in self.blocks.items() if first <= block <= last}
            self._limited[first, last] = replace(self, blocks=kept) if kept else None
        return self._limited[first, last]

    @cached_property
    def _limited(self) -> dict[tuple[int, int], Head | None]:
        """By range: each is cut, and its digest computed, once."""
        return {}

    def renamed(self, name: str) -> Head:
        return replace(self, info=replace(self.info, name=name))
