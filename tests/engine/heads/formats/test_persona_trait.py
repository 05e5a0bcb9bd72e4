"""The data of persona_vectors traits: read as data, refused when it is anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.heads.formats.persona_trait import read_trait

FACTS = {
    "instruction": [{"pos": "Be warm.", "neg": "Be cold."}, {"pos": "Care.", "neg": "Do not care."}],
    "questions": ["How are you?", "What is new?"],
    "eval_prompt": "Score {answer} to {question} from 0 to 100.",
}


def test_a_trait_is_read_as_it_is_published(tmp_path: Path) -> None:
    path = tmp_path / "warm.json"
    path.write_text(json.dumps(FACTS))
    trait = read_trait(path)
    assert trait.name == "warm" and trait.pairs[0] == ("Be warm.", "Be cold.")
    assert len(trait.questions) == 2 and "{answer}" in trait.judge


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"questions": []}, "no questions"),
        ({"instruction": [{"pos": "a"}]}, "lacks"),
        ({"eval_prompt": "Score it."}, "no place"),
        ({"questions": [3]}, "wrong kind: Expected str, got int"),
        ({"instruction": None}, "lacks"),
    ],
)
def test_anything_else_is_refused(change: dict, why: str, tmp_path: Path) -> None:
    path = tmp_path / "warm.json"
    path.write_text(json.dumps(FACTS | change))
    with pytest.raises(InputError, match=why):
        read_trait(path)


def test_no_json_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_trait(tmp_path / "none.json")
    (tmp_path / "a.json").write_bytes(b"\xff{")
    with pytest.raises(InputError, match="not JSON"):
        read_trait(tmp_path / "a.json")
