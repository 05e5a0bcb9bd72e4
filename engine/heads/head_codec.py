"""A head as named arrays and JSON values, and back; what comes back is checked."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, fields
from typing import Any, NoReturn, get_args

import numpy as np

from engine.decoding import refusing, shaped
from engine.errors import HeadError
from engine.heads.head import BlockHead, Gate, Head, HeadInfo, Positions

DAMAGED = "Download the file again, or distill the prompt again."

_TENSOR = re.compile(r"block\.(\d{1,4})\.([wbz])")
_FARTHEST = 1e6  # the ends of a strength range
_LONGEST_NAME = 1000  # characters
_LENGTH_TOLERANCE = 1e-3  # how far the length of a z row may be from 1


def head_metadata(head: Head) -> dict[str, Any]:
    """Everything but the arrays, as JSON values: gate, rank and the fields of HeadInfo."""
    info = asdict(head.info)
    model = {**info.pop("model"), "fingerprint": head.info.model.fingerprint}
    return _plain({"gate": head.gate, "rank": head.rank, **info, "model": model})


def head_arrays(head: Head) -> dict[str, np.ndarray]:
    """The arrays by name: `block.<l>.w` [r, d], `block.<l>.b` [r], `block.<l>.z` [r, d], float32."""
    return {
        f"block.{index}.{name}": np.ascontiguousarray(getattr(part, name), np.float32)
        for index, part in sorted(head.blocks.items())
        for name in ("w", "b", "z")
    }


def decode_head(facts: dict[str, Any], tensors: dict[str, np.ndarray], what: str) -> Head:
    """The head that `head_metadata` and `head_arrays` took apart.

    Args:
        facts: JSON values.
        tensors: arrays by name.
        what: begins the sentence of an error ("The head file x was not loaded").

    Raises:
        HeadError: something is missing, of the wrong kind, or not a sound head, see `validate_head`.
    """
    parts: dict[int, dict[str, np.ndarray]] = {}
    for name, array in tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None or array.dtype != np.float32:
            _refuse(what, f"It holds {name}, which is no part of a head.", DAMAGED)
        parts.setdefault(int(match[1]), {})[match[2]] = array
    if not parts or any(part.keys() != {"w", "b", "z"} for part in parts.values()):
        _refuse(what, "It lacks some of its arrays.", DAMAGED)
    with refusing(HeadError, what, DAMAGED, "Its header is damaged."):
        if facts.get("gate") not in get_args(Gate) or facts.get("positions") not in get_args(Positions):
            _refuse(what, "Its gate or its positions are unknown.", DAMAGED)
        lacking = {field.name for field in fields(HeadInfo)} - facts.keys()
        if lacking:
            _refuse(what, f"Its header lacks facts: {', '.join(sorted(lacking))}.", DAMAGED)
        info = shaped(facts, HeadInfo, "Its header")
    low, high = info.strength_range
    if not -_FARTHEST <= low <= high <= _FARTHEST:
        _refuse(what, "The ends of its strength range make no range.", DAMAGED)
    names = (info.name, info.method, info.model.id, info.model.architecture, info.model.template)
    if max(map(len, names)) > _LONGEST_NAME:
        _refuse(what, f"One of its names is longer than {_LONGEST_NAME} characters.", DAMAGED)
    blocks = {index: BlockHead(**part) for index, part in sorted(parts.items())}
    head = Head(blocks, facts["gate"], info)
    validate_head(head, what)
    return head


def validate_head(head: Head, what: str) -> None:
    """Checks that a head can be used.

    Args:
        head: the head.
        what: begins the sentence of an error.

    Raises:
        HeadError: shapes that do not agree with each other or with the named model, values that are not
            finite, or directions that are not of unit length.
    """
    if not head.blocks:
        _refuse(what, "It steers no block.", DAMAGED)
    width = head.info.model.width
    rank = next(iter(head.blocks.values())).b.size
    for index, part in head.blocks.items():
        shapes = (part.w.shape, part.b.shape, part.z.shape)
        if rank < 1 or shapes != ((rank, width), (rank,), (rank, width)):
            _refuse(what, f"The arrays of block {index} have the wrong shape.", DAMAGED)
        if not 0 <= index < head.info.model.blocks:
            _refuse(
                what, f"It steers block {index} of a model with {head.info.model.blocks} blocks.", DAMAGED
            )
        if not all(np.isfinite(array).all() for array in (part.w, part.b, part.z)):
            _refuse(what, f"Block {index} holds NaN or infinite values.", DAMAGED)
        with np.errstate(over="ignore"):  # a row too long for float32 is refused like any other
            lengths = np.linalg.norm(part.z, axis=1)
        if np.abs(lengths - 1).max() > _LENGTH_TOLERANCE:
            _refuse(what, f"The directions of block {index} are not of unit length.", DAMAGED)


def _plain(value: Any) -> Any:
    """The value as JSON has it: numpy values become Python's, NaN and infinity become null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _refuse(what: str, why: str, remedy: str) -> NoReturn:
    raise HeadError(what, why, remedy) from None
