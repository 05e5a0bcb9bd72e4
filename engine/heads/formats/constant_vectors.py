"""Constant vectors as heads and heads as constant vectors, for the formats that hold such vectors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import HeadError
from engine.heads.formats.format import (
    ImportedHead,
    ImportOptions,
    Losses,
    ModelProvider,
    refuse,
    refuse_without_option,
)
from engine.heads.head import BlockHead, Head, HeadInfo
from engine.model.identity import ModelIdentity

MEAN_COEFFICIENT = "mean_coefficient"
"""Key of HeadInfo.figures: per block index, as text, the mean coefficients [r] at strength 1."""


@dataclass(frozen=True, eq=False)
class ConstantVectors:
    """A head as constant vectors.

    Attributes:
        vectors: what it adds at each block, float32 [d], by block index.
        losses: what of the head they do not hold.
    """

    vectors: dict[int, np.ndarray]
    losses: Losses


def constant_head(
    path: Path,
    vectors: dict[int, np.ndarray],
    model: ModelProvider,
    options: ImportOptions,
    losses: Losses,
    *,
    origin: str,
    name: str = "",
    prompt: str = "",
) -> ImportedHead:
    """A head that adds constant vectors at strength 1: w = 0, b = length, z = direction.

    Args:
        path: the file, for errors and the name.
        vectors: [d] by block index; a zero vector gets no block.
        model: the model that they are for.
        options: `block` keeps one of the blocks.
        losses: what was lost so far.
        origin: name of the format, kept in the recipe.
        name: of the head; by default the file's.
        prompt: the steering prompt, where the file has it.

    Raises:
        HeadError: they do not fit the model, are all zero, or not finite.
    """
    identity = model()
    fitting = {index: _checked(path, index, vector, identity) for index, vector in sorted(vectors.items())}
    moving = {index: vector for index, vector in fitting.items() if np.any(vector)}
    if not moving:
        refuse(path, "All of its vectors are zero.", "Choose another file.")
    parts = {index: _constant(vector) for index, vector in moving.items()}
    info = HeadInfo(
        name=name or path.name.split(".")[0],
        method="s-const" if len(parts) == 1 else "a-const",
        prompt=prompt,
        model=identity,
        recipe={"name": "imported", "from": origin},
    )
    all_losses = [*losses, "It does not say which tokens to steer, so the head steers the answer only."]
    return only_block(path, ImportedHead(Head(parts, "relu", info), all_losses), options.block)


def only_block(path: Path, found: ImportedHead, block: int | None) -> ImportedHead:
    """The head limited to one of its blocks, all of them for None. Raises HeadError without that block."""
    if block is None or list(found.head.blocks) == [block]:
        return found
    if block not in found.head.blocks:
        held = ", ".join(map(str, found.head.blocks))
        refuse_without_option(path, f"It steers no block {block}.", f"Give --block one of {held}.")
    others = len(found.head.blocks) - 1
    head = Head({block: found.head.blocks[block]}, found.head.gate, found.head.info)
    return ImportedHead(head, [*found.losses, f"Only block {block} was kept; {others} others were left out."])


def constant_vectors(head: Head) -> ConstantVectors:
    """What a head adds when its coefficients are constant.

    That is exact for a constant head. A gated head gets the mean coefficients that its distillation measured.

    Raises:
        HeadError: a gated head without them.
    """
    losses = ["Its method, prompt, model and figures are left out."]
    if all(not part.w.any() for part in head.blocks.values()):
        fixed = {
            index: np.maximum(part.b, 0) if head.gate == "relu" else part.b
            for index, part in head.blocks.items()
        }
    else:
        fixed = _means(head)
        losses.insert(0, "It loses its gate: every token gets the mean coefficient of its block.")
    if head.rank > 1:
        losses.append(f"The {head.rank} directions of a block become their sum.")
    if head.info.positions != "response":
        losses.append("That it steers the question too is left out.")
    vectors = {
        index: (fixed[index][:, None] * part.z.astype(np.float64)).sum(0).astype(np.float32)
        for index, part in head.blocks.items()
    }
    return ConstantVectors(vectors, losses)


def _means(head: Head) -> dict[int, np.ndarray]:
    known: Any = head.info.figures.get(MEAN_COEFFICIENT)
    try:
        means = {index: np.array(known[str(index)], np.float64) for index in head.blocks}
    except (KeyError, TypeError, ValueError):
        means = {}
    if not means or not all(
        means[index].shape == part.b.shape and np.isfinite(means[index]).all()
        for index, part in head.blocks.items()
    ):
        raise HeadError(
            f"The head {head.info.name} was not converted",
            "Its coefficient depends on the token, the format holds constants, and its mean is not known.",
            "Distill the prompt again, which measures it, or distill a constant method such as caa.",
        )
    return means


def _checked(path: Path, index: int, vector: np.ndarray, model: ModelIdentity) -> np.ndarray:
    flat = np.ascontiguousarray(vector, np.float32)
    if flat.shape != (model.width,):
        refuse_without_option(
            path,
            f"Its vector of block {index} has the shape {list(flat.shape)} and {model.id} is "
            f"{model.width} wide.",
            "Name its own model with --model.",
        )
    if not 0 <= index < model.blocks:
        refuse_without_option(
            path,
            f"It steers block {index} and {model.id} has {model.blocks} blocks.",
            "Name its own model with --model.",
        )
    if not np.isfinite(flat).all():
        refuse(path, f"Its vector of block {index} holds NaN or infinite values.", "Download it again.")
    return flat


def _constant(vector: np.ndarray) -> BlockHead:
    length = np.linalg.norm(vector.astype(np.float64))
    z = (vector / length).astype(np.float32)
    return BlockHead(np.zeros((1, len(z)), np.float32), np.array([length], np.float32), z[None])
