"""Where the time of a token goes: the decode loop's own calls, timed from outside while it runs."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

from engine.generation import decode
from engine.generation.answer_builder import AnswerBuilder
from engine.generation.batch import Batch
from engine.generation.batch_steering import BatchSteering
from engine.generation.token_sampler import TokenSampler
from tests.benchmarks.table import print_table

STAGES: dict[str, tuple[tuple[object, str], ...]] = {
    "network, steering included": ((Batch, "step"),),
    "choosing": ((TokenSampler, "__call__"),),
    "logprob, rank, alternatives": ((decode, "_figures"),),
    "strengths": ((BatchSteering, "prepare_step"),),
    "reading coefficients": ((BatchSteering, "read"),),
    "text and trace": ((AnswerBuilder, "take"), (AnswerBuilder, "feed"), (AnswerBuilder, "release")),
}


def show(loops: dict[str, Callable[[], object]], tokens: int, rounds: int) -> None:
    """A table of microseconds per token and stage, medians over the rounds, the loops in turns."""
    found: dict[str, list[Counter[str]]] = {name: [] for name in loops}
    for turn in range(rounds + 1):
        for name, loop in loops.items():
            with clocked() as seconds:
                start = time.perf_counter()
                loop()
                whole = time.perf_counter() - start
            seconds["rest, the prompt included"] = whole - seconds.total()
            seconds["all"] = whole
            if turn:
                found[name].append(seconds)

    def cost(name: str, stage: str) -> float:
        return statistics.median(seconds[stage] for seconds in found[name]) / tokens * 1e6

    stages = [*STAGES, "rest, the prompt included", "all"]
    rows = [(stage, *(f"{cost(name, stage):.0f}" for name in loops)) for stage in stages]
    print_table(("microseconds per token", *loops), rows)


@contextmanager
def clocked() -> Iterator[Counter[str]]:
    """Seconds per stage while entered; the clock itself costs a third of a microsecond a call."""
    seconds: Counter[str] = Counter()
    with ExitStack() as stack:
        for stage, calls in STAGES.items():
            for owner, name in calls:
                stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), stage, seconds)))
        yield seconds


def _timed(call: Callable[..., Any], stage: str, seconds: Counter[str]) -> Callable[..., Any]:
    def timed(*arguments: Any, **options: Any) -> Any:
        start = time.perf_counter()
        try:
            return call(*arguments, **options)
        finally:
            seconds[stage] += time.perf_counter() - start  # type: ignore[assignment]

    return timed
