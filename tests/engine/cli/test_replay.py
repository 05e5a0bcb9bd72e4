"""`steer generate --save` and `steer replay`: recorded, the same again, and exported without a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.__main__ import main

PIRATE = Path(__file__).parents[3] / "assets" / "heads" / "1-pirate.head.safetensors"


def test_a_saved_run_is_replayed_and_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bees.run.safetensors"
    words = ["--lane", "none", "--lane", f"{PIRATE}:1.2", "--truth", "--temperature", "1", "--seed", "5"]
    assert main(["generate", "Tell me about bees.", *words, "--max-tokens", "30", "--save", str(path)]) == 0
    capsys.readouterr()
    assert main(["replay", str(path), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["same"] is True and len(report["lanes"]) == 2
    assert main(["replay", str(path), "--export", str(tmp_path / "bees.csv")]) == 0
    assert main(["replay", str(path), "--export", str(tmp_path / "bees.json")]) == 0
    facts = json.loads((tmp_path / "bees.json").read_text())
    assert [lane["text"] for lane in facts["answers"]] == [lane["text"] for lane in report["lanes"]]
    assert (tmp_path / "bees.csv").read_text().count("\n") > 20


def test_bad_files_are_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_bytes(b"junk")
    for words in (["replay", str(tmp_path / "a")], ["replay", str(tmp_path / "none")]):
        assert main(words) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["generate", "Hello.", "--save", str(tmp_path / "none" / "a.run.safetensors")]) == 2
    assert "does not exist" in capsys.readouterr().err
