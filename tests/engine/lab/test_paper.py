"""`steer lab paper`, in small: everything written, and resumed without measuring again."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest

from engine.__main__ import main
from engine.lab.claims import verdict


@pytest.mark.slow
def test_the_paper_in_small(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["lab", "paper", "--out", str(tmp_path), "--styles", "pirate", "--seeds", "1", "--json"]
    words += ["--questions", "8", "--methods", "none,prompt,caa,a-psr,s-psr:ll"]
    assert main(words) == 0
    claims = {claim["claim"]: claim["holds"] for claim in json.loads(capsys.readouterr().out)["claims"]}
    assert claims["A prompt's effect differs from token to token by more than 3 times"]
    assert claims["S-PSR is above CAA"] is None  # one style and one seed decide nothing
    for name in ("paper.json", "paper.md", "paper.html", "pareto.svg", "effects.svg", "faithfulness.svg"):
        assert (tmp_path / name).stat().st_size > 500
    record = json.loads((tmp_path / "paper.json").read_text())
    assert {row["target"] for row in record["rows"]} == {"C80", "Cp"}
    began = time.perf_counter()
    assert main(words) == 0
    assert time.perf_counter() - began < 15  # nothing is measured again


def test_what_cannot_be_measured_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    for wrong in (["--styles", "teapot"], ["--seeds", "0"], ["--out", str(tmp_path / "file" / "deeper")]):
        assert main(["lab", "paper", "--out", str(tmp_path), *wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("apart", "slack", "holds"),
    [
        ([[0.3, 0.4], [0.2, 0.3]], 0.0, True),
        ([[-0.3, -0.4], [-0.2, -0.3]], 0.0, False),
        ([[0.9, 0.8], [-0.5, -0.4]], 0.0, None),  # above in the mean, by one style alone
        ([[-0.01, 0.0], [0.0, 0.01]], 0.02, True),  # as good, within what is allowed
        ([[-0.01, 0.0], [0.0, 0.01]], 0.0, None),
        ([[0.5]], 0.0, None),
    ],
)
def test_a_claim_holds_where_the_paired_differences_say_so(
    apart: list[list[float]], slack: float, holds: bool | None
) -> None:
    assert verdict(np.array(apart), slack) is holds
