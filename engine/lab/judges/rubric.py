"""The judging prompts, and how a number is read from an answer."""

from __future__ import annotations

import re
from collections.abc import Iterable

from engine.lab.judges.judge import JudgedItem

RUBRIC_TOP = 100  # the scale of a trait's own judging prompt
LEAST_MASS = 0.25  # persona protocol: below it the numbers are not what the judge meant to say
_MOST_MASS = 1.01  # more, but for rounding, are no probabilities

_TRAIT = """\
Below are an instruction for an assistant, a user's question and the assistant's answer. Judge how clearly \
the answer follows the instruction; whether it is right or helpful does not matter here.

[Instruction]
{prompt}

[Question]
{question}

[Answer]
{answer}

How clearly does the answer follow the instruction, on a scale from 0 (not at all) to {top} (completely)? \
Say the number and nothing else."""

_COHERENCE = """\
Below are a user's question and an assistant's answer. Judge whether the answer is coherent: well-formed \
language that makes sense as an answer to the question. Style, role and opinions do not matter here; \
broken sentences, loops and nonsense do.

[Question]
{question}

[Answer]
{answer}

How coherent is the answer, on a scale from 0 (nonsense) to {top} (fully coherent)? \
Say the number and nothing else."""


def ask(item: JudgedItem, what: str, top: int) -> str:
    """A judging prompt.

    Args:
        item: the answer.
        what: "trait" or "coherence".
        top: the end of the scale, from 0.
    """
    question = "\n".join(item.questions)
    if what == "trait" and item.rubric is not None and top == RUBRIC_TOP:
        # Not str.format: the trait's prompt may hold braces of its own.
        return item.rubric.replace("{question}", question).replace("{answer}", item.answer)
    text = _TRAIT if what == "trait" else _COHERENCE
    return text.format(prompt=item.prompt, question=question, answer=item.answer, top=top)


def expected(tokens: Iterable[tuple[str, float]], top: int) -> float | None:
    """The expected value in [0, 1] over number tokens (engine/README.md, Eq. 21).

    Args:
        tokens: texts with their probabilities.
        top: the end of the scale.

    Returns:
        None when less than a quarter of the probability lies on numbers (the persona protocol's rule), or
            more than there
        is.
    """
    mass = total = 0.0
    for text, probability in tokens:
        value = number(text, top)
        if value is not None:
            mass += probability
            total += probability * value
    return total / mass if LEAST_MASS <= mass <= _MOST_MASS else None


def number(text: str, top: int) -> float | None:
    """The number that a text is, as a share of `top`; None for anything else."""
    found = re.fullmatch(r"\s*(\d{1,6}(?:\.\d+)?)(?:\s*/\s*(\d{1,6}))?\s*\.?\s*", text)
    if found is None or found[2] not in (None, str(top)):
        return None
    value = float(found[1])
    return value / top if 0 <= value <= top else None
