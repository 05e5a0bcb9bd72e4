"""AxBench's concepts, from its metadata.jsonl as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.decoding import DecodingError, shaped
from engine.heads.formats.axbench import ConceptRow
from engine.lab.json_lines import read_each


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept.

    Attributes:
        id: AxBench's number.
        text: what it is, in words.
    """

    id: int
    text: str


def read_concepts(path: Path) -> list[Concept]:
    """Reads metadata.jsonl: one object per line with `concept_id` and `concept`.

    Args:
        path: the file.

    Raises:
        InputError: for a file that cannot be read, or a line that lacks something.
    """
    return read_each(path, _concept, "concepts", "Name AxBench's metadata.jsonl.")


def _concept(facts: Any, number: int) -> Concept:
    row = shaped(facts, ConceptRow)
    if not row.concept.strip():
        raise DecodingError("Its concept is empty.")
    return Concept(row.concept_id, row.concept.strip())
