"""Every method through fit, apply, save and load; and what sets each of them apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.distill import METHODS, Request, distill
from engine.distill.methods import BlockData
from engine.distill.methods.reft_r1 import apply, finalize
from engine.distill.questions import evaluation_questions
from engine.events import HeadReady
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.result import Generation
from engine.generation.sampling import Sampling
from engine.heads.head import BlockHead, Head
from engine.heads.head_file import load_head, save_head
from engine.heads.mix import MixBlock
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.pocket.rules import trait
from tests.models import tiny

PIRATE = "Talk like a pirate."
BEES = [Message("user", "Tell me about bees.")]
RECIPES = [(name, recipe) for name in METHODS for recipe in METHODS[name].recipes if recipe != "paper"]


@pytest.fixture(params=["pocket", "tiny"])
def model(request: pytest.FixtureRequest) -> LanguageModel:
    if request.param == "pocket":
        return request.getfixturevalue("pocket")
    return tiny.model()


def answer(model: LanguageModel, head: Head, tokens: int = 12, system: str | None = None) -> Generation:
    return generate(model, [Lane(BEES, system, heads=[head])], Sampling(max_tokens=tokens))[0]


@pytest.mark.parametrize(("name", "recipe"), RECIPES)
def test_every_method_fits_applies_saves_and_loads(
    model: LanguageModel, name: str, recipe, tmp_path: Path
) -> None:
    method = METHODS[name]
    heads: list[Head] = []
    result = distill(
        model,
        Request(PIRATE, method=name, recipe=recipe, responses=8, max_tokens=24, anyway=True),
        emit=lambda event: heads.append(event.head) if isinstance(event, HeadReady) else None,
    )
    head = result.head
    assert len(result.blocks) == (len(model.blocks) if method.every_block else 1)
    assert head.gate == method.gate and heads[-1].digest == head.digest
    assert head.rank in ((1, 2, 4) if method.ranked else (1,))
    assert set(result.faithfulness) == set(range(len(model.blocks)))
    assert all(np.isfinite(value) for value in result.faithfulness.values())
    assert bool(result.loss) == (recipe == "refine") or (method.polished and recipe == "instant")
    save_head(head, tmp_path / "it.head.safetensors")
    again = load_head(tmp_path / "it.head.safetensors", model.identity)
    assert again.digest == head.digest and again.info == head.info
    steered, same = answer(model, head), answer(model, again)
    assert steered.trace.ids.tolist() == same.trace.ids.tolist()
    assert np.array_equal(steered.trace.coefficients, same.trace.coefficients)
    applied = steered.trace.coefficients
    assert (applied[:, list(result.blocks)] != 0).any()
    assert (applied[:, [b for b in range(len(model.blocks)) if b not in result.blocks]] == 0).all()


@pytest.mark.parametrize(("name", "block"), [("a-psr", None), ("s-psr", 3)])
@pytest.mark.parametrize("recipe", ["instant", "refine", "paper"])
def test_a_gated_head_of_rank_3_has_three_directions_per_block(pocket, name: str, block, recipe) -> None:
    request = Request(PIRATE, method=name, recipe=recipe, rank=3, responses=8, block=block, max_tokens=40)
    result = distill(pocket, request)
    assert all(part.z.shape == (3, pocket.width) for part in result.head.blocks.values())
    assert all(np.allclose(np.linalg.norm(p.z, axis=1), 1, atol=1e-4) for p in result.head.blocks.values())
    assert (answer(pocket, result.head).trace.coefficients >= 0).all()  # of rank 2 and more: a length


@pytest.mark.parametrize("name", ["caa", "pca", "a-const", "reft-r1"])
def test_a_constant_is_the_same_on_every_token(pocket, name: str) -> None:
    head = distill(pocket, Request(PIRATE, method=name, recipe="instant", responses=8, max_tokens=40)).head
    for part in head.blocks.values():
        assert not part.w.any() and (part.b > 0).all()


def test_projection_brings_every_token_to_its_target(pocket) -> None:
    head = distill(pocket, Request(PIRATE, method="projection", responses=8)).head
    ((block, part),) = head.blocks.items()
    assert np.allclose(part.w, -part.z)
    seen = []
    handle = pocket.blocks[block].register_forward_hook(
        lambda module, arguments, output: seen.append(output[0, -1] @ torch.from_numpy(part.z[0]))
    )
    try:
        run = answer(pocket, head)
    finally:
        handle.remove()
    assert run.trace.coefficients[:, block].any() and len(seen) > len(run.trace)
    assert np.allclose(torch.stack(seen), part.b[0], atol=1e-3)


def test_ablation_under_the_prompt_takes_the_trait_away(pocket) -> None:
    head = distill(pocket, Request(PIRATE, method="ablation", responses=24)).head
    assert all(np.allclose(part.w, -part.z) and not part.b.any() for part in head.blocks.values())
    asked = evaluation_questions(pocket, 8, 0)
    lanes = [Lane([Message("user", q)], PIRATE, h, seed=i) for h in ([], [head]) for i, q in enumerate(asked)]
    answers = generate(pocket, lanes, Sampling(temperature=1.0, max_tokens=100))
    shown = [trait("pirate", g.text, q) for g, q in zip(answers, [*asked, *asked])]
    assert np.mean(shown[8:]) < 0.8 * np.mean(shown[:8])


def test_a_head_works_together_with_its_prompt(pocket) -> None:
    head = distill(pocket, Request(PIRATE, method="s-psr", recipe="instant", responses=12)).head
    both, prompt = answer(pocket, head, 60, PIRATE), answer(pocket, head.renamed("same"), 60)
    assert both.prompt_tokens > prompt.prompt_tokens
    assert trait("pirate", both.text, BEES[0].text) > 0.5
    assert (both.trace.coefficients != 0).any()


def test_reft_trains_with_the_strongest_latents_of_the_row_and_ends_as_their_mean() -> None:
    torch.manual_seed(0)
    hidden, strengths = torch.randn(2, 20, 8), torch.ones(2, 20, 1)
    strengths[:, :4] = 0.0
    w, b, z = torch.randn(1, 8), torch.randn(1), torch.eye(8)[:1]
    steered, _ = apply(hidden, MixBlock(w, b, z, torch.zeros(1)), strengths)
    factors = [torch.relu(row[4:] @ w[0] + b).topk(8).values.mean() for row in hidden]
    for row, factor in enumerate(factors):
        assert torch.allclose(steered[row, 4:], hidden[row, 4:] + factor * z[0])
        assert torch.equal(steered[row, :4], hidden[row, :4])
    constant = finalize(
        BlockHead(w.numpy(), b.numpy(), z.numpy()),
        hidden[:, 4:].flatten(0, 1),
        torch.arange(2).repeat_interleave(16),
    )
    assert np.isclose(constant.b[0], torch.stack(factors).mean()) and not constant.w.any()


def test_pca_finds_the_direction_that_the_answers_share() -> None:
    torch.manual_seed(0)
    axis = torch.nn.functional.normalize(torch.randn(16), dim=0)
    groups = torch.arange(6).repeat_interleave(10)
    difference = (1 + torch.rand(60, 1)) * axis + torch.randn(60, 16) * 0.1
    part = METHODS["pca"].solve(BlockData(difference, torch.randn(60, 16), groups, torch.ones(60)), 1).part
    assert part.z[0] @ axis.numpy() > 0.99 and 1.3 < part.b[0] < 1.7


def test_negatives_teach_a_head_to_leave_plain_answers_alone(pocket) -> None:
    """It does less to answers without the trait than a head that never saw any."""
    heads = [distill(pocket, Request(PIRATE, responses=16, negatives=count)).head for count in (0, 16)]
    plain = generate(pocket, [Lane(BEES)], Sampling(max_tokens=60))[0]
    ids = plain.trace.ids.tolist()
    without, taught = (
        generate(pocket, [Lane(BEES, heads=[head], forced=ids)], Sampling())[0].trace.coefficients[1:].mean()
        for head in heads
    )
    assert taught < 0.9 * without
    assert heads[1].info.recipe["negatives"] == 16


@pytest.mark.parametrize("recipe", ["instant", "refine"])
def test_question_and_response_positions_steer_the_question_too(pocket, recipe) -> None:
    request = Request(PIRATE, recipe=recipe, responses=12, rank=1, positions="question_and_response")
    result = distill(pocket, request)
    assert np.mean(list(result.faithfulness.values())) < 0.9
    run = answer(pocket, result.head, 60)
    assert trait("pirate", run.text, BEES[0].text) > 0.5
