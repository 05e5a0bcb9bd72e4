from __future__ import annotations

from PySide6.QtGui import QFont

from studio.chat.text_flow import TextFlow

WORDS = [
    "Arr",
    ",",
    " the",
    " har",
    "bour",
    " be",
    " sal",
    "ty",
    " and",
    " old",
    "!",
    "\n",
    "Yo 🏴‍☠️",
    " ho",
    "\n\nEnd",
] * 8


def lines(flow: TextFlow) -> list[str]:
    return [line.text for line in flow.lines]


def test_streamed_and_whole_text_break_alike(qapp):
    whole, streamed = TextFlow(QFont(), 180), TextFlow(QFont(), 180)
    whole.append(WORDS)
    for word in WORDS:
        streamed.append([word])
    assert lines(whole) == lines(streamed)
    assert [whole.home(i) for i in range(len(WORDS))] == [streamed.home(i) for i in range(len(WORDS))]


def test_no_character_is_lost(qapp):
    flow = TextFlow(QFont(), 120)
    flow.append(WORDS)
    assert "".join(lines(flow)) == "".join(WORDS).replace("\n", "")


def test_lines_fit_the_width(qapp):
    flow = TextFlow(QFont(), 150)
    flow.append(WORDS)
    for index in range(len(flow.lines)):
        shaped = flow.shaped(index)
        ink = [e for s, e in zip(shaped.spans, shaped.edges, strict=True) if flow.home(s.token) <= index]
        assert all(right <= 150 + 8 for _, right in ink)


def test_a_point_on_a_token_finds_it(qapp):
    flow = TextFlow(QFont(), 200)
    flow.append(WORDS)
    for token in range(11):
        index = flow.home(token)
        line = flow.shaped(index)
        left, right = next(e for s, e in zip(line.spans, line.edges, strict=True) if s.token == token)
        assert flow.token_at((left + right) / 2, (index + 0.5) * flow.line_height) == token
    assert flow.token_at(5000, 4) is None and flow.token_at(4, -4) is None


def test_a_token_without_characters_has_a_home(qapp):
    flow = TextFlow(QFont(), 200)
    flow.append(["a", "", "", "é"])
    assert [flow.home(i) for i in range(4)] == [0, 0, 0, 0]


def test_appending_lays_out_the_last_line_only(qapp):
    flow = TextFlow(QFont(), 300)
    flow.append(["word "] * 5000)
    kept = flow.lines[:-1]
    changed = flow.append(["more "])
    assert changed >= len(kept)
    assert all(a is b for a, b in zip(kept, flow.lines, strict=False))
