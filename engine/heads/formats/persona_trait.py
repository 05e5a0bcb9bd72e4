"""A trait file of persona_vectors: instructions that elicit a trait, questions, and a judge's prompt."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.decoding import from_json, read_bytes, refusing, shaped
from engine.errors import InputError

_LARGEST = 8 << 20  # bytes
_LONGEST = 100_000  # characters of one text


@dataclass(frozen=True)
class _Pair:
    pos: str
    neg: str


@dataclass(frozen=True)
class _Facts:
    instruction: list[_Pair]
    questions: tuple[str, ...]
    eval_prompt: str


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
    what = f"The trait {path.name} was not read"
    with refusing(InputError, what, "Choose a trait file of persona_vectors."):
        facts = shaped(from_json(read_bytes(path, _LARGEST), _LONGEST), _Facts)
    pairs = tuple((pair.pos, pair.neg) for pair in facts.instruction)
    questions, judge = facts.questions, facts.eval_prompt
    if not all(map(str.strip, (*(text for pair in pairs for text in pair), *questions, judge))):
        raise _refused(path, "One of its texts is empty.")
    if not pairs or not questions:
        raise _refused(path, "It has no instruction pairs or no questions.")
    if "{question}" not in judge or "{answer}" not in judge:
        raise _refused(path, "Its eval_prompt has no place for {question} and {answer}.")
    return Trait(path.stem, pairs, questions, judge)


def _refused(path: Path, why: str) -> InputError:
    return InputError(f"The trait {path.name} was not read", why, "Choose a trait file of persona_vectors.")
