"""saklas: a fitted manifold as safetensors, `layer_<L>.mean` [d] and `layer_<L>.basis` [R, d], and JSON.

Only what folds to one direction per layer is read (R = 1 and no surface), as saklas's own GGUF export does:
basis times the share that its JSON sidecar names. A manifold cannot be made of a head, so none is written;
saklas reads GGUF.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from engine.decoding import from_json, read_bytes, refusing, shaped
from engine.errors import HeadError
from engine.heads.formats.constant_vectors import constant_head
from engine.heads.formats.format import Format, ImportedHead, ImportOptions, ModelProvider, refuse
from engine.heads.formats.safetensors_file import names_in, read_arrays

_NAME = re.compile(r"layer_(\d{1,4})\.basis")
_SHARES = "mahalanobis_share_per_layer"
_LARGEST = 8 << 20  # bytes, of the JSON


def _matches_name(path: Path) -> bool:
    return False


def _detect(path: Path) -> bool:
    return any(_NAME.fullmatch(name) for name in names_in(path))


def _read(path: Path, model: ModelProvider, options: ImportOptions) -> ImportedHead:
    _, arrays = read_arrays(path)
    bases = {int(match[1]): array for name, array in arrays.items() if (match := _NAME.fullmatch(name))}
    if any(name.endswith(".node_params") for name in arrays) or any(len(b) != 1 for b in bases.values()):
        refuse(path, "It is a surface or a space, not one direction per layer.", "Choose a folded vector.")
    shares = _shares(path, bases)
    losses = ["Its layer means, which serve its probes, were left out."]
    if shares is None:
        losses.append("No metadata was found beside it, so every direction has length 1.")
    else:
        losses.append("The lengths are saklas's shares; at run time it scales them by the model's own.")
    vectors = {
        block: basis[0] * np.float32(1.0 if shares is None else shares[block])
        for block, basis in bases.items()
    }
    return constant_head(path, vectors, model, options, losses, origin="saklas")


def _shares(path: Path, blocks: dict[int, np.ndarray]) -> dict[int, float] | None:
    """How much of the push each layer gets, from the JSON of the same name; None where there is none."""
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    what, why = f"{path.name} was not converted", f"{beside.name} beside it is damaged."
    with refusing(HeadError, what, "Download both files again.", why):
        facts = shaped(from_json(read_bytes(beside, _LARGEST)), dict[str, Any], beside.name)
        shares = shaped(facts.get(_SHARES), dict[str, float] | None, beside.name)  # type: ignore[arg-type]
        return None if shares is None else {block: shares[str(block)] for block in blocks}


FORMAT = Format(
    "saklas", "a vector of saklas, safetensors and JSON (read only)", _matches_name, _detect, _read
)
