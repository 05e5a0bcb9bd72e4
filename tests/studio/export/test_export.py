"""Exported files: complete, self-contained, and told where they come from."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest

from studio.export.html_page import page
from studio.export.provenance import in_words
from studio.state.color_scale import UNDERLINE, ColorScale
from studio.state.conversation import STEERED, UNSTEERED, Turn, steered_by
from studio.state.heatmap_quantities import strongest
from studio.state.sampling_settings import SamplingSettings
from tests.studio.chat.test_compare_page import compare
from tests.studio.conftest import ready

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Reader(HTMLParser):
    """Collects the answers' text, the tokens' titles, and everything that would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.titles, self.fetched, self.facts = "", [], [], ""
        self._inside = ""

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.fetched += [found[name] for name in ("src", "href") if name in found]
        if (tag == "p" and found.get("class") == "answer") or tag == "script":
            self._inside = tag
        if tag == "span" and "title" in found:
            self.titles.append(found["title"])

    def handle_endtag(self, tag):
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data):
        if self._inside == "p":
            self.text += data
        elif self._inside == "script":
            self.facts += data


@pytest.fixture
def answered(qtbot, window):
    window.workspace.set_truth(True)
    window.controllers.answering.send("Tell me about bees.")
    qtbot.waitUntil(lambda: window.workspace.shown is not None and window.workspace.shown.over, timeout=30000)
    return window


def export(qtbot, window, key: str, path: Path) -> bytes:
    window.exporting.write(key, path)
    qtbot.waitUntil(path.exists, timeout=20000)
    qtbot.waitUntil(lambda: not window.controllers.worker.busy, timeout=20000)
    return path.read_bytes()


def test_the_coloured_conversation_needs_nothing_else(qtbot, answered, tmp_path):
    path = tmp_path / "chat.html"
    reader = Reader()
    reader.feed(export(qtbot, answered, "export_chat", path).decode())
    answer = answered.workspace.shown
    assert reader.text == "".join(answer.trace.pieces) and reader.fetched == []
    values = strongest(answer.trace.coefficients)
    assert [title.split()[0] for title in reader.titles] == [f"{value:.2f}" for value in values]
    facts = json.loads(reader.facts)
    assert facts[0]["seed"] == 0 and facts[0]["answers"][0]["heads"][0]["hash"] and facts[0]["model"]
    assert f"{answer.turn.model}, temperature 0, at most 256 tokens" in path.read_text().split("<script")[0]


def test_underlines_of_the_page_are_as_thick_as_the_windows(qtbot, answered, tmp_path):
    told = export(qtbot, answered, "export_chat", tmp_path / "chat.html").decode()
    scale = answered.workspace.scales.activation
    values = strongest(answered.workspace.shown.trace.coefficients)
    thick = [int(width) for width in re.findall(r"border-bottom-width:(\d)px", told)]
    assert thick == [scale.underline(value) for value in values if scale.weight(value) > 0.01]
    assert len(set(thick)) > 1 and max(thick) <= UNDERLINE
    high = [int(below) + width for below, width in zip(re.findall(r"padding-bottom:(\d)px", told), thick)]
    assert set(high) == {UNDERLINE}


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_shows_the_coloured_conversation(qtbot, answered, tmp_path):
    path = tmp_path / "chat.html"
    reader = Reader()
    reader.feed(export(qtbot, answered, "export_chat", path).decode())
    done = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    drawn = Reader()
    drawn.feed(done.stdout)
    assert drawn.text == reader.text and drawn.titles == reader.titles


def test_markdown_csv_and_json_hold_every_token(qtbot, answered, tmp_path):
    answer = answered.workspace.shown
    text = export(qtbot, answered, "export_chat", tmp_path / "chat.md").decode()
    assert answer.text in text and "seed 0" in text
    assert f"*{answer.turn.model}, temperature 0, at most 256 tokens*" in text
    told = json.loads(export(qtbot, answered, "export_trace", tmp_path / "trace.json"))
    assert [token["id"] for token in told["tokens"]] == answer.trace.ids.tolist()
    assert told["tokens"][3]["truth"] == pytest.approx(answer.trace.prompt_effect[3].tolist())
    lines = export(qtbot, answered, "export_trace", tmp_path / "trace.csv").decode().splitlines()
    facts = [line for line in lines if line.startswith("# ")]
    rows = list(csv.DictReader(lines[len(facts) :]))
    assert any(line.startswith("# heads: ") for line in facts)
    assert len(rows) >= len(answer) > 5 and "gap_5" in rows[0]
    assert float(rows[2]["coefficient_2"]) == pytest.approx(float(answer.trace.coefficients[2, 2]), rel=1e-5)


