"""AxBench: `<Method>_weight.pt` [concepts, d] and `<Method>_bias.pt`, named by `metadata.jsonl` beside them.

Its steering adds factor * max_act * weight[concept]; the bias serves detection alone (axbench/models).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.atomic_write import write_atomic
from engine.decoding import from_json, json_lines, refusing, shaped
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
from engine.heads.formats.pickles import read_tensor, write_tensor
from engine.heads.head import Head

_WEIGHT, _BIAS, _METADATA = "_weight.pt", "_bias.pt", "metadata.jsonl"
_LARGEST = 64 << 20  # bytes, of the metadata
_LONGEST_LINE = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class ConceptRow:
    """What is read of a line of metadata.jsonl."""

    concept_id: int
    concept: str


def _matches_name(path: Path) -> bool:
    return path.name.endswith((_WEIGHT, _BIAS))


def _read(path: Path, model: ModelProvider, options: ImportOptions) -> ImportedHead:
    stem = path.name.removesuffix(_WEIGHT).removesuffix(_BIAS)
    weights = read_tensor(path.with_name(stem + _WEIGHT))
    if weights.ndim != 2 or not len(weights):
        refuse(
            path,
            f"Its weights have the shape {list(weights.shape)}, not [concepts, width].",
            "Check the file.",
        )
    concept = options.concept if options.concept is not None or len(weights) > 1 else 0
    if concept is None or not 0 <= concept < len(weights):
        why = f"It holds {len(weights)} concepts" + ("." if concept is None else f", and no {concept}.")
        refuse_without_option(path, why, f"Name one with --concept 0 to {len(weights) - 1}.")
    if options.block is None:
        refuse_without_option(path, "It does not say which block it steers.", "Name it with --block.")
    losses = ["Strength 1 is factor * max_act = 1; the largest activations are not in the file."]
    bias = path.with_name(stem + _BIAS)
    if bias.is_file():
        losses.append("Its bias, which AxBench uses to detect and not to steer, was left out.")
    name = _concepts(path.with_name(_METADATA)).get(concept, f"{stem} {concept}")
    vectors = {options.block: weights[concept]}
    return constant_head(path, vectors, model, options, losses, origin=f"axbench {stem}", name=name)


def _concepts(path: Path) -> dict[int, str]:
    """The concepts' words by their number; none where there is no such file."""
    if not path.exists():
        return {}
    what, remedy = f"{path.name} was not read", "Download the file again, or move it away."
    with refusing(HeadError, what, remedy):
        rows = [
            shaped(from_json(line), ConceptRow, f"Line {number}")
            for number, line in json_lines(path, _LARGEST, _LONGEST_LINE)
        ]
    return {row.concept_id: row.concept for row in rows}


def _write(head: Head, path: Path, options: ImportOptions) -> Losses:
    if not path.name.endswith(_WEIGHT):
        refuse(path, "AxBench knows its files by name.", f"Name it <Method>{_WEIGHT}.")
    constant = constant_vectors(head)
    if len(constant.vectors) > 1:
        refuse_without_option(
            path, f"The head steers {len(constant.vectors)} blocks, the format one.", "Name it with --block."
        )
    metadata = path.with_name(_METADATA)
    if metadata.exists():
        refuse(path, f"There is a {_METADATA} of other concepts beside it.", "Choose an empty folder.")
    [(block, vector)] = constant.vectors.items()
    write_tensor(path, vector[None])
    write_tensor(path.with_name(path.name.removesuffix(_WEIGHT) + _BIAS), np.zeros(1, np.float32))
    row = {"concept_id": 0, "concept": head.info.name, "ref": "", "concept_genres_map": {}}
    write_atomic(metadata, (json.dumps(row, ensure_ascii=False) + "\n").encode(), "metadata", HeadError)
    return [*constant.losses, f"The format has no place for the block, which is {block}."]


FORMAT = Format(
    "axbench", "weights of AxBench, one row per concept", _matches_name, _matches_name, _read, _write
)
