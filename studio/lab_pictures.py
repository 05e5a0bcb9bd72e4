"""What the Lab page draws: each picture as plain data, from whatever results there are by now."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QCoreApplication

from studio.lab_series import group
from studio.lab_work import Dot, LabRequest, Place, Result

COHERENT = 0.8  # what a strength must keep to count in a block sweep
SMALL, MIDDLE, LARGE = 7, 10, 13  # pixels


@dataclass(frozen=True)
class Mark:
    """A point; a click on it opens the answers at `place`. low, high: the ends of a bar through it."""

    x: float
    y: float
    place: Place
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Series:
    """Points of one method (`number` gives its colour), joined by a line or not. told: what y is."""

    number: int
    marks: tuple[Mark, ...]
    told: str
    size: int = SMALL
    filled: bool = False
    joined: bool = True
    dashed: bool = False
    named: bool = False  # its number stands beside one of its points
    words: str = ""  # instead of the number


@dataclass(frozen=True)
class Picture:
    """x, y: what the axes say; reference: a grey dashed line; band: x, lower and upper end of a grey area;
    across, up: single horizontal and vertical lines; blocks: x counts blocks; caption: what is to be seen;
    empty: what to say instead while there is nothing."""

    x: str
    y: str
    series: tuple[Series, ...] = ()
    reference: tuple[tuple[float, float], ...] = ()
    band: tuple[tuple[float, float, float], ...] = ()
    across: float | None = None
    up: float | None = None
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    blocks: bool = False
    caption: str = ""
    empty: str = ""


Draw = Callable[[LabRequest, Sequence[Result]], Picture]


def _tr(text: str) -> str:
    return QCoreApplication.translate("LabPictures", text)


def tradeoff(request: LabRequest, results: Sequence[Result]) -> Picture:
    """Trait against coherence: every strength tried a small point, every method's figure a large one."""
    found: list[Series] = []
    for number, (_, own) in enumerate(group(results)):
        reported = tuple(_dot(r.dot, r.trait_ci) for r in own if r.dot)
        tried = tuple(_dot(dot) for r in own for dot in sorted(r.tried, key=lambda d: d.place.strength))
        if tried:
            found.append(Series(number, tried, _tr("trait")))
        size = LARGE if tried or len(reported) == 1 else MIDDLE
        ordered = tuple(sorted(reported, key=lambda mark: mark.place.strength))
        found.append(Series(number, ordered, _tr("trait"), size, filled=True, joined=not tried, named=True))
    target = request.target if request.kind == "match" and not isinstance(request.target, str) else None
    return Picture(
        _tr("coherence"), _tr("trait"), tuple(found), up=target, x_range=(0, 1.08), y_range=(0, 1.02),
        caption=_tr("Upper right is best: the trait shown, the language whole."),
    )  # fmt: skip


def strengths(request: LabRequest, results: Sequence[Result]) -> Picture:
    """Trait (whole line) and coherence (dashed) over the strength; matched methods over their own."""
    matching = request.kind == "match"
    found: list[Series] = []
    for number, (_, own) in enumerate(group(results)):
        dots = [dot for r in own for dot in r.tried] if matching else [r.dot for r in own if r.dot]
        unit = own[0].strength if matching else 1.0
        if not dots or not unit:
            continue
        dots.sort(key=lambda dot: dot.place.strength)
        for name, dashed in (("trait", False), ("coherence", True)):
            marks = tuple(Mark(d.place.strength / unit, getattr(d, name), d.place) for d in dots)
            shown = tuple(mark for mark in marks if not matching or mark.x <= 2.05)
            found.append(Series(number, shown, _tr(name), filled=not dashed, dashed=dashed, named=not dashed))
    x = _tr("strength / matched strength") if matching else _tr("strength")
    return Picture(
        x, _tr("share"), tuple(found), y_range=(0, 1.04),
        caption=_tr("Trait: whole lines. Coherence: dashed."),
        up=1.0 if matching and found else None, empty=_tr("No head was measured at several strengths."),
    )  # fmt: skip


