"""Model folders as people have them: adapters, hub caches, byte order marks, parts, several templates."""

from __future__ import annotations

import codecs
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.__main__ import main
from engine.errors import ModelError
from engine.model import library_folder, prequantised
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from engine.model.source import choices
from tests.models import tiny

TALK = [Message("user", "Hi there")]
BASE = "harbour/base"


@pytest.fixture(scope="module")
def made() -> LanguageModel:
    return tiny.model("qwen2")


@pytest.fixture
def folder(made: LanguageModel, tmp_path: Path) -> Path:
    """A sound model folder, free to be changed."""
    return tiny.save(made, tmp_path / "model")


@pytest.fixture
def parts(made: LanguageModel, tmp_path: Path) -> Path:
    """The same in several parts with an index."""
    place = tmp_path / "parts"
    made.network.save_pretrained(place, max_shard_size="100KB")
    made.tokenizer.save_pretrained(place)
    assert len(list(place.glob("model-*.safetensors"))) >= 2
    return place


def same(loaded: LanguageModel, made: LanguageModel) -> bool:
    ids = torch.tensor([[5, 6, 7]])
    return torch.equal(loaded.network(ids).logits, made.network(ids).logits) and (
        loaded.identity.fingerprint == made.identity.fingerprint
    )


def change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def refused(source: Path | str, capsys: pytest.CaptureFixture[str]) -> str:
    """What the command line says of a model that it does not load: one sentence, no traceback."""
    assert main(["generate", "Hi", "--model", str(source), "--device", "cpu", "--max-tokens", "2"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Traceback" not in said
    return said


def test_settings_with_a_byte_order_mark_are_read(made: LanguageModel, folder: Path) -> None:
    for file in [*folder.glob("*.json"), *folder.glob("*.jinja")]:
        file.write_bytes(codecs.BOM_UTF8 + file.read_bytes())
    change(made_generation(folder), eos_token_id=7)
    loaded = load(str(folder), device="cpu")
    assert same(loaded, made) and 7 in loaded.eos_ids
    assert encode(loaded, TALK).ids == encode(made, TALK).ids


def made_generation(folder: Path) -> Path:
    file = folder / "generation_config.json"
    file.write_text(file.read_text(encoding="utf-8-sig"))
    return file


def test_a_marked_index_is_read_and_links_serve_where_the_system_has_any(
    made: LanguageModel, parts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = parts / "model.safetensors.index.json"
    index.write_bytes(codecs.BOM_UTF8 + index.read_bytes())
    assert same(load(str(parts), device="cpu"), made)

    def no_links(*_: object, **__: object) -> None:
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", no_links)  # as on Windows for those who are no administrators
    assert same(load(str(parts), device="cpu"), made)
    monkeypatch.setattr(library_folder.os, "link", no_links)
    assert same(load(str(parts), device="cpu"), made)


def test_parts_without_an_index_load_and_a_missing_one_is_named(
    made: LanguageModel, parts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (parts / "model.safetensors.index.json").unlink()
    assert same(load(str(parts), device="cpu"), made)
    first = min(parts.glob("model-*.safetensors"))
    first.unlink()
    assert f"Its part {first.name} is missing." in refused(parts, capsys)


def test_a_whole_file_beside_a_stale_index_is_the_model(made: LanguageModel, folder: Path) -> None:
    stale = {"metadata": {}, "weight_map": {"model.norm.weight": "model-00001-of-00009.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(stale))
    assert same(load(str(folder), device="cpu"), made)


def test_an_index_without_metadata_is_read(made: LanguageModel, parts: Path) -> None:
    index = parts / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": json.loads(index.read_text())["weight_map"]}))
    assert same(load(str(parts), device="cpu"), made)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../../x.safetensors", "names ../../x.safetensors, which is no file of its folder"),
        ("/etc/x.safetensors", "names /etc/x.safetensors, which is no file of its folder"),
        ("C:x.safetensors", "names C:x.safetensors, which is no file of its folder"),
        ("..\\x.safetensors", "which is no file of its folder"),
        (5, "names 5 where the name of a file belongs"),
        (["x"], "cannot be read"),
    ],
)
def test_an_index_may_name_files_of_its_own_folder_only(
    name: object, words: str, parts: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(min(parts.glob("model-*.safetensors")), parts.parent / "x.safetensors")
    change(parts / "model.safetensors.index.json", weight_map={"model.norm.weight": name})
    assert words in refused(parts, capsys)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"architectures": 5}, "In its config.json architectures is not a list of names."),
        ({"architectures": [5]}, "In its config.json architectures is not a list of names."),
        ({"text_config": 5}, "In its config.json text_config is not a group of settings."),
        ({"quantization_config": "x"}, "In its config.json quantization_config is not a group of settings."),
        ({"model_type": "warp"}, "knows no architecture called warp."),
    ],
)
def test_settings_that_make_no_sense_are_named(
    changes: dict[str, object], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder / "config.json", **changes)
    assert words in refused(folder, capsys)


def hub_cache(folder: Path, place: Path, commit: str = "c" * 40) -> Path:
    """A model's folder within a hub cache, as the hub's own library lays it out."""
    root = place / "models--harbour--tiny"
    shutil.copytree(folder, root / "snapshots" / commit, dirs_exist_ok=True)
    (root / "refs").mkdir(exist_ok=True)
    return root


def test_the_folder_of_a_hub_cache_is_its_snapshot(made: LanguageModel, folder: Path, tmp_path: Path) -> None:
    hub_cache(folder, tmp_path, "a" * 40)
    root = hub_cache(folder, tmp_path)
    change(root / "snapshots" / ("a" * 40) / "config.json", architectures=["BertForMaskedLM"])
    (root / "refs" / "main").write_text("c" * 40)
    loaded = load(str(root), device="cpu")
    assert same(loaded, made) and loaded.name == "tiny"


def test_a_hub_cache_without_a_snapshot_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "models--harbour--tiny"
    (root / "snapshots").mkdir(parents=True)
    assert "Its download was never finished." in refused(root, capsys)


def test_a_template_in_chat_template_json_is_the_models(made: LanguageModel, folder: Path) -> None:
    (folder / "chat_template.jinja").unlink()
    assert load(str(folder), device="cpu").tokenizer.chat_template is None
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": tiny.TEMPLATE}))
    loaded = load(str(folder), device="cpu")
    assert same(loaded, made) and encode(loaded, TALK).ids == encode(made, TALK).ids


def test_of_several_templates_without_a_default_one_is_chosen_by_name(
    made: LanguageModel, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "chat_template.jinja").unlink()
    named = [{"name": "rag", "template": "{{ 1 / 0 }}"}, {"name": "chat", "template": tiny.TEMPLATE}]
    change(folder / "tokenizer_config.json", chat_template=named)
    said = refused(folder, capsys)
    assert "It has several chat templates and no default: rag, chat." in said and f"{folder}#rag" in said
    assert "It has rag, chat, and none called tool." in refused(f"{folder}#tool", capsys)
    loaded = load(f"{folder}#chat", device="cpu")
    assert same(loaded, made) and encode(loaded, TALK).ids == encode(made, TALK).ids


KINDS = {
    "bitsandbytes": (
        {"quant_method": "bitsandbytes", "load_in_4bit": True},
        "'steering-studio[bitsandbytes]'",
    ),
    "gptq": ({"quant_method": "gptq", "bits": 4}, "`pip install gptqmodel optimum`"),
    "awq": ({"quant_method": "awq", "bits": 4}, "`pip install gptqmodel`"),
    "compressed-tensors": ({"quant_method": "compressed-tensors"}, "'steering-studio[compressed]'"),
    "torchao": ({"quant_method": "torchao"}, "'steering-studio[quant]'"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_quantised_model_names_the_package_that_reads_it(
    kind: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, words = KINDS[kind]
    monkeypatch.setattr(prequantised, "find_spec", lambda name: None)
    change(folder / "config.json", quantization_config=settings)
    said = refused(folder, capsys)
    assert f"Its weights are quantised by {kind}" in said and words in said and "bfloat16" in said


@pytest.mark.parametrize("kind", ["fp8", "mxfp4"])
def test_what_transformers_turns_back_into_numbers_is_reckoned_as_such(kind: str) -> None:
    """Without the GPU that such a model is made for it takes the memory of bfloat16."""
    config = {"quantization_config": {"quant_method": kind}}
    prequantised.require_reader(config, "The model", None)
    assert prequantised.values_of(config, 1_000, 700, 2) == {"fp8": 1_000, "mxfp4": 2_000}[kind]
    with pytest.raises(ModelError, match=f"quantised by {kind} already"):
        prequantised.require_reader(config, "The model", "int8")


def test_a_kind_of_quantisation_that_nobody_reads_asks_for_another_edition(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(folder / "config.json", quantization_config={"quant_method": "vptq"})
    said = refused(folder, capsys)
    assert "quantised by vptq, which is not supported. Choose the same model in bfloat16." in said


def test_a_tokenizer_without_its_backend_is_told_in_a_whole_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text("{}")
    (folder / "merges.txt").write_text("")
    change(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    assert "Its tokenizer cannot be read without tokenizer.json" in refused(folder, capsys)


def adapter(folder: Path, base: str | None = BASE, weights: bool = True) -> Path:
    """An adapter's files as peft writes them; its weights are not looked at before its model is there."""
    folder.mkdir(exist_ok=True)
    settings = {"peft_type": "LORA", "base_model_name_or_path": base, "r": 2}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    (folder / f"adapter_model.{'safetensors' if weights else 'bin'}").write_bytes(b"\0" * 16)
    return folder


def with_config(folder: Path, model: Path) -> Path:
    shutil.copy(model / "config.json", adapter(folder) / "config.json")
    return folder


ADAPTERS: dict[str, tuple[Callable[[Path, Path], Path], str]] = {
    "alone": (lambda place, model: adapter(place), f"It is a LoRA adapter of {BASE}, and merging it needs"),
    "with a config": (with_config, f"It is a LoRA adapter of {BASE}, and merging it needs the package peft."),
    "of no model": (lambda place, model: adapter(place, None), "does not say which model it belongs to"),
    "pickled": (
        lambda place, model: adapter(place, weights=False),
        f"It is a LoRA adapter of {BASE} without",
    ),
    "beside a model": (lambda place, model: adapter(model), "It holds a model and a LoRA adapter beside it."),
}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_adapters_are_known_as_such_and_name_their_model(
    kind: str,
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make, words = ADAPTERS[kind]
    monkeypatch.setattr("engine.model.adapter.find_spec", lambda name: None)
    said = refused(make(tmp_path / "adapter", folder), capsys)
    assert words in said
    assert "merging" not in words or "'steering-studio[peft]'" in said


def test_beside_an_adapter_the_model_alone_is_chosen_by_naming_its_settings(
    made: LanguageModel, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.adapter.find_spec", lambda name: None)
    adapter(folder)
    alone, both = choices(str(folder))
    said = refused(folder, capsys)
    assert alone in said and both in said
    assert same(load(alone, device="cpu"), made)
    assert same(load(str(folder / "model.safetensors"), device="cpu"), made)
    assert "merging it needs the package peft" in refused(both, capsys)
    assert choices(str(folder.parent)) == [] == choices(BASE)


def lora(made: LanguageModel, place: Path, base: str) -> LanguageModel:
    """Writes an adapter with peft and gives the model that it makes of `made`."""
    import peft

    network = tiny.network("qwen2")
    settings = peft.LoraConfig(
        r=2, target_modules=["up_proj"], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    torch.manual_seed(3)
    adapted = peft.get_peft_model(network, settings)
    adapted.save_pretrained(place)
    change(place / "adapter_config.json", base_model_name_or_path=base)
    merged = adapted.merge_and_unload()
    return tiny.wrap(merged, made.tokenizer, source="merged")


def test_an_adapter_is_merged_into_its_model_by_peft(
    made: LanguageModel, folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("peft")
    merged = lora(made, tmp_path / "adapter", "/home/other/model")  # a folder beside it has that name
    loaded = load(str(tmp_path / "adapter"), device="cpu")
    ids = torch.tensor([[5, 6, 7]])
    assert torch.allclose(loaded.network(ids).logits, merged.network(ids).logits, atol=1e-5)
    assert not same(loaded, made) and loaded.identity.fingerprint == made.identity.fingerprint
    for file in (tmp_path / "adapter").glob("adapter_*"):
        shutil.copy(file, folder / file.name)
    alone, both = choices(str(folder))
    assert same(load(alone, device="cpu"), made)
    again = load(both, device="cpu").network(ids).logits
    assert torch.allclose(again, merged.network(ids).logits, atol=1e-5)


def test_a_windows_path_to_a_missing_head_is_a_missing_file(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("C:\\heads\\x.head.safetensors", "C:\\heads\\x.head.safetensors:0.5"):
        assert main(["generate", "Hi", "--head", words]) == 2
        said = capsys.readouterr().err
        assert "C:\\heads\\x.head.safetensors" in said and "strength" not in said


def test_a_tokenizer_whose_package_is_missing_is_told_in_a_whole_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers' own words are a heading and a list, of which a first line alone would break off."""
    words = "Couldn't instantiate the backend tokenizer from one of: \n(1) a library file, \n(2) x."

    def refuse(*_: object, **__: object) -> None:
        raise ValueError(words)

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", refuse)
    assert "Its tokenizer cannot be read without tokenizer.json" in refused(folder, capsys)
