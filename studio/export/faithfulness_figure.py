"""How closely a head follows its prompt, block by block, as a chart for a paper: SVG, PDF or PNG."""

from __future__ import annotations

import io
from typing import Any

from engine.lab.figure_style import metadata_of
from studio.export.provenance import program
from studio.export.trace_figure import LOOK
from studio.state.mixer import MixerChannel
from studio.state.progress import Faithfulness
from studio.state.requests import model_key
from studio.widgets import theme

_SIZE = (4.5, 2.8)  # inches


def faithfulness(channel: MixerChannel, found: Faithfulness, suffix: str) -> bytes:
    """The curve of the row's head, and that of a paraphrase where one was measured."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    head, colours = channel.head, theme.LIGHT
    with rc_context(LOOK):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes: Any = figure.subplots()
        axes.axhline(1.0, color=colours.line, linewidth=0.8)
        for curve, look in (
            (found.blocks, {"color": colours.accent, "marker": "o", "label": channel.name}),
            (found.paraphrase or {}, {"color": colours.muted, "linestyle": "--", "label": "paraphrase"}),
        ):
            if curve:
                axes.plot(sorted(curve), [curve[block] for block in sorted(curve)], markersize=3, **look)
        axes.set_xlabel("block")
        axes.set_ylabel("relative RMSE")
        axes.set_title("0: as the prompt, 1: no effect", color=colours.muted, fontsize=7, loc="left")
        axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(frameon=False)
        facts: dict[str, Any] = {
            "program": program(),
            "model": model_key(head.info.model),
            "head": {"name": channel.name, "hash": head.digest, "method": head.info.method},
            "prompt": head.info.prompt,
            "faithfulness": {str(block): value for block, value in found.blocks.items()},
        }
        caption = f"{head.info.model.id}; {channel.name}, {head.info.method} ({head.digest})"
        figure.supxlabel(caption, fontsize=6.5, color=colours.muted)
        data = io.BytesIO()
        figure.savefig(data, format=suffix[1:], dpi=220, metadata=metadata_of(facts, suffix))
        return data.getvalue()
