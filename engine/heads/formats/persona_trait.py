"""A trait file of persona_vectors: instructions that elicit a trait, questions, and a judge's prompt."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import InputError

_LARGEST = 8 << 20  # bytes


@dataclass(frozen=True)
class Trait:
    """A trait.

    Attributes:
        name: of the file.
        pairs: instructions that elicit the trait, each with one that suppresses it.
        questions: what is asked.
        judge: the judge's prompt, with {question} and {answer} in it.
    """

    name: str
    pairs: tuple[tuple[str, str], ...]
    questions: tuple[str, ...]
    judge: str


def read_trait(path: str | Path) -> Trait:
    """Reads JSON with `instruction` (a list of {pos, neg}), `questions` and `eval_prompt`, as plain data.

    Raises InputError for anything else.
    """
    path = Path(path)
    try:
        if path.stat().st_size > _LARGEST:
            raise _refused(path, "It is too large.")
        facts: Any = json.loads(path.read_text(encoding="utf-8"))
        pairs = tuple((_text(pair["pos"]), _text(pair["neg"])) for pair in facts["instruction"])
        questions = tuple(_text(question) for question in facts["questions"])
        judge = _text(facts["eval_prompt"])
    except OSError as error:
        raise _refused(path, f"{error.strerror or error}.") from None
    except (ValueError, RecursionError):
        raise _refused(path, "It is not JSON, or holds something other than text.") from None
    except (KeyError, TypeError):
        raise _refused(path, "It lacks instruction pairs, questions or eval_prompt.") from None
    if not pairs or not questions:
        raise _refused(path, "It has no instruction pairs or no questions.")
    if "{question}" not in judge or "{answer}" not in judge:
        raise _refused(path, "Its eval_prompt has no place for {question} and {answer}.")
    return Trait(path.stem, pairs, questions, judge)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value


def _refused(path: Path, why: str) -> InputError:
    return InputError(f"The trait {path.name} was not read", why, "Choose a trait file of persona_vectors.")
