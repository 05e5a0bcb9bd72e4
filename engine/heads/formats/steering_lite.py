"""steering-lite: safetensors with `layer<L>.<key>` and the method's settings as JSON under `cfg`.

Its additive methods add coeff * v to the output of block L; directional_ablation is
h <- h - (h . v) v + coeff v with unit v, which is our identity gate with w = -z, b = coeff.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.atomic_write import write_atomic
from engine.decoding import from_json, refusing, shaped
from engine.errors import HeadError
from engine.heads.formats.constant_vectors import constant_head, constant_vectors, only_block
from engine.heads.formats.format import Format, ImportedHead, ImportOptions, Losses, ModelProvider, refuse
from engine.heads.formats.safetensors_file import names_in, read_arrays
from engine.heads.head import BlockHead, Head

_NAME = re.compile(r"layer(\d{1,4})\.v")
_ADDITIVE = ("mean_diff", "pca", "random")
_ABLATION = "directional_ablation"
_LONGEST_NAME = 10_000  # characters


@dataclass(frozen=True)
class _Settings:
    method: str
    coeff: float = 1.0
    target: str = "residual"
    target_submodule: str | None = None


def _matches_name(path: Path) -> bool:
    return False  # many kinds of files end in .safetensors


def _detect(path: Path) -> bool:
    return any(re.match(r"layer\d+\.", name) for name in names_in(path))


def _read(path: Path, model: ModelProvider, options: ImportOptions) -> ImportedHead:
    metadata, arrays = read_arrays(path)
    method, coeff = _settings(path, metadata)
    vectors = {int(match[1]): array for name, array in arrays.items() if (match := _NAME.fullmatch(name))}
    if len(vectors) != len(arrays) or not vectors:
        refuse(path, "It holds something else than one vector v per layer.", f"Only {_known()} can be read.")
    if method == _ABLATION:
        unit = {block: vector / max(np.linalg.norm(vector), 1e-30) for block, vector in vectors.items()}
        found = constant_head(path, unit, model, ImportOptions(), [], origin="steering-lite")
        parts = {
            block: BlockHead(-part.z, np.full(1, coeff, np.float32), part.z)
            for block, part in found.head.blocks.items()
        }
        info = replace(found.head.info, method="projection" if coeff else "ablation")
        return only_block(path, ImportedHead(Head(parts, "identity", info), found.losses), options.block)
    if coeff == 0:
        refuse(path, "Its coefficient is 0, so it does nothing.", "Calibrate it first.")
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite then is refused like any other
        scaled = {block: np.float32(coeff) * vector for block, vector in vectors.items()}
    return constant_head(path, scaled, model, options, [], origin=f"steering-lite {method}")


def _settings(path: Path, metadata: dict[str, str]) -> tuple[str, float]:
    what = f"{path.name} was not converted"
    with refusing(HeadError, what, "Download the file again.", "It has no settings of steering-lite (cfg)."):
        facts = shaped(from_json(metadata["cfg"], longest=_LONGEST_NAME), _Settings, "Its cfg")
    method, coeff, target, inside = facts.method, facts.coeff, facts.target, facts.target_submodule
    if method not in (*_ADDITIVE, _ABLATION) or target != "residual" or inside is not None:
        refuse(
            path,
            f"Its method {method} at {inside or target} adds no vector to a block's output.",
            f"Only {_known()} on the residual stream can be read.",
        )
    if abs(coeff) > float(np.finfo(np.float32).max):
        refuse(path, "Its coefficient is too large.", "Download the file again.")
    return method, coeff


def _known() -> str:
    return f"{', '.join(_ADDITIVE)} and {_ABLATION}"


def _write(head: Head, path: Path, options: ImportOptions) -> Losses:
    from safetensors.numpy import save

    target = _ablated_to(head)
    settings: dict[str, Any] = {
        "layers": sorted(head.blocks),
        "target": "residual",
        "target_submodule": None,
        "dtype": "float32",
        "seed": 0,
    }
    if target is not None:
        settings |= {"method": _ABLATION, "coeff": target}
        vectors = {block: part.z[0] for block, part in head.blocks.items()}
        losses: Losses = ["Its name, prompt, model, positions and figures are left out."]
    else:
        constant = constant_vectors(head)
        settings |= {"method": "mean_diff", "coeff": 1.0, "normalize": False, "subtract_corpus_mean": False}
        vectors, losses = constant.vectors, constant.losses
    arrays = {f"layer{block}.v": np.ascontiguousarray(vector) for block, vector in vectors.items()}
    write_atomic(path, save(arrays, metadata={"cfg": json.dumps(settings)}), "vector", HeadError)
    return losses


def _ablated_to(head: Head) -> float | None:
    """The value that the head brings every block's projection on z to, if that is what it does."""
    parts = list(head.blocks.values())
    targets = {float(part.b[0]) for part in parts}
    ablates = head.gate == "identity" and all(
        part.rank == 1 and np.allclose(part.w, -part.z, atol=1e-6) for part in parts
    )
    return targets.pop() if ablates and len(targets) == 1 else None


FORMAT = Format("steering-lite", "safetensors of steering-lite", _matches_name, _detect, _read, _write)
