"""int8 weights, where the optional package for them is installed: half the size, the same hooks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.distill import Request, distill
from engine.errors import ModelError
from engine.generation.compiled_step import CompiledStep
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.live_strengths import LiveStrengths
from engine.generation.sampling import Sampling
from engine.model import quantised
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from tests.hooks import hooks
from tests.models import tiny

SAYS = [Message("user", "Hi there")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tiny.model("qwen2", hidden_size=128, intermediate_size=256, vocab_size=400)
    return tiny.save(made, tmp_path_factory.mktemp("qwen2"))


@pytest.fixture(scope="module")
def int8(folder: Path) -> LanguageModel:
    pytest.importorskip("torchao")
    return load(str(folder), device="cpu", dtype="int8")


def test_int8_weights_take_half_of_bfloat16(int8: LanguageModel, folder: Path) -> None:
    half = load(str(folder), device="cpu", dtype="bfloat16")
    assert (int8.precision, int8.dtype, half.precision) == ("int8", torch.bfloat16, "bfloat16")
    embeddings = 2 * 2 * 400 * 128
    assert 0.5 < (int8.bytes - embeddings) / (half.bytes - embeddings) < 0.6
    assert int8.identity == half.identity  # a head of one serves the other


def test_int8_weights_are_steered_by_the_same_hooks(int8: LanguageModel, folder: Path) -> None:
    head = tiny.head(int8, gate="identity")
    run = generate(int8, [Lane(SAYS, heads=[head])], Sampling(max_tokens=8))[0]
    assert (run.trace.coefficients != 0).all() and hooks(int8) == 0
    whole = load(str(folder), device="cpu", dtype="float32")
    forced = Lane(SAYS, heads=[head], forced=run.trace.ids.tolist())
    other = generate(whole, [forced], Sampling())[0]
    spread = np.abs(other.trace.coefficients).mean()
    assert np.abs(run.trace.coefficients - other.trace.coefficients).mean() < 0.1 * spread
    idle, bare = Lane(SAYS, heads=[head], strengths=LiveStrengths([0.0])), Lane(SAYS)
    ids = [
        g.trace.ids.tolist() for lane in (idle, bare) for g in generate(int8, [lane], Sampling(max_tokens=8))
    ]
    assert ids[0] == ids[1]


@pytest.mark.parametrize("recipe", ["instant", "refine"])
def test_an_int8_model_distills(int8: LanguageModel, recipe: str) -> None:
    request = Request("Talk like a pirate.", anyway=True, responses=5, max_tokens=8, recipe=recipe)  # type: ignore[arg-type]
    assert distill(int8, request).faithfulness[2] < 1


def test_an_int8_model_has_no_compiled_step_and_says_so(int8: LanguageModel) -> None:
    with pytest.raises(ModelError, match="eight bits"):
        CompiledStep(int8)


def test_without_the_package_int8_is_refused_with_the_way_to_get_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quantised, "can_quantise", lambda: False)
    with pytest.raises(ModelError, match="torchao") as caught:
        load(str(folder), device="cpu", dtype="int8")
    assert "steering-studio[quant]" in caught.value.remedy
