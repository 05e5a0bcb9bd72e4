"""What a distillation costs and what it gets for it: passes, seconds, memory, recipes, ranks, estimates."""

from __future__ import annotations

import argparse

from tests.benchmarks import estimates, passes, rank, recipes
from tests.benchmarks.table import Bar, print_bars

PARTS = {"passes": passes, "recipes": recipes, "rank": rank, "estimates": estimates}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--model", choices=("pocket", "half-billion"), action="append", help="only this one")
    parser.add_argument("--styles", default="pirate,gloomy,hedging", help="for the recipes part")
    parser.add_argument("--questions", type=int, default=32, help="answers per head (default: 32)")
    parser.add_argument(
        "--paper-responses", type=int, default=250, help="for the plain paper recipe (default: 250)"
    )


def run(options: argparse.Namespace) -> int:
    bars: list[Bar] = []
    for name in options.part or PARTS:
        print(f"\n== {name}", flush=True)
        bars += PARTS[name].measure(options)
    print("\n== bars")
    print_bars(bars)
    return 0 if all(bar.passed for bar in bars) else 1
