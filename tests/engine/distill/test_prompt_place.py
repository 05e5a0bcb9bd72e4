"""Where a steering prompt goes: chosen by what was measured, kept in the head, followed by lanes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.cli import run as steer
from engine.distill import Request, distill
from engine.distill.prompt_place import ChosenPlace, choose_place
from engine.distill.questions import questions
from engine.errors import InputError
from engine.events import Cancel
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.heads.head_file import load_head
from engine.model.chat_template import Message, placed
from engine.model.language_model import LanguageModel
from tests.models import tiny

PIRATE = "Talk like a pirate."


def test_pocket_takes_the_place_that_it_was_trained_on(pocket: LanguageModel) -> None:
    events: list[Any] = []
    made = distill(pocket, Request(PIRATE, responses=8), emit=events.append)
    [choice] = [event for event in events if isinstance(event, ChosenPlace)]
    assert choice.place == made.place == made.head.info.place == "system"
    assert not choice.scores and "trained" in choice.why


def test_automatic_measures_both_places_and_says_why() -> None:
    model = tiny.model()
    choice = choose_place(model, "Talk about the fox.", questions(model, 4, 0), 0, Cancel())
    effects = {place: score.effect * score.usable for place, score in choice.scores.items()}
    assert (choice.place == "before") == (effects["before"] > 1.1 * effects["system"])
    assert all(score.effect > 0 for score in choice.scores.values())
    assert "nats per token" in choice.why


def test_a_named_place_is_taken_unmeasured(pocket: LanguageModel) -> None:
    events: list[Any] = []
    made = distill(pocket, Request(PIRATE, responses=8, place="before"), emit=events.append)
    assert made.place == made.head.info.place == "before"
    assert not any(isinstance(event, ChosenPlace) for event in events)


def test_an_unknown_place_is_refused() -> None:
    with pytest.raises(InputError, match="no place elsewhere"):
        Request(PIRATE, place="elsewhere")  # type: ignore[arg-type]


def test_the_truth_of_a_lane_has_the_prompt_in_its_place(pocket: LanguageModel) -> None:
    """What the prompt does to its own answer is what it did: nothing of it is left to do."""
    ask = [Message("user", "Tell me about bees.")]
    for place in ("system", "before"):
        lane = Lane(ask, reference_prompt=PIRATE, reference_place=place, **placed(PIRATE, place))
        [found] = generate(pocket, [lane], Sampling(max_tokens=12))
        assert found.trace.prompt_effect.max() > 0.5 and found.trace.distance_to_prompt.max() < 0.05
        other = "before" if place == "system" else "system"
        lane = Lane(ask, reference_prompt=PIRATE, reference_place=other, **placed(PIRATE, place))
        [beside] = generate(pocket, [lane], Sampling(max_tokens=12))
        assert beside.trace.distance_to_prompt.max() > 0.05


def test_the_command_line_takes_and_reports_the_place(capsys, tmp_path: Path) -> None:
    file = tmp_path / "pirate.head.safetensors"
    words = [PIRATE, "--out", str(file), "--responses", "8", "--place", "before", "--json"]
    steer(["distill", *words])
    report = json.loads(capsys.readouterr().out)
    assert report["place"] == "before" and load_head(file).info.place == "before"
    steer(
        [
            "generate",
            "Tell me about bees.",
            "--lane",
            "prompt",
            "--lane",
            str(file),
            "--max-tokens",
            "4",
            "--json",
        ]
    )
    summaries = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]["lanes"]
    assert [lane["place"] for lane in summaries] == ["before", "system"]
    assert summaries[0]["prompt"] == PIRATE
