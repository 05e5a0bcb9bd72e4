"""GGUF control vectors: those of repeng, saklas and EasySteer, and those of llama.cpp's own generator.

`general.architecture` is "controlvector", tensors are `direction.<k>` [d]. Every runtime adds direction.k at
the output of block k. repeng, saklas and EasySteer also measured it there; llama.cpp's cvector-generator
names what it measured at block k direction.(k+1). The files differ in one place: its writer stores
`controlvector.layer_count` as int32 (tools/cvector-generator, export_gguf), the others as uint32
(repeng/extract.py, export_gguf). It also numbers them from 1 without a gap.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from engine.atomic_write import write_atomic
from engine.decoding import refusing, require_file
from engine.errors import HeadError
from engine.heads.formats.constant_vectors import constant_head, constant_vectors
from engine.heads.formats.format import (
    Format,
    ImportedHead,
    ImportOptions,
    Losses,
    ModelProvider,
    refuse,
    refuse_without_option,
)
from engine.heads.head import Head
from engine.model.gguf_file import GgufHeader, GgufTensor, architecture_of, gguf_header, is_gguf
from engine.model.identity import ModelIdentity

_ARCHITECTURE = "controlvector"
_NUMBER = re.compile(r"\d{1,4}", re.ASCII)
_SHIFT = "steering_studio.shift"  # ours: how far the numbers are above the blocks
_LARGEST = 512 << 20  # bytes
_PLAIN = {0: "<f4", 1: "<f2"}
_UINT32, _INT32 = 4, 5


def _detect(path: Path) -> bool:
    return is_gguf(path)


def _matches_name(path: Path) -> bool:
    return path.suffix == ".gguf"


def _read(path: Path, model: ModelProvider, options: ImportOptions) -> ImportedHead:
    header, tensors = _open(path)
    directions = {
        int(number): array
        for name, array in tensors.items()
        for head, _, number in [name.partition(".")]
        if head == "direction" and _NUMBER.fullmatch(number)
    }
    if not directions:
        refuse(path, "It holds no directions.", "Choose a control vector.")
    shift, losses = _shift_of(path, header, directions, options.shift)
    hint = header.facts.get(f"{_ARCHITECTURE}.model_hint")
    if isinstance(hint, str) and hint:
        losses = [
            *losses,
            f"It was made for a model of the kind {hint}; no file of the format says which one.",
        ]
    name = header.facts.get("general.name")
    vectors = {number - shift: array for number, array in directions.items()}
    return constant_head(
        path, vectors, model, options, losses, origin="gguf", name=name if isinstance(name, str) else ""
    )


def _shift_of(
    path: Path, header: GgufHeader, directions: dict[int, np.ndarray], given: int | None
) -> tuple[int, Losses]:
    """0 where direction.k is block k, 1 where it is block k - 1. Asks when the file does not tell."""
    if given is not None:
        if given and 0 in directions:
            refuse_without_option(
                path, "It holds direction.0, which is no block's with a shift of 1.", "Give --shift 0."
            )
        return given, []
    known = header.facts.get(_SHIFT)
    if type(known) is int and known in (0, 1):
        return known, []
    kind = header.kinds.get(f"{_ARCHITECTURE}.layer_count")
    if 0 in directions or f"{_ARCHITECTURE}.method" in header.facts or kind == _UINT32:
        return 0, ["Its numbers were read as block numbers, as repeng writes them."]
    if kind == _INT32 and sorted(directions) == list(range(1, len(directions) + 1)):
        return 1, ["Its numbers were read as block numbers plus one, as llama.cpp writes them."]
    refuse_without_option(
        path,
        "It does not tell whether direction.1 belongs to block 1, as repeng writes it, or to block 0, as "
        "llama.cpp does.",
        "Say which: --shift 0 or --shift 1.",
    )


def _open(path: Path) -> tuple[GgufHeader, dict[str, np.ndarray]]:
    """The header and the tensors as float32; all of it data, none of it code."""
    what, remedy = f"{path.name} was not converted", "Download the file again."
    with refusing(HeadError, what, remedy, "It is damaged or not a GGUF file."):
        architecture = architecture_of(path)
        if architecture not in (None, _ARCHITECTURE):
            refuse(path, f"It is a {architecture} model in GGUF, no control vector.", "Load it as a model.")
        require_file(path, _LARGEST)
        header = gguf_header(path)
        if any(tensor.kind not in _PLAIN for tensor in header.tensors):
            refuse(path, "Its directions are quantised.", "Make them in float32.")
        with path.open("rb") as file:
            return header, {tensor.name: _numbers(file, header, tensor) for tensor in header.tensors}


def _numbers(file: BinaryIO, header: GgufHeader, tensor: GgufTensor) -> np.ndarray:
    """A tensor's numbers; the file has its sides in the reverse of numpy's order."""
    kind = np.dtype(_PLAIN[tensor.kind])
    begin, length = header.data + tensor.offset, tensor.values * kind.itemsize
    if begin + length > header.size:
        raise ValueError("cut short")
    file.seek(begin)
    return np.frombuffer(file.read(length), kind).reshape(tensor.shape[::-1]).astype(np.float32)


def _write(head: Head, path: Path, options: ImportOptions) -> Losses:
    import gguf

    constant = constant_vectors(head)
    vectors, losses = dict(constant.vectors), list(constant.losses)
    shift = options.shift or 0
    if options.shift is None and vectors.pop(0, None) is not None:
        if not vectors:
            refuse_without_option(
                path, "It steers block 0 alone, and llama.cpp refuses direction.0.", "Give --shift 0."
            )
        losses.append("Block 0 was left out, because llama.cpp refuses direction.0.")
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.gguf"
        writer = gguf.GGUFWriter(draft, _ARCHITECTURE)
        writer.add_name(head.info.name)
        writer.add_string(f"{_ARCHITECTURE}.model_hint", _hint(head.info.model))
        writer.add_uint32(f"{_ARCHITECTURE}.layer_count", len(vectors))
        writer.add_uint32(_SHIFT, shift)
        for block, vector in vectors.items():
            writer.add_tensor(f"direction.{block + shift}", vector)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        if not _holds(draft, {f"direction.{block + shift}": vector for block, vector in vectors.items()}):
            raise HeadError(
                f"The control vector was not saved as {path}",
                f"Its draft did not fit into {tempfile.gettempdir()}.",
                "Free some space there, or set TMPDIR to another folder.",
            )
        write_atomic(path, draft.read_bytes(), "control vector", HeadError)
    return losses


def _holds(draft: Path, expected: dict[str, np.ndarray]) -> bool:
    """Whether all was written: numpy, by which the package writes, says nothing of a full disk."""
    try:
        _, tensors = _open(draft)
    except HeadError:
        return False
    return all(np.array_equal(tensors[name], array) for name, array in expected.items())


def _hint(model: ModelIdentity) -> str:
    """The family's name as llama.cpp and repeng write it: "LlamaForCausalLM" is "llama"."""
    return model.architecture.removesuffix("LMHeadModel").split("For")[0].lower()


FORMAT = Format(
    "gguf", "a control vector of repeng, llama.cpp or EasySteer", _matches_name, _detect, _read, _write
)
