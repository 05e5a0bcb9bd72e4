"""The bundled model's first light: quality of heads over all styles, speed, start-up, smoothness."""

from __future__ import annotations

import argparse

from engine.pocket.styles import STYLES
from tests.benchmarks import quality, responsiveness, speed, startup
from tests.benchmarks.table import Bar, print_bars

PARTS = {"speed": speed, "startup": startup, "responsiveness": responsiveness, "quality": quality}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part; may be repeated")
    parser.add_argument("--styles", default=",".join(STYLES), help="for the quality part (default: all)")
    parser.add_argument(
        "--questions", type=int, default=32, help="answers per style and method (default: 32)"
    )


def run(options: argparse.Namespace) -> int:
    bars: list[Bar] = []
    for name in options.part or PARTS:
        print(f"\n== {name}", flush=True)
        bars += PARTS[name].measure(options)
    print("\n== bars")
    print_bars(bars)
    return 0 if all(bar.passed for bar in bars) else 1
