"""`steer convert` says what is lost on stderr and in JSON, and one sentence for bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import assets
from engine.__main__ import main
from engine.heads.head_file import load_head, save_head
from engine.model.language_model import LanguageModel
from tests.engine.heads.formats.test_formats import constant


def test_losses_are_told_and_the_named_model_owns_the_head(
    pocket: LanguageModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine, theirs, back = (
        str(tmp_path / name) for name in ("a.head.safetensors", "a.gguf", "b.head.safetensors")
    )
    save_head(constant(pocket), mine)
    assert main(["convert", mine, theirs, "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert (report["from"], report["to"], report["blocks"]) == ("head", "gguf", [1, 2])
    assert err.splitlines() == [f"steer: {loss}" for loss in report["losses"]] and report["losses"]
    assert main(["convert", theirs, back]) == 0
    assert load_head(back).info.model == pocket.identity


def test_bad_input_is_one_sentence_and_writes_nothing(tmp_path: Path, capsys) -> None:
    source = tmp_path / "a.gguf"
    source.write_bytes(b"GGUF and no more")
    assert main(["convert", str(source), str(tmp_path / "a.head.safetensors")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.gguf"]


def test_a_gguf_whose_draft_was_cut_short_is_not_saved(
    pocket: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    import gguf

    def cut_short(writer: gguf.GGUFWriter) -> None:  # as on a full disk, of which numpy says nothing
        whole(writer)
        draft = next(iter(writer.path.parent.iterdir())) if writer.path else None
        assert draft is not None
        draft.write_bytes(draft.read_bytes()[:-100])

    whole = gguf.GGUFWriter.close
    save_head(constant(pocket), tmp_path / "a.head.safetensors")
    monkeypatch.setattr(gguf.GGUFWriter, "close", cut_short)
    assert main(["convert", str(tmp_path / "a.head.safetensors"), str(tmp_path / "a.gguf")]) == 2
    assert "did not fit" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.head.safetensors"]


@pytest.mark.parametrize("path", sorted((Path(assets.__file__).parent / "heads").glob("*.head.safetensors")))
def test_the_ready_heads_go_out_with_their_mean(path: Path, tmp_path: Path, capsys) -> None:
    assert main(["convert", str(path), str(tmp_path / "a.gguf")]) == 0
    assert "loses its gate" in capsys.readouterr().err
