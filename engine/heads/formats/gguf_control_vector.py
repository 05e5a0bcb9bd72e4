"""GGUF control vectors: those of repeng, saklas and EasySteer, and those of llama.cpp's own generator.

`general.architecture` is "controlvector", tensors are `direction.<k>` [d]. Every runtime adds direction.k at
the output of block k. repeng, saklas and EasySteer also measured it there; llama.cpp's cvector-generator
names what it measured at block k direction.(k+1). The files differ in one place: its writer stores
`controlvector.layer_count` as int32 (tools/cvector-generator, export_gguf), the others as uint32
(repeng/extract.py, export_gguf). It also numbers them from 1 without a gap.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from engine.atomic_write import write_atomic
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
from engine.model.gguf_file import architecture_of
from engine.model.identity import ModelIdentity

_ARCHITECTURE = "controlvector"
_SHIFT = "steering_studio.shift"  # ours: how far the numbers are above the blocks
_LARGEST = 512 << 20  # bytes


def _detect(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(4) == b"GGUF"


def _matches_name(path: Path) -> bool:
    return path.suffix == ".gguf"


def _read(path: Path, model: ModelProvider, options: ImportOptions) -> ImportedHead:
    facts, tensors = _open(path)
    directions = {
        int(number): array
        for name, array in tensors.items()
        for head, _, number in [name.partition(".")]
        if head == "direction" and number.isdecimal()
    }
    if not directions:
        refuse(path, "It holds no directions.", "Choose a control vector.")
    shift, losses = _shift_of(path, facts, directions, options.shift)
    hint = facts.get(f"{_ARCHITECTURE}.model_hint", ("",))[0]
    if hint:
        losses = [
            *losses,
            f"It was made for a model of the kind {hint}; no file of the format says which one.",
        ]
    name = facts.get("general.name", ("",))[0]
    vectors = {number - shift: array for number, array in directions.items()}
    return constant_head(path, vectors, model, options, losses, origin="gguf", name=str(name))


def _shift_of(
    path: Path, facts: dict[str, tuple[Any, str]], directions: dict[int, Any], given: int | None
) -> tuple[int, Losses]:
    """0 where direction.k is block k, 1 where it is block k - 1. Asks when the file does not tell."""
    if given is not None:
        if given and 0 in directions:
            refuse_without_option(
                path, "It holds direction.0, which is no block's with a shift of 1.", "Give --shift 0."
            )
        return given, []
    if facts.get(_SHIFT, (None,))[0] in (0, 1):
        return int(facts[_SHIFT][0]), []
    kind = facts.get(f"{_ARCHITECTURE}.layer_count", (None, ""))[1]
    if 0 in directions or f"{_ARCHITECTURE}.method" in facts or kind == "UINT32":
        return 0, ["Its numbers were read as block numbers, as repeng writes them."]
    if kind == "INT32" and sorted(directions) == list(range(1, len(directions) + 1)):
        return 1, ["Its numbers were read as block numbers plus one, as llama.cpp writes them."]
    refuse_without_option(
        path,
        "It does not tell whether direction.1 belongs to block 1, as repeng writes it, or to block 0, as "
        "llama.cpp does.",
        "Say which: --shift 0 or --shift 1.",
    )


def _require_vector(path: Path) -> None:
    """Tells a whole model apart before its many tensors are looked at."""
    architecture = architecture_of(path)
    if architecture not in (None, _ARCHITECTURE):
        refuse(path, f"It is a {architecture} model in GGUF, no control vector.", "Load it as a model.")


def _open(path: Path) -> tuple[dict[str, tuple[Any, str]], dict[str, np.ndarray]]:
    """Every field's value and the name of its type, and the tensors; all of it data, none of it code."""
    from gguf import GGMLQuantizationType, GGUFReader

    _require_vector(path)
    if path.stat().st_size > _LARGEST:
        refuse(path, f"It has {path.stat().st_size >> 20} MB, too many for a control vector.", "Choose one.")
    try:
        reader = GGUFReader(path)
        facts = {n: (f.contents(), f.types[-1].name) for n, f in reader.fields.items() if f.types}
        kinds = {tensor.name: tensor.tensor_type for tensor in reader.tensors}
        tensors = {tensor.name: np.array(tensor.data) for tensor in reader.tensors}
    except OSError as error:
        refuse(path, f"{error.strerror or error}.", "Choose a file that can be read.")
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, RecursionError):
        # The package has no errors of its own: these are what it stumbles over.
        refuse(path, "It is damaged or not a GGUF file.", "Download the file again.")
    plain = {GGMLQuantizationType.F32, GGMLQuantizationType.F16}
    if any(kind not in plain for kind in kinds.values()):
        refuse(path, "Its directions are quantised.", "Make them in float32.")
    return facts, tensors


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
