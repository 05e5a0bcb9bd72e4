"""A run written by the window gives the very same tokens when the engine replays it."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import cycle

from PySide6.QtCore import QTimer

from engine.__main__ import main
from engine.generation.recorded_run import first_differences, replay
from engine.generation.run_file import load_run
from studio.state.conversation import STEERED, UNSTEERED
from tests.studio.conftest import ready

ANSWER_MS = 60_000


def ask(qtbot, window, question: str) -> None:
    window.controllers.answering.send(question)
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)


def sampled(window, **values) -> None:
    window.workspace.set_settings(replace(window.workspace.settings, **values))


def replayed(qtbot, window, path, answer, lanes: int = 1, left_out: tuple[str, ...] = ()) -> None:
    """Exports `answer` with those that came together with it, `lanes` in all, and replays the file in the
    window's own model; file and window tell who is left out."""
    window.workspace.show(answer)
    window.exporting.write("export_run", path)
    qtbot.waitUntil(path.exists, timeout=20_000)
    qtbot.waitUntil(lambda: not window.controllers.worker.busy, timeout=20_000)
    run = load_run(path)
    assert run.left_out == left_out
    told = " ".join((f"Saved {path}. Left out:", *left_out)) if left_out else f"Saved {path}"
    assert window.status.busy.text() == told
    place = [told.text for told in run.answers].index(answer.text)
    again = replay(window.controllers.host.need_model(), run)
    assert first_differences(run, again) == [None] * lanes
    assert again[place].trace.ids.tolist() == answer.trace.ids.tolist()