def blocks(request: LabRequest, results: Sequence[Result]) -> Picture:
    """A sweep over blocks: the greatest trait among the strengths that keep the coherence."""
    best: dict[str, dict[int, Dot]] = {}
    for result in results:
        block = re.search(r":block(\d+)", result.place.words)
        if block is None or result.dot is None or result.dot.coherence < COHERENT:
            continue
        at = best.setdefault(result.place.words.replace(block[0], ""), {})
        known = at.get(int(block[1]))
        if known is None or known.trait < result.dot.trait:
            at[int(block[1])] = result.dot
    found = []
    for number, (words, at) in enumerate(best.items()):
        marks = tuple(Mark(block, dot.trait, dot.place) for block, dot in sorted(at.items()))
        found.append(Series(number, marks, _tr("trait"), MIDDLE, filled=True, named=True, words=words))
    return Picture(
        _tr("block"), _tr("best trait"), tuple(found),
        y_range=(0, 1.04), blocks=True,
        caption=_tr("The greatest trait among strengths that keep a coherence of {0}.").format(COHERENT),
        empty=_tr("Name blocks, as in 0-5, for a method of one block."),
    )  # fmt: skip


def faithfulness(request: LabRequest, results: Sequence[Result]) -> Picture:
    """How far each block is from the prompted states; dashed: another wording of the prompt."""
    found: list[Series] = []
    reference: dict[int, float] = {}
    for number, (_, own) in enumerate(group(results)):
        for result in own:
            if result.faithfulness:
                marks = tuple(Mark(b, v, result.place) for b, v in sorted(result.faithfulness.items()))
                found.append(Series(number, marks, _tr("distance"), filled=True, named=True))
                reference = reference or dict(result.paraphrase)
    return Picture(
        _tr("block"), _tr("distance"), tuple(found),
        reference=tuple(sorted(reference.items())), across=1.0 if found else None, blocks=True,
        caption=_tr("0 is the prompt itself, 1 doing nothing. Dashed: another wording of the prompt."),
        empty=_tr("No method with a head was measured yet."),
    )  # fmt: skip


def effects(request: LabRequest, results: Sequence[Result]) -> Picture:
    """How what is added is spread over tokens: grey, the prompt's; bars from the 10th to the 90th percentile
    for the heads at strength 1, in units of the prompt's median at the block."""
    shown = [
        (number, r) for number, (_, own) in enumerate(group(results)) for r in own if r.effects and r.prompted
    ]
    found: list[Series] = []
    band: tuple[tuple[float, float, float], ...] = ()
    for at, (number, result) in enumerate(shown):
        middles = {block: max(spread[2], 1e-9) for block, spread in result.prompted.items()}
        beside = (at - (len(shown) - 1) / 2) * 0.6 / max(len(shown), 4)
        marks = tuple(
            Mark(b + beside, s[2] / middles[b], result.place, s[0] / middles[b], s[-1] / middles[b])
            for b, s in sorted(result.effects.items())
        )
        found.append(Series(number, marks, _tr("median"), MIDDLE, filled=True, joined=False, named=True))
        if not band:
            band = tuple(
                (b, s[0] / middles[b], s[-1] / middles[b]) for b, s in sorted(result.prompted.items())
            )
    return Picture(
        _tr("block"), _tr("relative length"), tuple(found), band=band,
        across=1.0 if found else None, blocks=True,
        caption=_tr("Added per token, 10th to 90th percentile; 1 is the prompt's median. Grey: the prompt."),
        empty=_tr("No method with a head was measured yet."),
    )  # fmt: skip


PICTURES: dict[str, Draw] = {
    "pareto": tradeoff,
    "strengths": strengths,
    "blocks": blocks,
    "faithfulness": faithfulness,
    "effects": effects,
}
OF_KIND = {
    "match": ("pareto", "strengths", "faithfulness", "effects"),
    "sweep": ("pareto", "strengths", "blocks"),
}


def _dot(dot: Dot, interval: tuple[float, float] | None = None) -> Mark:
    low, high = interval or (None, None)
    return Mark(dot.coherence, dot.trait, dot.place, low, high)
