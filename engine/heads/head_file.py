"""Head files, `*.head.safetensors`: written whole or not at all, checked when read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from engine import atomic_write
from engine.atomic_write import write_atomic
from engine.decoding import from_json, refusing, safetensors_header
from engine.errors import HeadError
from engine.heads.head import Head
from engine.heads.head_codec import DAMAGED, decode_head, head_arrays, head_metadata, validate_head
from engine.model.identity import ModelIdentity

FORMAT = 1
LARGEST = 512 << 20  # bytes
LONGEST_HEADER = 4 << 20  # bytes


class OtherModelError(HeadError):
    """A head was made for another model of the same shape; `allow_other_model` loads it all the same."""


def save_head(head: Head, path: str | Path) -> None:
    """Writes a head file.

    Raises:
        HeadError: the head is not sound, or the file cannot be written; an older file at `path` is then
            untouched and nothing is left beside it.
    """
    from safetensors.numpy import save

    path = Path(path)
    require_writable(path)
    validate_head(head, f"The head {head.info.name} was not saved")
    header = json.dumps({"format": FORMAT, **head_metadata(head)}, ensure_ascii=False, allow_nan=False)
    write_atomic(path, save(head_arrays(head), metadata={"head": header}), "head", HeadError)


def require_writable(path: Path) -> None:
    """Raises HeadError where `save_head` would: a missing or read-only folder, or `path` no file."""
    atomic_write.require_writable(path, "head", HeadError)


def load_head(
    path: str | Path, model_identity: ModelIdentity | None = None, *, allow_other_model: bool = False
) -> Head:
    """Reads and checks a head file; nothing in it is ever unpickled.

    Args:
        path: the file.
        model_identity: the model that is to be steered; None accepts a head of any model.
        allow_other_model: accepts a head of another model of the same shape.

    Raises:
        OtherModelError: the head is of another model of the same shape.
        HeadError: no such file, damaged, too large, a newer format, not a sound head, or a model of another
            shape.
    """
    path = Path(path)
    what = f"The head file {path.name} was not loaded"
    header, tensors = _read(path, what)
    head = decode_head(header, tensors, what)
    if model_identity is not None:
        _require_model(head, model_identity, allow_other_model, what)
    return head


def _read(path: Path, what: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import safe_open

    with refusing(HeadError, what, DAMAGED, "It is damaged or not a head file."):
        text = safetensors_header(path, LARGEST, LONGEST_HEADER).metadata.get("head")
        if text is None:
            _refuse(what, "It is not a head file.", "Choose a file that this studio saved.")
        facts = from_json(text)
        if not isinstance(facts, dict):
            _refuse(what, "Its header is damaged.", DAMAGED)
        version = facts.get("format")
        if isinstance(version, int) and version > FORMAT:
            _refuse(
                what, f"It has format {version}, and this version reads up to {FORMAT}.", "Update the studio."
            )
        if version != FORMAT:
            _refuse(what, "It names no format.", DAMAGED)
        with safe_open(path, framework="numpy") as file:
            return facts, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def _require_model(head: Head, model: ModelIdentity, allow_other: bool, what: str) -> None:
    made_for = head.info.model
    if model.is_of(made_for):
        return
    if not made_for.same_shape(model):
        _refuse(
            what,
            f"It was made for {made_for.id} ({made_for.blocks} blocks, {made_for.width} wide); "
            f"this model has {model.blocks} blocks and is {model.width} wide.",
            f"Load {made_for.id} first, or distill the prompt for this model.",
        )
    if not allow_other:
        raise OtherModelError(
            what,
            f"It was made for {made_for.id}, another model of the same shape.",
            "Allow it for this model, or distill the prompt again.",
        )


def _refuse(what: str, why: str, remedy: str) -> NoReturn:
    raise HeadError(what, why, remedy) from None
