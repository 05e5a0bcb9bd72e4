"""Token text broken into lines: appending costs the last line only, whatever the length of the answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import QPointF
from PySide6.QtGui import QFont, QFontMetricsF, QTextLayout, QTextOption


@dataclass(slots=True)
class Span:
    """Token `token` covers UTF-16 units start..stop of its line; a token may go on in the next line."""

    token: int
    start: int
    stop: int


@dataclass(slots=True)
class Line:
    """One visual line; `edges` (pixels, per span) and `layout` are made when the line is first drawn."""

    text: str = ""
    spans: list[Span] = field(default_factory=list)
    layout: QTextLayout | None = None
    edges: list[tuple[float, float]] = field(default_factory=list)


class Flow:
    """Lines of at most `width` pixels in `font`; every line is `line_height` high."""

    def __init__(self, font: QFont, width: float) -> None:
        self.font, self.width = font, max(40.0, width)
        metrics = QFontMetricsF(font)
        self.ascent = metrics.ascent()
        self.line_height = round(metrics.height() + 9)  # room below for the weight line
        self.lines: list[Line] = [Line()]
        self.count = 0
        self._home: list[int] = []  # line on which each token begins

    @property
    def height(self) -> int:
        return self.line_height * len(self.lines)

    def append(self, pieces: list[str]) -> int:
        """Adds one token per piece; returns the first line that changed."""
        changed = len(self.lines) - 1
        for piece in pieces:
            parts = piece.split("\n")
            for number, part in enumerate(parts):
                if number:
                    self._break()
                    self.lines.append(Line())
                line = self.lines[-1]
                start = line.spans[-1].stop if line.spans else 0
                line.text += part
                line.spans.append(Span(self.count, start, start + units(part)))
            self._home.append(len(self.lines))
            self.count += 1
        self._break()
        self._settle(changed)
        return changed

    def _settle(self, changed: int) -> None:
        """Finds the home of every token that begins on line `changed` or later: where its first ink is."""
        inked: set[int] = set()
        for index in range(changed, len(self.lines)):
            line = self.lines[index]
            for span in line.spans:
                if span.token in inked or self._home[span.token] < changed:
                    continue
                self._home[span.token] = index
                if not (span.stop == units(line.text) and line.text[-(span.stop - span.start) :].isspace()):
                    inked.add(span.token)

    def _break(self) -> None:
        """Lays the open line out; what no longer fits becomes new lines, the last of them open."""
        line = self.lines[-1]
        line.layout = None
        layout = QTextLayout(line.text, self.font)
        option = QTextOption()
        option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        layout.setTextOption(option)
        layout.beginLayout()
        cuts = []
        while (row := layout.createLine()).isValid():
            row.setLineWidth(self.width)
            cuts.append((row.textStart(), row.textStart() + row.textLength()))
        layout.endLayout()
        if len(cuts) < 2:
            return
        wide = line.text.encode("utf-16-le")
        made = [Line(wide[2 * a : 2 * b].decode("utf-16-le", "replace")) for a, b in cuts]
        number = 0
        for span in line.spans:
            while number < len(cuts) - 1 and span.start >= cuts[number][1]:
                number += 1
            part = number
            while True:
                a, b = cuts[part]
                made[part].spans.append(Span(span.token, max(span.start, a) - a, min(span.stop, b) - a))
                if span.stop <= b or part == len(cuts) - 1:
                    break
                part += 1
        self.lines[-1:] = made

    def shaped(self, index: int) -> Line:
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
        """The line on which `token` begins."""
        return self._home[token]

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
        if not 0 <= index < len(self.lines) or not self.lines[index].spans:
            return None
        line = self.shaped(index)
        pairs = zip(line.spans, line.edges, strict=True)
        return min(pairs, key=lambda p: max(p[1][0] - x, x - p[1][1], 0.0))[0].token


def units(text: str) -> int:
    """Length in UTF-16 units, which Qt counts in."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2
