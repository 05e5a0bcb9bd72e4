"""Heatmap and figure of one answer, fit for a paper: SVG, PDF or PNG."""

from __future__ import annotations

import io
from textwrap import wrap
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.lab.figure_style import metadata_of
from studio.export.figure_text import TokenPart, installed, lines_of, size_for, words_of
from studio.export.provenance import in_words, of_answer
from studio.state.color_scale import ColorScale
from studio.state.conversation import Answer, ColumnSource
from studio.state.heatmap_quantities import QUANTITIES, Quantity, beyond, strongest
from studio.widgets import theme
from studio.widgets.color_map import table
from studio.widgets.translation import tr

FORMATS = (".svg", ".pdf", ".png")
_COLUMNS = 84  # usual letters in a line of the figure's text
_CAPTION = 130  # letters in a line of the caption
_MOST = 150  # lines of text: as high as the largest sheet of paper
_WIDTH = 7.0  # inches, as all below
_EDGE = 0.1
_LINE = 0.19  # per line of text
_MAP = 1.9  # the heatmap's height
_BELOW = 0.42  # its numbers and its label
_LEFT, _RIGHT = 0.45, 1.25  # beside it; on the right is its legend
_RULE = 0.03  # lines of text: a pixel of the underline
_SMALL = 0.12  # per line of the caption
_LABEL = 30  # letters of the legend's label beside each other
LOOK: Any = {
    "font.size": 8,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,  # TrueType: journals take no Type 3
    "svg.hashsalt": "studio",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def heatmap(
    answer: Answer,
    suffix: str,
    scale: ColorScale,
    quantity: Quantity = QUANTITIES[0],
    source: ColumnSource | None = None,
) -> bytes:
    """Blocks by tokens with its legend and caption. scale: that of the quantity's unit; source: the column
    that the answer stands in, where it does."""
    return _picture(answer, suffix, scale, quantity, source, [])


def figure(answer: Answer, suffix: str, scale: ColorScale, source: ColumnSource | None = None) -> bytes:
    """The coloured text above its heatmap, with legend and a caption that says where it comes from. Raises
    InputError for a text that is too long for a picture."""
    lines = lines_of(answer.trace.pieces, _COLUMNS)
    if len(lines) > _MOST:
        why = tr("Its text has {0} lines, but a figure holds at most {1}.").format(len(lines), _MOST)
        remedy = tr("Export the conversation as HTML, or only the heatmap.")
        raise InputError(tr("The answer is too long for a figure"), why, remedy)
    return _picture(answer, suffix, scale, QUANTITIES[0], source, lines)


def _picture(
    answer: Answer,
    suffix: str,
    scale: ColorScale,
    quantity: Quantity,
    source: ColumnSource | None,
    lines: list[list[TokenPart]],
) -> bytes:
    """Every part has its place in inches: to find it by the sizes of all texts takes longer than to draw."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    caption = wrap(in_words(answer, source), _CAPTION)
    foot = len(caption) * _SMALL + 2 * _EDGE
    top = foot + _BELOW + _MAP + _EDGE
    height = top + len(lines) * _LINE + (_EDGE if lines else 0.0)
    with rc_context({**LOOK, "font.family": ["DejaVu Sans", *installed()]}):
        made = Figure(figsize=(_WIDTH, height))

        def place(left: float, bottom: float, width: float, high: float) -> Any:
            return made.add_axes((left / _WIDTH, bottom / height, width / _WIDTH, high / height))

        if lines:
            text = place(_EDGE, top, _WIDTH - 2 * _EDGE, len(lines) * _LINE)
            _draw_text(text, answer, lines, scale)
        below = place(_LEFT, foot + _BELOW, _WIDTH - _LEFT - _RIGHT, _MAP)
        legend = place(_WIDTH - _RIGHT + _EDGE, foot + _BELOW, 0.12, _MAP)
        _draw_heatmap(below, legend, answer, scale, quantity)
        made.text(
            0.5, _EDGE / height, "\n".join(caption), ha="center", va="bottom", fontsize=6.5,
            color=theme.LIGHT.muted, parse_math=False,
        )  # fmt: skip
        data = io.BytesIO()
        facts = metadata_of(of_answer(answer, source), suffix)
        made.savefig(data, format=suffix[1:], dpi=220, metadata=facts)
        return data.getvalue()


def _draw_heatmap(axes: Any, legend: Any, answer: Answer, scale: ColorScale, quantity: Quantity) -> None:
    from matplotlib.colors import ListedColormap

    rows = quantity.rows(answer.trace, 0)
    colours = ListedColormap(table(theme.current(), scale.signed) / 255).with_extremes(
        under=theme.LIGHT.below, over=theme.LIGHT.above
    )
    low, high = scale.levels
    count, blocks = rows.shape
    image = axes.imshow(
        rows.T, aspect="auto", origin="lower", interpolation="nearest", cmap=colours, vmin=low, vmax=high,
        extent=(-0.5, count - 0.5, -0.5, blocks - 0.5), rasterized=count > 400,
    )  # fmt: skip
    axes.set_xlabel("token")
    axes.set_ylabel("block")
    axes.yaxis.get_major_locator().set_params(integer=True)
    ends = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}
    below, above = beyond(scale, rows)
    words = "\n".join([*wrap(quantity.words, _LABEL), f"({quantity.unit})"])
    axes.figure.colorbar(image, cax=legend, label=words, extend=ends[bool(below), bool(above)])


def _draw_text(axes: Any, answer: Answer, lines: list[list[TokenPart]], scale: ColorScale) -> None:
    """Every token on a background as strong as its coefficient, with a line as thick; a word is drawn at
    once, whatever tokens it is of: each at its own place, so that a viewer with other letters moves none
    far."""
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.font_manager import FontProperties

    axes.set_xlim(0, _COLUMNS)
    axes.set_ylim(len(lines), 0)
    axes.axis("off")
    values = strongest(answer.trace.coefficients)
    boxes, colours, rules, hues, marks = [], [], [], [], []
    font = FontProperties(family=installed(), size=size_for((_WIDTH - 2 * _EDGE) / _COLUMNS))
    for row, line in enumerate(lines):
        for part in line:
            value, (left, right) = values[part.token], (part.left, part.right)
            weight = scale.weight(value)
            if weight > 0.01:
                top, bottom = row + 0.06, row + 0.94
                boxes.append([(left, top), (right, top), (right, bottom), (left, bottom)])
                hue = theme.LIGHT.positive if value > 0 else theme.LIGHT.negative
                colours.append((hue, theme.LIGHT.shade * weight))
                over = bottom - scale.underline(value) * _RULE
                rules.append([(left, over), (right, over), (right, bottom), (left, bottom)])
                hues.append(hue)
                if scale.exceeded_by(value):
                    marks.append([(left, row + 0.92), (right, row + 0.92)])
        for word, left in words_of(line):
            axes.text(left, row + 0.7, word, font=font, parse_math=False)
    for shapes, filled in ((boxes, colours), (rules, hues)):
        axes.add_collection(PolyCollection(shapes, facecolors=filled, linewidths=0), autolim=False)
    dark: Any = {"colors": theme.LIGHT.text, "linewidths": 0.8, "capstyle": "butt"}
    axes.add_collection(LineCollection(marks, **dark), autolim=False)


def has_values(answer: Answer | None) -> bool:
    """Whether there is anything to draw."""
    return answer is not None and bool(np.size(getattr(answer.trace, "coefficients", ())))
