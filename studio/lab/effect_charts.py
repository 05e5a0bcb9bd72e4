"""The Lab page's pictures of what is added per token, by the prompt and by the heads."""

from __future__ import annotations

from collections.abc import Sequence

from studio.lab.chart_data import MIDDLE, Chart, ChartInput, ChartPoint, ChartSeries
from studio.lab.lab_jobs import LabResult
from studio.lab.method_colors import group
from studio.widgets.translation import tr


def effects(seen: ChartInput) -> Chart:
    """How what is added is spread over tokens: grey, the prompt's; bars from the 10th to the 90th percentile
    for the heads at strength 1, in units of the prompt's median at the block."""
    shown = _adding(seen)
    found: list[ChartSeries] = []
    band: tuple[tuple[float, float, float], ...] = ()
    for at, (number, result) in enumerate(shown):
        beside = (at - (len(shown) - 1) / 2) * 0.6 / max(len(shown), 4)
        over = {b: spread.over(result.prompted[b].middle) for b, spread in sorted(result.effects.items())}
        marks = tuple(ChartPoint(b + beside, s[2], result.place, s[0], s[-1]) for b, s in over.items())
        found.append(ChartSeries(number, marks, tr("median"), MIDDLE, filled=True, joined=False, named=True))
        if not band:
            own = {b: spread.over(spread.middle) for b, spread in sorted(result.prompted.items())}
            band = tuple((b, s[0], s[-1]) for b, s in own.items())
    return Chart(
        tr("block"), tr("relative norm"), tuple(found), band=band,
        across=1.0 if found else None, blocks=True,
        caption=tr("Steering added per token, 10th to 90th percentile; 1 = the prompt's median. Grey: "
"the prompt."),
        empty=tr("No method with a head has been measured yet."),
    )  # fmt: skip


def distribution(seen: ChartInput) -> Chart:
    """Over how many tokens which length is added at one block: grey, by the prompt; heads at strength 1."""
    from engine.lab.effect_distribution import ceiling, most_varied_block  # after the first paint

    shown = _adding(seen)
    block = most_varied_block([r for _, r in shown]) if seen.block is None else seen.block
    shown = [(number, r) for number, r in shown if block in r.effects]
    if block is None or not shown:
        return Chart(tr("norm"), tr("share of tokens"), empty=tr("No head was measured at this block."))
    prompted = shown[0][1].prompted[block]
    found = []
    for number, result in shown:
        outline = _outline(prompted.edges, result.effects[block].shares)
        marks = tuple(ChartPoint(x, y, result.place) for x, y in outline)
        found.append(ChartSeries(number, marks, tr("share"), outline=True, named=True))
    return Chart(
        tr("added per token at block {0}, activation units").format(block), tr("share of tokens"),
        tuple(found), band=tuple((x, 0.0, y) for x, y in _outline(prompted.edges, prompted.shares)),
        x_range=(0, prompted.end),
        y_range=(0, ceiling([prompted.shares, *(r.effects[block].shares for _, r in shown)])),
        caption=tr("Grey: the prompt, which varies by token. A flat line at the top is a constant "
"method."),
    )  # fmt: skip


def _adding(seen: ChartInput) -> list[tuple[int, LabResult]]:
    """The methods with a head, each with its number."""
    numbered = enumerate(group(seen.results))
    return [(number, r) for number, (_, own) in numbered for r in own if r.effects and r.prompted]


def _outline(edges: Sequence[float], shares: Sequence[float]) -> list[tuple[float, float]]:
    """The corners of a histogram."""
    return [(x, share) for i, share in enumerate(shares) for x in (edges[i], edges[i + 1])]
