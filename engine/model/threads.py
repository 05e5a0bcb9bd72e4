"""How many threads a forward is worth on a processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from engine.model.language_model import LanguageModel

_SHARED = 64 << 20  # bytes of weights times rows; below, to wait for one another costs more than it saves


def worth_sharing(model: LanguageModel, rows: int) -> bool:
    """Whether one token for each of `rows` rows is so much work that several threads do it faster."""
    return model.device.type != "cpu" or model.bytes * rows > _SHARED


@contextmanager
def threads_for(model: LanguageModel, rows: int) -> Iterator[None]:
    """While entered, this thread computes small steps alone.

    A small model's step has a hundred parallel regions of microseconds. On a processor that does anything
    else at the same time, a window for instance, the threads of each wait for the one that was put off: such
    a step then takes many times as long, and alone it takes as long as ever.
    """
    before = torch.get_num_threads()
    if before == 1 or worth_sharing(model, rows):
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
