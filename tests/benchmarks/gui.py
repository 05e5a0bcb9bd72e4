"""The window under load: first paint, lag while generating and over long runs, slider and Stop."""

from __future__ import annotations

import argparse
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.benchmarks import startup
from tests.benchmarks.long_runs import conversation, next_batch
from tests.benchmarks.responsiveness import after, until
from tests.benchmarks.table import Bar, print_bars, print_table

if TYPE_CHECKING:
    from studio.app.main_window import Window

TOKENS = 2_000  # in all lanes together, while the lag is measured
BLOCKS, COLUMNS = 32, 20_000  # of the heatmap
CONVERSATION = 50_000  # tokens
COMPARED = 5_000  # tokens of each of four answers beside each other
OPENED, EACH = 500, 400  # turns of a conversation that is opened, and tokens of each
ROUNDS = 5
QUESTIONS = ("Tell me about the harbour.", "Tell me about bees.", "What is the lighthouse like?",
             "Tell me about the castle.", "Tell me about the forest.")  # fmt: skip


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")


def run(options: argparse.Namespace) -> int:
    bars: list[Bar] = []
    for name in options.part or PARTS:
        print(f"\n== {name}", flush=True)
        bars += PARTS[name]()
    print("\n== bars")
    print_bars(bars)
    return 0 if all(bar.passed for bar in bars) else 1


def first_paint() -> list[Bar]:
    return startup.measure(argparse.Namespace())[:1]


def generating() -> list[Bar]:
    """Steered and unsteered with their two truth lanes, every panel open."""
    with _Bench() as host:
        workspace, answering = host.window.workspace, host.window.controllers.answering
        workspace.set_compare(True)
        workspace.set_truth(True)
        workspace.set_settings(replace(workspace.settings, temperature=1.0))
        for key in ("library", "log", "settings"):
            host.window.docks.show(key)
        host.breathe(0.5)
        said, number = 0, 0
        host.probe.start()
        while said < TOKENS:
            answering.send(QUESTIONS[number % len(QUESTIONS)])
            host.until(lambda: not answering.talking)
            # each token of the steered lane is said by its two truth lanes too
            steered, unsteered = workspace.turns[-1].answers
            said, number = said + 3 * len(steered) + len(unsteered), number + 1
        return host.lag(f"{said} tokens in {number} answers of 4 lanes")


def long_answer() -> list[Bar]:
    """A heatmap of 32 x 20,000 that goes on growing, is scrolled, zoomed and walked through."""
    with _Bench() as host:
        workspace = host.window.workspace
        turn = conversation(COLUMNS, BLOCKS, COLUMNS)[0]
        answer = turn.answers[0]
        workspace.set_turns((turn,), "long")
        workspace.show(answer)
        host.breathe(1.0)
        bars = host.lagging("heatmap growing", lambda step: host.grow(answer))
        view = host.window.heatmap.plot.getViewBox()
        bars += host.lagging("heatmap scrolled", lambda step: view.setXRange(step * 150, step * 150 + 400))
        bars += host.lagging("heatmap zoomed", lambda step: view.setXRange(0, 20 + step * 200, padding=0))
        return bars + host.lagging("tokens walked", lambda step: workspace.select(answer, step * 7))


