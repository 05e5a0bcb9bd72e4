"""What a model needs is known before it is loaded, and one that does not fit is refused with a way out."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.errors import ModelError
from engine.model.loading import load
from engine.model.memory import free_memory, in_words
from engine.model.memory_fit import default_dtype, need, require_fit
from engine.model.weights import read_weights
from tests.models import tiny

# Qwen2.5-7B: 7.62e9 values, 28 blocks of 4 key-value heads, 128 wide each.
SEVEN = {
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "vocab_size": 152064,
    "max_position_embeddings": 32768,
}
VALUES = 7_615_616_512


def test_a_need_is_weights_and_the_cache_of_a_long_conversation() -> None:
    half = need(SEVEN, VALUES, "bfloat16")
    assert half.weights == 2 * VALUES
    assert half.cache == 2 * 28 * 4 * 128 * 4096 * 2
    assert half.weights + half.cache < half.total < 1.1 * half.weights
    assert need(SEVEN, VALUES, "float32").weights == 2 * half.weights
    assert 0.5 < need(SEVEN, VALUES, "int8").weights / half.weights < 0.6  # embeddings stay as they are


@pytest.mark.parametrize(
    ("dtype", "free", "remedy"),
    [
        ("float32", 20e9, "Load it in bfloat16: that needs 16.2 GB."),
        ("bfloat16", 10e9, "Load it in int8: that needs 9.4 GB."),
        ("float32", 2e9, "Close other programs, or choose a smaller model."),
    ],
)
def test_what_does_not_fit_is_refused_with_the_dtype_that_would(dtype: str, free: float, remedy: str) -> None:
    with pytest.raises(ModelError, match="does not fit") as caught:
        require_fit("big", SEVEN, VALUES, dtype, int(free))
    assert caught.value.remedy == remedy
    assert in_words(int(free)) in caught.value.why and dtype in caught.value.why
    require_fit("big", SEVEN, VALUES, dtype, int(40e9))


def test_small_models_run_in_float32_and_others_in_half() -> None:
    assert (default_dtype(6_000_000), default_dtype(2 << 30)) == ("float32", "bfloat16")


@pytest.mark.parametrize("architecture", ["llama", "gpt2", "falcon", "gpt_neox", "gemma2"])
def test_weights_are_counted_from_their_headers_alone(architecture: str, tmp_path: Path) -> None:
    made = tiny.model(architecture)
    weights = read_weights(tiny.save(made, tmp_path))
    assert weights.count == sum(p.numel() for p in made.network.parameters())
    assert (weights.dtype, weights.files) == ("float32", ("model.safetensors",))
    assert weights.bytes == (tmp_path / "model.safetensors").stat().st_size
    config = json.loads((tmp_path / "config.json").read_text())
    if architecture in ("gpt2", "gpt_neox"):
        config.pop("num_key_value_heads")  # tiny's own; they know no such thing
    heads = 4 if architecture in ("gpt2", "gpt_neox") else 2
    assert need(config, weights.count, "float32").cache == 2 * 3 * heads * 8 * 256 * 4


def test_a_model_that_does_not_fit_is_not_loaded_unless_forced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tiny.save(tiny.model(), tmp_path))
    monkeypatch.setattr("engine.model.placement.free_memory", lambda: 300_000)
    with pytest.raises(ModelError, match="does not fit into memory") as caught:
        load(folder, device="cpu", dtype="float32")
    assert caught.value.remedy.startswith("Load it in bfloat16")
    assert load(folder, device="cpu", dtype="bfloat16").loaded
    assert load(folder, device="cpu", dtype="float32", force=True).loaded


def test_free_memory_is_a_plausible_number() -> None:
    assert 1 << 26 < free_memory() < 1 << 50


def test_the_catalogue_tells_size_and_fit_without_torch() -> None:
    code = (
        "import sys, json; from engine.model.available_models import local_models; found = local_models();"
        "print(json.dumps(found)); sys.exit('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first = json.loads(done.stdout)[0]
    assert (first["id"], first["runs_in"], first["fits"]) == ("pocket", "float32", True)
    assert first["needs"] > first["bytes"] > 1_000_000


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dtype", "int3"], "Use one of float32"),
        (["--device", "abacus"], "Use cpu, cuda, cuda:1"),
        (["--model", "a/b/c@d"], "owner/name@revision"),
    ],
)
@pytest.mark.parametrize(
    "command", [["generate", "Hi"], ["distill", "Be rude.", "--out", "x.head.safetensors"]]
)
def test_both_commands_take_the_options_of_the_model(
    command: list[str], words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, *words]) == 2
    assert said in capsys.readouterr().err


def test_generating_in_bfloat16_is_a_matter_of_one_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "Tell me about tea.", "--dtype", "bfloat16", "--max-tokens", "3"]) == 0
    assert capsys.readouterr().out.strip()
