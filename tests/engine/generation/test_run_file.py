"""Recorded runs: the file holds everything, and a replay says the very same tokens."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from engine.errors import EngineError, RunError
from engine.events import Cancel
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.prefix_cache import PrefixCache
from engine.generation.recorded_run import Run, first_differences, record_run, replay
from engine.generation.result import Agreement
from engine.generation.run_file import load_run, save_run
from engine.generation.sampling import Sampling
from engine.generation.trace import Token
from engine.generation.trace_export import to_csv, to_json
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from tests.models import tiny

ASK = [Message("user", "Tell me about the garden!")]
FREE = Sampling(temperature=1.0, top_p=0.95, max_tokens=24)
OLD = Path(__file__).with_name("run-1.run.safetensors")


def moving(model: LanguageModel, *, cancel_at: int | None = None, sampling: Sampling = FREE) -> Run:
    """Two lanes in one batch, the first with two heads whose strengths are moved while it speaks."""
    cancel, strengths = Cancel(), LiveStrengths([1.0, 0.0])

    def move(token: Token) -> None:
        if token.lane == 0:
            strengths.set(token.index % 2, 0.3 * token.index)
        if token.index == cancel_at:
            cancel.set()

    heads = (tiny.head(model), tiny.head(model, seed=1, rank=2, blocks=(1,)))
    lanes = [
        Lane(ASK, heads=heads, strengths=strengths, seed=3, reference_prompt="Talk so."),
        Lane(ASK, system="Be brief.", seed=4),
    ]
    answers = generate(model, lanes, sampling, cancel=cancel, on_token=move)
    return record_run(model, lanes, sampling, answers)


def stored(run: Run, path: Path) -> Run:
    save_run(path, run)
    return load_run(path)


def test_a_run_file_keeps_every_figure(model: LanguageModel, tmp_path: Path) -> None:
    run = moving(model)
    read = stored(run, tmp_path / "a.run.safetensors")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.run.safetensors"]
    assert (read.model, read.precision, read.sampling) == (run.model, run.precision, run.sampling)
    for old, new in zip(run.answers, read.answers, strict=True):
        for name in (
            "ids",
            "logprobs",
            "ranks",
            "strengths",
            "coefficients",
            "lengths",
            "prompt_effect",
            "distance_to_prompt",
        ):
            np.testing.assert_array_equal(getattr(old.trace, name), getattr(new.trace, name))
        assert (old.trace.pieces, old.trace.alternatives) == (new.trace.pieces, new.trace.alternatives)
        assert (old.text, old.stopped, old.prompt_tokens) == (new.text, new.stopped, new.prompt_tokens)
        np.testing.assert_array_equal(old.tokens.strengths, new.tokens.strengths)
    for one, other in zip(run.lanes[0].heads, read.lanes[0].heads, strict=True):
        assert one.digest == other.digest and one.info.name == other.info.name


def test_strengths_that_moved_are_replayed_token_by_token(model: LanguageModel, tmp_path: Path) -> None:
    run = moving(model)
    assert len({tuple(row) for row in run.answers[0].trace.strengths}) > 5
    again = replay(model, stored(run, tmp_path / "a"))
    assert first_differences(run, again) == [None, None]
    for old, new in zip(run.answers, again, strict=True):
        np.testing.assert_array_equal(old.trace.strengths, new.trace.strengths)
        for name in ("coefficients", "logprobs", "prompt_effect", "distance_to_prompt"):
            np.testing.assert_allclose(getattr(old.trace, name), getattr(new.trace, name), atol=1e-5)


def test_without_the_recorded_strengths_the_tokens_are_others(model: LanguageModel) -> None:
    run = moving(model)
    lanes = [replace(lane, strengths=LiveStrengths(lane.current_strengths())) for lane in run.lanes]
    fixed = generate(model, lanes, run.sampling)
    assert first_differences(run, fixed)[0] is not None


def test_a_stopped_run_goes_as_far_as_it_had_come(model: LanguageModel, tmp_path: Path) -> None:
    run = moving(model, cancel_at=7)
    assert run.answers[0].stopped == "cancelled"
    again = replay(model, stored(run, tmp_path / "a"))
    assert first_differences(run, again) == [None, None]


def test_earlier_answers_are_steered_again_as_they_were(model: LanguageModel, tmp_path: Path) -> None:
    first = moving(model)
    told = Message("assistant", first.answers[0].text, first.answers[0].tokens)
    plain = Message("assistant", first.answers[1].text, first.answers[1].tokens)
    lanes = [
        Lane([*ASK, turn, Message("user", "What else?")], heads=(tiny.head(model, seed=5),), seed=9)
        for turn in (told, plain)
    ]
    run = record_run(model, lanes, FREE, generate(model, lanes, FREE))
    assert first_differences(run, replay(model, stored(run, tmp_path / "a"))) == [None, None]


def test_pocket_replays_a_steered_answer(pocket: LanguageModel, tmp_path: Path) -> None:
    from engine.heads.head_file import load_head

    pirate = Path(__file__).parents[3] / "assets" / "heads" / "1-pirate.head.safetensors"
    strengths = LiveStrengths([0.0])
    lane = Lane(
        [Message("user", "Tell me about bees.")], heads=(load_head(pirate),), strengths=strengths, seed=2
    )

    def move(token: Token) -> None:
        strengths.set(0, min(1.2, 0.1 * token.index))

    answers = generate(pocket, [lane], replace(FREE, max_tokens=40), on_token=move)
    run = record_run(pocket, [lane], replace(FREE, max_tokens=40), answers)
    assert first_differences(run, replay(pocket, stored(run, tmp_path / "a"))) == [None]


@pytest.fixture(scope="module")
def pocket16() -> LanguageModel:
    return load(dtype="bfloat16")


@pytest.mark.parametrize("sampling", [replace(FREE, max_tokens=60), Sampling(max_tokens=60)])
def test_later_turns_in_half_precision_are_the_same_though_rounding_decides_some(
    pocket16: LanguageModel, sampling: Sampling
) -> None:
    """Recorded from kept states row by row, replayed from states made again in one batch."""
    heads = (tiny.head(pocket16, size=0.3),)
    memory, ties, runs = PrefixCache(), 0, []
    told: list[list[Message]] = [[], []]
    for question in ("Tell me about bees.", "Tell me about tea.", "What is a lighthouse?", "And a castle?"):
        asked = [[*before, Message("user", question)] for before in told]
        lanes = [Lane(asked[0], heads=heads, seed=8, reference_prompt="Be brief."), Lane(asked[1], seed=8)]
        run = record_run(pocket16, lanes, sampling, generate(pocket16, lanes, sampling, prefix_cache=memory))
        again = replay(pocket16, run)
        assert first_differences(run, again) == [None, None]
        ties += sum(answer.agreement.ties for answer in again)
        assert all(answer.agreement.alike for answer in again)
        runs.append(run)
        for turn, words, answer in zip(told, asked, run.answers, strict=True):
            turn[:] = [*words, Message("assistant", answer.text, answer.tokens)]
    assert 0 < ties < sum(len(answer.trace) for run in runs for answer in run.answers) / 20
    if sampling.temperature:
        first, *_ = runs  # later ones say little that is not certain
        others = tuple(replace(lane, seed=lane.seed + 1) for lane in first.lanes)
        assert None not in first_differences(first, replay(pocket16, replace(first, lanes=others)))


def test_other_strengths_are_noticed_though_the_tokens_are_the_same(
    pocket: LanguageModel, pocket16: LanguageModel
) -> None:
    from engine.heads.head_file import load_head

    head = load_head(Path(__file__).parents[3] / "assets" / "heads" / "1-pirate.head.safetensors")
    sampling = Sampling(max_tokens=40)
    for made in (pocket, pocket16):
        lane = Lane([Message("user", "Tell me about bees.")], heads=(head,), strengths=LiveStrengths([1.2]))
        run = record_run(made, [lane], sampling, generate(made, [lane], sampling))
        answer = run.answers[0]
        said = replace(answer.tokens, strengths=answer.tokens.strengths / np.float32(1.2))
        weaker = replace(lane, strengths=LiveStrengths([1.0]))
        other = replace(run, answers=(replace(answer, tokens=said),), lanes=(weaker,))
        [same], [again] = replay(made, run), replay(made, other)
        assert same.agreement == Agreement(0, same.agreement.within, True)
        assert again.agreement.within > 3 * same.agreement.within
        assert made is pocket16 or not again.agreement.alike  # there as much may be rounding


def test_the_record_does_not_cover_another_steering(model: LanguageModel) -> None:
    run = moving(model)
    bare = tuple(replace(lane, heads=(), strengths=LiveStrengths([])) for lane in run.lanes)
    answers = [
        replace(answer, tokens=replace(answer.tokens, heads=(), strengths=answer.tokens.strengths[:, :0]))
        for answer in run.answers
    ]
    assert (
        first_differences(run, replay(model, replace(run, lanes=bare, answers=tuple(answers))))[0] is not None
    )


def test_another_model_is_refused(model: LanguageModel) -> None:
    run = moving(model)
    other = replace(run, model=replace(run.model, id="other/model", vocabulary=7))
    with pytest.raises(RunError, match="Load other/model first"):
        replay(model, other)


def changed(
    path: Path, header: Callable[[dict[str, Any]], Any], arrays: Callable[[dict[str, Any]], Any]
) -> None:
    with safe_open(path, framework="numpy") as file:
        facts = json.loads(file.metadata()["run"])
        tensors = {name: file.get_tensor(name).copy() for name in file.keys()}  # noqa: SIM118
    header(facts)
    arrays(tensors)
    save_file(tensors, path, metadata={"run": json.dumps(facts)})


def nothing(entry: dict[str, Any]) -> None: ...


@pytest.mark.parametrize(
    ("why", "header", "arrays"),
    [
        ("up to 1", lambda h: h.update(format=2), nothing),
        ("not a run file", lambda h: h.pop("format"), nothing),
        ("wrong kind", lambda h: h.pop("model"), nothing),
        ("wrong kind", lambda h: h["lanes"][0].update(heads=[7]), nothing),
        ("wrong kind", lambda h: h["lanes"][0]["answer"]["pieces"].pop(), nothing),
        ("wrong kind", lambda h: h["lanes"][0]["answer"].update(stopped="bored"), nothing),
        ("wrong kind", lambda h: h["heads"][0].update(hash="0"), nothing),
        ("wrong kind", lambda h: h["lanes"][0].update(answer=False), nothing),
        ("wrong kind", lambda h: h["lanes"][0].update(follows=9), nothing),
        ("missing", lambda h: h["lanes"][0].update(opening=[10**9]), nothing),
        (
            "beyond 64 bits",
            lambda h: h["lanes"][0]["answer"]["alternatives"][0][0].__setitem__(0, 2**64),
            nothing,
        ),
        ("not JSON", lambda h: h["lanes"][0]["answer"]["alternatives"][0][0].__setitem__(2, np.inf), nothing),
        ("beyond 64 bits", lambda h: h["sampling"].update(temperature=10**19), nothing),
        ("missing", nothing, lambda a: a["lane.0.ids"].__setitem__(0, 10**9)),
        ("missing", nothing, lambda a: a.update({"lane.0.ids": a["lane.0.ids"].astype("f4")})),
        ("out of range", lambda h: h["sampling"].update(temperature=-1), nothing),
        ("wrong kind", nothing, lambda a: a.pop("lane.0.ids")),
        ("wrong kind", nothing, lambda a: a.update({"lane.1.lengths": a["lane.1.lengths"][:, :2].copy()})),
        ("NaN or infinite", nothing, lambda a: a["lane.0.coefficients"].__setitem__((0, 0), np.nan)),
        ("NaN or infinite", nothing, lambda a: a["head.0.block.0.w"].__setitem__((0, 0), np.inf)),
    ],
)
def test_a_damaged_or_newer_run_is_refused(
    why: str, header: Callable, arrays: Callable, model: LanguageModel, tmp_path: Path
) -> None:
    path = tmp_path / "a.run.safetensors"
    save_run(path, moving(model, sampling=replace(FREE, max_tokens=4)))
    changed(path, header, arrays)
    with pytest.raises(EngineError, match=why):
        load_run(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such file"):
        load_run(tmp_path / "none")
    (tmp_path / "junk").write_bytes(b"junk" * 50)
    with pytest.raises(RunError, match="damaged"):
        load_run(tmp_path / "junk")
    save_file({"x": np.zeros(3)}, tmp_path / "weights")
    with pytest.raises(RunError, match="not a run file"):
        load_run(tmp_path / "weights")


def test_a_file_of_format_1_opens() -> None:
    run = load_run(OLD)
    assert run.model.id == "tiny-llama" and len(run.lanes) == 2
    assert len(run.lanes[0].heads) == 2 and np.isfinite(run.answers[0].trace.prompt_effect).all()
    assert run.answers[0].text == "".join(run.answers[0].trace.pieces)


def test_a_table_has_every_token_and_says_where_it_is_from(model: LanguageModel) -> None:
    run = moving(model)
    text = to_csv(run)
    notes = [line for line in text.splitlines() if line.startswith("# ")]
    assert any(run.lanes[0].heads[0].digest in note for note in notes)
    rows = list(csv.DictReader(text.split("\n", len(notes))[-1].splitlines(keepends=True)))
    tokens = [(lane, at) for lane, answer in enumerate(run.answers) for at in range(len(answer.trace))]
    assert [(int(row["lane"]), int(row["index"])) for row in rows] == tokens
    assert "".join(row["text"] for row in rows if row["lane"] == "0") == run.answers[0].text
    assert np.float32(rows[3]["coefficient_1"]) == run.answers[0].trace.coefficients[3, 1]
    assert np.float32(rows[5]["strength_1"]) == run.answers[0].trace.strengths[5, 1]
    assert rows[-1]["truth_0"] == "" and rows[-1]["strength_0"] == ""


def test_json_holds_the_same_and_is_strict(model: LanguageModel) -> None:
    run = moving(model)
    facts = json.loads(to_json(run), parse_constant=lambda name: pytest.fail(name))
    assert facts["model"]["fingerprint"] == run.model.fingerprint and facts["lanes"][0]["seed"] == 3
    token = facts["answers"][0]["tokens"][2]
    assert token["coefficients"] == run.answers[0].trace.coefficients[2].tolist()
    assert facts["answers"][1]["tokens"][0]["truth"] == [None] * 3
