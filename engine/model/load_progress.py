"""Watches the library while it reads weights: progress by the tensor, and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from engine.events import Cancel, Emit, Meter
from engine.model.memory import trim

_BAR = "Loading weights"  # what the library calls its own progress bar

_OFTEN = 16  # tensors


@contextmanager
def watched(emit: Emit, cancel: Cancel | None) -> Iterator[None]:
    """Within it a model being read tells how many of its tensors it has; Cancelled ends it between two.

    The library draws no bars of its own meanwhile: they would write across the terminal.
    """
    from transformers.utils import logging

    def hook(factory: Callable[..., Any], arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        if named.get("desc") != _BAR:
            return factory(*arguments, **named)
        return _steps(arguments[0], emit, cancel)

    logging.disable_progress_bar()
    before = logging.set_tqdm_hook(hook)
    try:
        yield
    finally:
        logging.set_tqdm_hook(before)


def _steps(items: Any, emit: Emit, cancel: Cancel | None) -> Iterator[Any]:
    meter = Meter(emit, "loading the model", len(items))
    for number, item in enumerate(items):
        if number % _OFTEN == 0:
            trim()  # a tensor that was converted leaves its first form behind
        if cancel is not None:
            cancel.check()
        yield item
        meter.step()