def long_conversation() -> list[Bar]:
    """50,000 tokens in 50 turns, then in 500: an answer grows, the text is scrolled, the window resized."""
    with _Bench() as host:
        workspace, page = host.window.workspace, host.window.conversation
        turns = conversation(CONVERSATION, 6, 1_000)
        workspace.set_turns(turns, "long")
        host.breathe(2.0)
        answer = turns[-1].answers[0]
        bar = page.verticalScrollBar()
        bars = host.lagging("conversation growing", lambda step: host.grow(answer))
        bars += host.lagging("conversation scrolled", lambda step: bar.setValue(bar.maximum() * step // 100))
        wide = host.window.width()
        bars += host.lagging("window resized", lambda step: host.window.resize(wide + 8 * (step % 9), 800))
        key = workspace.channels[0].key
        bars += host.lagging("slider moved", lambda step: workspace.mixer.set_strength(key, step / 50))
        bars += host.lagging("token selected", lambda step: workspace.select(answer, step))
        workspace.set_turns(conversation(CONVERSATION, 6, 100), "many")
        host.breathe(3.0)
        resize = lambda step: host.window.resize(wide + 8 * (step % 9), 800)  # noqa: E731
        bars += host.lagging("window resized, 500 turns", resize)
        bars += host.lagging("500 turns scrolled", lambda step: bar.setValue(bar.maximum() * step // 100))
        grown = workspace.turns[-1].answers[0]
        return bars + host.lagging("the last of 500 turns growing", lambda step: host.grow(grown))


def opening() -> list[Bar]:
    """500 turns with long answers: opened from the library until what is near the newest is made and laid
    out, another page begun, taken back."""
    with _Bench() as host:
        workspace, page = host.window.workspace, host.window.conversation
        workspace.begin_conversation(conversation(OPENED * EACH, 6, EACH))
        key = workspace.conversation
        host.window.autosave.flush()
        workspace.begin_conversation()
        workspace.clear_history()
        host.until(lambda: not host.window.autosave.worker.busy)
        [item] = [i for i in host.window.autosave.archive.items("conversation", "") if i.key == key]
        host.breathe(2.0)

        def measured(name: str, act: Callable[[], object], turns: int) -> list[Bar]:
            host.probe.start()
            begun = time.perf_counter()
            act()
            host.until(lambda: len(workspace.turns) == turns)
            there = time.perf_counter() - begun
            host.until(lambda: not page.busy and not host.window.autosave.worker.busy)
            print(f"{name}: there after {there:.2f} s, all done after {time.perf_counter() - begun:.2f} s")
            host.breathe(0.5)
            return host.lag(name)

        bars = measured("500 turns opened", lambda: host.window.shelf_work.open(item), OPENED)
        bars += measured("another page instead", workspace.begin_conversation, 0)
        return bars + measured("taken back", workspace.undo, OPENED)


def comparing() -> list[Bar]:
    """Four compared answers of 5,000 tokens each, which grow, scroll together and share a selection."""
    from studio.state.compare_round import CompareRound

    with _Bench() as host:
        workspace, comparing = host.window.workspace, host.window.comparing
        host.window.actions_["page_compare"].trigger()
        answers = tuple(conversation(COMPARED, 6, COMPARED)[0].answers[0] for _ in range(4))
        names = tuple(f"lane {place}" for place in range(4))
        comparing._put({"round": CompareRound(names, names, answers, {}, False), "shown": answers[0]})
        host.breathe(2.0)
        bar = host.window.compare_page.columns[0].area.verticalScrollBar()

        def grow(_: int) -> None:
            for answer in answers:
                host.grow(answer)

        bars = host.lagging("four columns growing", grow)
        bars += host.lagging("four columns scrolled", lambda step: bar.setValue(bar.maximum() * step // 100))
        bars += host.lagging("token selected in all", lambda step: workspace.select(answers[1], 40 * step))
        wide = host.window.width()
        resize = lambda step: host.window.resize(wide + 8 * (step % 9), 800)  # noqa: E731
        return bars + host.lagging("window resized, four columns", resize)


def hands() -> list[Bar]:
    """From the slider to the token, and from Stop to quiet."""
    with _Bench() as host:
        workspace, answering = host.window.workspace, host.window.controllers.answering
        tokens, quiet = [], []
        for number in range(ROUNDS):
            made = host.count_tokens()
            answering.send(QUESTIONS[number % len(QUESTIONS)])
            host.until(lambda made=made: len(made) > 8)
            known = len(made)
            value = 0.25 + number / 10
            workspace.mixer.set_strength(workspace.channels[0].key, value)
            host.until(lambda: not answering.talking)
            used = workspace.turns[-1].answers[0].trace.strengths[:, 0]
            changed = [i for i, strength in enumerate(used) if abs(strength - value) < 1e-6]
            tokens.append(float(changed[0] + 1 - known))
        for number in range(ROUNDS):
            made = host.count_tokens()
            answering.send(QUESTIONS[number % len(QUESTIONS)])
            host.until(lambda made=made: len(made) > 4)
            begun = time.perf_counter()
            answering.stop()
            host.until(lambda: not answering.talking, every_ms=1)
            quiet.append((time.perf_counter() - begun) * 1000)
        names = [f"#{i + 1}" for i in range(ROUNDS)]
        rows = (
            ("tokens from the slider to the first changed one", *tokens),
            ("ms from Stop to quiet", *quiet),
        )
        print_table(("", *names), rows)
        return [
            Bar("slider to the changed token, worst", max(tokens), 2.0, False, " tokens"),
            Bar("Stop to quiet, median", statistics.median(quiet), 100.0, False, " ms"),
        ]


class _Bench:
    """The real window with Pocket over a library of its own, and a probe in its thread."""

    def __enter__(self) -> _Bench:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from PySide6.QtWidgets import QApplication

        from studio.app.main_window import Window
        from studio.widgets import theme
        from tests.benchmarks.lag_probe import LagProbe

        gc.collect()  # this window is not to wait for what that of another part has left to the collector
        self.app = QApplication.instance() or QApplication([])
        assert isinstance(self.app, QApplication)
        self.app.setStyle("Fusion")
        theme.apply(self.app, theme.of_system())
        self._home = tempfile.TemporaryDirectory()
        self.window: Window = Window("pocket", Path(self._home.name))
        self.window.preferences.set("welcomed", True)
        self.window.show()
        self.probe = LagProbe()
        self.until(lambda: self.window.workspace.loading.facts is not None)
        self.breathe(0.5)
        return self

    def __exit__(self, *_: object) -> None:
        from PySide6.QtCore import QEvent

        self.window.close()
        self.window.deleteLater()
        self.app.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        self._home.cleanup()

    def until(self, done: Callable[[], bool], every_ms: int = 20) -> None:
        until(done, every_ms)

    def breathe(self, seconds: float) -> None:
        self.until(after(seconds))

    def grow(self, answer: Any) -> None:
        """What a batch of the worker does to the window, at its full rate."""
        first = len(answer)
        for token in next_batch(answer):
            answer.trace.append(token)
            answer.text += token.text
        self.window.workspace.answerGrew.emit(answer, first)

    def count_tokens(self) -> list[int]:
        """A list that grows with every token of lane 0 as the engine makes it, before the window hears."""
        from engine.generation.trace import Token

        host, made = self.window.controllers.host, []
        generate = type(host).generate

        def counted(lanes: Any, settings: Any, emit: Callable[[Any], None], cancel: Any) -> list[Any]:
            def note(event: Any) -> None:
                if isinstance(event, Token) and event.lane == 0:
                    made.append(event.index)
                emit(event)

            return generate(host, lanes, settings, note, cancel)

        host.generate = counted  # type: ignore[method-assign]
        return made

    def lagging(self, name: str, act: Callable[[int], object]) -> list[Bar]:
        """The lag while `act` is called a hundred times, as often as batches come."""
        from PySide6.QtCore import QTimer

        steps = iter(range(100))
        timer, ended = QTimer(), []

        def go() -> None:
            step = next(steps, None)
            if step is None:
                ended.append(True)
                timer.stop()
            else:
                act(step)

        timer.timeout.connect(go)
        self.probe.start()
        timer.start(25)
        self.until(lambda: bool(ended))
        return self.lag(name)

    def lag(self, name: str) -> list[Bar]:
        self.probe.stop()
        return [
            Bar(f"{name}: lag p99", self.probe.p99_ms, 33.0, False, " ms"),
            Bar(f"{name}: lag, worst", self.probe.worst_ms, 100.0, False, " ms"),
        ]


PARTS = {
    "paint": first_paint,
    "generating": generating,
    "heatmap": long_answer,
    "conversation": long_conversation,
    "opening": opening,
    "comparing": comparing,
    "hands": hands,
}
