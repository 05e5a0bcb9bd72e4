"""How much of a prompt's effect a head captures, and the rank that is chosen by it."""

from __future__ import annotations

import pytest
import torch

from engine.distill import Distillation, Request, distill
from engine.distill.captured import captured, captured_at_one, unseen_responses
from engine.distill.questions import evaluation_questions, questions
from engine.distill.response_filter import RuleFilter
from engine.distill.responses import Sampler
from engine.distill.training_data import TrainingData
from engine.errors import InputError
from engine.events import Cancel, ignore
from engine.heads.mix import Mix
from engine.model.language_model import LanguageModel

PIRATE = Request("Talk like a pirate.", place="system")


@pytest.fixture(scope="module")
def unseen(loaded_pocket: LanguageModel) -> TrainingData:
    sampler = Sampler(
        model=loaded_pocket,
        judge=RuleFilter(),
        positions="response",
        max_tokens=24,
        seed=5,
        cancel=Cancel(),
        emit=ignore,
        place="system",
    )
    asked = evaluation_questions(loaded_pocket, 9, seed=3)
    found = unseen_responses(loaded_pocket, PIRATE, sampler, asked, Cancel())
    assert found is not None
    return found


@pytest.fixture(scope="module")
def instant(loaded_pocket: LanguageModel) -> Distillation:
    return distill(loaded_pocket, PIRATE)


def test_the_prompt_captures_all_of_its_own_effect_and_the_plain_model_nothing(pocket, unseen) -> None:
    assert captured(pocket, unseen, unseen.prompted) == pytest.approx(1.0, abs=1e-5)
    assert captured(pocket, unseen, unseen.plain) == pytest.approx(0.0, abs=1e-5)


def test_a_head_tells_how_much_it_captures_on_questions_it_never_saw(pocket, unseen, instant) -> None:
    assert instant.captured is not None
    assert instant.head.info.figures["captured"] == pytest.approx(instant.captured, abs=1e-4)
    elsewhere = captured_at_one(pocket, unseen, Mix([instant.head], pocket))
    assert 0.8 < elsewhere < 1.0
    assert instant.captured == pytest.approx(elsewhere, abs=0.1)
    assert instant.seconds["captured"] > 0


def test_responses_that_were_left_out_are_the_same_beside_fewer_others(pocket, unseen) -> None:
    learned, out = unseen.split()
    assert out.tolist() == [3, 7]
    assert sorted([*learned.tolist(), *out.tolist()]) == list(range(9))
    part = unseen.select(out)
    places = unseen.whole.rows.places(out)
    assert torch.equal(part.labels, unseen.labels[places])
    assert torch.equal(part.targets[2], unseen.targets[2][places])
    assert captured(pocket, part, part.prompted) == pytest.approx(1.0, abs=1e-5)


def test_of_fewer_than_four_responses_none_is_left_out(unseen) -> None:
    learned, out = unseen.select(torch.arange(3)).split()
    assert learned.tolist() == [0, 1, 2] and not len(out)


def test_a_prompt_that_one_direction_cannot_carry_gets_more(pocket) -> None:
    found = distill(pocket, Request("Use exactly one sentence."))
    assert found.head.rank >= 2
    assert found.head.info.recipe["rank"] == found.head.rank


def test_the_rank_is_one_where_a_method_has_no_other_or_the_paper_says_so(pocket) -> None:
    for request in (
        Request(PIRATE.prompt, method="a-const", recipe="instant", responses=8, max_tokens=24),
        Request(PIRATE.prompt, recipe="paper", responses=8, max_tokens=24),
    ):
        assert distill(pocket, request).head.rank == 1


def test_an_instant_head_that_captures_too_little_is_trained_on(pocket, monkeypatch) -> None:
    """With so little asked for, no step is taken; with all, some are, and what they lower is the KL."""
    request = Request(PIRATE.prompt, rank=1, responses=16, max_tokens=40, place="system")
    monkeypatch.setattr("engine.distill.pipeline._ENOUGH", 0.0)
    closed = distill(pocket, request)
    monkeypatch.setattr("engine.distill.pipeline._ENOUGH", 1.0)
    trained = distill(pocket, request)
    assert not closed.loss and trained.loss
    assert closed.captured is not None and trained.captured is not None
    assert trained.captured > closed.captured - 0.02


def test_kl_is_an_objective_of_its_own(pocket) -> None:
    asked = questions(pocket, 8, 0)
    found = distill(
        pocket,
        Request(
            PIRATE.prompt, recipe="refine", objective="kl", responses=8, max_tokens=24, questions=(*asked,)
        ),
    )
    assert found.head.info.objective == "kl" and found.loss[-1] < found.loss[0]


def test_a_rank_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="out of range"):
        Request(PIRATE.prompt, rank=0)
