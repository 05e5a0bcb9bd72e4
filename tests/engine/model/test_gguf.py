"""GGUF files are models: dequantised, with vocabulary and template; what only looks like one is named."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import pytest
import torch

from engine.__main__ import main
from engine.errors import Cancelled, ModelError
from engine.events import Cancel, Progress
from engine.model import source
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from tests.models import real, tiny, tiny_gguf

TALK = [Message("user", "Tell me about the garden, the river and café 日本語!")]


@pytest.fixture(scope="module")
def made() -> LanguageModel:
    return tiny.model("qwen2")


@pytest.fixture(scope="module")
def file(made: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model as a GGUF file in float32."""
    return tiny_gguf.save(made, tmp_path_factory.mktemp("gguf") / "harbour-F32.gguf")


def logits(model: LanguageModel) -> torch.Tensor:
    return model.network(torch.tensor([[5, 6, 7, 8]])).logits


def test_a_gguf_file_is_the_model_that_it_was_made_of(made: LanguageModel, file: Path) -> None:
    events: list[Any] = []
    loaded = load(str(file), device="cpu", emit=events.append)
    assert (loaded.name, loaded.source) == ("harbour-F32", str(file))
    assert torch.allclose(logits(loaded), logits(made), atol=1e-5)
    assert encode(loaded, TALK).ids == encode(made, TALK).ids
    assert loaded.identity.fingerprint == made.identity.fingerprint
    assert (loaded.dtype, loaded.eos_ids) == (torch.float32, made.eos_ids)
    counted = [(event.done, event.total) for event in events if isinstance(event, Progress) and event.total]
    assert counted == [(done, counted[-1][1]) for done in range(counted[-1][1] + 1)]


def test_quantised_weights_come_back_nearly_as_they_were(made: LanguageModel, tmp_path: Path) -> None:
    path = tiny_gguf.save(made, tmp_path / "harbour-Q8_0.gguf", quantised=True)
    loaded = load(str(path), device="cpu")
    exact = made.network.model.layers[1].mlp.up_proj.weight
    error = (loaded.network.model.layers[1].mlp.up_proj.weight - exact).abs().max() / exact.abs().max()
    assert 0 < float(error) < 0.01
    half = load(str(path), device="cpu", dtype="bfloat16")
    assert half.dtype is torch.bfloat16 and half.precision == "bfloat16"


def test_a_head_made_on_a_gguf_file_fits_the_folder_of_the_same_model(
    made: LanguageModel, file: Path, tmp_path: Path
) -> None:
    from engine.heads.head_file import load_head, save_head

    folder = tiny.save(made, tmp_path / "folder")
    save_head(tiny.head(load(str(file), device="cpu")), tmp_path / "h.head.safetensors")
    assert load_head(tmp_path / "h.head.safetensors", load(str(folder), device="cpu").identity)


def test_the_tokens_that_the_file_names_as_ends_end_an_answer(made: LanguageModel, tmp_path: Path) -> None:
    path = tiny_gguf.save(made, tmp_path / "m.gguf", facts={"tokenizer.ggml.eot_token_id": 3})
    assert {1, 3} <= load(str(path), device="cpu").eos_ids


def test_loading_a_gguf_file_can_be_cancelled_between_two_tensors(file: Path) -> None:
    cancel, seen = Cancel(), []

    def emit(event: Any) -> None:
        if isinstance(event, Progress) and event.done == 5:
            seen.append(event)
            cancel.set()

    with pytest.raises(Cancelled):
        load(str(file), device="cpu", emit=emit, cancel=cancel)
    assert len(seen) == 1
    assert gguf.GGUFReader.__module__.startswith("gguf")  # nothing of the quick reading is left
    assert load(str(file), device="cpu").loaded


def test_a_gguf_file_that_does_not_fit_is_refused_before_it_is_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.placement.free_memory", lambda: 200_000)
    with pytest.raises(ModelError, match="does not fit into memory") as caught:
        load(str(file), device="cpu")
    assert "Load it in bfloat16" in caught.value.remedy


def test_models_describes_a_gguf_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", str(file), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["id"], record["architecture"], record["dtype"]) == (str(file), "qwen2", "F32")
    assert (record["blocks"], record["width"], record["vocabulary"]) == (3, 32, 400)
    assert record["bytes"] == file.stat().st_size and record["fits"] is True
    assert main(["models", str(file)]) == 0
    assert "stored in F32, needs" in capsys.readouterr().out


def test_the_command_line_takes_a_relative_path_and_says_when_it_is_missing(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent.parent)
    relative = f"{file.parent.name}/{file.name}"  # has the shape of a hub id
    assert main(["generate", "Hi", "--model", relative, "--max-tokens", "2", "--device", "cpu"]) == 0
    monkeypatch.setattr(source, "fetch", lambda *_, **__: pytest.fail("the hub was asked"))
    assert main(["generate", "Hi", "--model", "models/missing.gguf"]) == 2
    assert "There is no such file" in capsys.readouterr().err


def test_a_folder_of_one_gguf_file_is_that_model_and_of_several_names_them(
    made: LanguageModel, tmp_path: Path
) -> None:
    tiny_gguf.save(made, tmp_path / "a-F32.gguf")
    assert load(str(tmp_path), device="cpu").name == "a-F32"
    tiny_gguf.save(made, tmp_path / "b-Q8_0.gguf", quantised=True)
    with pytest.raises(ModelError, match=r"They are a-F32\.gguf, b-Q8_0\.gguf") as caught:
        load(str(tmp_path), device="cpu")
    assert caught.value.remedy == "Choose one of these files."


