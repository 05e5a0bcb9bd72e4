"""`steer generate`: greedy unless told otherwise; --sampling model takes what the folder recommends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.__main__ import main
from engine.model.language_model import LanguageModel
from tests.models import tiny

SAID = {"do_sample": True, "temperature": 0.7, "top_p": 0.8, "top_k": 20, "repetition_penalty": 1.05}


def test_the_options_and_the_models_own_sampling(
    model: LanguageModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny.save(model, tmp_path / "tiny")
    file = folder / "generation_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | SAID))

    def used(*words: str) -> dict[str, float]:
        given = ["generate", "Hi", "--model", str(folder), "--max-tokens", "4", "--json", *words]
        assert main(given) == 0
        summary = json.loads(capsys.readouterr().out.splitlines()[-1])["summary"]
        return {name: summary[name] for name in SAID if name != "do_sample"}

    greedy = {"temperature": 0.0, "top_p": 1.0, "top_k": 0, "repetition_penalty": 1.0}
    theirs = {name: SAID[name] for name in greedy}
    assert used() == used("--sampling", "greedy") == greedy
    assert used("--sampling", "model") == theirs
    assert used("--sampling", "model", "--temperature", "0") == theirs | {"temperature": 0.0}
    assert used("--repetition-penalty", "1.4") == greedy | {"repetition_penalty": 1.4}


def test_a_penalty_of_the_command_line_that_cannot_be_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["generate", "Hi", "--repetition-penalty", "0"]) == 2
    assert "repetition penalty" in capsys.readouterr().err
