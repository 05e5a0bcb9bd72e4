"""A coloured text broken into lines of one width, every piece at its place, for a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from PySide6.QtCore import QTextBoundaryFinder

# The installed ones draw what the first cannot; none is of coloured bitmaps, which matplotlib does not read.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans Mono CJK SC", "Noto Sans Mono CJK JP", "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC",
    "Noto Sans JP", "Noto Sans KR", "Source Han Sans SC", "Source Han Sans", "WenQuanYi Zen Hei Mono",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAGothic", "IPAexGothic",
    "TakaoGothic", "VL Gothic", "NanumGothic", "UnDotum",
    "Microsoft YaHei", "SimHei", "SimSun", "MS Gothic", "Yu Gothic", "Meiryo", "Malgun Gothic",
    "PingFang SC", "Hiragino Sans", "Hiragino Sans GB", "Heiti SC", "Apple SD Gothic Neo",
    "Arial Unicode MS", "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola", "Unifont",
)  # fmt: skip


@dataclass(frozen=True)
class TokenPart:
    """Text of one token on one line, from `left` to `right`, in widths of a usual letter."""

    token: int
    text: str
    left: float
    right: float


def lines_of(pieces: Sequence[str], columns: int) -> list[list[TokenPart]]:
    """The text of the tokens in lines, broken where sentences may be broken, at new lines in any case; in a
    word only where that alone is wider than a line."""
    text = "".join(pieces)
    tokens = [token for token, piece in enumerate(pieces) for _ in piece]
    begin = len(text) - len(text.lstrip(" "))  # the space of the first word is no indent
    widths = {letter: _width(letter) for letter in set(text)}
    lines: list[list[TokenPart]] = [[]]
    column = 0.0
    for start, stop in _units(text):
        wide = sum(widths[letter] for letter in text[start:stop].rstrip())
        if column and column + wide > columns:
            last = lines[-1][-1]
            if last.token == tokens[start] and last.text.isspace():
                lines[-1].pop()  # the space of a word that begins the next line
            lines.append([])
            column = 0.0
        for at in range(max(start, begin), stop):
            letter, end = text[at], column + widths[text[at]]
            if end > columns and letter.isspace() and letter != "\n":
                continue  # hangs over the end of the line
            if letter == "\n" or end > columns:
                lines.append([])
                column, end = 0.0, widths[letter]
            if letter != "\n":
                _add(lines[-1], tokens[at], letter, column, end)
                column = end
    return lines


def words_of(line: Sequence[TokenPart]) -> Iterator[tuple[str, float]]:
    """What stands between spaces, over the tokens' borders, and where each begins."""
    word, begin, end = "", 0.0, 0.0
    for part in line:
        for letter in part.text:
            if letter.isspace():
                if word:
                    yield word, begin
                word, end = "", end + _width(letter)
            else:
                begin = begin if word else end
                word, end = word + letter, end + _width(letter)
    if word:
        yield word, begin


@cache
def installed() -> list[str]:
    """The families to draw text with, in the order that they are asked for a letter."""
    from matplotlib.font_manager import fontManager

    there = {font.name for font in fontManager.ttflist}
    return ["monospace", *(family for family in _FAMILIES if family in there)]


def size_for(inches: float) -> float:
    """In points, where a usual letter is so wide."""
    return inches * 72 / _advance("0")


def _add(line: list[TokenPart], token: int, letter: str, left: float, right: float) -> None:
    if line and line[-1].token == token:
        last = line.pop()
        line.append(TokenPart(token, last.text + letter, last.left, right))
    else:
        line.append(TokenPart(token, letter, left, right))


def _units(text: str) -> Iterator[tuple[int, int]]:
    """Between which letters a line may be broken (UAX 14): a word with its marks and the spaces after it."""
    place = {0: 0}  # by that of Qt, which counts in units of UTF-16
    units = 0
    for index, letter in enumerate(text, start=1):
        units += 1 + (ord(letter) > 0xFFFF)
        place[units] = index
    finder = QTextBoundaryFinder(QTextBoundaryFinder.BoundaryType.Line, text)
    start = 0
    while (found := finder.toNextBoundary()) != -1:
        yield start, place[found]
        start = place[found]


def _width(letter: str) -> float:
    """In widths of a usual letter."""
    return 1.0 if letter.isspace() else _advance(letter) / _advance("0")


@cache
def _advance(letter: str) -> float:
    """In sizes of the font, of whichever has the letter."""
    return _inked(f"0{letter}0") - _inked("00")


def _inked(text: str) -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=installed(), size=1.0)
    return float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])
