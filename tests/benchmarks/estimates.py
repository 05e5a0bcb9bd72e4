"""The time foretold for a distillation beside the time that it takes."""

from __future__ import annotations

import argparse
import time

from engine.distill import Request, distill
from engine.distill.time_estimate import estimate, measure_speed
from engine.model.loading import load
from tests.benchmarks.decoding import half_billion
from tests.benchmarks.passes import PROMPT
from tests.benchmarks.table import Bar, print_table

REQUESTS = {
    "pocket": (
        Request(PROMPT),
        Request("Be gloomy."),
        Request("Answer in one short sentence."),
        Request(PROMPT, responses=64),
        Request(PROMPT, positions="question_and_response"),
        Request(PROMPT, method="caa"),
        Request(PROMPT, method="projection", responses=48),
        Request(PROMPT, method="s-psr", recipe="instant"),
        Request(PROMPT, recipe="refine"),
        Request("Be gloomy.", recipe="refine"),
        Request(PROMPT, method="s-psr"),
        Request(PROMPT, method="reft-r1", block=3),
        Request(PROMPT, method="a-const"),
        Request(PROMPT, recipe="paper", responses=64),
    ),
    "half-billion": (
        Request(PROMPT, responses=12, max_tokens=40, anyway=True),
        Request(PROMPT, responses=4, max_tokens=16, anyway=True),
    ),
}


def measure(options: argparse.Namespace) -> list[Bar]:
    rows, bars = [], []
    for name in options.model or REQUESTS:
        model = load() if name == "pocket" else half_billion()
        start = time.perf_counter()
        measure_speed(model)
        print(f"{name}: timed once in {time.perf_counter() - start:.1f} s", flush=True)
        worst = 1.0
        distill(model, Request(PROMPT, responses=4, max_tokens=24, anyway=True))  # warms up
        for request in REQUESTS[name]:
            start = time.perf_counter()
            foretold = estimate(model, request)
            asking, start = time.perf_counter() - start, time.perf_counter()
            distill(model, request)
            took = time.perf_counter() - start
            worst = max(worst, foretold / took, took / foretold)
            words = f"{name}: {request.method} {request.recipe or ''} {request.responses or ''}"
            rows.append((words, foretold, took, foretold / took, asking))
            print(f"{words} {foretold:.1f} s foretold, {took:.1f} s taken", flush=True)
        bars.append(Bar(f"{name}: estimate off by at most", worst, 1.5, False, "x"))
    print_table(("distillation", "foretold s", "taken s", "ratio", "s to tell"), rows)
    return bars
