"""Folders and networks that cannot be used: one clear error each, and the next thing works."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from engine.distill import Request, distill
from engine.errors import EngineError, HeadError, ModelError
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from tests.hooks import hooks
from tests.models import tiny


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound model folder of two parts and an index."""
    folder = tmp_path_factory.mktemp("sound")
    made = tiny.model("qwen2")
    made.network.save_pretrained(folder, max_shard_size="150KB")
    made.tokenizer.save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) >= 2
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to be damaged."""
    for file in sound.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def first_part(folder: Path) -> Path:
    return min(folder.glob("model-*.safetensors"))


def shorten(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])


def settings(folder: Path, **changes: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "a part cut short": (lambda f: shorten(first_part(f), 0.7), "is cut short: .* bytes are there"),
    "a part of a few bytes": (lambda f: first_part(f).write_bytes(b"abc"), "is cut short or no"),
    "a part that is a web page": (lambda f: first_part(f).write_text("<html>" * 50), "is cut short or no"),
    "a missing part": (lambda f: first_part(f).unlink(), "Its part model-00001-of-.* is missing"),
    "a damaged index": (
        lambda f: (f / "model.safetensors.index.json").write_text('{"weight_map": ['),
        "index.json cannot be read",
    ),
    "no weights": (
        lambda f: [file.unlink() for file in f.glob("*safetensors*")],
        r"It has no safetensors weights\. Choose a folder",
    ),
    "pickled weights alone": (
        lambda f: (
            [file.rename(f / f"{file.stem}.bin") for file in f.glob("*.safetensors")]
            + [(f / "model.safetensors.index.json").unlink()]
        ),
        "no safetensors weights, and pickled weights are never loaded",
    ),
    "no config": (lambda f: (f / "config.json").unlink(), r"no config\.json"),
    "a damaged config": (lambda f: shorten(f / "config.json", 0.5), r"config\.json is unreadable"),
    "a config of brackets": (
        lambda f: (f / "config.json").write_text("[" * 100_000),
        r"config\.json is unreadable",
    ),
    "a config that is a list": (lambda f: (f / "config.json").write_text("[]"), "holds no settings"),
    "an unknown architecture": (
        lambda f: settings(f, model_type="unheard-of", architectures=["UnheardForCausalLM"]),
        "was not loaded",
    ),
    "another width": (lambda f: settings(f, hidden_size=48), "was not loaded|incomplete"),
    "a damaged tokenizer": (lambda f: shorten(f / "tokenizer.json", 0.5), r"tokenizer\.json is damaged"),
    "a damaged tokenizer config": (
        lambda f: shorten(f / "tokenizer_config.json", 0.5),
        r"tokenizer_config\.json is damaged",
    ),
    "no tokenizer": (
        lambda f: [(f / name).unlink() for name in ("tokenizer.json", "tokenizer_config.json")],
        "no tokenizer",
    ),
    "a model of pictures and text": (
        lambda f: settings(f, model_type="mistral3", architectures=["Mistral3ForConditionalGeneration"]),
        "knows mistral3, but not as a causal",
    ),
    "an encoder": (
        lambda f: settings(f, model_type="bert", architectures=["BertForMaskedLM"]),
        "BertForMaskedLM is not a decoder-only",
    ),
    "an encoder that does not say so": (
        lambda f: settings(f, model_type="bert", architectures=None),
        "A bert is an encoder",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_folder_is_refused_in_one_sentence(damage: str, folder: Path) -> None:
    harm, expected = DAMAGES[damage]
    harm(folder)
    with pytest.raises(ModelError, match=expected) as caught:
        load(str(folder), device="cpu")
    words = str(caught.value)
    assert "\n" not in words and "Traceback" not in words and len(words) < 400
    assert caught.value.remedy.endswith(".")


def test_a_sound_folder_of_several_parts_loads(sound: Path) -> None:
    loaded = load(str(sound), device="cpu")
    assert loaded.bytes == sum(p.numel() * 4 for p in loaded.network.parameters())
    assert (loaded.precision, len(loaded.devices)) == ("float32", 3)


def test_weights_that_are_no_numbers_are_refused_in_any_part(folder: Path) -> None:
    made = tiny.model("qwen2")
    made.network.model.layers[2].mlp.down_proj.weight[0, 0] = float("inf")
    made.network.save_pretrained(folder)
    (folder / "model.safetensors.index.json").unlink(missing_ok=True)
    with pytest.raises(ModelError, match=r"layers\.2\.mlp\.down_proj.* hold NaN or infinite values"):
        load(str(folder), device="cpu")


def test_weights_beyond_the_range_of_float16_are_told_as_such(folder: Path) -> None:
    made = tiny.model("qwen2")
    made.network.model.layers[1].mlp.down_proj.weight[0, 0] = 1e6
    made.network.save_pretrained(folder)
    (folder / "model.safetensors.index.json").unlink(missing_ok=True)
    with pytest.raises(ModelError, match="NaN or infinite") as caught:
        load(str(folder), device="cpu", dtype="float16")
    assert "bfloat16" in caught.value.remedy
    assert load(str(folder), device="cpu", dtype="bfloat16").loaded


SAYS = [Message("user", "Hi there")]


@contextmanager
def acting(model: LanguageModel, act: Callable[[torch.Tensor], torch.Tensor], after: int) -> Iterator[None]:
    """Within it the middle block's output goes through `act` from forward number `after` on."""
    seen = 0

    def hook(block: object, arguments: object, output: torch.Tensor) -> torch.Tensor:
        nonlocal seen
        seen += 1
        return act(output) if seen > after else output

    handle = model.blocks[1].register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def answers_as_before(model: LanguageModel) -> bool:
    """The session goes on: no hook is left, and an answer can be had."""
    assert hooks(model) == 0
    return len(generate(model, [Lane(SAYS, heads=[tiny.head(model)])], Sampling(max_tokens=4))[0].trace) > 0


