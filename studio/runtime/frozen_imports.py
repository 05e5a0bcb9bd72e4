"""Large imports, made so that the window does not stand still for them ever after."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEVER = 1 << 30


@contextmanager
def set_apart() -> Iterator[None]:
    """What is imported inside is never looked at by Python's collector again.

    A full collection stops every thread until it has visited every object. Torch and transformers make
    half a million that stay for good: each time a quarter of a second in which no window answers.
    """
    young, middle, old = gc.get_threshold()
    gc.set_threshold(young, middle, NEVER)
    try:
        yield
        if not gc.get_freeze_count():  # later windows of the same process bring no new imports
            gc.freeze()
    finally:
        gc.set_threshold(young, middle, old)
