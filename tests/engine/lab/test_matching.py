"""Strengths matched by bisection, on one half of the questions; intervals; what is kept."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engine.__main__ import main
from engine.distill import distill
from engine.distill.questions import evaluation_questions, questions
from engine.errors import InputError, LabError
from engine.events import Cancel, Progress
from engine.generation.sampling import Sampling
from engine.lab.bisection import Point, search
from engine.lab.bootstrap import Mean, interval
from engine.lab.cached_answers import CachedGenerator, Judged, Query, as_judged
from engine.lab.differences import differences
from engine.lab.judges import JudgedItem, Score, open_judge
from engine.lab.matching import Match, MatchRow, MatchSetup, match
from engine.lab.method_specs import parse_method_spec, parse_method_specs
from engine.lab.result_cache import ResultCache
from engine.model.language_model import LanguageModel

PROMPT = "Talk like a pirate."


def setup(pocket: LanguageModel, store: ResultCache, count: int = 12) -> MatchSetup:
    generator = CachedGenerator(pocket, store, Sampling(temperature=1.0, max_tokens=120))
    asked = tuple(evaluation_questions(pocket, count, 3))
    return MatchSetup(generator, open_judge(None, pocket, store), PROMPT, asked, (0, 1))


@pytest.fixture(scope="module")
def matched(loaded_pocket: LanguageModel) -> tuple[Match, list[object]]:
    """Six arms brought to a coherence of 0.8, with the events of that."""
    events: list[object] = []
    specs = parse_method_specs("none,prompt,a-psr,caa:responses12,a-psr:block99,a-psr+prompt", PROMPT)
    return match(setup(loaded_pocket, ResultCache()), specs, 0.8, emit=events.append), events


def test_methods_meet_at_the_target(matched: tuple[Match, list[object]]) -> None:
    found, events = matched
    rows = {row.method: row for row in found.rows}
    assert rows["none"].trait == 0.0 and rows["none"].strength == 0.0
    assert (rows["prompt"].trait or 0) > 0.8 and rows["prompt"].strength is None
    assert (rows["a-psr"].trait or 0) > (rows["caa:responses12"].trait or 0) + 0.1
    assert [row for row in events if isinstance(row, MatchRow)] == list(found.rows)
    for name in ("a-psr", "caa:responses12", "a-psr+prompt"):
        row = rows[name]
        assert row.reached and row.n == 12 and row.missing == 0
        # The chosen strength is as near to the target as any, on the half that it is chosen on.
        at = next(point for point in row.curve if point.strength == row.strength)
        assert abs(at.coherence - 0.8) <= min(abs(p.coherence - 0.8) for p in row.curve) + 0.05
        assert row.trait_ci and row.trait_ci[0] <= (row.trait or 0) <= row.trait_ci[1]
    assert [failure.method for failure in found.failures] == ["a-psr:block99"]
    # Progress goes by what is measured: a method without a head is one step of many.
    steps = [event for event in events if isinstance(event, Progress)]
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == steps[-1].total == 2 + 4 * 8 and steps[2].done == 2
    assert next(e for e in events if isinstance(e, Point)).strength == 0.0
    json.dumps(found.to_json(), allow_nan=False)


def test_bisection_finds_where_a_curve_crosses() -> None:
    def at(strength: float) -> Point:
        return Point(strength, 1.0, 1 / (1 + (strength / 10) ** 2), 0)

    strength, curve, reached, _ = search(at, 0.8)
    assert reached and strength == pytest.approx(5.0, rel=0.08)
    assert [p.strength for p in curve] == sorted(p.strength for p in curve)


def test_of_strengths_that_are_as_coherent_the_strongest_is_taken() -> None:
    """Half a head often breaks more of the language than a whole one."""
    curve = {0.0: 0.98, 0.25: 0.9, 0.5: 0.85, 1.0: 0.955, 2.0: 0.7}

    def at(strength: float) -> Point:
        return Point(strength, 1.0, float(np.interp(strength, list(curve), list(curve.values()))), 0)

    strength, tried, reached, note = search(at, 0.97)
    assert strength == 1.0 and reached and not note
    assert min(p.strength for p in tried if p.strength) < 0.1  # where the bisection alone would have ended
    assert search(at, 0.9)[0] > 1.0


def test_a_target_that_is_never_met_is_said() -> None:
    strength, _, reached, note = search(lambda s: Point(s, 0.5, 0.95, 0), 0.8)
    assert not reached and strength == 64 and "never fell" in note
    strength, _, reached, note = search(lambda s: Point(s, 0.5, 0.7, 0), 0.8)
    assert not reached and strength == 64 and "never fell" in note
    strength, _, reached, note = search(lambda s: Point(s, 0.5, 0.7 - 0.1 * s, 0), 0.8)
    assert not reached and strength < 0.2 and "unsteered" in note


def test_a_leap_past_the_target_is_not_called_matched() -> None:
    strength, _, reached, note = search(lambda s: Point(s, 0.5, 0.95 if s < 1.3 else 0.1, 0), 0.8)
    assert not reached and strength < 1.3 and "the nearest value is 0.95" in note


def test_intervals_leave_missing_scores_out_and_narrow_with_more_questions() -> None:
    rng = np.random.default_rng(0)
    few, many = (interval(rng.random((n, 2))) for n in (8, 200))
    assert few and many and many[1] - many[0] < few[1] - few[0]
    holes = np.full((6, 2), np.nan)
    assert interval(holes) is None
    holes[0, 0] = 0.5
    assert interval(holes) is None  # one value tells no interval
    holes[3, 1] = 0.7
    assert interval(holes) == (0.5, 0.7)


def test_means_of_groups_count_what_is_missing_and_go_by_the_groups() -> None:
    found = Mean.of([np.array([1.0, np.nan]), np.array([0.0]), np.array([0.5, 0.5, np.nan])])
    assert (found.value, found.n, found.missing) == (pytest.approx(0.5), 4, 2)
    assert Mean.of([np.array([np.nan])]) == Mean(None, None, 0, 1) and Mean.of([]).n == 0
    alike = [np.full(20, value) for value in (0.0, 1.0, 0.0, 1.0)]  # twenty answers tell no more than one
    wide = Mean.of(alike).interval
    assert wide is not None and wide[1] - wide[0] > 0.7


def test_differences_are_of_the_same_answers(matched: tuple[Match, list[object]]) -> None:
    found, _ = matched
    none, prompt, head, caa, both = found.rows
    assert len(head.traits) == 6 and all(len(row) == 2 for row in head.traits)
    pairs = [(d.method, d.other) for d in found.differences]
    assert pairs[:2] == [("prompt", "none"), ("a-psr", "none")] and ("a-psr", "prompt") in pairs
    assert len(set(pairs)) == 10 and (both.method, caa.method) in pairs  # each pair once, the later one first
    above = found.differences[0]
    assert above.trait == pytest.approx((prompt.trait or 0) - (none.trait or 0)) and above.n == 12
    assert above.trait_ci is not None and above.trait_ci[0] > 0  # prompting is above doing nothing


def test_what_hard_questions_do_to_both_methods_does_not_blur_their_difference() -> None:
    hard = tuple((value, value) for value in np.linspace(0.0, 0.8, 12))
    one = Pair("better", tuple((a + 0.1, b + 0.1) for a, b in hard))
    [apart] = differences([Pair("worse", hard), one])
    assert apart.trait_ci == pytest.approx((0.1, 0.1))
    own = interval(np.array(hard))
    assert own is not None and own[1] - own[0] > 0.2  # each by itself is told far worse
    [lacking] = differences([Pair("worse", hard), Pair("silent", ((None, 0.5), *hard[1:]))])
    assert (lacking.n, lacking.missing) == (23, 1)


@dataclass(frozen=True)
class Pair:
    method: str
    traits: tuple[tuple[float | None, ...], ...]


def test_averages_count_what_is_missing() -> None:
    found: Judged = as_judged([Score(1.0, 1.0), Score(None, 0.5), Score(0.0, None), Score(0.5, 0.6)], 2)
    assert (found.trait, found.missing, found.n) == (0.5, 2, 2)
    assert found.coherence == pytest.approx(0.7)


class Silent:
    name, steady = "silent", True

    def judge(self, items: list[JudgedItem], cancel: Cancel) -> list[Score]:
        return [Score(None, 1.0) for _ in items]


def test_a_judge_without_scores_is_an_error_never_a_number(pocket: LanguageModel) -> None:
    store = ResultCache()
    generator = CachedGenerator(pocket, store, Sampling(max_tokens=8))
    silent = MatchSetup(generator, Silent(), PROMPT, ("Tell me about bees.", "Tell me about tea."))
    with pytest.raises(LabError, match="no score of trait for any of 1"):
        match(silent, parse_method_specs("none", PROMPT))


def test_answers_are_made_once_per_content(pocket: LanguageModel, tmp_path: Path) -> None:
    asked = [Query("Tell me about bees.", 1), Query("And what else?", 2, ("Tell me about tea.", "Tea."))]
    store = ResultCache(tmp_path / "lab.sqlite")
    first = CachedGenerator(pocket, store, Sampling(max_tokens=20)).answers(asked, None, [], Cancel())
    store.close()
    again = ResultCache(tmp_path / "lab.sqlite")
    stopped = Cancel()
    stopped.set()  # nothing is generated any more
    generator = CachedGenerator(pocket, again, Sampling(max_tokens=20))
    assert generator.answers(asked, None, [], stopped) == first
    assert generator.answers(asked[:1], PROMPT, [], Cancel()) != first[:1]


def test_evaluation_questions_are_never_distilled(pocket: LanguageModel) -> None:
    assert not set(evaluation_questions(pocket, 100, 0)) & set(questions(pocket, 2000, 0))


@pytest.mark.parametrize(
    "words",
    [
        "",
        "none,none",
        "spell",
        "a-psr:x",
        "none+prompt",
        "prompt+prompt",
        "a+b+c",
        "caa:block1:block2",
        "a-psr:mse:ll",
    ],
)
def test_arms_that_make_no_sense(words: str) -> None:
    with pytest.raises(InputError):
        parse_method_specs(words, PROMPT)


def test_arms_say_how_a_head_is_made() -> None:
    spec = parse_method_spec("s-psr:rank2:mse+ll:block3+prompt", PROMPT)
    assert spec.prompted and spec.request is not None
    assert (spec.request.rank, spec.request.objective, spec.request.block) == (2, "mse+ll", 3)
    assert spec.request.recipe == "refine"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, page = ["--store", str(tmp_path / "lab.sqlite")], tmp_path / "match.html"
    words = ["lab", "match", "--prompt", PROMPT, "--methods", "none,prompt,a-psr", *store, "--count", "8"]
    assert main([*words, "--json", "--coherence", "prompt", "--report", str(page)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [row["method"] for row in told["rows"]] == ["none", "prompt", "a-psr"]
    assert all({"strength", "trait", "trait_ci", "coherence", "n"} <= set(row) for row in told["rows"])
    assert "<svg" in page.read_text() and "http" not in page.read_text().split("<svg")[0]
    assert main(words) == 0
    assert "a-psr" in capsys.readouterr().out
    (tmp_path / "none.txt").write_text("\n")
    for wrong in (
        ["--coherence", "120"], ["--questions", str(tmp_path / "none.txt")], ["--seeds", "0"],
        ["--report", str(tmp_path / "no" / "a.html")], ["--judge", "oracle"], ["--methods", "magic"],
    ):  # fmt: skip
        assert main([*words, *wrong]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1


def test_iso_kl_is_where_the_tokens_move_by_one_nat(pocket: LanguageModel) -> None:
    given = setup(pocket, ResultCache(), 8)
    found = match(
        given, parse_method_specs("none,prompt,a-psr:responses12,a-psr:responses12+prompt", PROMPT), "kl"
    )
    none, prompt, head, both = found.rows
    assert found.coherence is None and none.kl == 0.0 and (prompt.kl or 0) > 1
    assert head.reached and head.strength == head.iso_kl and head.kl == pytest.approx(1.0, abs=0.3)
    assert head.curve[-1].strength == head.strength and head.curve[0].strength == 0
    assert both.strength == 0 and both.iso_kl is None and "prompt alone" in both.note
    assert set(head.effects) == set(head.prompted) == set(range(6))
    for spread in (*head.effects.values(), *head.prompted.values()):
        assert len(spread.percentiles) == 5 and list(spread.percentiles) == sorted(spread.percentiles)
        assert sum(spread.shares) == pytest.approx(1.0, abs=0.01) and len(spread.edges) == 41


def test_a_constant_adds_the_same_to_every_token_and_the_kl_grows(pocket: LanguageModel) -> None:
    given = setup(pocket, ResultCache(), 8)
    [spec] = parse_method_specs("caa:responses12", PROMPT)
    assert spec.request is not None
    head, forced = distill(pocket, spec.request).head, given.forced(Cancel())
    [spread] = forced.effects(head).values()
    low, *_, high = spread.percentiles
    assert low == pytest.approx(high, rel=1e-3) and low > 0
    # All tokens lie in one bin, the one that the constant is in; the prompt's lie in many.
    [full] = [i for i, share in enumerate(spread.shares) if share]
    assert spread.edges[full] <= low <= spread.edges[full + 1] or full == len(spread.shares) - 1
    assert all(sum(share > 0 for share in each.shares) > 10 for each in forced.prompt_effects().values())
    grown = [forced.kl(head, strength, beside_prompt=False) for strength in (0.0, 2.0, 8.0)]
    assert grown[0] == pytest.approx(0.0, abs=1e-5) and grown[0] < grown[1] < grown[2]


def test_every_picture_and_all_points_as_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["lab", "match", "--prompt", PROMPT, "--methods", "none,a-psr:responses12", "--count", "4"]
    words += ["--store", str(tmp_path / "lab.sqlite"), "--coherence", "kl"]
    page, folder = tmp_path / "match.html", tmp_path / "figures"
    assert main([*words, "--report", str(page), "--figures", str(folder)]) == 0
    told = capsys.readouterr().out
    assert "judge self-disagreement: 0" in told and "iso-KL" in told
    assert "judge self-disagreement" in page.read_text() and page.read_text().count("<svg") == 5
    names = ("pareto", "strengths", "faithfulness", "effects", "distribution")
    assert {path.name for path in folder.iterdir()} == {
        "points.csv", *(f"{name}{suffix}" for name in names for suffix in (".svg", ".png"))
    }  # fmt: skip
    rows = list(csv.DictReader((folder / "points.csv").open()))
    assert {row["point"] for row in rows} == {"reported", "tried", "block", "bin"}
    bins = [row for row in rows if row["point"] == "bin" and row["block"] == "5"]
    for share in ("effect_share", "prompted_share"):
        assert sum(float(row[share]) for row in bins) == pytest.approx(1.0, abs=0.01)
    (tmp_path / "file").write_text("")
    assert main([*words, "--figures", str(tmp_path / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
