"""Progress on stderr: a bar on a terminal, a line a minute where it is redirected."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from engine.events import Download, Emit, LossPoint, Progress, duration
from engine.model.memory import in_words

_WIDTH = 24
_QUIET = 60.0  # seconds between two lines in a log


@contextmanager
def progress_bar() -> Iterator[Emit]:
    """A context whose listener draws one line, rewritten in place and cleared at the end."""
    shown = sys.stderr.isatty()
    loss, last = "", time.monotonic()

    def draw(event: Any) -> None:
        nonlocal loss, last
        if isinstance(event, LossPoint):
            loss = f"  loss {event.loss:.3f}"
        if not isinstance(event, Progress):
            return
        if shown:
            print(f"\r\x1b[2K{_line(event)}{loss}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - last >= _QUIET:
            last = time.monotonic()
            print(f"{event.stage}: {_count(event)}{loss}", file=sys.stderr, flush=True)

    try:
        yield draw
    finally:
        if shown:
            print("\r\x1b[2K", end="", file=sys.stderr, flush=True)


def announce(words: str) -> None:
    """A line on stderr when that is a terminal; redirected, it holds errors alone."""
    if sys.stderr.isatty():
        print(words, file=sys.stderr, flush=True)


def _line(event: Progress) -> str:
    share = event.done / event.total if event.total else 1.0
    bar = "█" * round(share * _WIDTH)
    return f"{event.stage:<20} {bar:<{_WIDTH}} {_count(event)}"


def _count(event: Progress) -> str:
    """How far it is: n of m, the pace of a download, the time left."""
    eta = "" if event.eta is None else f"  {duration(event.eta)} left"
    if isinstance(event, Download):
        return f"{in_words(event.done)} of {in_words(event.total)} at {in_words(round(event.rate))}/s{eta}"
    return f"{event.done}/{event.total}{eta}"
