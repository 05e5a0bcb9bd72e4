"""IFEval: are verifiable instructions followed, when a head stands for them instead of the prompt?"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.distill import distill
from engine.errors import EngineError, InputError, LabError
from engine.events import Cancel, Emit, Meter, ignore
from engine.lab.answers import Asked, Speaker, mean
from engine.lab.arms import parse_arms
from engine.lab.bootstrap import interval
from engine.lab.instructions import KINDS, followed
from engine.lab.judges import Judge


@dataclass(frozen=True)
class Case:
    """One line of IFEval. instruction: the steering prompt; question: what is asked without it."""

    key: int
    instruction: str
    question: str
    kinds: tuple[str, ...]
    facts: tuple[dict[str, Any], ...]

    def followed(self, answer: str) -> bool:
        """Whether every instruction is followed (IFEval's strict accuracy per prompt)."""
        return all(followed(kind, facts, answer) for kind, facts in zip(self.kinds, self.facts, strict=True))


@dataclass(frozen=True)
class IfRow:
    """One method over all cases. accuracy: the share of answers that follow all their instructions."""

    method: str
    strength: float | None
    accuracy: float
    accuracy_ci: tuple[float, float] | None
    coherence: float | None
    n: int
    missing: int
    failures: tuple[str, ...]


def read_cases(path: Path) -> list[Case]:
    """From IFEval's input_data.jsonl: `prompt`, `instruction_id_list`, `kwargs`; and where the instruction is
    kept apart, `instruction` and `prompt_without_instruction`.

    Without those the question is the prompt's first sentence and the instruction the rest of it.
    Raises InputError for lines that lack something, or an instruction that no rule knows.
    """
    what = f"The instructions in {path} were not read"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "It is no text"
        raise InputError(what, f"{why}.", "Name IFEval's input_data.jsonl.") from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_case(json.loads(line), number))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = (
                f"Line {number} cannot be used: {error}." if str(error) else f"Line {number} cannot be used."
            )
            raise InputError(what, why, "Name IFEval's input_data.jsonl.") from None
    if not found:
        raise InputError(what, "There is no instruction in it.", "Name IFEval's input_data.jsonl.")
    return found


def _case(facts: Any, number: int) -> Case:
    kinds, arguments = tuple(facts["instruction_id_list"]), tuple(facts["kwargs"])
    if not kinds or len(kinds) != len(arguments):
        raise ValueError("kwargs do not match instruction_id_list")
    unknown = [kind for kind in kinds if kind not in KINDS]
    if unknown:
        raise ValueError(f"there is no instruction {unknown[0]}")
    prompt = str(facts["prompt"]).strip()
    question, instruction = facts.get("prompt_without_instruction"), facts.get("instruction")
    if not question or not instruction:
        first, _, rest = prompt.partition(". ") if "? " not in prompt else prompt.partition("? ")
        if not rest.strip():
            raise ValueError("its instruction cannot be told from its question")
        question, instruction = first + prompt[len(first)], rest.strip()
    return Case(int(facts.get("key", number)), str(instruction), str(question), kinds, arguments)


def ifeval(
    speaker: Speaker,
    judge: Judge,
    cases: Sequence[Case],
    methods: str,
    *,
    strength: float = 1.0,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> list[IfRow]:
    """Accuracy by rule and coherence by the judge, per method; a head per distinct instruction.

    Emits Progress and each IfRow. Instructions that a method could not be distilled for count as not
    followed and are named in its failures.
    """
    cancel = Cancel() if cancel is None else cancel
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.instruction, []).append(case)
    names = [arm.name for arm in parse_arms(methods, cases[0].instruction)]
    meter = Meter(emit, "instructions", len(groups) * len(names))
    found = []
    for name in names:
        right: list[float] = []
        coherences: list[float] = []
        failures: list[str] = []
        for instruction, group in groups.items():
            try:
                kept, coherent = _asked(speaker, judge, name, instruction, group, strength, cancel)
            except LabError:
                raise
            except EngineError as error:
                failures.append(f"{instruction}: {error}")
                kept, coherent = [0.0] * len(group), [np.nan] * len(group)
            right += kept
            coherences += coherent
            meter.step()
        steered = parse_arms(name, cases[0].instruction)[0].request is not None
        values = np.array(coherences)
        row = IfRow(
            name, strength if steered else None, float(np.mean(right)), interval(np.array(right)[:, None]),
            mean(values), len(right), int(np.isnan(values).sum()), tuple(failures),
        )  # fmt: skip
        found.append(row)
        emit(row)
    return found


def _asked(
    speaker: Speaker,
    judge: Judge,
    name: str,
    instruction: str,
    group: Sequence[Case],
    strength: float,
    cancel: Cancel,
) -> tuple[list[float], list[float]]:
    [arm] = parse_arms(name, instruction)
    heads = []
    if arm.request is not None:
        heads = [(distill(speaker.model, arm.request, cancel=cancel).head, strength)]
    asked = [Asked(case.question, case.key) for case in group]
    texts = speaker.answers(asked, instruction if arm.prompted else None, heads, cancel)
    items = [each.item(instruction, text) for each, text in zip(asked, texts, strict=True)]
    scores = judge.judge(items, cancel)
    kept = [float(case.followed(text)) for case, text in zip(group, texts, strict=True)]
    return kept, [np.nan if score.coherence is None else score.coherence for score in scores]
