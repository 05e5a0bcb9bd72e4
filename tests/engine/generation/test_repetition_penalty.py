"""The repetition penalty and the sampling that a model recommends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import InputError
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.model_sampling import USUAL, recommended_sampling
from engine.generation.prefix_cache import PrefixCache
from engine.generation.recorded_run import first_differences, record_run, replay
from engine.generation.run_file import load_run, save_run
from engine.generation.sampling import Sampling
from engine.model.chat_template import encode
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from tests.engine.asking import ASK, LONG
from tests.models import tiny

PENALIZED = Sampling(max_tokens=24, repetition_penalty=1.6)


@pytest.mark.parametrize("penalty", [0.7, 1.3, 3.0])
def test_tokens_under_a_penalty_are_those_of_the_library(model: LanguageModel, penalty: float) -> None:
    lanes = [Lane(ASK), Lane(LONG), Lane(ASK, "Be loud.")]
    together = generate(model, lanes, Sampling(max_tokens=20, repetition_penalty=penalty))
    for lane, answer in zip(lanes, together, strict=True):
        ids = torch.tensor([encode(model, lane.messages, lane.system).ids])
        theirs = model.network.generate(
            ids, max_new_tokens=20, do_sample=False, repetition_penalty=penalty, pad_token_id=0
        )
        found = [i for i in theirs[0, ids.shape[1] :].tolist() if i not in model.eos_ids]
        assert answer.trace.ids.tolist() == found
    assert (
        together[0].trace.ids.tolist()
        != generate(model, lanes[:1], Sampling(max_tokens=20))[0].trace.ids.tolist()
    )


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_penalized_run_is_replayed_token_for_token(
    model: LanguageModel, tmp_path: Path, temperature: float
) -> None:
    sampling = replace(PENALIZED, temperature=temperature, top_p=0.95)
    lanes = [Lane(ASK, heads=[tiny.head(model)], seed=3), Lane(LONG, "Be brief.", seed=4)]
    cache = PrefixCache()
    generate(model, lanes, sampling, prefix_cache=cache)  # the second run starts from cached keys and values
    made = generate(model, lanes, sampling, prefix_cache=cache)
    file = tmp_path / "penalized.run.safetensors"
    save_run(file, record_run(model, lanes, sampling, made))
    run = load_run(file)
    assert run.sampling.repetition_penalty == 1.6
    again = replay(model, run)
    assert first_differences(run, again) == [None, None]
    assert all(answer.agreement is not None and answer.agreement.alike for answer in again)


@pytest.mark.parametrize("penalty", [0.0, -1.0, float("nan"), float("inf")])
def test_a_penalty_out_of_range_is_refused(penalty: float) -> None:
    with pytest.raises(InputError, match="repetition penalty"):
        Sampling(repetition_penalty=penalty)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, USUAL),
        ({"do_sample": False}, Sampling()),
        ({"do_sample": False, "repetition_penalty": 1.1}, Sampling(repetition_penalty=1.1)),
        (
            {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05},
            Sampling(temperature=0.7, top_p=0.8, top_k=20, repetition_penalty=1.05),
        ),
        ({"do_sample": True, "top_p": 0.95}, Sampling(temperature=1.0, top_k=50, top_p=0.95)),
        ({"temperature": 0.2, "top_k": 0}, Sampling(temperature=0.2)),
    ],
)
def test_the_recommended_sampling_is_that_of_the_folder(
    model: LanguageModel, tmp_path: Path, said: dict, expected: Sampling
) -> None:
    folder = tiny.save(model, tmp_path / "tiny")
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | said))
    assert recommended_sampling(load(str(folder), device="cpu")) == expected


def test_values_out_of_range_are_not_used_and_logged(
    model: LanguageModel, caplog: pytest.LogCaptureFixture
) -> None:
    before = model.network.generation_config.top_p
    model.network.generation_config.top_p = 7.0
    try:
        assert recommended_sampling(model) == USUAL
    finally:
        model.network.generation_config.top_p = before
    assert "top-p" in caplog.text


def test_pocket_is_greedy(pocket: LanguageModel) -> None:
    assert recommended_sampling(pocket) == Sampling()