@pytest.mark.parametrize("key", ["export_heatmap", "export_figure"])
def test_pictures_in_every_format_carry_their_provenance(qtbot, answered, tmp_path, key):
    digest = answered.workspace.shown.turn.mix[0][1]
    begins = {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}
    for suffix, first in begins.items():
        data = export(qtbot, answered, key, tmp_path / f"picture{suffix}")
        assert data.startswith(first) and len(data) > 5000
        assert suffix == ".pdf" or digest.encode() in data
        assert suffix != ".pdf" or (b"/FontFile2" in data and b"/Type3" not in data)  # what journals take
    caption = in_words(answered.workspace.shown)
    drawn = (tmp_path / "picture.svg").read_text()
    assert caption[:40] in drawn and caption[-20:] in drawn
    answered.heatmap.show_quantity("truth")
    assert len(export(qtbot, answered, key, tmp_path / "other.svg")) > 5000


def facts_of(lines: bytes) -> dict:
    """The comment lines of a CSV."""
    told = [line[2:].split(": ", 1) for line in lines.decode().splitlines() if line.startswith("# ")]
    return {name: json.loads(value) for name, value in told}


def test_an_export_of_a_column_says_which_one_and_how_it_was_made(qtbot, window, tmp_path):
    window.workspace.set_prompt("Talk like a pirate.")
    found = compare(qtbot, window)
    kinds = {}
    for answer, name in zip(found.answers, found.names, strict=True):
        window.workspace.show(answer)
        kinds[name] = facts_of(export(qtbot, window, "export_trace", tmp_path / f"{name}.csv"))
        drawn = export(qtbot, window, "export_figure", tmp_path / f"{name}.svg").decode()
        assert f"{name}: {steered_by(answer)[:20]}" in " ".join(drawn.split())
    assert [facts["lane"] for facts in kinds.values()] == ["unsteered", "prompt", "mixer"]
    prompted = kinds["prompt"]
    assert prompted["system_prompt"] == "Talk like a pirate." and prompted["heads"] == []
    assert prompted["made"] == "“Talk like a pirate.”" and kinds["unsteered"]["made"] == "no prompt, no head"
    assert kinds["unsteered"]["system_prompt"] is None and kinds["mixer"]["heads"][0]["hash"]


def test_exports_name_the_blocks_and_the_precision(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    row = window.workspace.channels[0]
    window.workspace.mixer.set_blocks(row.key, (0, 2))
    window.controllers.answering.send("Tell me about bees.")
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=30000)
    window = ready(qtbot, open_window())
    window.workspace.show(window.workspace.turns[0].answers[0])
    facts = facts_of(export(qtbot, window, "export_trace", tmp_path / "trace.csv"))
    [head] = facts["heads"]
    assert head["hash"] == row.digest and head["blocks"] == [0, 2] and facts["precision"] == "float32"
    told = export(qtbot, window, "export_chat", tmp_path / "chat.md").decode()
    assert f"pirate (blocks 0–2) × 1 ({row.digest}); seed 0; float32" in told


def test_an_unsteered_answer_does_not_bear_the_heads_of_the_one_beside_it(qtbot, window, tmp_path):
    window.workspace.set_compare(True)
    window.controllers.answering.send("Tell me about bees.")
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=30000)
    plain = window.workspace.turns[0].answer(UNSTEERED)
    window.workspace.show(plain)
    assert facts_of(export(qtbot, window, "export_trace", tmp_path / "plain.csv"))["heads"] == []
    digest = plain.turn.mix[0][1].encode()
    assert digest not in export(qtbot, window, "export_heatmap", tmp_path / "plain.png")