SIZES = {"llama__block_count": 2, "llama__embedding_length": 32}
MISTAKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "a control vector": (tiny_gguf.control_vector, "It is a control vector, not a model. Load it as a head."),
    "an adapter": (
        lambda p: tiny_gguf.header(p, "llama", general__type="adapter"),
        "It is a LoRA adapter, not a model. Choose the model that it was made for.",
    ),
    "the picture part": (lambda p: tiny_gguf.header(p, "clip"), "It is the picture part of a model"),
    "a part of a split model": (
        lambda p: tiny_gguf.header(p, "llama", split__count=3, split__no=1, **SIZES),
        "It is part 2 of 3 of a split model. Join the parts with `llama-gguf-split --merge`",
    ),
    "an architecture without a reader": (
        lambda p: tiny_gguf.save(tiny.model("qwen2"), p) and rename(p, b"qwen2", b"warp9"),
        "transformers cannot read the architecture warp9 from GGUF.",
    ),
    "no vocabulary": (lambda p: tiny_gguf.header(p, "llama", **SIZES), "It lacks tokenizer.ggml.tokens."),
    "no sizes": (lambda p: tiny_gguf.header(p, "llama"), "It lacks llama.block_count."),
    "another format": (lambda p: p.write_bytes(b"PK\x03\x04" * 9), "It is damaged or no GGUF file"),
    "an empty file": (lambda p: p.write_bytes(b""), "It is damaged or no GGUF file"),
    "four bytes": (lambda p: p.write_bytes(b"GGUF"), "its header does not make sense"),
    "an old version": (lambda p: p.write_bytes(b"GGUF" + struct.pack("<IQQ", 1, 0, 0)), "its version is 1"),
    "a big-endian file": (
        lambda p: p.write_bytes(b"GGUF" + struct.pack(">IQQ", 3, 0, 0)),
        "its numbers are in another order of bytes",
    ),
    "an array whose count exceeds the file": (
        lambda p: p.write_bytes(
            b"GGUF"
            + struct.pack("<IQQ", 3, 0, 1)
            + struct.pack("<Q", 1)
            + b"a"
            + struct.pack("<IIQ", 9, 4, 1 << 60)
        ),
        "its header does not make sense",
    ),
    "more entries than bytes": (
        lambda p: p.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1 << 50, 1 << 50)),
        "it says that it holds more than the file does",
    ),
    "a file cut short": (
        lambda p: p.write_bytes(tiny_gguf.save(tiny.model("qwen2"), p).read_bytes()[:-5000]),
        "It is cut short: ",
    ),
    "an unknown type of weights": (
        lambda p: tiny_gguf.save(tiny.model("qwen2"), p) and retype(p, 4321),
        "is stored in the type 4321, unknown to the package gguf.",
    ),
}


def rename(path: Path, old: bytes, new: bytes) -> None:
    path.write_bytes(path.read_bytes().replace(old, new))


def retype(path: Path, kind: int) -> None:
    """Gives the first tensor a type that nobody knows."""
    data = bytearray(path.read_bytes())
    name = b"token_embd.weight"
    at = data.index(struct.pack("<Q", len(name)) + name) + 8 + len(name)
    (dimensions,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at + 4 + 8 * dimensions, kind)
    path.write_bytes(data)


@pytest.mark.parametrize("mistake", MISTAKEN)
def test_what_is_no_model_in_gguf_is_told_apart_in_one_sentence(
    mistake: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make, words = MISTAKEN[mistake]
    path = tmp_path / "it.gguf"
    make(path)
    assert main(["generate", "Hi", "--model", str(path), "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert words in said and str(path) in said
    assert said.count("\n") == 1 and "Traceback" not in said


def test_a_model_given_to_convert_is_called_a_model(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(file), str(tmp_path / "x.head.safetensors")]) == 2
    assert "It is a qwen2 model in GGUF, no control vector. Load it as a model." in capsys.readouterr().err


@pytest.mark.real
def test_a_real_gguf_file_answers(smollm2: LanguageModel) -> None:
    from engine.generation.lanes import Lane
    from tests.engine.asking import run

    assert (smollm2.identity.architecture, len(smollm2.blocks)) == ("LlamaForCausalLM", 30)
    assert (smollm2.width, smollm2.vocabulary, smollm2.eos_ids) == (576, 49152, {2})
    told = run(smollm2, Lane([Message("user", "What is the capital of France?")]), tokens=12)
    assert told.text == "The capital of France is Paris."


@pytest.mark.real
def test_a_real_base_model_without_a_template_goes_on_with_a_text(gemma3_file: Path) -> None:
    model = load(str(gemma3_file), device="cpu", dtype="bfloat16")
    assert model.identity.architecture == "Gemma3ForCausalLM" and not model.tokenizer.chat_template
    ids = model.tokenizer("The capital of France is", return_tensors="pt").input_ids
    made = model.network.generate(ids, max_new_tokens=12, do_sample=False)[0, ids.shape[1] :]
    assert "city" in model.tokenizer.decode(made) or "France" in model.tokenizer.decode(made)


@pytest.mark.real
def test_models_describes_a_real_gguf_file(smollm2_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert smollm2_file.name == real.SMOLLM2.file
    assert main(["models", str(smollm2_file), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["dtype"], record["blocks"], record["runs_in"]) == ("Q4_1", 30, "float32")
    assert 600e6 < record["needs"] < 900e6
