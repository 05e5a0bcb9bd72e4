"""Loading, blocks, chat templates and text."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from engine.errors import Cancelled, ModelError
from engine.events import Cancel, Progress
from engine.generation.result import SteeredTokens
from engine.model.blocks import find_blocks
from engine.model.chat_template import Message, encode, written_ids
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from engine.model.streaming_decoder import PieceDecoder
from tests.models import tiny

NO_SYSTEM = (
    "{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    "[{{ m.role }}]{{ m.content | trim }}{% endfor %}[assistant]"
)
DROPS_SYSTEM = (
    "{% for m in messages %}{% if m.role != 'system' %}[{{ m.role }}]{{ m.content }}{% endif %}{% endfor %}"
)


@pytest.mark.parametrize("architecture", tiny.ARCHITECTURES)
def test_blocks_are_found_by_structure(architecture: str) -> None:
    made = tiny.model(architecture)
    assert [type(block) for block in made.blocks] == [type(made.blocks[0])] * 3
    assert (made.width, made.vocabulary, made.eos_ids) == (32, 400, {1})


def test_blocks_are_not_mistaken_for_lists_inside_them() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.experts = nn.ModuleList(nn.Linear(2, 2) for _ in range(4))

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(Block() for _ in range(4))

    assert {type(block) for block in find_blocks(Net())} == {Block}


def test_encoders_are_refused() -> None:
    with pytest.raises(ModelError, match="blocks"):
        find_blocks(nn.Linear(2, 2))


def test_a_folder_round_trip_keeps_model_and_identity(model: LanguageModel, tmp_path: Path) -> None:
    loaded = load(str(tiny.save(model, tmp_path)), device="cpu")
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(loaded.network(ids).logits, model.network(ids).logits)
    assert loaded.identity.fingerprint == model.identity.fingerprint
    assert not any(weight.requires_grad for weight in loaded.network.parameters())
    loaded.unload()
    assert not loaded.loaded


def test_any_architecture_loads_through_the_auto_classes(tmp_path: Path) -> None:
    made = tiny.model("qwen2")
    loaded = load(str(tiny.save(made, tmp_path)), device="cpu", dtype="bfloat16")
    assert loaded.identity.architecture == "Qwen2ForCausalLM"
    assert loaded.dtype is torch.bfloat16


def test_models_that_cannot_be_used_are_refused_with_a_reason(model: LanguageModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="neither a folder nor a Hugging Face model"):
        load("no such thing")
    with pytest.raises(ModelError, match=r"no config\.json"):
        load(str(tmp_path))
    folder = tiny.save(model, tmp_path / "bert")
    (folder / "config.json").write_text(json.dumps({"architectures": ["BertModel"], "model_type": "bert"}))
    with pytest.raises(ModelError, match="not a decoder-only"):
        load(str(folder))
    folder = tiny.save(model, tmp_path / "bare")
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="no safetensors weights"):
        load(str(folder))
    folder = tiny.save(model, tmp_path / "cut")
    (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(ModelError, match="not loaded"):
        load(str(folder))
    with pytest.raises(ModelError, match="dtype"):
        load(str(folder), dtype="int3")


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    made = tiny.model()
    made.network.model.layers[1].mlp.up_proj.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="NaN or infinite"):
        load(str(tiny.save(made, tmp_path)), device="cpu")


def test_weights_that_are_missing_are_refused(tmp_path: Path) -> None:
    folder = tiny.save(tiny.model(), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 4}))
    with pytest.raises(ModelError, match="incomplete"):
        load(str(folder), device="cpu")


def test_loading_tells_of_its_tensors_and_can_be_cancelled_between_them(
    model: LanguageModel, tmp_path: Path
) -> None:
    folder = str(tiny.save(model, tmp_path))
    events: list[Progress] = []
    load(folder, emit=events.append)
    assert {event.stage for event in events} == {"loading the model"}
    tensors = len(list(model.network.parameters()))
    assert [(event.done, event.total) for event in events[-2:]] == [
        (tensors - 1, tensors),
        (tensors, tensors),
    ]
    cancel = Cancel()
    told: list[Progress] = []

    def stop_at_five(event: Progress) -> None:
        told.append(event)
        if event.done == 5:
            cancel.set()

    with pytest.raises(Cancelled):
        load(folder, emit=stop_at_five, cancel=cancel)
    assert told[-1].done == 5
    assert load(folder).loaded


def spans(made: LanguageModel, messages: list[Message], system: str | None = None) -> list[tuple[str, str]]:
    prompt = encode(made, messages, system)
    assert made.tokenizer.decode(prompt.ids) == prompt.text
    return [(span.role, made.tokenizer.decode(prompt.ids[span.start : span.stop])) for span in prompt.spans]


TALK = [Message("user", "user"), Message("assistant", "Aye"), Message("user", "Über 日本 😀")]


def test_every_message_is_found_in_the_prompt_even_if_it_repeats_the_template(model: LanguageModel) -> None:
    expected = [("system", "Be brief."), ("user", "user"), ("assistant", "Aye"), ("user", "Über 日本 😀")]
    assert spans(model, TALK, "Be brief.") == expected
    assert encode(model, TALK).text.endswith("<|end|><|assistant|>")


@pytest.mark.parametrize("template", [NO_SYSTEM, DROPS_SYSTEM])
def test_without_a_system_role_the_system_message_opens_the_first_user_turn(template: str) -> None:
    made = tiny.model(template=template)
    prompt = encode(made, TALK, "Be brief.")
    assert "[user]Be brief.\n\nuser[assistant]" in prompt.text
    assert spans(made, TALK, "Be brief.")[:2] == [("system", "Be brief."), ("user", "user")]


def test_without_a_template_plain_turns_are_written() -> None:
    made = tiny.model(template=None)
    assert encode(made, TALK[:1], "Be brief.").text == "Be brief.\nUser: user\nAssistant:"


@pytest.mark.parametrize("words", [" I like it.", "I like it.", "你好"])
def test_without_a_template_an_earlier_answer_stands_where_it_was_said(words: str) -> None:
    made = tiny.model(template=None)
    question = Message("user", "Who are you?")
    first = encode(made, [question]).ids
    said = SteeredTokens(tuple(made.tokenizer.encode(words, add_special_tokens=False)))
    later = encode(made, [question, Message("assistant", words, said), question])
    assert later.ids[: len(first) + len(said.ids)] == [*first, *said.ids]
    span = next(span for span in later.spans if span.role == "assistant")
    assert (span.start, span.stop) == (len(first), len(first) + len(said.ids))
    written = Message("assistant", words.strip(), SteeredTokens(tuple(written_ids(made, words.strip()))))
    typed = made.tokenizer.decode(encode(made, [question, written]).ids)
    assert f"Assistant: {words.strip()}\n" in typed


def test_empty_messages_have_no_span(model: LanguageModel) -> None:
    assert spans(model, [Message("user", "")]) == []


def test_text_is_exact_also_for_characters_split_over_tokens(model: LanguageModel) -> None:
    source = random.Random(0)
    texts = ["😀👩‍👩‍👧 über naïve 日本語", "a\ufffdb", "\x00\x7f\n\t  é"]
    sequences = [model.tokenizer(text).input_ids for text in texts]
    sequences += [[source.randrange(405) for _ in range(40)] for _ in range(200)]
    for ids in sequences:
        decoder = PieceDecoder(model.tokenizer)
        pieces = [decoder.push(token) for token in ids]
        assert "".join(pieces) + decoder.flush() == model.tokenizer.decode(ids)
    decoder = PieceDecoder(model.tokenizer)
    assert [decoder.push(token) for token in model.tokenizer("😀").input_ids] == ["", "", "", "😀"]


def test_text_of_sentencepiece_like_vocabularies_keeps_its_spaces_and_bytes() -> None:
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"<unk>": 0, "▁a": 1, "b": 2, "▁": 3, **{f"<0x{byte:02X}>": byte + 4 for byte in range(256)}}
    backend = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    backend.decoder = decoders.Sequence(  # type: ignore[assignment]
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    ids = [1, 1, 2, *(byte + 4 for byte in "😀é".encode()), 3, 2, 1]
    decoder = PieceDecoder(tokenizer)
    pieces = [decoder.push(token) for token in ids]
    assert "".join(pieces) + decoder.flush() == tokenizer.decode(ids) == "a ab😀é b a"
    assert pieces[3:7] == ["", "", "", "😀"]


def test_importing_the_engine_does_not_import_torch() -> None:
    code = "import sys, engine, engine.errors, engine.events; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
