"""What the Lab page draws: each picture as plain data, from whatever results there are by now."""

from __future__ import annotations

from collections.abc import Sequence

from studio.lab.chart_data import LARGE, MIDDLE, Chart, ChartInput, ChartPoint, ChartSeries, Draw
from studio.lab.effect_charts import distribution, effects
from studio.lab.lab_jobs import ResultPlace, ResultPoint
from studio.lab.method_colors import group
from studio.widgets.translation import tr


def tradeoff(seen: ChartInput) -> Chart:
    """Trait against coherence: every strength tried a small point, every method's figure a large one."""
    found: list[ChartSeries] = []
    for number, (_, own) in enumerate(group(seen.results)):
        reported = tuple(_dot(r.dot, r.trait_ci) for r in own if r.dot)
        tried = tuple(_dot(dot) for r in own for dot in sorted(r.tried, key=lambda d: d.place.strength))
        if tried:
            found.append(ChartSeries(number, tried, tr("trait")))
        size = LARGE if tried or len(reported) == 1 else MIDDLE
        for named, marks in _by_seed(reported):
            found.append(
                ChartSeries(number, marks, tr("trait"), size, filled=True, joined=not tried, named=named)
            )
    target = seen.request.target if seen.request.kind == "match" else None
    return Chart(
        tr("coherence"), tr("trait"), tuple(found),
        up=None if isinstance(target, str) else target, x_range=(0, 1.08), y_range=(0, 1.02),
        caption=tr("Upper right is best: strong trait, coherent text."),
    )  # fmt: skip


def strengths(seen: ChartInput) -> Chart:
    """Trait (whole line) and coherence (dashed) over the strength; matched methods over their own."""
    matching = seen.request.kind == "match"
    found: list[ChartSeries] = []
    for number, (_, own) in enumerate(group(seen.results)):
        dots = [dot for r in own for dot in r.tried] if matching else [r.dot for r in own if r.dot]
        unit = own[0].strength if matching else 1.0
        if not dots or not unit:
            continue
        dots.sort(key=lambda dot: dot.place.strength)
        for name, told, dashed in (("trait", tr("trait"), False), ("coherence", tr("coherence"), True)):
            marks = tuple(ChartPoint(d.place.strength / unit, getattr(d, name), d.place) for d in dots)
            shown = [mark for mark in marks if not matching or mark.x <= 2.05]
            for first, own_line in _by_seed(shown):
                named = first and not dashed
                found.append(
                    ChartSeries(number, own_line, told, filled=not dashed, dashed=dashed, named=named)
                )
    x = tr("strength / matched strength") if matching else tr("strength")
    return Chart(
        x, tr("score"), tuple(found), y_range=(0, 1.04),
        caption=tr("Trait: solid. Coherence: dashed."),
        up=1.0 if matching and found else None, empty=tr("No head was measured at more than one strength."),
    )  # fmt: skip


def blocks(seen: ChartInput) -> Chart:
    """A sweep over blocks: the trait at the strength that is best among those that keep the coherence."""
    from engine.lab.seed_pooling import COHERENT, best_per_block  # after the first paint

    found = []
    best = best_per_block([each.done for each in seen.results if each.done is not None])
    for number, (words, at) in enumerate(best.items()):
        marks = tuple(
            ChartPoint(
                block,
                result.trait.value or 0.0,
                ResultPlace(result.words, result.strength, 1, result.seeds[0]),
                *(result.trait.interval or (None, None)),
            )
            for block, result in at.items()
        )
        found.append(ChartSeries(number, marks, tr("trait"), MIDDLE, filled=True, named=True, words=words))
    return Chart(
        tr("block"), tr("best trait"), tuple(found),
        y_range=(0, 1.04), blocks=True,
        caption=tr("Best strength that keeps coherence at {0}, tuned on the other questions.")
        .format(COHERENT),
        empty=tr("Enter blocks (e.g. 0-5) for single-block methods."),
    )  # fmt: skip


def faithfulness(seen: ChartInput) -> Chart:
    """How far each block is from the prompted states; dashed: another wording of the prompt."""
    found: list[ChartSeries] = []
    reference: dict[int, float] = {}
    for number, (_, own) in enumerate(group(seen.results)):
        for result in own:
            if result.faithfulness:
                marks = tuple(ChartPoint(b, v, result.place) for b, v in sorted(result.faithfulness.items()))
                found.append(ChartSeries(number, marks, tr("distance"), filled=True, named=True))
                reference = reference or dict(result.paraphrase)
    return Chart(
        tr("block"), tr("distance"), tuple(found),
        reference=tuple(sorted(reference.items())), across=1.0 if found else None, blocks=True,
        caption=tr("0 = the prompt itself, 1 = no effect. Dashed: a paraphrase."),
        empty=tr("No method with a head has been measured yet."),
    )  # fmt: skip


PICTURES: dict[str, Draw] = {
    "pareto": tradeoff,
    "strengths": strengths,
    "blocks": blocks,
    "faithfulness": faithfulness,
    "effects": effects,
    "distribution": distribution,
}
OF_KIND = {
    "match": ("pareto", "strengths", "faithfulness", "effects", "distribution"),
    "sweep": ("pareto", "strengths", "blocks"),
}


def _dot(dot: ResultPoint, interval: tuple[float, float] | None = None) -> ChartPoint:
    low, high = interval or (None, None)
    return ChartPoint(dot.coherence, dot.trait, dot.place, low, high)


def _by_seed(marks: Sequence[ChartPoint]) -> list[tuple[bool, tuple[ChartPoint, ...]]]:
    """One line per seed, in order of the strength, and whether it is the first of them."""
    seeds = list(dict.fromkeys(mark.place.seed for mark in marks))
    lines = [[mark for mark in marks if mark.place.seed == seed] for seed in seeds]
    return [(i == 0, tuple(sorted(line, key=lambda m: m.place.strength))) for i, line in enumerate(lines)]
