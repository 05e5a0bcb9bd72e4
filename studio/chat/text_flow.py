"""Token text broken into lines: appending costs the last line only, whatever the length of the answer."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

from PySide6.QtCore import QPointF
from PySide6.QtGui import QFont, QFontMetricsF, QTextLayout, QTextOption

LEAST = 40.0  # pixels; no line is narrower
LONG_LINE = 500  # characters of an open line after which it is broken before more is added


class TextSpan(NamedTuple):
    """Token `token` covers UTF-16 units start..stop of its line; a token may go on in the next line."""

    token: int
    start: int
    stop: int


@dataclass(slots=True)
class TextLine:
    """One visual line: tokens `first`, first + 1, ... end at `stops`, in UTF-16 units.

    Few objects per token, for Python's collector visits all of them while the window waits. `edges` (pixels,
    per span) and `layout` are made when the line is first drawn.
    """

    text: str = ""
    first: int = 0
    stops: list[int] = field(default_factory=list)
    layout: QTextLayout | None = None
    edges: list[tuple[float, float]] = field(default_factory=list)

    @property
    def spans(self) -> list[TextSpan]:
        starts = [0, *self.stops]
        return [TextSpan(self.first + i, starts[i], stop) for i, stop in enumerate(self.stops)]


def line_height(font: QFont) -> int:
    """Of a line of tokens, with room below for the weight line; in pixels."""
    return round(QFontMetricsF(font).height() + 9)


class TextFlow:
    """Lines of at most `width` pixels in `font`; every line is `line_height` high."""

    def __init__(self, font: QFont, width: float) -> None:
        self.font, self.width = font, max(LEAST, width)
        metrics = QFontMetricsF(font)
        self.ascent = metrics.ascent()
        self.line_height = line_height(font)
        self.lines: list[TextLine] = [TextLine()]
        self.count = 0
        self._home: list[int] = []  # line on which each token begins
        self._letter = metrics.averageCharWidth()

    @property
    def height(self) -> int:
        return self.line_height * len(self.lines)

    def append(self, pieces: list[str]) -> int:
        """Adds one token per piece; returns the first line that changed."""
        changed = len(self.lines) - 1
        for piece in pieces:
            for number, part in enumerate(piece.split("\n")):
                if number:
                    self._break()
                    self.lines.append(TextLine(first=self.count))
                elif len(self.lines[-1].text) > LONG_LINE:
                    self._break()
                line = self.lines[-1]
                if not line.stops:
                    line.first = self.count
                line.stops.append((line.stops[-1] if line.stops else 0) + units(part))
                line.text += part
            self._home.append(len(self.lines))
            self.count += 1
        self._break()
        self._settle(changed)
        return changed

    def rest(self, pieces: list[str]) -> int:
        """About how many lines these pieces would add; quick."""
        characters = max(1, int(self.width / self._letter))
        paragraphs = "".join(pieces).split("\n")
        return sum(max(1, math.ceil(len(each) / characters)) for each in paragraphs) - 1

    def _settle(self, changed: int) -> None:
        """Finds the home of every token that begins on line `changed` or later: where its first ink is."""
        inked: set[int] = set()
        for index in range(changed, len(self.lines)):
            line = self.lines[index]
            end = units(line.text)
            for token, start, stop in line.spans:
                if token in inked or self._home[token] < changed:
                    continue
                self._home[token] = index
                if not (stop == end and line.text[-(stop - start) :].isspace()):
                    inked.add(token)

    def _break(self) -> None:
        """Lays the open line out; what no longer fits becomes new lines, the last of them open."""
        line = self.lines[-1]
        line.layout = None
        layout = QTextLayout(line.text, self.font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.beginLayout()
        ends = []
        while (row := layout.createLine()).isValid():
            row.setLineWidth(self.width)
            ends.append(row.textStart() + row.textLength())
        layout.endLayout()
        if len(ends) < 2:
            return
        wide = line.text.encode("utf-16-le")
        made, begin = [], 0
        for end in ends:
            made.append(TextLine(wide[2 * begin : 2 * end].decode("utf-16-le", "replace")))
            begin = end
        _share_out(line, made, ends)
        self.lines[-1:] = made

    def shaped(self, index: int) -> TextLine:
        """Line `index`, ready to draw."""
        line = self.lines[index]
        if line.layout is None:
            layout = QTextLayout(line.text, self.font)
            layout.setCacheEnabled(True)
            layout.beginLayout()
            row = layout.createLine()
            if row.isValid():
                row.setLineWidth(1e6)
                row.setPosition(QPointF(0, 0))
            layout.endLayout()
            line.layout = layout
            edge = (lambda at: row.cursorToX(at)[0]) if row.isValid() else (lambda at: 0.0)  # type: ignore[index]
            line.edges = [(edge(s.start), edge(s.stop)) for s in line.spans]
        return line

    def home(self, token: int) -> int:
        """The line on which `token` begins; the last one for a token that is yet to come."""
        return self._home[token] if token < self.count else len(self.lines) - 1

    def token_at(self, x: float, y: float) -> int | None:
        """The token under a point, or None."""
        index = int(y // self.line_height)
        if not 0 <= index < len(self.lines) or y < 0:
            return None
        line = self.shaped(index)
        for span, (left, right) in zip(line.spans, line.edges, strict=True):
            if left <= x < right:
                return span.token
        return None

    def nearest(self, index: int, x: float) -> int | None:
        """The token of line `index` nearest to x."""
        if not 0 <= index < len(self.lines) or not self.lines[index].stops:
            return None
        line = self.shaped(index)
        pairs = zip(line.spans, line.edges, strict=True)
        return min(pairs, key=lambda p: max(p[1][0] - x, x - p[1][1], 0.0))[0].token


def _share_out(line: TextLine, made: list[TextLine], ends: list[int]) -> None:
    """Gives the tokens of `line` to the lines that it became, which end at `ends` of it."""
    number, begin = 0, 0
    for token, start, stop in line.spans:
        while number < len(ends) - 1 and start >= ends[number]:
            begin = ends[number]
            number += 1
        while True:
            part = made[number]
            if not part.stops:
                part.first = token
            part.stops.append(min(stop, ends[number]) - begin)
            if stop <= ends[number] or number == len(ends) - 1:
                break
            begin = ends[number]
            number += 1


def units(text: str) -> int:
    """Length in UTF-16 units, which Qt counts in."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
