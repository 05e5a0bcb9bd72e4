"""What a GGUF file holds, read from its header alone: a model, or one of the things that only look like one.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.decoding import require_file
from engine.errors import ModelError

ENDING = ".gguf"

_MAGIC = b"GGUF"
_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "<B",
    1: "<b",
    2: "<H",
    3: "<h",
    4: "<I",
    5: "<i",
    6: "<f",
    7: "<?",
    10: "<Q",
    11: "<q",
    12: "<d",
}
_ARCHITECTURE = "general.architecture"
_VOCABULARY = "tokenizer.ggml.tokens"
_ALIGNMENT = 32  # bytes, unless the file says otherwise
_MOST_ALIGNMENT = 1 << 20  # bytes
_MOST_DIMENSIONS = 8
_LARGEST = 1 << 42  # bytes


@dataclass(frozen=True)
class GgufModel:
    """A language model in one GGUF file.

    architecture: as llama.cpp calls it, "llama"; name: the file's own for the model, or that of the file;
    quantisation: "Q4_1", or the type of most values; values: how many numbers are stored in each type;
    bytes: the file's size; config: its sizes under the names of a config.json; end_ids: the tokens that it
    names as ends of a text or of a turn.
    """

    path: Path
    architecture: str
    name: str
    quantisation: str
    values: dict[str, int]
    bytes: int
    config: dict[str, Any]
    end_ids: tuple[int, ...]

    @property
    def count(self) -> int:
        """How many numbers its weights are."""
        return sum(self.values.values())


def is_gguf(path: Path) -> bool:
    """Whether a file begins as a GGUF file does."""
    try:
        require_file(path, _LARGEST)
        with path.open("rb") as file:
            return file.read(len(_MAGIC)) == _MAGIC
    except (OSError, ValueError):
        return False


def architecture_of(path: Path) -> str | None:
    """What a GGUF file says it is: "llama", "controlvector"; None for what is damaged or no GGUF."""
    try:
        architecture = gguf_header(path, _ARCHITECTURE).facts.get(_ARCHITECTURE)
    except (OSError, ValueError):
        return None
    return architecture if isinstance(architecture, str) else None


def is_gguf_model(path: Path) -> bool:
    """Whether a file is a GGUF of something else than directions to steer along, which are a head."""
    return is_gguf(path) and architecture_of(path) != "controlvector"


def read_gguf_header(path: Path) -> GgufModel:
    """A model's facts; no tensor is read and torch is not imported.

    Raises ModelError, in one sentence each, for a file that is damaged, one of several parts, a control
    vector, an adapter, the picture part of a model, or that stores its weights in a type without a reader.
    """
    try:
        header = gguf_header(path)
    except OSError as error:
        raise _refused(path, f"{error.strerror or error}.", "Choose a file that can be read.") from None
    except ValueError as error:
        raise _refused(path, f"It is damaged or no GGUF file: {error}.", "Download it again.") from None
    _require_model(path, header)
    return _model(path, header)


class GgufTensor(NamedTuple):
    """A tensor as the header has it. offset: bytes from the start of the data."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def values(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


class GgufHeader(NamedTuple):
    """facts: arrays of strings as their lengths, others as numpy's; kinds: the format's number of the type of
    each fact; data: where the tensors begin; size: of the file, in bytes."""

    facts: dict[str, Any]
    kinds: dict[str, int]
    tensors: list[GgufTensor]
    data: int
    size: int


def _require_model(path: Path, header: GgufHeader) -> None:
    facts = header.facts
    kind, architecture = facts.get("general.type"), facts.get(_ARCHITECTURE)
    parts = facts.get("split.count")
    if architecture == "controlvector":
        raise _refused(path, "It is a control vector, not a model.", "Load it as a head.")
    if kind == "adapter":
        raise _refused(path, "It is a LoRA adapter, not a model.", "Choose the model that it was made for.")
    if kind == "mmproj" or architecture == "clip":
        raise _refused(
            path, "It is the picture part of a model (mmproj).", "Choose the GGUF file of its text part."
        )
    if kind == "imatrix" or architecture == "imatrix":
        raise _refused(path, "It is an importance matrix, not a model.", "Choose the model's own file.")
    if isinstance(parts, int) and parts > 1:
        number = facts.get("split.no")
        which = f"part {number + 1} of {parts}" if isinstance(number, int) else f"one of {parts} parts"
        raise _refused(
            path,
            f"It is {which} of a split model.",
            "Join the parts with `llama-gguf-split --merge` and choose the joined file.",
        )
    if not isinstance(architecture, str):
        raise _refused(
            path, "It does not name its architecture.", "Choose the GGUF file of a language model."
        )
    for key in (f"{architecture}.block_count", f"{architecture}.embedding_length", _VOCABULARY):
        if not isinstance(facts.get(key), int):
            raise _refused(path, f"It lacks {key}.", "Choose the GGUF file of a language model.")