def test_later_turns_several_heads_truth_and_moved_sliders(qtbot, window, tmp_path, capsys):
    workspace = window.workspace
    sampled(window, temperature=1.0, seed=7)
    workspace.set_truth(True)
    workspace.set_compare(True)
    workspace.mixer.set_enabled(workspace.channels[2].key, True)
    workspace.mixer.set_strength(workspace.channels[2].key, 0.6)
    ask(qtbot, window, "Tell me about bees.")
    sampled(window, seed=3)
    key, values = workspace.channels[0].key, cycle([0.2, 0.9, 1.4, 0.5])
    slide = QTimer()
    slide.timeout.connect(lambda: workspace.mixer.set_strength(key, next(values)))
    slide.start(5)
    ask(qtbot, window, "Tell me about tea.")
    slide.stop()
    workspace.mixer.set_bypass(True)
    ask(qtbot, window, "Tell me about the castle.")
    for place, turn in enumerate(workspace.turns):
        for lane in (STEERED, UNSTEERED):
            replayed(qtbot, window, tmp_path / f"{place}-{lane}.run.safetensors", turn.answer(lane), lanes=2)
    assert main(["replay", str(tmp_path / "1-steered.run.safetensors"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["same"] is True


def test_a_fork_after_an_edited_answer_from_the_library(qtbot, open_window, tmp_path):
    window = ready(qtbot, open_window())
    sampled(window, temperature=0.8, seed=2)
    ask(qtbot, window, "Tell me about bees.")
    window.controllers.answering.rewrite(window.workspace.turns[0].answers[0], "Bees are fine.")
    ask(qtbot, window, "Tell me about tea.")
    first = window.workspace.turns[1].answers[0]
    other = next(i for i, _, _ in first.trace.alternatives[2] if i != first.trace.ids[2])
    window.controllers.answering.fork(first, 2, other)
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    window = ready(qtbot, open_window())
    answer = window.workspace.turns[1].answers[0]
    assert answer.asked.opening[-1] == other
    replayed(qtbot, window, tmp_path / "fork.run.safetensors", answer)


def test_a_stopped_answer_of_a_cut_conversation(qtbot, window, tmp_path):
    sampled(window, max_tokens=40)
    for _ in range(5):
        ask(qtbot, window, "Tell me about the harbour, the sea and the ships. " * 20)
    window.controllers.host.need_model().eos_ids = frozenset()
    sampled(window, max_tokens=250, temperature=0.7)
    window.controllers.answering.send("And tea?")
    answer = window.workspace.turns[-1].answers[0]
    qtbot.waitUntil(lambda: len(answer) > 10, timeout=ANSWER_MS)
    window.controllers.answering.stop()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    assert answer.state == "cancelled" and answer.cut > 0
    replayed(qtbot, window, tmp_path / "stopped.run.safetensors", answer)


def test_all_columns_of_a_comparison_are_one_run(qtbot, window, tmp_path, capsys):
    sampled(window, temperature=1.0, seed=5)
    window.workspace.set_question("Tell me about bees.")
    window.comparing.run()
    qtbot.waitUntil(lambda: not window.comparing.running, timeout=ANSWER_MS)
    path = tmp_path / "columns.run.safetensors"
    replayed(qtbot, window, path, window.comparing.round.answers[1], lanes=3)
    assert main(["replay", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["same"] and [lane["text"] for lane in told["lanes"]] == [
        answer.text for answer in window.comparing.round.answers
    ]


def test_an_unsteered_answer_asked_for_later_is_a_run_of_its_own(qtbot, window, tmp_path):
    sampled(window, temperature=1.0)
    ask(qtbot, window, "Tell me about bees.")
    window.controllers.host.need_model().eos_ids = frozenset()
    window.controllers.answering.compare(True)
    turn = window.workspace.turns[0]
    qtbot.waitUntil(lambda: len(turn.answer(UNSTEERED)) > 4, timeout=ANSWER_MS)
    window.controllers.answering.stop()
    qtbot.waitUntil(lambda: not window.controllers.talking, timeout=ANSWER_MS)
    apart = "It was generated separately; export it as its own run."
    path = tmp_path / "later.run.safetensors"
    replayed(qtbot, window, path, turn.answer(UNSTEERED), left_out=(f"steered: {apart}",))


def test_what_is_left_of_a_batch_after_an_edit(qtbot, open_window, tmp_path, capsys):
    window = ready(qtbot, open_window())
    window.workspace.set_compare(True)
    ask(qtbot, window, "Tell me about bees.")
    window = ready(qtbot, open_window())
    turn = window.workspace.turns[0]
    replayed(qtbot, window, tmp_path / "both.run.safetensors", turn.answer(STEERED), lanes=2)
    window.controllers.answering.rewrite(turn.answer(UNSTEERED), "Bees are fine.")
    turn = window.workspace.turns[0]
    path, left_out = tmp_path / "one.run.safetensors", "unsteered: It was edited by you."
    replayed(qtbot, window, path, turn.answer(STEERED), left_out=(left_out,))
    assert main(["replay", str(path)]) == 0
    assert f"Left out when it was recorded: {left_out}" in capsys.readouterr().out


def test_a_run_keeps_the_precision_that_it_was_answered_in(qtbot, window, tmp_path, capsys):
    def load(precision: str) -> None:
        window.preferences.set("precision", precision)
        window.controllers.opening.open("pocket")
        qtbot.waitUntil(
            lambda: window.workspace.loading.facts and window.workspace.loading.facts.precision == precision,
            timeout=20_000,
        )

    load("bfloat16")
    sampled(window, temperature=1.0, seed=4)
    for question in ("Tell me about bees.", "Tell me about tea."):
        ask(qtbot, window, question)
    load("float32")
    path = tmp_path / "tea.run.safetensors"
    window.workspace.show(window.workspace.turns[1].answers[0])
    window.exporting.write("export_run", path)
    qtbot.waitUntil(path.exists, timeout=20_000)
    assert load_run(path).precision == "bfloat16"
    assert main(["replay", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["same"] is True and told["lanes"][0]["text"] == window.workspace.turns[1].answers[0].text


def test_what_cannot_be_replayed_says_why(qtbot, window, tmp_path):
    failures: list = []
    window.controllers.worker.failed.connect(failures.append)
    window.exporting.write("export_run", tmp_path / "none.run.safetensors")
    qtbot.waitUntil(lambda: len(failures) == 1, timeout=10_000)
    ask(qtbot, window, "Tell me about bees.")
    answer = window.workspace.turns[0].answers[0]
    asked, answer.asked = answer.asked, replace(answer.asked, precision="")
    window.exporting.write("export_run", tmp_path / "none.run.safetensors")
    qtbot.waitUntil(lambda: len(failures) == 2, timeout=10_000)
    assert "older version" in failures[-1].why
    answer.asked, answer.turn.model = asked, "another@#model"
    window.exporting.write("export_run", tmp_path / "none.run.safetensors")
    qtbot.waitUntil(lambda: len(failures) == 3, timeout=10_000)
    assert "another" in failures[-1].why and not list(tmp_path.iterdir())