def test_a_caption_tells_the_question_the_sampling_and_what_is_lacking():
    turn = Turn("Tell me\nabout bees.", SamplingSettings(0.7, 40, 0.9, 100, 3), model="pocket@#ff")
    answer = turn.add(STEERED)
    answer.state, answer.cut = "cancelled", 2
    assert in_words(answer) == (
        "“Tell me about bees.”; unsteered; pocket@#ff, temperature 0.7, top-k 40, top-p 0.9, at most 100 "
        "tokens, seed 3; stopped; first 2 messages left out to fit the context"
    )


def test_a_questions_line_breaks_are_kept_in_the_page():
    html = page([Turn("One\nTwo", SamplingSettings())], ColorScale())
    assert "<h2>One\nTwo</h2>" in html and "pre-wrap" in html[html.index("h2 {") :].split("}")[0]


def test_the_window_and_a_picture_have_one_colour_for_one_number(qtbot, answered, tmp_path):
    answered.workspace.mixer.set_strength(answered.workspace.channels[0].key, -1.0)
    answered.controllers.answering.send("Tell me about tea.")
    qtbot.waitUntil(lambda: not answered.controllers.talking, timeout=30000)
    assert answered.heatmap.scale.signed
    export(qtbot, answered, "export_heatmap", tmp_path / "map.png")
    image = QImage(str(tmp_path / "map.png")).convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    drawn = set(map(tuple, np.unique(rows[:, : 3 * image.width()].reshape(-1, 3), axis=0).tolist()))
    values, (low, high) = answered.heatmap.values(), answered.heatmap.scale.levels
    for value in (values.min(), values.max()):
        step = round(float((value - low) / (high - low)) * 254)
        near = answered.heatmap.image.lut[max(1, step - 1) : step + 3, :3]
        assert drawn & {tuple(map(int, colour)) for colour in near}


def test_the_faithfulness_of_the_chosen_head_is_a_chart(qtbot, window, tmp_path):
    row = window.workspace.channel(window.workspace.selected_key)
    for suffix, first in {".svg": b"<?xml", ".pdf": b"%PDF", ".png": b"\x89PNG"}.items():
        data = export(qtbot, window, "export_faithfulness", tmp_path / f"chart{suffix}")
        assert data.startswith(first) and (suffix == ".pdf" or row.digest.encode() in data)


def test_nothing_to_export_and_nowhere_to_write_are_told(qtbot, window, tmp_path, qtlog):
    failures = []
    window.controllers.worker.failed.connect(failures.append)
    window.exporting.write("export_chat", tmp_path / "chat.html")
    qtbot.waitUntil(lambda: len(failures) == 1, timeout=10000)
    assert "Nothing to export" in failures[0].what and list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_told_as_such(qtbot, answered, tmp_path):
    failures = []
    answered.controllers.worker.failed.connect(failures.append)
    answered.exporting.write("export_chat", tmp_path / f"{'a' * 300}.md")
    qtbot.waitUntil(lambda: len(failures) == 1, timeout=10000)
    assert "too long" in failures[0].why and "shorter name" in failures[0].remedy
    export(qtbot, answered, "export_chat", tmp_path / f"{'a' * 252}.md")  # the longest that there can be


def test_where_a_file_was_written_is_told(qtbot, answered, tmp_path):
    export(qtbot, answered, "export_chat", tmp_path / "chat.md")
    qtbot.waitUntil(lambda: answered.status.busy.text() == f"Saved {tmp_path / 'chat.md'}", timeout=5000)


def test_an_alternative_is_gone_on_with(qtbot, answered):
    first = answered.workspace.shown
    answered.workspace.select(first, 2)
    other = next(i for i, each in enumerate(first.trace.alternatives[2]) if each[0] != first.trace.ids[2])
    bars = answered.inspector.alternatives
    bars.setFocus()
    row = bars._row()
    QTest.mouseClick(
        bars, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(20, row * (other + 1) + 8)
    )
    qtbot.waitUntil(lambda: answered.workspace.shown is not first, timeout=10000)
    forked = answered.workspace.shown
    qtbot.waitUntil(lambda: forked.over, timeout=30000)
    assert forked.trace.ids[:2].tolist() == first.trace.ids[:2].tolist()
    assert int(forked.trace.ids[2]) == first.trace.alternatives[2][other][0]
