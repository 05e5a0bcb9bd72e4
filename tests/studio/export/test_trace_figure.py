"""The figure's text: broken at words, measured with the fonts that draw it, and soon drawn."""

from __future__ import annotations

import re

import numpy as np
import pytest

from engine.errors import InputError
from engine.generation.trace import Trace
from studio.export import figure_text, trace_figure
from studio.export.figure_text import lines_of, words_of
from studio.state.color_scale import ColorScale
from studio.state.conversation import STEERED, Turn
from studio.state.heatmap_quantities import QUANTITIES
from studio.state.sampling_settings import SamplingSettings
from tests.traces import made_token


def answer_of(*pieces: str, values: tuple[float, ...] = ()):
    answer = Turn("Tell me about bees.", SamplingSettings(), model="pocket@#ff").add(STEERED)
    answer.trace = Trace(1, 2)
    for index, piece in enumerate(pieces):
        row = np.float32([values[index] if values else 2.0, 0.5])
        answer.trace.append(made_token(index, row, row, text=piece))
    answer.text, answer.state = "".join(pieces), "eos"
    return answer


def texts(pieces, columns):
    return ["".join(part.text for part in line) for line in lines_of(pieces, columns)]


def test_lines_are_broken_at_words_whatever_the_tokens_are():
    assert texts([" The", " wo", "men", "ding", " it", " .", " Shi", "ver"], 12) == [
        "The", "womending", "it . Shiver",
    ]  # fmt: skip
    assert texts([" old", " salty", " !", " Aye"], 9) == ["old", "salty !", "Aye"]
    assert texts(["a\n", "\n  b"], 9) == ["a", "", "  b"]
    assert texts(["abcdef", "ghij"], 4) == ["abcd", "efgh", "ij"]
    assert texts(["你好，", "世界。"], 6) == ["你好，", "世界。"]


def test_every_token_has_its_place_in_the_line():
    [line] = lines_of([" wo", "men", " go"], 20)
    assert [(part.token, part.text) for part in line] == [(0, "wo"), (1, "men"), (2, " go")]
    assert [part.left for part in line] == [0, *(part.right for part in line[:-1])]
    assert line[-1].right == pytest.approx(8, abs=0.01)
    assert [word for word, _ in words_of(line)] == ["women", "go"]


def test_letters_of_another_font_are_as_wide_as_they_are_drawn():
    """Those of the usual font are all of one width, which has no such letter; one that is asked next has."""
    assert figure_text.installed()[0] == "monospace" and "DejaVu Sans" in figure_text.installed()
    [line] = lines_of(["x", "😀", "x"], 20)
    wide = line[1].right - line[1].left
    assert wide > 1.2 and line[2].left == line[1].right


def test_a_word_is_one_text_of_the_picture():
    drawn = trace_figure.figure(answer_of(" wo", "men", "ding", " nets"), ".svg", ColorScale(4.0)).decode()
    assert {"womending", "nets"} <= set(re.findall(r">([^<]*)</text>", drawn))


def test_the_figure_underlines_as_the_window_does(monkeypatch):
    from matplotlib.collections import PolyCollection

    made = []
    whole = PolyCollection.__init__

    def look(self, shapes, *args, **more):
        made.append(shapes)
        whole(self, shapes, *args, **more)

    monkeypatch.setattr(PolyCollection, "__init__", look)
    scale = ColorScale(4.0)
    answer = answer_of("a", "b", "c", values=(0.9, 2.0, 4.0))
    trace_figure.figure(answer, ".svg", scale)
    rules = [shape[2][1] - shape[0][1] for shape in made[1]]
    thin = rules[0] / scale.underline(0.9)
    assert rules == pytest.approx([thin * scale.underline(value) for value in (0.9, 2.0, 4.0)])
    assert len(set(np.round(rules, 6))) == 3


def test_a_text_that_no_sheet_holds_is_refused_with_a_way_out():
    with pytest.raises(InputError) as refused:
        trace_figure.figure(answer_of(*["word\n"] * 200), ".png", ColorScale(4.0))
    assert "201 lines" in refused.value.why and "HTML" in refused.value.remedy
    assert trace_figure.heatmap(answer_of(*["word\n"] * 200), ".png", ColorScale(4.0))


def test_the_legend_stays_inside_the_picture():
    from matplotlib.figure import Figure

    made = []
    whole = Figure.savefig

    def look(figure, *args, **more):
        whole(figure, *args, **more)
        made.extend((axes.get_tightbbox(), figure.bbox) for axes in figure.axes)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Figure, "savefig", look)
        for quantity in QUANTITIES:
            trace_figure.heatmap(answer_of(" a", " b"), ".png", ColorScale(0.0025, signed=True), quantity)
    for box, sheet in made:
        assert sheet.x0 <= box.x0 and box.x1 <= sheet.x1 and sheet.y0 <= box.y0 and box.y1 <= sheet.y1
