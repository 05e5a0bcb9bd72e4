"""Sweeps: nothing computed twice, killed ones resumed, failures reported, the same on Ray."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from engine.__main__ import main
from engine.errors import Cancelled
from engine.events import Cancel
from engine.generation.sampling import Sampling
from engine.lab.cached_answers import CachedGenerator
from engine.lab.judges import JudgedItem, Score, open_judge
from engine.lab.ray_runner import Recipe, on_ray
from engine.lab.result_cache import ResultCache
from engine.lab.seed_pooling import best_per_block, strength_results
from engine.lab.sweep import Cell, CellFailure, CellResult, SweepSetup, cells, sweep
from engine.model.language_model import LanguageModel
from tests.models import tiny

PROMPT = "Talk like a pirate."
ASKED = ("Tell me about bees.", "Tell me about tea.")


def setup(model: LanguageModel, store: ResultCache) -> SweepSetup:
    generator = CachedGenerator(model, store, Sampling(temperature=1.0, max_tokens=60))
    return SweepSetup(generator, open_judge(None, model, store), PROMPT, ASKED)


def test_the_product_without_what_a_method_does_not_have() -> None:
    found = cells(
        ["none", "a-psr", "s-psr+prompt", "caa"],
        objectives=["mse", "ll"], blocks=[1, 2], ranks=[1, 2], strengths=[1, 2], seeds=[0, 1],
    )  # fmt: skip
    words = {cell.words for cell in found}
    assert len(found) == len(set(found))
    assert {"none", "a-psr:mse:rank2", "s-psr:ll:block2:rank1+prompt", "caa:block1"} <= words
    assert sum(cell.words == "none" for cell in found) == 2
    assert not any("block" in word for word in words if word.startswith("a-psr"))


def test_what_a_methods_words_say_is_not_swept_over() -> None:
    found = cells(["s-psr:ll:block3:rank2"], objectives=["mse"], blocks=[1, 2], ranks=[1])
    assert [cell.words for cell in found] == ["s-psr:ll:block3:rank2"]


def test_finished_cells_are_kept_and_failed_ones_do_not_stop_the_rest(
    pocket: LanguageModel, tmp_path: Path
) -> None:
    wanted = [Cell("none", 0.0, 0), Cell("a-psr:block1", 1.0, 0), Cell("a-psr:responses12", 1.0, 0)]
    store = ResultCache(tmp_path / "lab.sqlite")
    events: list[object] = []
    first = sweep(setup(pocket, store), wanted, emit=events.append)
    assert [type(outcome) for outcome in first] == [CellResult, CellFailure, CellResult]
    assert "takes no block" in str(first[1]) and isinstance(first[2], CellResult) and first[2].judged.n == 2
    assert [e for e in events if isinstance(e, CellResult | CellFailure)] == first
    stopped = Cancel()
    stopped.set()
    kept = [wanted[0], wanted[2]]
    assert sweep(setup(pocket, store), kept, cancel=stopped) == [first[0], first[2]]  # nothing to compute
    with pytest.raises(Cancelled):
        sweep(setup(pocket, store), [Cell("none", 0.0, 1)], cancel=stopped)


def test_a_killed_sweep_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["lab", "sweep", "--prompt", PROMPT, "--methods", "none,a-psr:responses12", "--count", "4"]
    words += ["--strengths", "0.5,1,1.5,2,2.5,3", "--max-tokens", "60", "--json"]
    path = tmp_path / "killed.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-m", "engine", *words, "--store", str(path)],
        stdout=subprocess.DEVNULL,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )

    def done() -> int:
        if not path.exists():
            return 0
        with sqlite3.connect(path) as connection:
            known = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'done'").fetchone()[0]
            return known and connection.execute("SELECT count(*) FROM done WHERE kind='cell'").fetchone()[0]

    while done() < 3 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = done()
    assert kept >= 3
    with sqlite3.connect(path) as connection:
        before = connection.execute("SELECT key, value, made FROM done WHERE kind='cell'").fetchall()
    assert main([*words, "--store", str(path)]) == 0
    resumed = json.loads(capsys.readouterr().out)["rows"]
    with sqlite3.connect(path) as connection:
        after = connection.execute("SELECT key, value, made FROM done WHERE kind='cell'").fetchall()
    assert set(before) <= set(after) and len(after) == len(resumed) == 7
    assert main([*words, "--store", str(tmp_path / "whole.sqlite")]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == resumed


@pytest.mark.slow
def test_ray_gives_the_same(pocket: LanguageModel) -> None:
    pytest.importorskip("ray")
    wanted = cells(["none", "a-psr:responses12"], strengths=[1, 2], seeds=[0, 1])
    recipe = Recipe(
        "pocket", "float32", None, PROMPT, ASKED, Sampling(temperature=1.0, max_tokens=60), "system"
    )
    here = sweep(setup(pocket, ResultCache()), wanted)
    assert sweep(setup(pocket, ResultCache()), wanted, runner=on_ray("local", recipe)) == here


def test_bad_words_are_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["lab", "sweep", "--prompt", PROMPT]
    for wrong in (
        ["--blocks", "x"], ["--blocks", "0-999999999"], ["--objectives", "joy"], ["--strengths", ""],
        ["--strengths", "nan"], ["--strengths", "1,inf"], ["--seeds", "0"], ["--count", "0"],
        ["--count", "-3"], ["--count", "99999"],
    ):  # fmt: skip
        assert main([*words, *wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_figures_of_other_code_or_another_model_are_never_found(
    pocket: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, cell = ResultCache(), Cell("none", 0.0, 0)
    here = setup(pocket, store)
    sweep(here, [cell])
    stopped = Cancel()
    stopped.set()
    assert sweep(here, [cell], cancel=stopped)  # kept
    key = here.key(cell)
    assert setup(tiny.model("llama"), store).key(cell) != key
    assert SweepSetup(here.generator, open_judge("likelihood", pocket, store), PROMPT, ASKED).key(cell) != key
    monkeypatch.setattr("engine.lab.result_cache.CACHE_VERSION", -1)
    assert here.key(cell) != key
    with pytest.raises(Cancelled):
        sweep(here, [cell], cancel=stopped)


class Moody:
    """Gives no score at first."""

    name, steady, score = "moody", False, Score(None, None)

    def judge(self, items: list[JudgedItem], cancel: Cancel) -> list[Score]:
        return [self.score for _ in items]


def test_a_cell_without_scores_is_judged_again(pocket: LanguageModel) -> None:
    judge, cell = Moody(), Cell("none", 0.0, 0)
    here = SweepSetup(setup(pocket, ResultCache()).generator, judge, PROMPT, ASKED)
    assert sweep(here, [cell]) == [CellResult(cell, (None, None), (None, None))]
    judge.score = Score(0.5, 1.0)
    assert sweep(here, [cell]) == sweep(here, [cell]) == [CellResult(cell, (0.5, 0.5), (1.0, 1.0))]


def test_judges_by_a_model_go_by_its_weights() -> None:
    one, other = tiny.model("llama"), tiny.model("llama")
    with torch.no_grad():
        next(other.network.parameters()).add_(0.1)
    for words in ("likelihood", "self"):
        assert open_judge(words, one, ResultCache()).name != open_judge(words, other, ResultCache()).name


def dosed(strength: float, first: float, second: float, coherence: float = 0.9, seed: int = 0) -> CellResult:
    """A cell of block 1 whose two halves of the questions show this much."""
    return CellResult(Cell("caa:block1", strength, seed), (first,) * 4 + (second,) * 4, (coherence,) * 8)


def test_the_best_strength_of_a_block_is_chosen_on_other_questions_than_it_is_shown_by() -> None:
    lucky, steady, broken = dosed(1, 0.9, 0.2), dosed(2, 0.6, 0.6), dosed(3, 1.0, 1.0, coherence=0.5)
    [best] = best_per_block([lucky, steady, broken])["caa"].values()
    assert (best.strength, best.trait.value) == (1.0, pytest.approx(0.2))  # not the 0.9 that it was chosen by
    assert best_per_block([broken]) == {}


def test_seeds_of_a_cell_are_pooled_with_what_is_missing() -> None:
    silent = CellResult(Cell("caa:block1", 1.0, 1), (None,) * 8, (0.5,) * 8)
    [[result]] = strength_results([dosed(1, 0.2, 0.4), silent]).values()
    assert (result.trait.value, result.trait.n, result.trait.missing) == (pytest.approx(0.3), 8, 8)
    assert result.coherence.value == pytest.approx(0.7) and result.seeds == (0, 1)
    low, high = result.trait.interval or (0, 0)
    assert low < 0.3 < high
    assert strength_results([silent]) == {}  # no point is drawn where nothing was judged
