"""IFEval's cases, from its input_data.jsonl as it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.lab.ifeval_rules import KINDS, followed
from engine.lab.json_lines import read_each

_PROBE = "A sentence of a few words."


@dataclass(frozen=True)
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


def _case(facts: Any, number: int) -> Case:
    kinds, arguments = tuple(facts["instruction_id_list"]), tuple(facts["kwargs"])
    if not kinds or len(kinds) != len(arguments):
        raise ValueError("kwargs do not match instruction_id_list")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"there is no instruction {unknown[0]}")
    for kind, given in zip(kinds, arguments, strict=True):
        followed(kind, given, _PROBE)  # wrong arguments fail now, not after an hour
    prompt = str(facts["prompt"]).strip()
    question, instruction = facts.get("prompt_without_instruction"), facts.get("instruction")
    if not question or not instruction:
        first, _, rest = prompt.partition(". ") if "? " not in prompt else prompt.partition("? ")
        if not rest.strip():
            raise ValueError("its instruction cannot be told from its question")
        question, instruction = first + prompt[len(first)], rest.strip()
    return Case(int(facts.get("key", number)), str(instruction), str(question), kinds, arguments)
