"""The terms of the field, each explained in a sentence for the tooltips of the labels where it stands."""

from __future__ import annotations

import textwrap
from typing import Literal

from studio.widgets.translation import QT_TR_NOOP, shown

WIDTH = 72  # characters of a line: Qt does not wrap a tooltip of plain text

Term = Literal["head", "strength", "coefficient", "block", "nat", "faithfulness", "trait", "coherence"]

TERMS: dict[Term, str] = {
    "head": QT_TR_NOOP(
        "Head: a distilled steering prompt. At each block and token it adds a vector to the activation."
    ),
    "strength": QT_TR_NOOP(
        "Strength: the factor on what a head adds. 1 is as distilled, 0 is off, negative values steer the "
        "opposite way."
    ),
    "coefficient": QT_TR_NOOP(
        "Coefficient: how far an activation was moved along the head's direction, in activation units."
    ),
    "block": QT_TR_NOOP("Block: one layer of the model (attention and MLP). Block 0 is the first."),
    "nat": QT_TR_NOOP(
        "Nat: the unit of KL divergence, which measures how much the next-token probabilities change. "
        "1 nat = 1.44 bits."
    ),
    "faithfulness": QT_TR_NOOP(
        "Faithfulness: how closely the head reproduces the prompt's effect on the activations, as relative "
        "RMSE. 0 = identical to the prompt, 1 = no effect."
    ),
    "trait": QT_TR_NOOP(
        "Trait: how strongly the answers show what the prompt asks for, from 0 to 1, by the judge."
    ),
    "coherence": QT_TR_NOOP("Coherence: how fluent and sensible the answers are, from 0 to 1, by the judge."),
}


def wrapped(text: str) -> str:
    """The text in lines that a tooltip can show; its own line breaks stay."""
    return "\n".join(textwrap.fill(line, WIDTH) for line in text.split("\n"))


def explained(*terms: Term, about: str = "") -> str:
    """`about`, what the control does, and below it the explanation of each term; wrapped."""
    lines = [about] if about else []
    return wrapped("\n".join([*lines, *(shown(TERMS[term]) for term in terms)]))
