"""Fetching from a hub, spoken to by its real client: progress, cancel, resume, pinning, refusals."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from engine.__main__ import main
from engine.errors import Cancelled, ModelError
from engine.events import Cancel, Download
from engine.model import hub as engine_hub
from engine.model.available_models import local_models
from engine.model.download import _Transfer
from engine.model.hub import describe, fetch
from engine.model.loading import load
from engine.model.memory import free_memory
from tests.engine.model.hub_server import Hub, serving
from tests.models import tiny

NAME = "harbour/tiny"


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with one large file (some 3 MB)."""
    folder = tmp_path_factory.mktemp("stored")
    tiny.save(tiny.model("qwen2", hidden_size=128, intermediate_size=1024), folder)
    assert (folder / "model.safetensors").stat().st_size > 1_500_000
    return folder


@pytest.fixture
def hub(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub that holds it; this process's client is pointed there, with an empty cache."""
    from huggingface_hub import constants

    with serving(Hub()) as made:
        made.add(NAME, stored)
        point_to(made.url, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        yield made


def point_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", url)
    monkeypatch.setattr(
        constants, "HUGGINGFACE_CO_URL_TEMPLATE", url + "/{repo_id}/resolve/{revision}/{filename}"
    )


def bring(events: list[Download] | None = None, cancel: Cancel | None = None) -> tuple[Path, str]:
    emit = (lambda event: None) if events is None else events.append
    return fetch(NAME, None, code=False, emit=emit, cancel=cancel)


def firsts(hub: Hub) -> list[int]:
    """Where each transfer of a large file began."""
    return [first for method, path, first in hub.asked if path.startswith("/storage") and method == "GET"]


def size_of(folder: Path) -> int:
    return (folder / "model.safetensors").stat().st_size


def test_a_model_is_described_before_anything_is_fetched(hub: Hub, stored: Path) -> None:
    offer = describe(NAME)
    assert offer.revision == hub.commits[NAME]
    assert offer.bytes == sum(f.stat().st_size for f in stored.iterdir() if f.name in offer.files)
    assert "model.safetensors" in offer.files and "tokenizer.json" in offer.files
    assert (offer.architecture, offer.blocks, offer.width) == ("Qwen2ForCausalLM", 3, 128)
    assert (offer.dtype, offer.runs_in, offer.here, offer.gated) == ("float32", "float32", 0, False)
    assert size_of(stored) < offer.needs < 3 * size_of(stored) and offer.fits
    assert offer.free <= free_memory() * 1.5
    assert hub.sent == 0
    bring()
    assert describe(NAME).here == offer.bytes


def test_a_fetched_model_loads_with_its_commit_in_the_identity(hub: Hub, stored: Path) -> None:
    loaded = load(NAME, device="cpu")
    assert loaded.identity.id == NAME
    assert loaded.identity.revision == loaded.revision == hub.commits[NAME]
    ids = torch.tensor([[5, 6, 7]])
    assert torch.equal(loaded.network(ids).logits, load(str(stored), device="cpu").network(ids).logits)


def test_a_revision_may_be_named_with_the_model(hub: Hub) -> None:
    commit = hub.commits[NAME]
    assert load(f"{NAME}@{commit}", device="cpu").revision == commit
    sent = hub.sent
    assert load(f"{NAME}@{commit}", device="cpu").revision == commit
    assert hub.sent == sent
    with pytest.raises(ModelError, match="no such revision"):
        load(f"{NAME}@branch", device="cpu")


def test_only_the_files_of_one_edition_are_fetched(hub: Hub) -> None:
    hub.repositories[NAME] |= {
        "consolidated.safetensors": b"0" * 300_000,
        "model.fp16.safetensors": b"0" * 300_000,
        "pytorch_model.bin": b"0" * 300_000,
        "modeling_own.py": b"raise SystemExit",
        "README.md": b"# Tiny",
    }
    folder, _ = bring()
    names = {file.name for file in folder.iterdir()}
    assert names == {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
                     "tokenizer_config.json", "chat_template.jinja"}  # fmt: skip
    with_code, _ = fetch(NAME, None, code=True, emit=print, cancel=None)
    assert (with_code / "modeling_own.py").is_file()


def test_a_model_of_several_parts_is_fetched_whole(hub: Hub, tmp_path: Path) -> None:
    made = tiny.model("qwen2")
    made.network.save_pretrained(tmp_path / "parts", max_shard_size="150KB")
    made.tokenizer.save_pretrained(tmp_path / "parts")
    commit = hub.add("harbour/parts", tmp_path / "parts")
    hub.repositories["harbour/parts"]["consolidated.safetensors"] = b"0" * 300_000
    offer = describe("harbour/parts")
    assert sum(name.startswith("model-") for name in offer.files) >= 2
    assert "consolidated.safetensors" not in offer.files
    assert load("harbour/parts", device="cpu").identity.revision == commit


def test_the_command_line_describes_a_model_before_it_is_fetched(
    hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", NAME, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["id"], told["revision"], told["fits"]) == (NAME, hub.commits[NAME], True)
    assert main(["models", NAME]) == 0
    assert "fits" in capsys.readouterr().out
    assert main(["models", "harbour/nowhere"]) == 2
    assert "spelling" in capsys.readouterr().err and hub.sent == 0


def test_progress_counts_bytes_at_a_rate(hub: Hub) -> None:
    hub.pause = 0.01
    events: list[Download] = []
    bring(events)
    assert len(events) > 2 and {type(event) for event in events} == {Download}
    done = [event.done for event in events]
    assert done == sorted(done) and done[-1] == events[-1].total == describe(NAME).bytes
    assert max(event.rate for event in events) > 100_000
    assert any(event.eta is not None and 0 < event.eta < 10 for event in events)
    assert not any(event.stalled for event in events)


def test_a_connection_that_stalls_is_told(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.model.download._STALLED", 0.3)
    hub.stall = 0.8
    events: list[Download] = []
    bring(events)
    assert any(event.stalled and event.stage == "connection stalled" for event in events)
    assert not events[-1].stalled


def test_a_cut_connection_goes_on_where_it_broke_off(hub: Hub, stored: Path) -> None:
    half = size_of(stored) // 2
    hub.cuts = [half]
    folder, _ = bring()
    assert (folder / "model.safetensors").read_bytes() == (stored / "model.safetensors").read_bytes()
    assert hub.sent <= size_of(stored) + 1  # nothing came twice
    assert firsts(hub) == [0, half]


def test_a_connection_that_breaks_for_good_is_told_and_the_next_fetch_goes_on(
    hub: Hub, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.model.download._ATTEMPTS", 2)
    half = size_of(stored) // 2
    hub.cuts = [half, 0, 0, 0]
    with pytest.raises(ModelError, match=r"lost after .* of ") as caught:
        bring()
    assert "resumes" in caught.value.remedy
    assert [model["id"] for model in local_models()] == ["pocket"]  # half a model is none
    hub.cuts = []
    folder, _ = bring()
    assert hub.sent <= size_of(stored) + 1
    assert (folder / "model.safetensors").read_bytes() == (stored / "model.safetensors").read_bytes()


def test_a_fetched_model_is_in_the_catalogue_with_size_and_fit(hub: Hub, stored: Path) -> None:
    bring()
    pocket, fetched = local_models()
    assert pocket["source"] == "bundled"
    assert (fetched["id"], fetched["source"], fetched["revision"]) == (NAME, "cache", hub.commits[NAME])
    assert (fetched["bytes"], fetched["fits"]) == (size_of(stored), True)
    assert fetched["needs"] == pytest.approx(describe(NAME).needs, rel=0.01)  # of which headers are no part


def test_without_symbolic_links_files_are_kept_once_and_fetched_once(
    hub: Hub, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.are_symlinks_supported", lambda *args: False)
    for _ in range(2):
        folder, _ = bring()
        shown = folder / "model.safetensors"
        assert not shown.is_symlink() and shown.stat().st_size == size_of(stored)
        assert list((folder.parent.parent / "blobs").iterdir()) == []
        assert firsts(hub) == [0]
    assert describe(NAME).here == describe(NAME).bytes


def test_a_disk_that_fills_up_in_mid_file_is_told_and_what_came_is_kept(
    hub: Hub, stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took = _Transfer._take

    def fill(transfer: _Transfer, block: bytes) -> None:
        took(transfer, block)
        if transfer.done > size_of(stored) // 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(_Transfer, "_take", fill)
        with pytest.raises(ModelError, match="No space left on device") as caught:
            bring()
    assert "Free some space" in caught.value.remedy
    folder, _ = bring()
    assert firsts(hub)[1] > size_of(stored) // 2
    assert (folder / "model.safetensors").read_bytes() == (stored / "model.safetensors").read_bytes()


def test_a_cancel_in_mid_file_is_prompt_and_what_came_is_kept(hub: Hub, stored: Path) -> None:
    hub.pause = 0.05
    cancel, called = Cancel(), time.monotonic()

    def stop_half_way(event: Download) -> None:
        nonlocal called
        if event.done > size_of(stored) // 2 and not cancel:
            called = time.monotonic()
            cancel.set()

    with pytest.raises(Cancelled):
        fetch(NAME, None, code=False, emit=stop_half_way, cancel=cancel)
    assert time.monotonic() - called < 1.0
    time.sleep(0.3)  # the thread in the background sees the cancel at its next piece
    sent, hub.pause = hub.sent, 0.0
    folder, _ = bring()
    assert hub.sent - sent < 0.6 * size_of(stored)
    assert (folder / "model.safetensors").read_bytes() == (stored / "model.safetensors").read_bytes()


def test_a_cancel_is_prompt_while_nothing_comes_at_all(hub: Hub) -> None:
    hub.stall = 5.0
    cancel = Cancel()
    threading.Timer(0.4, cancel.set).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        bring(cancel=cancel)
    assert time.monotonic() - started < 2.0


def test_a_file_that_arrives_damaged_is_not_kept(hub: Hub, stored: Path) -> None:
    hub.spoilt = True
    with pytest.raises(ModelError, match="download was corrupted"):
        bring()
    hub.spoilt = False
    folder, _ = bring()
    assert (folder / "model.safetensors").read_bytes() == (stored / "model.safetensors").read_bytes()


def test_models_that_are_gated_or_unknown_are_refused_with_the_way_out(hub: Hub) -> None:
    with pytest.raises(ModelError, match="knows no such model") as caught:
        load("harbour/nowhere")
    assert "spelling" in caught.value.remedy
    hub.gated.add(NAME)
    with pytest.raises(ModelError, match="consent to terms") as caught:
        load(NAME)
    assert "hf auth login" in caught.value.remedy


def test_a_model_without_safe_weights_is_refused_before_it_is_fetched(hub: Hub) -> None:
    hub.repositories[NAME]["pytorch_model.bin"] = hub.repositories[NAME].pop("model.safetensors")
    for ask in (describe, load):
        with pytest.raises(ModelError, match="no safetensors weights"):
            ask(NAME)
    assert hub.sent == 0


def test_an_encoder_is_refused_before_it_is_fetched(hub: Hub) -> None:
    hub.repositories[NAME]["config.json"] = b'{"architectures": ["BertModel"], "model_type": "bert"}'
    with pytest.raises(ModelError, match="not a decoder-only"):
        describe(NAME)


def test_a_full_disk_is_told_before_the_download(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=1000))
    with pytest.raises(ModelError, match="of disk space"):
        bring()
    assert hub.sent == 0


def test_without_the_hub_a_fetched_model_loads_and_another_is_refused_at_once(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.repositories[NAME] |= {"README.md": b"# Tiny", "pytorch_model.bin": b"0" * 300_000}
    bring()
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        point_to(f"http://127.0.0.1:{unused.getsockname()[1]}", monkeypatch)
        for pinned in (NAME, f"{NAME}@{hub.commits[NAME]}"):
            assert load(pinned, device="cpu").revision == hub.commits[NAME]
        for ask in (load, describe):
            started = time.monotonic()
            with pytest.raises(ModelError, match="Hugging Face cannot be reached") as caught:
                ask("harbour/other")
            assert time.monotonic() - started < 5
            assert "Errno" not in str(caught.value) and "network" in caught.value.remedy


def test_a_hub_that_never_answers_is_given_up_within_5_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as deaf:  # takes the connection and says nothing
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        point_to(f"http://127.0.0.1:{deaf.getsockname()[1]}", monkeypatch)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        monkeypatch.setattr(engine_hub, "_ANSWER", 0.5)
        started = time.monotonic()
        with pytest.raises(ModelError, match="Hugging Face cannot be reached"):
            load("harbour/other")
        assert time.monotonic() - started < 2


def test_the_command_line_fetches_from_the_hub_that_the_environment_names(hub: Hub, tmp_path: Path) -> None:
    environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home")}
    model = f"{NAME}@{hub.commits[NAME]}"
    command = [sys.executable, "-m", "engine", "generate", "Hi", "--model", model, "--max-tokens", "2"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert any((tmp_path / "home" / "hub").rglob("model.safetensors"))
