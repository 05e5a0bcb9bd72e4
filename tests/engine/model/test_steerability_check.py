"""Unusual networks: those that can be steered are, the others are refused before anything rests on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.distill import Request, distill
from engine.errors import ModelError
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.prefix_cache import PrefixCache
from engine.generation.sampling import Sampling
from engine.model.chat_template import Message
from engine.model.loading import load
from engine.model.memory import OutOfMemory
from engine.model.steerability_check import require_steerable
from tests.models import tiny

SHORT = [Message("user", "Hi there")]
LONG = [Message("user", "Tell me about the garden, the river and the mountain. ")]


@pytest.mark.parametrize("architecture", ["opt", "llama4_text", "gemma3"])
def test_a_trunk_that_is_not_the_librarys_base_model_is_learned_from(architecture: str) -> None:
    model = tiny.model(architecture)
    require_steerable(model)
    result = distill(model, Request("Talk like a pirate.", anyway=True, responses=6, max_tokens=10))
    assert result.faithfulness[2] < 1


@pytest.mark.parametrize("architecture", ["mamba2", "falcon_h1"])
def test_blocks_that_carry_a_state_answer_side_by_side_and_turn_after_turn(architecture: str) -> None:
    model = tiny.model(architecture)
    require_steerable(model)
    head, sampling = tiny.head(model, gate="identity"), Sampling(max_tokens=12)
    lanes = [Lane(SHORT, heads=[head]), Lane(LONG, forced=[20, 21, 22])]
    for lane, together in zip(lanes, generate(model, lanes, sampling), strict=True):
        [alone] = generate(model, [lane], sampling)
        assert together.trace.ids.tolist() == alone.trace.ids.tolist()
        assert np.allclose(together.trace.coefficients, alone.trace.coefficients, atol=1e-2)
    memory = PrefixCache()
    [first] = generate(model, lanes[:1], sampling, prefix_cache=memory)
    turn = Lane([*SHORT, Message("assistant", first.text, first.tokens), *SHORT], heads=[head])
    [kept], [rebuilt] = (
        generate(model, [turn], sampling, prefix_cache=memory),
        generate(model, [turn], sampling),
    )
    assert np.allclose(kept.trace.coefficients, rebuilt.trace.coefficients, atol=1e-2)


@pytest.mark.parametrize(
    ("architecture", "why"),
    [
        ("gemma3n_text", "do not hand the residual stream"),
        ("mamba", "something else when a text is gone on from"),
        ("recurrent_gemma", "something else when a text is gone on from"),
        ("xlstm", "ended in an error"),
        ("rwkv", "has no key-value cache"),
        ("openai-gpt", "has no key-value cache"),
    ],
)
def test_what_cannot_be_steered_is_refused_in_one_sentence(architecture: str, why: str) -> None:
    with pytest.raises(ModelError, match=why) as caught:
        require_steerable(tiny.model(architecture))
    assert caught.value.what == "This model cannot be steered" and "\n" not in str(caught.value)


def test_a_loaded_model_is_tried(tmp_path: Path) -> None:
    folder = tiny.save(tiny.model("gemma3n_text"), tmp_path)
    with pytest.raises(ModelError, match="cannot be steered"):
        load(str(folder), device="cpu")


@pytest.mark.parametrize("architecture", tiny.EVERY)
def test_ordinary_models_pass_in_either_precision(architecture: str) -> None:
    model = tiny.model(architecture)
    require_steerable(model)
    model.network.to(torch.bfloat16)
    require_steerable(model)


def test_memory_that_runs_out_on_trial_is_told_as_such() -> None:
    model = tiny.model()
    full: Callable[..., torch.Tensor] = lambda *call: torch.empty(1 << 60)  # noqa: E731
    handle = model.blocks[1].register_forward_hook(full)
    with pytest.raises(OutOfMemory, match="first tokens"):
        require_steerable(model)
    handle.remove()
