"""Progress on stderr: a bar on a terminal, nothing when it is redirected."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.events import Download, Emit, LossPoint, Progress, duration
from engine.model.memory import in_words

_WIDTH = 24


@contextmanager
def progress_bar() -> Iterator[Emit]:
    """Within it the yielded listener draws one line that is rewritten in place and cleared at the end."""
    shown = sys.stderr.isatty()
    loss = ""

    def draw(event: Any) -> None:
        nonlocal loss
        if isinstance(event, LossPoint):
            loss = f"  loss {event.loss:.3f}"
        if not shown or not isinstance(event, Progress):
            return
        share = event.done / event.total if event.total else 1.0
        bar = "█" * round(share * _WIDTH)
        eta = "" if event.eta is None else f"  {duration(event.eta)} left"
        line = f"{event.stage:<20} {bar:<{_WIDTH}} {event.done}/{event.total}{eta}{loss}"
        if isinstance(event, Download):
            sizes = f"{in_words(event.done)} of {in_words(event.total)} at {in_words(round(event.rate))}/s"
            line = f"{event.stage:<20} {bar:<{_WIDTH}} {sizes}{eta}"
        print(f"\r\x1b[2K{line}", end="", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        if shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def announce(words: str) -> None:
    """A line on stderr for whoever watches; redirected, it belongs to errors alone."""
    if sys.stderr.isatty():
        print(words, file=sys.stderr, flush=True)
