"""IFEval's cases, from its input_data.jsonl as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.decoding import DecodingError, shaped
from engine.lab.ifeval_rules import KINDS, followed
from engine.lab.json_lines import read_each

_PROBE = "A sentence of a few words."


@dataclass(frozen=True, slots=True)
class Case:
    """One line of IFEval.

    Attributes:
        key: its number.
        instruction: the steering prompt.
        question: what is asked without it.
        kinds: the rules to keep.
        facts: the arguments of each rule.
    """

    key: int
    instruction: str
    question: str
    kinds: tuple[str, ...]
    facts: tuple[dict[str, Any], ...]

    def followed(self, answer: str) -> bool:
        """Whether every instruction is followed (IFEval's strict accuracy per prompt)."""
        return all(followed(kind, facts, answer) for kind, facts in zip(self.kinds, self.facts, strict=True))


def read_cases(path: Path) -> list[Case]:
    """Reads input_data.jsonl: `prompt`, `instruction_id_list`, `kwargs`, and if there, `instruction` and
    `prompt_without_instruction`; without those the question is the prompt's first sentence and the
    instruction the rest.

    Args:
        path: the file.

    Raises:
        InputError: for lines that lack something, or an instruction that no rule knows.
    """
    return read_each(path, _case, "instructions", "Name IFEval's input_data.jsonl.")


@dataclass(frozen=True)
class _CaseRow:
    prompt: str
    instruction_id_list: tuple[str, ...]
    kwargs: tuple[dict[str, Any], ...]
    key: int | None = None
    instruction: str | None = None
    prompt_without_instruction: str | None = None


def _case(facts: Any, number: int) -> Case:
    row = shaped(facts, _CaseRow)
    kinds, arguments = row.instruction_id_list, row.kwargs
    if not kinds or len(kinds) != len(arguments):
        raise DecodingError("Its kwargs do not match instruction_id_list.")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise DecodingError(f"There is no instruction {unknown[0]}.")
    for kind, given in zip(kinds, arguments, strict=True):
        followed(kind, given, _PROBE)  # wrong arguments fail now, not after an hour
    prompt = row.prompt.strip()
    question, instruction = row.prompt_without_instruction, row.instruction
    if not question or not instruction:
        first, _, rest = prompt.partition(". ") if "? " not in prompt else prompt.partition("? ")
        if not rest.strip():
            raise DecodingError("Its instruction cannot be told from its question.")
        question, instruction = first + prompt[len(first)], rest.strip()
    return Case(number if row.key is None else row.key, instruction, question, kinds, arguments)