def no_number(hidden: torch.Tensor) -> torch.Tensor:
    return hidden * float("nan")


def gpu_full(hidden: torch.Tensor) -> torch.Tensor:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")


def memory_full(hidden: torch.Tensor) -> torch.Tensor:
    return torch.empty(1 << 60)  # the allocator's own error


FAULTS = {"no numbers": (no_number, "NaN or infinite"), "a full GPU": (gpu_full, "Memory ran out"),
          "full memory": (memory_full, "Memory ran out")}  # fmt: skip


@pytest.mark.parametrize("after", [0, 3], ids=["in the prefill", "in mid-answer"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_generating_is_told_and_the_session_goes_on(
    model: LanguageModel, fault: str, after: int
) -> None:
    act, expected = FAULTS[fault]
    lanes = [Lane(SAYS, heads=[tiny.head(model)]), Lane(SAYS)]
    with acting(model, act, after), pytest.raises(ModelError, match=expected) as caught:
        generate(model, lanes, Sampling(max_tokens=8))
    assert caught.value.remedy
    assert answers_as_before(model)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("recipe", ["instant", "refine"])
@pytest.mark.parametrize("after", [0, 11, 14])
def test_a_fault_while_distilling_is_told_and_the_session_goes_on(
    model: LanguageModel, fault: str, after: int, recipe: str
) -> None:
    request = Request("Talk like a pirate.", anyway=True, responses=4, max_tokens=8, recipe=recipe)  # type: ignore[arg-type]
    act, expected = FAULTS[fault]
    with acting(model, act, after), pytest.raises(EngineError, match=expected) as caught:
        distill(model, request)
    assert act is no_number or caught.value.what == "The prompt was not distilled"
    assert answers_as_before(model)


def test_memory_that_ran_out_is_given_back(model: LanguageModel) -> None:
    """While the error is still held, as an error banner's model may be."""
    held: list[weakref.ref[torch.Tensor]] = []

    def fill(hidden: torch.Tensor) -> torch.Tensor:
        big = torch.zeros(1 << 20)
        held.append(weakref.ref(big))
        return torch.empty(1 << 60)

    with acting(model, fill, 2), pytest.raises(ModelError) as caught:
        generate(model, [Lane(SAYS)], Sampling(max_tokens=8))
    gc.collect()
    assert held and held[0]() is None and caught.value.what


def no_place(*args: object, **kwargs: object) -> object:
    raise RuntimeError("unable to mmap 380 bytes from file <model.safetensors>: Cannot allocate memory (12)")


def no_room(*args: object, **kwargs: object) -> object:
    return torch.empty(1 << 60)


@pytest.mark.parametrize("full", [no_room, no_place])
def test_memory_that_runs_out_while_loading_is_told(
    full: Callable[..., object], sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("transformers.modeling_utils.PreTrainedModel.from_pretrained", full)
        with pytest.raises(ModelError, match="not enough memory"):
            load(str(sound), device="cpu")
    assert load(str(sound), device="cpu").loaded


def test_a_head_that_does_not_fit_is_told_and_the_session_goes_on(model: LanguageModel) -> None:
    wide = tiny.head(tiny.model("llama", hidden_size=64))
    deep = tiny.head(tiny.model("llama", num_hidden_layers=5))
    for other in (wide, deep):
        with pytest.raises(HeadError, match="does not fit this model"):
            generate(model, [Lane(SAYS, heads=[other])], Sampling(max_tokens=4))
        assert answers_as_before(model)
