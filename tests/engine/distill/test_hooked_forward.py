"""What is recorded, kept or taken in parts equals what one plain forward over everything gives."""

from __future__ import annotations

from collections.abc import Iterable
from unittest.mock import patch

import pytest
import torch
from torch import Tensor

from engine.distill import token_losses
from engine.distill.hooked_forward import BlockInputs, PrefixKV, output_hooks, run
from engine.distill.model_kind import kind_of
from engine.distill.request import Request
from engine.distill.responses import Sampler
from engine.distill.teacher_forcing import Response, TeacherForcedBatch
from engine.distill.token_losses import divergences, logits, losses
from engine.distill.training_data import response_rows
from engine.events import Cancel, ignore
from engine.heads.head import Positions
from engine.model.language_model import LanguageModel
from tests.hooks import hooks
from tests.models import tiny

PROMPT = "Talk like a pirate."
QUESTIONS = ["Hi there", "Tell me about the garden, the river and the mountain.", "Who are you?"]


def response(question: str, ids: Iterable[int], end: int) -> Response:
    return Response(question=question, ids=tuple(ids), end=end, text="", trait=1.0, coherence=1.0)


KEPT = [
    response("Hi there", range(50, 53), 1),
    response("Tell me about the garden, the river and the mountain.", range(60, 80), -1),
    response("Who are you?", range(90, 91), 1),
]


def sampler_of(model: LanguageModel, positions: Positions) -> Sampler:
    return Sampler(
        model=model,
        judge=kind_of(model).response_filter,
        positions=positions,
        max_tokens=12,
        seed=3,
        cancel=Cancel(),
        emit=ignore,
    )


@pytest.fixture(params=(*tiny.ARCHITECTURES, "mistral", "falcon", "granite", "mixtral"))
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return tiny.model(request.param)


def states(
    model: LanguageModel,
    rows: TeacherForcedBatch,
    prefix: PrefixKV | None = None,
    entry: BlockInputs | None = None,
) -> list[Tensor]:
    """Per block, and last of the trunk."""
    found: list[Tensor] = []
    with torch.no_grad(), output_hooks(model, lambda block, hidden: found.append(rows.at(hidden))):
        last = run(model, rows, prefix, entry)
    return [*found, last]


@pytest.mark.parametrize("positions", ["response", "question_and_response"])
def test_what_is_recorded_while_sampling_is_what_teacher_forcing_gives(
    model: LanguageModel, positions
) -> None:
    sampler = sampler_of(model, positions)
    kept, recorded = sampler.positives(PROMPT, QUESTIONS)
    assert [r.shared > 0 for r in kept] == [positions != "response"] * len(kept)
    rows = response_rows(model, Request(PROMPT, positions=positions), kept, PROMPT)
    for one, two in zip(states(model, rows), [*recorded.blocks, recorded.last], strict=True):
        assert torch.allclose(one, two, atol=1e-3, rtol=1e-3)
    assert hooks(model) == 0


def test_under_both_prompts_the_same_tokens_are_learned_from(model: LanguageModel) -> None:
    request = Request(PROMPT, positions="question_and_response")
    kept, _ = sampler_of(model, request.positions).positives(PROMPT, QUESTIONS)
    plain, prompted = (response_rows(model, request, kept, system) for system in (None, PROMPT))
    assert torch.equal(plain.ids[plain.learned], prompted.ids[prompted.learned])
    assert torch.equal(plain.targets, prompted.targets)
    assert int(plain.learned.sum()) > sum(len(r.ids) + 1 for r in kept)


def test_behind_a_kept_prefix_responses_run_as_they_do_behind_their_prompts(model: LanguageModel) -> None:
    rows = response_rows(model, Request(PROMPT), KEPT, None)
    with torch.no_grad():
        prefix = PrefixKV.of(model, rows, "response")
    assert prefix is not None
    whole = states(model, rows)
    for _ in range(2):  # running leaves it as it was
        for one, two in zip(whole, states(model, rows, prefix), strict=True):
            assert torch.allclose(one, two, atol=1e-3, rtol=1e-3)
    index = torch.tensor([2, 0])
    few = states(model, rows.select(index), prefix.select(index))
    for one, two in zip(whole, few, strict=True):
        assert torch.allclose(one[rows.places(index)], two, atol=1e-3, rtol=1e-3)


def test_from_kept_inputs_the_later_blocks_run_as_they_do_in_the_whole(model: LanguageModel) -> None:
    rows = response_rows(model, Request(PROMPT), KEPT, None)
    with torch.no_grad():
        prefix = PrefixKV.of(model, rows, "response")
    whole = states(model, rows)
    ran: list[int] = []
    index = torch.tensor([2, 0])
    few = rows.select(index)
    own = type(model.blocks[0]).forward
    for kept in (None, prefix):
        entry = BlockInputs.of(model, rows, kept, 1)
        assert entry is not None
        part = None if kept is None else kept.select(index)
        width = few.ids.shape[1] - (0 if kept is None else few.first)
        with patch.object(type(model.blocks[0]), "forward", lambda *a, **o: ran.append(1) or own(*a, **o)):
            found = states(model, few, part, entry.select(index, width))
        for one, two in zip(whole, found, strict=True):
            assert torch.allclose(one[rows.places(index)], two, atol=1e-3, rtol=1e-3)
    assert len(ran) == 2 * (len(model.blocks) - 1)
    assert not any("forward" in block.__dict__ for block in model.blocks)


def test_there_is_no_prefix_to_keep_where_heads_change_it(model: LanguageModel) -> None:
    rows = response_rows(model, Request(PROMPT), KEPT, None)
    assert PrefixKV.of(model, rows, "question_and_response") is None


def test_logits_are_the_networks_own(model: LanguageModel) -> None:
    """Its scaling and capping included; and it is itself again afterwards."""
    ids = torch.tensor([[50, 51, 52, 53]])
    with torch.no_grad():
        given = model.trunk(input_ids=ids).last_hidden_state[0]
        expected = model.network(input_ids=ids).logits[0]
        assert torch.allclose(logits(model, given), expected, atol=1e-4)
        assert torch.equal(model.network(input_ids=ids).logits[0], expected)


def test_losses_and_divergences_in_parts_are_those_of_the_whole(monkeypatch) -> None:
    model = tiny.model()
    one, two = torch.randn(2, 37, model.width, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(37) * 7
    labels[5] = -100
    one.requires_grad_()
    found = []
    for cells in (1 << 24, 10 * model.vocabulary):
        monkeypatch.setattr(token_losses, "_CELLS", cells)
        loss, kl = losses(model, one, labels), divergences(model, one.unsqueeze(1), two)[:, 0]
        gradient = torch.autograd.grad(loss.sum() + kl.sum(), one)[0]
        found.append((loss.detach(), kl.detach(), gradient))
    for whole, parts in zip(*found, strict=True):
        assert torch.allclose(whole, parts, atol=1e-5)
    loss, kl, _ = found[0]
    assert loss[5] == 0 and (loss[:5] > 0).all() and (kl > 0).all()
    assert torch.allclose(loss[0], -logits(model, one[:1]).log_softmax(-1)[0, 0])
