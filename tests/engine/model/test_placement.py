"""Devices: what is chosen, what is free there, and models spread over several by accelerate."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.__main__ import main
from engine.distill import Request, distill
from engine.errors import ModelError
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling, choose_tokens, draw_uniform, seeded_generator
from engine.heads.mix import Mix
from engine.heads.steering import Steering
from engine.model import loading
from engine.model.blocks import rewired
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel, wrap
from engine.model.loading import load
from engine.model.memory import ran_out
from engine.model.placement import (
    Place,
    choose_place,
    default_dtype_at,
    devices,
    free_at,
    has_float64,
    room,
)
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

    def spy(folder: Path, config: Any, weights: Any, dtype: str, place: Place, *more: Any) -> tuple[Any, Any]:
        places.append(place)
        return read(folder, config, weights, dtype, place, *more)

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


def with_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def with_apple_gpu(monkeypatch: pytest.MonkeyPatch, *, macos: int = 14, allowed: int = 8_000) -> None:
    """As torch tells of one; of what it computes nothing can be seen without it."""
    with_gpus(monkeypatch, 0)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_macos_or_newer", lambda major, _: macos >= major)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: allowed)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 1_000)


def test_one_of_several_gpus_is_chosen_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, 2)
    assert choose_place("cuda:1") == torch.device("cuda", 1) and choose_place(None) == torch.device("cuda")
    assert devices() == ["cuda:0", "cuda:1", "auto", "cpu"]
    with pytest.raises(ModelError, match=r"no device cuda:2: this machine has 2 GPU"):
        choose_place("cuda:2")
    for name in ("cuda:", "cuda:x", "mps:0", "gpu"):
        with pytest.raises(ModelError, match=f"no device {name}"):
            choose_place(name)


def test_the_command_line_refuses_devices_that_are_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_gpus(monkeypatch, 0)
    for name, words in (
        ("cuda:1", "no usable GPU"),
        ("mps", "no Apple GPU"),
        ("tpu", "Use cpu, cuda, cuda:1"),
    ):
        assert main(["generate", "Hi", "--device", name]) == 2
        assert words in capsys.readouterr().err


def test_an_apple_gpu_is_taken_by_default_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with_apple_gpu(monkeypatch)
    assert choose_place(None) == choose_place("mps") == torch.device("mps")
    assert devices() == ["mps", "cpu"]


def test_an_apple_gpu_shares_main_memory_and_may_take_a_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with_apple_gpu(monkeypatch)
    mps, model = torch.device("mps"), tiny.model()
    monkeypatch.setattr("engine.model.placement.free_memory", lambda: 90_000)
    assert free_at(mps) == 7_000
    monkeypatch.setattr("engine.model.placement.free_memory", lambda: 5_000)
    assert free_at(mps) == 5_000
    assert room(model) == 5_000 + model.bytes  # what a model on the CPU gives back is free for the GPU too


def test_an_apple_gpu_computes_in_bfloat16_from_macos_14_on(monkeypatch: pytest.MonkeyPatch) -> None:
    mps = torch.device("mps")
    with_apple_gpu(monkeypatch, macos=14)
    assert default_dtype_at(mps, 5 << 30) == "bfloat16" and default_dtype_at(mps, 1 << 20) == "float32"
    with_apple_gpu(monkeypatch, macos=13)
    assert default_dtype_at(mps, 5 << 30) == "float16"
    assert default_dtype_at(torch.device("cpu"), 5 << 30) == "bfloat16"


def test_sampling_asks_no_device_for_the_double_precision_that_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An Apple GPU has no float64: the shares are moved to the processor before they are made it."""
    logits, sampling = torch.randn(3, 50, generator=seeded_generator(1)), Sampling(temperature=0.8, top_p=0.9)
    draws = draw_uniform([seeded_generator(seed) for seed in range(3)])
    expected = choose_tokens(logits, sampling, draws)
    moved: list[torch.dtype] = []
    to_cpu = torch.Tensor.cpu

    def cpu(tensor: torch.Tensor) -> torch.Tensor:
        moved.append(tensor.dtype)
        return to_cpu(tensor)

    monkeypatch.setattr("engine.model.placement.has_float64", lambda device: False)
    monkeypatch.setattr(torch.Tensor, "cpu", cpu)
    assert torch.equal(choose_tokens(logits, sampling, draws), expected)
    assert moved == [torch.float32]
    assert not has_float64(torch.device("mps"))


def test_what_an_apple_gpu_cannot_compute_is_computed_on_the_processor() -> None:
    """Set before torch is imported, for it is read then; elsewhere the variable is left alone."""
    code = (
        "import sys; sys.platform = 'darwin'; import os, engine;"
        "print(os.environ['PYTORCH_ENABLE_MPS_FALLBACK'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_memory_that_ran_out_on_an_apple_gpu_is_known_as_such() -> None:
    assert ran_out(RuntimeError("MPS backend out of memory (MPS allocated: 5.00 GB, max allowed: 9.07 GB)."))
