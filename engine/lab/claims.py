"""Which of the paper's claims hold here: verdicts from differences of the same style and seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.lab.bootstrap import interval
from engine.lab.paper import ONCE, PaperResults, faithfulness, grid, select

FAITHFUL = ("a-psr", "a-psr:mse", "a-psr:ll", "s-psr:ll", "s-const:mse", "caa")
# (what is said, the method, what it is above, where, what still counts as "at")
_ABOVE = (
    ("S-PSR is above S-Const", "s-psr:ll", "s-const:mse", "C80", 0.0),
    ("S-PSR is above CAA", "s-psr:ll", "caa", "C80", 0.0),
    ("S-PSR is above ReFT-r1", "s-psr:ll", "reft-r1", "C80", 0.0),
    ("A-Const is above S-Const", "a-const", "s-const:mse", "C80", 0.0),
    ("A-PSR is at or above A-Const (within 0.02)", "a-psr:mse", "a-const", "C80", 0.02),
    ("A-PSR is at or above S-PSR (within 0.02)", "a-psr:mse", "s-psr:ll", "C80", 0.02),
    ("A-PSR is at or above prompting (within 0.02)", "a-psr:mse", "prompt", "Cp", 0.02),
    ("The instant head is as good as the refined one (within 0.02)", "a-psr", "a-psr:mse", "C80", 0.02),
    ("The instant head is as good as the paper's recipe (within 0.02)", "a-psr", ONCE[0], "C80", 0.02),
    ("With the prompt besides, A-PSR is at or above prompting", "a-psr+prompt", "prompt", "Cp", 0.02),
    ("For S-PSR, LL is above MSE", "s-psr:ll", "s-psr:mse", "C80", 0.0),
    ("For A-PSR, MSE is at or above LL (within 0.02)", "a-psr:mse", "a-psr:ll", "C80", 0.02),
    ("A second direction per block does no harm (within 0.02)", "a-psr:rank2", "a-psr", "C80", 0.02),
)


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        claim: in words.
        holds: whether the figures say so, None where they do not decide it.
        told: those figures, in words.
    """

    claim: str
    holds: bool | None
    told: str

    @property
    def verdict(self) -> str:
        """ "holds", "does not hold" or "undecided"."""
        return {True: "holds", False: "does not hold", None: "undecided"}[self.holds]


def claims(measured: PaperResults) -> list[Claim]:
    """The claims that can be decided from what was measured."""
    found = [_uneven(measured)]
    for text, one, other, target, slack in _ABOVE:
        a, b = grid(measured, one, target), grid(measured, other, target)
        if not np.isnan(a - b).all():
            told = f"TA@{target} {mean_of(a)} against {mean_of(b)}, {_apart(a - b)}"
            found.append(Claim(text, verdict(a - b, slack), told))
    found += _nearer(measured)
    few, many = (_variant(measured, f"a-psr:responses{n}") for n in (12, 200))
    told = f"trait {mean_of(few)} with 12 responses, {mean_of(many)} with 200, at strength 1, "
    text = "Twelve responses suffice for an instant head (within 0.03)"
    found.append(Claim(text, verdict(few - many, 0.03), told + _apart(few - many)))
    return found


def verdict(apart: np.ndarray, slack: float = 0.0) -> bool | None:
    """Whether a mean difference is above -slack.

    Args:
        apart: differences, [styles, seeds].
        slack: how far below still counts as equal.

    Returns:
        None where the interval holds -slack, or where there is none.
    """
    between = interval(apart)
    if between is None or between[0] <= -slack <= between[1]:
        return None
    return between[0] > -slack


def mean_of(values: np.ndarray) -> str:
    """The mean with three decimals, "-" without values."""
    return "-" if np.isnan(values).all() else f"{np.nanmean(values):.3f}"


def _apart(values: np.ndarray) -> str:
    between = interval(values)
    told = "one style and seed, no interval" if between is None else f"{between[0]:.2f} to {between[1]:.2f}"
    return f"difference {mean_of(values)}, {told}"


def _uneven(measured: PaperResults) -> Claim:
    """Of the tokens themselves: nothing to draw again."""
    ratios = [np.median(np.array(row["p90"]) / np.maximum(row["p10"], 1e-6)) for row in measured.spread]
    each = ", ".join(f"{row['style']} {ratio:.1f}" for row, ratio in zip(measured.spread, ratios))
    text = "A prompt's effect differs from token to token by more than 3 times"
    return Claim(text, bool(min(ratios) > 3), f"90th / 10th percentile, median block: {each}")


def _nearer(measured: PaperResults) -> list[Claim]:
    """Holds where it does for one block at least, does not where for none."""
    lines = faithfulness(measured, FAITHFUL)
    if "a-psr:mse" not in lines:
        return []
    styles, seeds = measured.plan.styles, range(measured.plan.seeds)
    rows = [
        [next(iter(select(measured.rows, method="a-psr:mse", target="C80", style=s, seed=n))) for n in seeds]
        for s in styles
    ]

    def nearer(block: int) -> bool | None:
        return verdict(np.array([[_lead(row, block) for row in of_style] for of_style in rows]))

    each = [nearer(block) for block in lines["a-psr:mse"]]
    holds = True if True in each else None if None in each else False
    told = ", ".join(
        f"block {b} {value:.2f} ({lines['paraphrase'][b]:.2f})" for b, value in lines["a-psr:mse"].items()
    )
    return [Claim("A-PSR is nearer to the prompt than a paraphrase is, in some blocks", holds, told)]


def _lead(row: Mapping[str, Any], block: int) -> float:
    """By how much the head is nearer than the paraphrase."""
    return float(row["paraphrase"][str(block)] - row["faithfulness"][str(block)])


def _variant(measured: PaperResults, variant: str) -> np.ndarray:
    """[styles, 1]"""
    styles = measured.plan.styles
    return np.array([[select(measured.instant, style=s, variant=variant)[0]["trait"]] for s in styles])
