"""Memory: how much of it is free, and what it looks like when it has run out."""

from __future__ import annotations

import ctypes
import gc
import os
import re
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOMEM
from pathlib import Path

from engine.errors import EngineError, ModelError

_GROUP = Path("/sys/fs/cgroup")


def free_memory() -> int:
    """Bytes of main memory that this process may still take without swapping.

    What the system calls available, or less where a container's limit leaves less.
    """
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        limit = (_GROUP / "memory.max").read_text().strip()
        used = int((_GROUP / "memory.current").read_text())
        cached = re.search(r"^inactive_file (\d+)$", (_GROUP / "memory.stat").read_text(), re.MULTILINE)
    except OSError:  # no container, or another system
        return free
    kept = used - (int(cached[1]) if cached else 0)  # files that were read give way
    return free if limit == "max" else max(0, min(free, int(limit) - kept))


class OutOfMemory(ModelError):
    """Memory ran out."""


@contextmanager
def memory_guard(what: str, why: str, remedy: str) -> Iterator[None]:
    """Within it memory that runs out, main or a GPU's, is an OutOfMemory error of these words.

    Of two guards the outer one's words count: it knows what the person had asked for. The tensors of the
    frames that failed are let go, so that what is tried next has room.
    """
    try:
        yield
    except Exception as error:
        if not ran_out(error):
            raise
        traceback.clear_frames(error.__traceback__)
        release()
        raise OutOfMemory(what, why, remedy) from None


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory.

    A GPU's allocator has a class for it, the CPU's raises a plain RuntimeError in words of its own, and
    a file or library that finds no place to be mapped to is told in those of the system.
    """
    if isinstance(error, EngineError):
        return isinstance(error, OutOfMemory)
    full = getattr(sys.modules.get("torch"), "OutOfMemoryError", MemoryError)
    if isinstance(error, (MemoryError, full)):
        return True
    words = str(error)
    full_places = (
        "DefaultCPUAllocator",
        "MPS backend out of memory",
        "not enough memory",
        os.strerror(ENOMEM),
    )
    return any(place in words for place in full_places)


def release() -> None:
    """Gives memory that nothing refers to back to the system."""
    gc.collect()
    trim()
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()


def trim() -> None:
    """Gives back what the C library keeps of freed memory, which after many tensors can be gigabytes."""
    if sys.platform == "linux" and (give_back := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        give_back(0)  # only glibc has it, and only there is it needed


def in_words(size: int) -> str:
    """A size in bytes as a person reads it."""
    for unit, scale in (("GB", 1e9), ("MB", 1e6)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
