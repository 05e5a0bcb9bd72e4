"""A model spread over several devices by accelerate is steered where each of its blocks runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.distill import Request, distill
from engine.errors import ModelError
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model import loading
from engine.model.blocks import rewired
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel, wrap
from engine.model.loading import load
from engine.model.placement import Place, choose_place, room
from tests.hooks import hooks
from tests.models import tiny

LANES = [Message("user", "Hi there")], [Message("user", "Tell me about the garden and the river.")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tiny.model("qwen2"), tmp_path_factory.mktemp("qwen2"))


def answers(model: LanguageModel) -> list[tuple[list[int], np.ndarray]]:
    lanes = [Lane(messages, heads=[tiny.head(model)]) for messages in LANES]
    runs = generate(model, lanes, Sampling(max_tokens=8))
    return [(run.trace.ids.tolist(), run.trace.coefficients) for run in runs]


def same(model: LanguageModel, other: LanguageModel) -> bool:
    pairs = zip(answers(model), answers(other), strict=True)
    return all(a[0] == b[0] and np.allclose(a[1], b[1], atol=1e-5) for a, b in pairs)


def test_auto_spreads_a_model_and_steers_it_the_same(folder: Path) -> None:
    pytest.importorskip("accelerate")
    spread = load(str(folder), device="auto")
    assert same(spread, load(str(folder), device="cpu"))


def test_a_model_too_large_for_one_gpu_is_spread_over_all(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("accelerate")
    monkeypatch.setattr("engine.model.loading.several_gpus", lambda: True)
    monkeypatch.setattr("engine.model.loading.free_at", lambda place: 1 << 40 if place is None else 1000)
    places: list[object] = []
    read = loading.read_network

    def spy(folder: Path, config: dict[str, Any], dtype: str, place: Place, code: bool) -> tuple[Any, Any]:
        places.append(place)
        return read(folder, config, dtype, place, code)

    monkeypatch.setattr(loading, "read_network", spy)
    assert load(str(folder)).loaded and places == [None]
    with pytest.raises(ModelError, match="does not fit"):
        load(str(folder), device="cpu")


def test_what_is_free_is_what_is_free_where_the_model_would_be_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load(str(folder), device="cpu")
    free = {"cpu": 1000, "cuda": 5000, None: 9000}
    monkeypatch.setattr(
        "engine.model.placement.free_at", lambda place: free[None if place is None else place.type]
    )
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert room() == 1000 and room(model) == 1000 + model.bytes
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    assert room(model) == 5000  # what leaves main memory makes no room on the GPU
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("engine.model.placement.can_spread", lambda: True)
    assert room() == 9000


def test_a_model_whose_blocks_lie_on_disk_until_they_run_is_steered_the_same(
    folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("accelerate")
    from transformers import AutoModelForCausalLM

    places = dict.fromkeys(
        ["model.embed_tokens", "model.layers.0", "model.norm", "model.rotary_emb", "lm_head"], "cpu"
    )
    places |= {"model.layers.1": "disk", "model.layers.2": "disk"}
    network = AutoModelForCausalLM.from_pretrained(folder, device_map=places, offload_folder=tmp_path)
    assert network.model.layers[1].mlp.up_proj.weight.is_meta
    model = wrap(network, tiny.tokenizer(), source=str(folder))
    assert [str(device) for device in (model.device, *model.devices)] == ["cpu"] * 4
    before = hooks(model)
    assert same(model, load(str(folder), device="cpu"))
    result = distill(model, Request("Talk like a pirate.", anyway=True, responses=4, max_tokens=8))
    assert result.faithfulness[2] < 1
    assert hooks(model) == before  # accelerate's own stay, ours are gone


def test_each_blocks_rows_lie_on_the_device_of_that_block() -> None:
    model = tiny.model()
    model.devices = [torch.device("cpu"), torch.device("meta"), torch.device("meta")]
    mix = Mix([tiny.head(model)], model)

    def given(index: int, own: Any) -> Any:
        return lambda: torch.zeros(1, 4, 32, device=model.devices[index])

    with rewired(model.blocks, given), Steering(model, mix) as steering:
        steering.strengths = mix.expand([1.0])
        seen = [block.forward().device for block in model.blocks]
        assert [c.device for c in steering.coefficients()] == seen == model.devices
    assert hooks(model) == 0


def test_spreading_without_its_library_is_refused_with_the_way_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("engine.model.placement.can_spread", lambda: False)
    with pytest.raises(ModelError, match="accelerate"):
        choose_place("auto")


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ModelError, match="no usable GPU"):
        choose_place("cuda")
    assert choose_place(None) == torch.device("cpu")
