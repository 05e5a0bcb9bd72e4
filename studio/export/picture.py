"""Heatmap and figure of one answer, fit for a paper: SVG, PDF or PNG."""

from __future__ import annotations

import io
from textwrap import wrap
from typing import Any

import numpy as np

from engine.lab.drawing import metadata_of
from studio import theme
from studio.answer import strongest
from studio.color_map import table
from studio.export.provenance import in_words, of_answer
from studio.quantities import QUANTITIES, Quantity, beyond
from studio.scale import Scale
from studio.turns import Answer, Source

FORMATS = (".svg", ".pdf", ".png")
_COLUMNS = 84  # characters in a line of the figure's text
_CAPTION = 130  # characters in a line of the caption
_WIDTH = 7.0  # inches
_LINE = 0.19  # inches per line of text
_MAP = 1.9  # inches of the heatmap's height
LOOK: Any = {
    "font.size": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "studio",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def heatmap(
    answer: Answer,
    suffix: str,
    scale: Scale,
    quantity: Quantity = QUANTITIES[0],
    source: Source | None = None,
) -> bytes:
    """Blocks by tokens with its legend and caption. scale: that of the quantity's unit; source: the column
    that the answer stands in, where it does."""
    from matplotlib import rc_context

    with rc_context(LOOK):
        figure, (axes,) = _figure([_MAP + 0.6])
        _draw_heatmap(figure, axes, answer, scale, quantity)
        return _bytes(figure, answer, suffix, source)


def figure(answer: Answer, suffix: str, scale: Scale, source: Source | None = None) -> bytes:
    """The coloured text above its heatmap, with legend and a caption that says where it comes from."""
    from matplotlib import rc_context

    lines = _lines(answer)
    with rc_context(LOOK):
        figure, (text, below) = _figure([max(1, len(lines)) * _LINE, _MAP + 0.6])
        _draw_text(text, answer, lines, scale)
        _draw_heatmap(figure, below, answer, scale, QUANTITIES[0])
        return _bytes(figure, answer, suffix, source)


def _figure(heights: list[float]) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    made = Figure(figsize=(_WIDTH, sum(heights) + 0.3), layout="constrained")
    axes = made.subplots(len(heights), 1, height_ratios=heights, squeeze=False)
    return made, axes[:, 0]


def _draw_heatmap(figure: Any, axes: Any, answer: Answer, scale: Scale, quantity: Quantity) -> None:
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
    figure.colorbar(
        image, ax=axes, label=f"{quantity.words}\n({quantity.unit})", fraction=0.03, pad=0.01,
        extend=ends[bool(below), bool(above)],
    )  # fmt: skip


def _draw_text(axes: Any, answer: Answer, lines: list[list[tuple[int, int, str]]], scale: Scale) -> None:
    """Every token at its column of a fixed-width font, on a background as strong as its coefficient."""
    from matplotlib.patches import Rectangle

    axes.set_xlim(0, _COLUMNS)
    axes.set_ylim(len(lines), 0)
    axes.axis("off")
    values = strongest(answer.trace.coefficients)
    # Six tenths of the size is how wide a letter of a fixed-width font is.
    points = 0.9 * _WIDTH * 72 / _COLUMNS / 0.602
    for row, line in enumerate(lines):
        for token, column, piece in line:
            weight = scale.weight(values[token])
            if weight > 0.01:
                hue = theme.LIGHT.positive if values[token] > 0 else theme.LIGHT.negative
                alpha = theme.LIGHT.shade * weight
                box = Rectangle((column, row + 0.06), len(piece), 0.88, color=hue, alpha=alpha, lw=0)
                axes.add_patch(box)
                if scale.exceeded_by(values[token]):
                    dark = {"color": theme.LIGHT.text, "lw": 0.8, "solid_capstyle": "butt"}
                    axes.plot([column, column + len(piece)], [row + 0.92] * 2, **dark)
        for _, column, piece in line:
            for offset, letter in enumerate(piece):
                if not letter.isspace():
                    axes.text(
                        column + offset + 0.5, row + 0.5, letter, family="monospace", fontsize=points,
                        ha="center", va="center_baseline", parse_math=False,
                    )  # fmt: skip


def _lines(answer: Answer) -> list[list[tuple[int, int, str]]]:
    """(token, column, text) per line, broken at words where there is room, at new lines in any case."""
    lines: list[list[tuple[int, int, str]]] = [[]]
    column = 0
    for token, piece in enumerate(answer.trace.pieces):
        for number, part in enumerate(piece.split("\n")):
            if number or column + len(part.rstrip()) > _COLUMNS:
                lines.append([])
                column = 0
                part = part if number else part.lstrip()
            while part:
                room = _COLUMNS - column
                lines[-1].append((token, column, part[:room]))
                column += len(part[:room])
                part = part[room:]
                if part:
                    lines.append([])
                    column = 0
    return lines


def _bytes(figure: Any, answer: Answer, suffix: str, source: Source | None) -> bytes:
    caption = "\n".join(wrap(in_words(answer, source), _CAPTION))
    figure.supxlabel(caption, fontsize=6.5, color=theme.LIGHT.muted, parse_math=False)
    data = io.BytesIO()
    figure.savefig(data, format=suffix[1:], dpi=220, metadata=metadata_of(of_answer(answer, source), suffix))
    return data.getvalue()


def has_values(answer: Answer | None) -> bool:
    """Whether there is anything to draw."""
    return answer is not None and bool(np.size(getattr(answer.trace, "coefficients", ())))
