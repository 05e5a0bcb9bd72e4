"""Waits for something slow in a way that can be stopped at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TypeVar

from engine.events import Cancel

# The hub library's HTTP client has had these names.
_CLIENTS = {"httpx", "httpx2", "httpcore", "httpcore2"}

T = TypeVar("T")

_LOOK = 0.05  # seconds between two looks at the cancel


class Late(Exception):
    """What was waited for did not come within the limit."""


def wait_for(
    call: Callable[[], T],
    *,
    limit: float | None = None,
    cancel: Cancel | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> T:
    """call()'s result, or its exception, raised here.

    The call runs in a thread that is left to itself when the wait ends early: a name server that does not
    answer cannot be interrupted. Raises Late after `limit` seconds and Cancelled when asked to stop.
    `meanwhile` is called some twenty times a second.
    """
    result: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            result.append(call())
        except BaseException as error:  # noqa: BLE001  raised again where the call was asked for
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    started = time.monotonic()
    thread.start()
    while thread.is_alive():
        thread.join(_LOOK)
        if cancel is not None:
            cancel.check()
        if limit is not None and thread.is_alive() and time.monotonic() - started > limit:
            raise Late
        meanwhile()
    if failure:
        raise failure.pop()
    return result[0]


def of_the_network(error: Exception) -> bool:
    """Whether an error says that the other side cannot be reached, or not any more."""
    if isinstance(error, (Late, ConnectionError, TimeoutError)):
        return True
    return type(error).__module__.partition(".")[0] in _CLIENTS and not hasattr(error, "response")
