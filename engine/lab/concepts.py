"""AxBench's concepts, from its metadata.jsonl as it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import InputError


@dataclass(frozen=True)
class Concept:
    id: int
    text: str


def read_concepts(path: Path) -> list[Concept]:
    """From metadata.jsonl: one object per line with `concept_id` and `concept`. Raises InputError."""
    what = f"The concepts in {path} were not read"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "It is no text"
        raise InputError(what, f"{why}.", "Name AxBench's metadata.jsonl.") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            facts: Any = json.loads(line)
            concept = Concept(int(facts["concept_id"]), str(facts["concept"]).strip())
        except (ValueError, KeyError, TypeError):
            raise InputError(
                what, f"Line {number} lacks concept_id or concept.", "Name AxBench's metadata.jsonl."
            ) from None
        if not concept.text:
            raise InputError(what, f"Line {number} has an empty concept.", "Remove the line.")
        found.append(concept)
    if not found:
        raise InputError(what, "There is no concept in it.", "Name AxBench's metadata.jsonl.")
    return found
