"""Loops run in turns within one process: only the ratios of neighbours in time mean something."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

from tests.benchmarks.table import print_table


class Paces:
    """Tokens per second of every loop, round by round."""

    def __init__(self, rates: Mapping[str, list[float]]) -> None:
        self.rates = rates

    def ratio(self, one: str, other: str) -> float:
        """The median over the rounds, so that the machine's mood cancels out."""
        return statistics.median(a / b for a, b in zip(self.rates[one], self.rates[other], strict=True))

    def show(self, reference: str) -> None:
        print_table(
            ("loop", "tokens/s", "least", "most", "of generate"),
            [
                (name, statistics.median(rate), min(rate), max(rate), self.ratio(name, reference))
                for name, rate in self.rates.items()
            ],
        )


def compare(loops: Mapping[str, Callable[[], object]], tokens: int, rounds: int) -> Paces:
    """Runs every loop, each yielding `tokens` tokens, once to warm up and then once in each round."""
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(rounds + 1):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop()
            if turn:
                rates[name].append(tokens / (time.perf_counter() - start))
    return Paces(rates)
