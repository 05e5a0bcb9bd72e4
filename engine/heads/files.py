"""Head files: `*.head.safetensors`, written whole or not at all, believed only after every check."""

from __future__ import annotations

import json
import math
import os
import re
import tempfile
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, NoReturn, get_args

import numpy as np

from engine.errors import HeadError
from engine.heads.head import BlockHead, Gate, Head, HeadInfo, Positions
from engine.model.identity import ModelIdentity

FORMAT = 1
LARGEST = 512 << 20  # bytes

_TENSOR = re.compile(r"block\.(\d{1,4})\.([wbz])")
_UNIT = 1e-3  # how far the length of a z row may be from 1
_DAMAGED = "Fetch the file again, or distill the prompt again."


class OtherModelError(HeadError):
    """The head fits the model's shape but was made for another; load it with allow_other_model if wanted."""


def save_head(head: Head, path: str | Path) -> None:
    """Writes the head beside `path`, makes it durable, then renames it into place.

    Raises HeadError when the head is unsound or the file cannot be written; then an older file at `path`
    is untouched and nothing is left beside it.
    """
    from safetensors.numpy import save

    path = Path(path)
    require_writable(path)
    _require_sound(head, f"The head {head.info.name} was not saved")
    tensors = {
        f"block.{index}.{name}": np.ascontiguousarray(getattr(part, name), np.float32)
        for index, part in sorted(head.blocks.items())
        for name in ("w", "b", "z")
    }
    data = save(tensors, metadata={"head": json.dumps(_header(head), ensure_ascii=False, allow_nan=False)})
    temporary = None
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                Path(temporary).unlink(missing_ok=True)
        raise HeadError(
            f"The head was not saved as {path}",
            f"{error.strerror or error}.",
            "Choose a folder that exists, can be written to and has room.",
        ) from None


def require_writable(path: Path) -> None:
    """Raises HeadError where a head could not be saved: no such folder, or what is there is no file."""
    what = f"The head cannot be saved as {path}"
    if not path.parent.is_dir():
        raise HeadError(what, f"The folder {path.parent} does not exist.", "Create it, or choose another.")
    if path.exists() and not path.is_file():
        raise HeadError(what, "What is there is not a file.", "Choose another name.")
    if not os.access(path.parent, os.W_OK):
        raise HeadError(what, f"The folder {path.parent} is read-only.", "Choose another folder.")


def load_head(
    path: str | Path, model_identity: ModelIdentity | None = None, *, allow_other_model: bool = False
) -> Head:
    """Reads and checks a head file; with `model_identity` also that the head belongs to that model.

    Raises OtherModelError for a head of another model of the same shape unless `allow_other_model`, and
    HeadError for everything else: no such file, damaged, too large, a newer format, wrong shapes, values
    that are no numbers, directions that are not of unit length, a model of another shape. Nothing is ever
    unpickled.
    """
    path = Path(path)
    what = f"The head file {path.name} was not loaded"
    header, tensors = _read(path, what)
    head = _build(header, tensors, what)
    _require_sound(head, what)
    if model_identity is not None:
        _require_model(head, model_identity, allow_other_model, what)
    return head


def _header(head: Head) -> dict[str, Any]:
    info = asdict(head.info)
    model = {**info.pop("model"), "fingerprint": head.info.model.fingerprint}
    return _plain({"format": FORMAT, "gate": head.gate, "rank": head.rank, **info, "model": model})


