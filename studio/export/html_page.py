"""The coloured conversation as one HTML file that opens in any browser and fetches nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from studio.export.markdown import sampled_how, told_how
from studio.export.provenance import of_turn
from studio.state.color_scale import ACTIVATION, UNDERLINE, ColorScale
from studio.state.conversation import Answer, Turn, used_heads
from studio.state.heatmap_quantities import strongest
from studio.widgets import theme

_STYLE = """
body { font: 16px/1.7 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  background: %(surface)s; color: %(text)s; }
h2 { font-size: 1rem; margin: 2rem 0 .3rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.lane, .legend, footer { color: %(muted)s; font-size: .85rem; }
.answer { white-space: pre-wrap; overflow-wrap: anywhere; }
.answer span { border-bottom: 0 solid; }
.bar { display: inline-block; width: 6rem; height: .6rem; margin: 0 .4rem; }
"""


def page(turns: Sequence[Turn], scale: ColorScale) -> str:
    """All turns with every token shaded by its coefficient; the numbers are in the tokens' titles.

    The provenance of every turn lies in the file as JSON (id "provenance").
    """
    colours = theme.LIGHT
    style = _STYLE % {"surface": colours.surface, "text": colours.text, "muted": colours.muted}
    facts = json.dumps([of_turn(turn) for turn in turns], ensure_ascii=False).replace("<", "\\u003c")
    body = [_legend(scale)]
    for turn in turns:
        body.append(f"<h2>{escape(turn.question)}</h2>")
        body += [_answer(answer, scale) for answer in turn.answers]
        body.append(f'<p class="lane">{escape(sampled_how(turn))}</p>')
    answers = [answer for turn in turns for answer in turn.answers]
    heads = dict.fromkeys((head.name, head.digest) for answer in answers for head in used_heads(answer))
    told = ", ".join(f"{name} ({digest})" for name, digest in heads) or "none"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>Steered conversation</title><style>{style}</style></head><body>\n"
        + "\n".join(body)
        + f"\n<footer><p>Heads: {escape(told)}</p></footer>\n"
        f'<script type="application/json" id="provenance">{facts}</script>\n</body></html>\n'
    )


def _answer(answer: Answer, scale: ColorScale) -> str:
    lane = f'<p class="lane">{escape(told_how(answer))}</p>'
    if answer.trace is None:
        return f'{lane}<p class="answer">{escape(answer.text)}</p>'
    rows = answer.trace.coefficients
    blocks = abs(rows).argmax(axis=1) if rows.shape[1] else [0] * len(rows)
    values = strongest(rows)
    spans = "".join(
        _token(piece, value, int(block), scale)
        for piece, value, block in zip(answer.trace.pieces, values, blocks, strict=True)
    )
    return f'{lane}<p class="answer">{spans}</p>'


def _token(piece: str, value: float, block: int, scale: ColorScale) -> str:
    weight = scale.weight(value)
    title = f"{value:.2f} at block {block}"
    if weight <= 0.01:
        return f'<span title="{title}">{escape(piece)}</span>'
    colour = theme.LIGHT.positive if value > 0 else theme.LIGHT.negative
    shade = f"{colour}{round(255 * theme.LIGHT.shade * weight):02x}"
    line, thick = theme.LIGHT.text if scale.exceeded_by(value) else colour, scale.underline(value)
    style = (  # the padding keeps all shades equally high
        f"background:{shade};border-bottom-color:{line};border-bottom-width:{thick}px;"
        f"padding-bottom:{UNDERLINE - thick}px"
    )
    return f'<span title="{title}" style="{style}">{escape(piece)}</span>'


def _legend(scale: ColorScale) -> str:
    low, high = scale.levels
    full = f"{round(255 * theme.LIGHT.shade):02x}"
    left = f"{theme.LIGHT.negative}{full}" if scale.signed else "transparent"
    middle = 50 if scale.signed else 0
    bar = f"linear-gradient(to right, {left}, transparent {middle}%, {theme.LIGHT.positive}{full})"
    return (
        f'<p class="legend">applied coefficient {low:g}'
        f'<span class="bar" style="background:{bar}"></span>{high:g}'
        f" {ACTIVATION}, at the block where it is largest; dark underline: beyond the scale</p>"
    )
