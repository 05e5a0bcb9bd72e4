"""Seconds from process start to the first painted window and to the loaded model."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys

from tests.benchmarks.table import Bar, print_table

_ROUNDS = 5


def measure(options: argparse.Namespace) -> list[Bar]:
    found = []
    for _ in range(_ROUNDS):
        done = subprocess.run(
            [sys.executable, "-m", "studio", "--startup-times"],
            capture_output=True,
            text=True,
            check=True,
            env={"QT_QPA_PLATFORM": "offscreen", **os.environ},
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    rows = [(name, *sorted(f[name] for f in found)) for name in ("first_paint", "model_ready")]
    print_table(("seconds", *(f"#{i + 1}" for i in range(_ROUNDS))), rows)
    return [
        Bar("first paint, median", statistics.median(f["first_paint"] for f in found), 1.0, False, " s"),
        Bar("model ready, median", statistics.median(f["model_ready"] for f in found), 4.0, False, " s"),
    ]
