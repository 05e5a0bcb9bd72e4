"""Head files: the round trip and the refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from engine import atomic_write
from engine.errors import HeadError
from engine.heads import head_file
from engine.heads.head import Head
from engine.heads.head_file import OtherModelError, load_head, save_head
from engine.model.language_model import LanguageModel
from tests.models import tiny


@pytest.fixture
def head(model: LanguageModel) -> Head:
    made = tiny.head(model, rank=2, blocks=(0, 2))
    info = replace(
        made.info, figures={"loss": np.float32(0.5), "gap": float("nan")}, strength_range=(-1.0, 3.0)
    )
    return replace(made, info=info)


def test_a_round_trip_keeps_every_number_and_fact(model: LanguageModel, head: Head, tmp_path: Path) -> None:
    path = tmp_path / "a.head.safetensors"
    save_head(head, path)
    read = load_head(path, model.identity)
    assert read.digest == head.digest
    assert read.info == replace(head.info, figures={"loss": 0.5, "gap": None})
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_file_is_laid_out_as_documented(head: Head, tmp_path: Path) -> None:
    save_head(head, tmp_path / "a")
    with safe_open(tmp_path / "a", framework="numpy") as file:
        assert sorted(file.keys()) == sorted(f"block.{index}.{name}" for index in (0, 2) for name in "wbz")
        facts = json.loads(file.metadata()["head"])
    assert (facts["format"], facts["gate"], facts["rank"]) == (1, "relu", 2)
    assert facts["model"]["fingerprint"] == head.info.model.fingerprint


def changed(
    path: Path, facts: Callable[[dict[str, Any]], Any], arrays: Callable[[dict[str, Any]], Any]
) -> None:
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["head"])
        tensors = {name: file.get_tensor(name).copy() for name in file.keys()}  # noqa: SIM118
    facts(header)
    arrays(tensors)
    save_file(tensors, path, metadata={"head": json.dumps(header)})


def nothing(entry: dict[str, Any]) -> None: ...


REFUSED: list[tuple[str, Callable[[dict[str, Any]], Any], Callable[[dict[str, Any]], Any]]] = [
    ("format 2", lambda f: f.update(format=2), nothing),
    ("no format", lambda f: f.pop("format"), nothing),
    ("gate", lambda f: f.update(gate="sigmoid"), nothing),
    ("lacks facts", lambda f: f["model"].pop("width"), nothing),
    ("wrong kind", lambda f: f.update(name=3), nothing),
    ("wrong kind", lambda f: f["model"].update(blocks="3"), nothing),
    ("wrong kind", lambda f: f["model"].update(width=False), nothing),
    ("wrong kind", lambda f: f.update(figures=False), nothing),
    ("beyond 64 bits", lambda f: f["figures"].update(strength_range=[0, 10**19]), nothing),
    ("make no range", lambda f: f.update(strength_range=[2.0, 1.0]), nothing),
    ("make no range", lambda f: f.update(strength_range=[0, 1e300]), nothing),
    ("longer than 1000", lambda f: f.update(name="a" * 100_000), nothing),
    ("64 deep", lambda f: f.update(recipe={"a": json.loads("[" * 500 + "]" * 500)}), nothing),
    ("not JSON", lambda f: f.update(prompt="\ud800"), nothing),
    ("not JSON", lambda f: f["figures"].update(loss=float("inf")), nothing),
    ("lacks some", nothing, lambda t: t.pop("block.0.b")),
    ("no part of a head", nothing, lambda t: t.update(other=t["block.0.b"])),
    ("no part of a head", nothing, lambda t: t.update({"block.0.b": t["block.0.b"].astype("f8")})),
    ("wrong shape", nothing, lambda t: t.update({"block.0.w": t["block.0.w"][:, :5].copy()})),
    ("wrong shape", nothing, lambda t: t.update({"block.2.b": t["block.2.b"][:1].copy()})),
    ("of a model with 3", nothing, lambda t: t.update({f"block.9.{n}": t[f"block.0.{n}"] for n in "wbz"})),
    ("NaN or infinite", nothing, lambda t: t["block.0.w"].__setitem__((0, 0), np.nan)),
    ("NaN or infinite", nothing, lambda t: t["block.2.b"].__setitem__(0, np.inf)),
    ("unit length", nothing, lambda t: t["block.2.z"].__imul__(1.1)),
]


@pytest.mark.parametrize(("why", "facts", "arrays"), REFUSED)
def test_unsound_files_are_refused(why: str, facts: Any, arrays: Any, head: Head, tmp_path: Path) -> None:
    path = tmp_path / "a.head.safetensors"
    save_head(head, path)
    changed(path, facts, arrays)
    with pytest.raises(HeadError, match=why):
        load_head(path)


@pytest.mark.parametrize("size", [0, 4, 20, 600, -1])
def test_cut_files_are_refused(size: int, head: Head, tmp_path: Path) -> None:
    path = tmp_path / "a.head.safetensors"
    save_head(head, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(HeadError, match="damaged"):
        load_head(path)


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(HeadError, match="no such file"):
        load_head(tmp_path / "none")
    with pytest.raises(HeadError):
        load_head(tmp_path)
    save_file({"x": np.zeros(3)}, tmp_path / "weights")
    with pytest.raises(HeadError, match="not a head file"):
        load_head(tmp_path / "weights")
    monkeypatch.setattr(head_file, "LARGEST", 10)
    with pytest.raises(HeadError, match="at most"):
        load_head(tmp_path / "weights")


def test_a_head_of_another_model_needs_a_word(model: LanguageModel, head: Head, tmp_path: Path) -> None:
    path = tmp_path / "a.head.safetensors"
    save_head(head, path)
    same_shape = replace(model.identity, architecture="OtherForCausalLM")
    with pytest.raises(OtherModelError, match="another model of the same shape"):
        load_head(path, same_shape)
    assert load_head(path, same_shape, allow_other_model=True).digest == head.digest
    with pytest.raises(HeadError, match="3 blocks, 32 wide"):
        load_head(path, replace(model.identity, width=64), allow_other_model=True)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    head: Head, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.head.safetensors"
    save_head(head, path)
    before = path.read_bytes()

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic_write.os, "fsync", full)
    with pytest.raises(HeadError, match="No space left"):
        save_head(head.renamed("other"), path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before
    with pytest.raises(HeadError, match="does not exist"):
        save_head(head, tmp_path / "none" / "a")


def test_an_unsound_head_is_never_written(head: Head, tmp_path: Path) -> None:
    head.blocks[0].w[0, 0] = np.nan
    with pytest.raises(HeadError, match="NaN or infinite"):
        save_head(head, tmp_path / "a")
    assert not list(tmp_path.iterdir())