def _model(path: Path, header: GgufHeader) -> GgufModel:
    import gguf

    facts, architecture = header.facts, header.facts[_ARCHITECTURE]
    values: dict[str, int] = {}
    end = header.data
    for tensor in header.tensors:
        try:
            kind = gguf.GGMLQuantizationType(tensor.kind)
        except ValueError:
            raise _refused(
                path,
                f"Its {tensor.name} is stored in the type {tensor.kind}, unknown to the package gguf.",
                "Update that package, or choose another quantisation of the same model.",
            ) from None
        length, size = gguf.GGML_QUANT_SIZES[kind]
        end = max(end, header.data + tensor.offset + tensor.values // length * size)
        values[kind.name] = values.get(kind.name, 0) + tensor.values
    if end > header.size:
        raise _refused(
            path, f"It is cut short: {header.size:,} of {end:,} bytes are there.", "Download it again."
        )

    def fact(key: str) -> Any:
        value = facts.get(f"{architecture}.{key}")
        if isinstance(value, np.ndarray):  # one number per block
            value = value.max().item() if value.size else None
        return value if type(value) is int else None

    sizes = {
        "model_type": architecture,
        "hidden_size": fact("embedding_length"),
        "num_hidden_layers": fact("block_count"),
        "num_attention_heads": fact("attention.head_count"),
        "num_key_value_heads": fact("attention.head_count_kv"),
        "head_dim": fact("attention.key_length"),
        "max_position_embeddings": fact("context_length"),
        "vocab_size": facts[_VOCABULARY],
    }
    name = facts.get("general.name")
    ends = (facts.get(f"tokenizer.ggml.{kind}_token_id") for kind in ("eos", "eot", "eom"))
    return GgufModel(
        path=path,
        architecture=architecture,
        name=name if isinstance(name, str) and name else path.stem,
        quantisation=_quantisation(facts.get("general.file_type"), values),
        values=values,
        bytes=header.size,
        config={key: value for key, value in sizes.items() if value is not None},
        end_ids=tuple(dict.fromkeys(end for end in ends if isinstance(end, int))),
    )


def _quantisation(file_type: Any, values: dict[str, int]) -> str:
    import gguf

    try:
        if type(file_type) is not int:
            raise ValueError
        return gguf.LlamaFileType(file_type).name.removeprefix("ALL_").removeprefix("MOSTLY_")
    except ValueError:
        return max(values, key=lambda kind: values[kind], default="unknown")


def gguf_header(path: Path, until: str = "") -> GgufHeader:
    """The header of any GGUF file, or the facts up to that of the name `until`.

    Raises OSError, and ValueError for what is no GGUF or a damaged one.
    """
    require_file(path, _LARGEST)
    if not is_gguf(path):
        raise ValueError("it does not begin as one")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            return _parse(data, until)
        except (struct.error, IndexError, OverflowError, MemoryError, UnicodeDecodeError):
            raise ValueError("its header does not make sense") from None


def _parse(data: mmap.mmap, until: str) -> GgufHeader:
    version, tensors, count = struct.unpack_from("<IQQ", data, len(_MAGIC))
    if version not in (2, 3):
        old = "its version is 1" if version == 1 else "its numbers are in another order of bytes"
        raise ValueError(old if version == 1 or version & 0xFFFF == 0 else f"its version is {version}")
    reader = _Reader(data, struct.calcsize("<IQQ") + len(_MAGIC))
    if 12 * count + 24 * tensors > len(data):  # the least bytes that a fact and a tensor take
        raise ValueError("it says that it holds more than the file does")
    facts: dict[str, Any] = {}
    kinds: dict[str, int] = {}
    for _ in range(count):
        key = reader.text()
        kinds[key] = reader.number("<I")
        facts[key] = reader.value(kinds[key])
        if key == until:
            return GgufHeader(facts, kinds, [], 0, len(data))
    found = []
    for _ in range(tensors):
        name, dimensions = reader.text(), reader.number("<I")
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError(f"one of its tensors has {dimensions} dimensions")
        shape = tuple(reader.number("<Q") for _ in range(dimensions))
        found.append(GgufTensor(name, shape, reader.number("<I"), reader.number("<Q")))
    alignment = facts.get("general.alignment", _ALIGNMENT)
    if type(alignment) is not int or not 1 <= alignment <= _MOST_ALIGNMENT:
        raise ValueError("its alignment is no number")
    return GgufHeader(facts, kinds, found, -(-reader.at // alignment) * alignment, len(data))


class _Reader:
    """Values one after another, each from where the last one ended."""

    def __init__(self, data: mmap.mmap, at: int) -> None:
        self._data, self.at = data, at

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self._data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self) -> str:
        length = self.number("<Q")
        start, self.at = self.at, self.at + length
        if self.at > len(self._data):
            raise IndexError(length)
        return self._data[start : self.at].decode()

    def value(self, kind: int) -> Any:
        """A value of this type; an array of strings, a vocabulary say, as its length."""
        if kind in _SCALARS:
            return self.number(_SCALARS[kind])
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            raise ValueError(f"it holds a value of the type {kind}")
        items, count = self.number("<I"), self.number("<Q")
        if items in _SCALARS:
            numbers = np.dtype(_SCALARS[items])
            if self.at + count * numbers.itemsize > len(self._data):
                raise IndexError(count)
            values = np.frombuffer(self._data, numbers, count, self.at).copy()
            self.at += values.nbytes
            return values
        if items != _STRING:
            raise ValueError(f"it holds an array of the type {items}")
        unpack, at = struct.Struct("<Q").unpack_from, self.at
        for _ in range(count):
            at += 8 + unpack(self._data, at)[0]
        self.at = at
        return count


def _refused(path: Path, why: str, remedy: str) -> ModelError:
    return ModelError(f"The file {path} was not loaded", why, remedy)