def _plain(value: Any) -> Any:
    """Values that JSON knows: numpy's own become Python's, and what is no number becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power cut, where the system can open folders."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _read(path: Path, what: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    from safetensors import SafetensorError, safe_open

    try:
        if path.exists() and not path.is_file():
            _refuse(what, "It is not a file.", "Give the path of a head file.")
        size = path.stat().st_size
        if size > LARGEST:
            _refuse(
                what,
                f"It has {size >> 20} MB, and a head has at most {LARGEST >> 20}.",
                "Choose a head file.",
            )
        with safe_open(path, framework="numpy") as file:
            header = (file.metadata() or {}).get("head")
            if header is None:
                _refuse(what, "It is not a head file.", "Choose a file that this studio saved.")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError:
        _refuse(what, "There is no such file.", "Check the path.")
    except OSError as error:
        _refuse(what, f"{error.strerror or error}.", "Choose a file that can be read.")
    except (SafetensorError, TypeError, ValueError):
        _refuse(what, "It is damaged or not a head file.", _DAMAGED)
    try:
        facts = json.loads(header)
    except ValueError:
        _refuse(what, "Its header is damaged.", _DAMAGED)
    if not isinstance(facts, dict):
        _refuse(what, "Its header is damaged.", _DAMAGED)
    version = facts.get("format")
    if isinstance(version, int) and version > FORMAT:
        _refuse(
            what, f"It has format {version}, and this version reads up to {FORMAT}.", "Update the studio."
        )
    if version != FORMAT:
        _refuse(what, "It names no format.", _DAMAGED)
    return facts, tensors


def _build(facts: dict[str, Any], tensors: dict[str, np.ndarray], what: str) -> Head:
    parts: dict[int, dict[str, np.ndarray]] = {}
    for name, array in tensors.items():
        match = _TENSOR.fullmatch(name)
        if match is None or array.dtype != np.float32:
            _refuse(what, f"It holds {name}, which is no part of a head.", _DAMAGED)
        parts.setdefault(int(match[1]), {})[match[2]] = array
    if not parts or any(part.keys() != {"w", "b", "z"} for part in parts.values()):
        _refuse(what, "It lacks some of its arrays.", _DAMAGED)
    if facts.get("gate") not in get_args(Gate) or facts.get("positions") not in get_args(Positions):
        _refuse(what, "Its gate or its positions are unknown.", _DAMAGED)
    try:
        model = {field.name: facts["model"][field.name] for field in fields(ModelIdentity)}
        info = {field.name: facts[field.name] for field in fields(HeadInfo)}
        low, high = (float(end) for end in info["strength_range"])
    except (KeyError, TypeError, ValueError):
        _refuse(what, "Its header lacks facts about its origin.", _DAMAGED)
    texts = [info[key] for key in ("name", "method", "prompt", "created")]
    texts += [model[key] for key in ("id", "architecture", "template")]
    numbers = [model[key] for key in ("width", "blocks", "vocabulary")]
    tables = [info[key] for key in ("recipe", "figures")]
    if not (
        all(isinstance(text, str) for text in texts)
        and all(isinstance(number, int) for number in numbers)
        and all(isinstance(table, dict) for table in tables)
        and isinstance(info["objective"], str | None)
        and isinstance(model["revision"], str | None)
        and math.isfinite(low + high)
    ):
        _refuse(what, "Its header holds facts of the wrong kind.", _DAMAGED)
    blocks = {index: BlockHead(**part) for index, part in sorted(parts.items())}
    origin = {**info, "model": ModelIdentity(**model), "strength_range": (low, high)}
    return Head(blocks, facts["gate"], HeadInfo(**origin))


def _require_sound(head: Head, what: str) -> None:
    """Shapes that agree with each other and with the named model, finite numbers, unit directions."""
    if not head.blocks:
        _refuse(what, "It steers no block.", _DAMAGED)
    width = head.info.model.width
    rank = next(iter(head.blocks.values())).b.size
    for index, part in head.blocks.items():
        shapes = (part.w.shape, part.b.shape, part.z.shape)
        if rank < 1 or shapes != ((rank, width), (rank,), (rank, width)):
            _refuse(what, f"The arrays of block {index} have the wrong shape.", _DAMAGED)
        if not 0 <= index < head.info.model.blocks:
            _refuse(
                what, f"It steers block {index} of a model with {head.info.model.blocks} blocks.", _DAMAGED
            )
        if not all(np.isfinite(array).all() for array in (part.w, part.b, part.z)):
            _refuse(what, f"Block {index} holds values that are no numbers.", _DAMAGED)
        with np.errstate(over="ignore"):  # a row too long for float32 is refused like any other
            lengths = np.linalg.norm(part.z, axis=1)
        if np.abs(lengths - 1).max() > _UNIT:
            _refuse(what, f"The directions of block {index} are not of unit length.", _DAMAGED)


def _require_model(head: Head, model: ModelIdentity, allow_other: bool, what: str) -> None:
    made_for = head.info.model
    if made_for.fingerprint == model.fingerprint:
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
            "Allow it for this model if that is meant, or distill the prompt again.",
        )


def _refuse(what: str, why: str, remedy: str) -> NoReturn:
    raise HeadError(what, why, remedy) from None
