"""The formula: mixes, and what stands for the forwards of steered blocks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.errors import HeadError
from engine.heads.mix import Mix
from engine.heads.steering import Steering, applied_length
from engine.model.blocks import attached, hidden_of, rewired
from engine.model.language_model import LanguageModel
from tests.hooks import hooks
from tests.models import tiny

IDS = torch.tensor([[9, 8, 7, 6]])


def logits(model: LanguageModel, mix: Mix, strengths: list[float]) -> torch.Tensor:
    with torch.inference_mode(), Steering(model, mix) as steering:
        steering.strengths = mix.expand(strengths)
        return model.network(IDS).logits


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
@pytest.mark.parametrize("rank", [1, 2])
def test_what_is_added_is_the_formula_and_what_is_shown_is_what_was_added(
    architecture: str, rank: int
) -> None:
    made = tiny.model(architecture)
    heads = [tiny.head(made, rank=rank), tiny.head(made, seed=1, gate="identity", blocks=(1,))]
    mix = Mix(heads[:1] if rank == 1 else heads, made)
    strengths = [1.5, -0.5][: len(mix.columns)]
    before: list[torch.Tensor] = []
    after: list[torch.Tensor] = []

    def keep(index: int, own: Any) -> Any:
        def kept(*arguments: Any, **options: Any) -> Any:
            output = own(*arguments, **options)
            before.append(hidden_of(output))
            return output

        return kept

    handles = [
        block.register_forward_hook(lambda block, given, output: after.append(hidden_of(output)))
        for block in made.blocks
    ]
    with torch.inference_mode(), rewired(made.blocks, keep), Steering(made, mix) as steering:
        steering.strengths = mix.expand(strengths)
        made.network(IDS)
        shown = steering.coefficients()
    for handle in handles:
        handle.remove()
    for index, (old, new, applied) in enumerate(zip(before, after, shown, strict=True)):
        expected, length = torch.zeros_like(old), torch.zeros(applied.shape)
        for head, strength, columns in zip(heads, strengths, mix.columns, strict=False):
            if index in head.blocks:
                part = head.blocks[index]
                gate = old @ torch.from_numpy(part.w).T + torch.from_numpy(part.b)
                c = strength * (gate.relu() if head.gate == "relu" else gate)
                expected = expected + c @ torch.from_numpy(part.z)
                length[..., columns] = c
        assert torch.allclose(applied, length, atol=1e-5)
        assert torch.allclose(new - old, expected, atol=1e-4)
        whole = applied_length(applied, mix.blocks[index].gram)
        assert torch.allclose(whole.abs(), expected.norm(dim=-1), atol=1e-4)
        assert torch.equal(whole < 0, applied.sum(-1) < 0)
    assert hooks(made) == 0


def test_strength_zero_changes_nothing_at_all(model: LanguageModel) -> None:
    mix = Mix([tiny.head(model), tiny.head(model, seed=1, rank=3)], model)
    with torch.inference_mode():
        assert torch.equal(logits(model, mix, [0, 0]), model.network(IDS).logits)


def test_two_half_strength_copies_equal_one(model: LanguageModel) -> None:
    head = tiny.head(model)
    one, two = Mix([head], model), Mix([head, head], model)
    assert torch.allclose(logits(model, one, [1.0]), logits(model, two, [0.5, 0.5]), atol=1e-4)


def test_a_rank_two_head_equals_two_rank_one_heads(model: LanguageModel) -> None:
    double = tiny.head(model, rank=2)
    halves = [
        replace(
            double,
            blocks={
                index: type(part)(part.w[k : k + 1], part.b[k : k + 1], part.z[k : k + 1])
                for index, part in double.blocks.items()
            },
        )
        for k in range(2)
    ]
    together, apart = Mix([double], model), Mix(halves, model)
    assert torch.allclose(logits(model, together, [0.7]), logits(model, apart, [0.7, 0.7]), atol=1e-4)


def test_an_identity_gate_ablates_its_direction(model: LanguageModel) -> None:
    head = tiny.head(model, gate="identity", blocks=(2,))
    z = head.blocks[2].z
    part = type(head.blocks[2])(-z, np.zeros(1, np.float32), z)
    seen: list[torch.Tensor] = []
    mix = Mix([replace(head, blocks={2: part})], model)
    with torch.inference_mode(), Steering(model, mix) as steering:
        handle = model.blocks[2].register_forward_hook(lambda b, a, o: seen.append(o))
        steering.strengths = mix.expand([1.0])
        model.network(IDS)
        handle.remove()
    assert float((seen[0] @ torch.from_numpy(z).T).abs().max()) < 1e-4


def test_half_precision_models_keep_float32_coefficients() -> None:
    made = tiny.model()
    made.network.to(torch.bfloat16)
    mix = Mix([tiny.head(made)], made)
    with torch.inference_mode(), Steering(made, mix) as steering:
        steering.strengths = mix.expand([1.0])
        assert made.network(IDS).logits.dtype is torch.bfloat16
        assert {c.dtype for c in steering.coefficients()} == {torch.float32}


def test_gradients_flow_to_trainable_rows(model: LanguageModel) -> None:
    mix = Mix([tiny.head(model)], model)
    for part in mix.blocks.values():
        for tensor in (part.w, part.b, part.z):
            tensor.requires_grad_(True)
    trained = Mix.of_tensors(mix.blocks, [1])
    with Steering(model, trained) as steering:
        steering.strengths = trained.expand([1.0])
        model.network(IDS).logits.square().mean().backward()
    grads = [t.grad for part in mix.blocks.values() for t in (part.w, part.b, part.z)]
    assert all(grad is not None and grad.abs().sum() > 0 for grad in grads)


def test_hooks_are_removed_after_errors_even_half_way_through_attaching(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    mix = Mix([tiny.head(model)], model)
    with pytest.raises(KeyError), Steering(model, mix):
        raise KeyError
    assert hooks(model) == 0

    forwards = []

    def failing(*given: Any) -> Any:
        if len(forwards) == 2:
            raise RuntimeError
        forwards.append(given[-1])
        return lambda *arguments, **options: None

    monkeypatch.setattr("engine.heads.steering._steered_forward", failing)
    with pytest.raises(RuntimeError), Steering(model, mix):
        pass
    assert len(forwards) == 2 and hooks(model) == 0


def test_a_forward_that_a_block_had_of_its_own_is_given_back(model: LanguageModel) -> None:
    def own(*arguments: Any, **options: Any) -> Any:
        return type(model.blocks[1]).forward(model.blocks[1], *arguments, **options)

    mix = Mix([tiny.head(model)], model)
    model.blocks[1].forward = own  # as accelerate does it
    try:
        with Steering(model, mix):
            assert model.blocks[1].forward is not own
            assert all(attached(block) for block in model.blocks)
        assert model.blocks[1].forward is own and not any(attached(block) for block in model.blocks)
    finally:
        del model.blocks[1].forward


def test_heads_of_another_shape_are_refused(model: LanguageModel) -> None:
    fine = tiny.head(model)
    wide = {0: type(fine.blocks[0])(np.zeros((1, 8), "f4"), np.zeros(1, "f4"), np.eye(1, 8, dtype="f4"))}
    for blocks in (wide, {7: fine.blocks[0]}, {}):
        with pytest.raises(HeadError):
            Mix([replace(fine, blocks=blocks)], model)
