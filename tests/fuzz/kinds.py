"""What is damaged: per kind a sound file, how its inside is edited, and the reader that the product uses."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from engine.events import Cancel
from engine.heads.formats import ImportOptions, format_named
from engine.heads.head import BlockHead, Head, HeadInfo
from engine.model.identity import ModelIdentity

ROOT = Path(__file__).parents[2]
MODEL = ModelIdentity("tiny", None, "LlamaForCausalLM", 32, 3, 400, "")

Inside = Literal["safetensors", "gguf", "zip", "toml", "json", "jsonl", "sqlite"]


@dataclass(frozen=True)
class Kind:
    """name: of the file that is damaged; make(path): writes a sound one; read(path): raises EngineError."""

    name: str
    inside: Inside
    make: Callable[[Path], Any]
    read: Callable[[Path], Any]


def _head(gate: str = "relu") -> Head:
    random = np.random.default_rng(0)
    parts = {}
    for block in (1, 2):
        z = random.standard_normal((1, 32)).astype(np.float32)
        w = np.zeros((1, 32), np.float32)
        parts[block] = BlockHead(w, np.array([1.5], np.float32), z / np.linalg.norm(z))
    figures = {"loss": 0.5, "mean_coefficient": {"1": [1.0], "2": [2.0]}}
    return Head(parts, "relu", HeadInfo("cheerful", "a-psr", "Be cheerful.", MODEL, "ll", figures=figures))


def _imported(name: str, options: ImportOptions | None = None) -> Callable[[Path], Any]:
    def read(path: Path) -> Any:
        from engine.heads.head_codec import head_metadata

        found = format_named(name).read(path, lambda: MODEL, options or ImportOptions())
        json.dumps(head_metadata(found.head), ensure_ascii=False, allow_nan=False).encode()
        return found

    return read


def _written(name: str, block: int | None = None) -> Callable[[Path], Any]:
    def make(path: Path) -> None:
        write = format_named(name).write
        assert write is not None
        head = _head()
        write(
            head if block is None else Head({block: head.blocks[block]}, "relu", head.info),
            path,
            ImportOptions(),
        )

    return make


def _axbench(path: Path) -> None:
    _written("axbench", 1)(path)
    path.with_name("sound.jsonl").write_bytes(path.with_name("metadata.jsonl").read_bytes())


def _metadata(path: Path) -> None:
    rows = [{"concept_id": i, "concept": f"concept {i}", "ref": "x", "genres": {"a": [1]}} for i in range(4)]
    path.write_text("\n".join(map(json.dumps, rows)))


def _read_metadata(path: Path) -> Any:
    from engine.lab.axbench_concepts import read_concepts

    return read_concepts(path)


def _ifeval(path: Path) -> None:
    rows = [
        {
            "key": 1,
            "prompt": "Say hi. No commas.",
            "instruction_id_list": ["punctuation:no_comma"],
            "kwargs": [{}],
        },
        {
            "key": 2,
            "prompt": "Why? Use words.",
            "instruction_id_list": ["length_constraints:number_words", "keywords:existence"],
            "kwargs": [{"num_words": 5, "relation": "at least"}, {"keywords": ["a", "b"]}],
        },
    ]
    path.write_text("\n".join(map(json.dumps, rows)))


def _read_ifeval(path: Path) -> Any:
    from engine.lab.ifeval_cases import read_cases

    return [case.followed("An answer, of a few words.") for case in read_cases(path)]


def _trait(path: Path) -> None:
    pairs = [{"pos": "Be warm.", "neg": "Be cold."}]
    judge = "Score {answer} to {question} from 0 to 100."
    path.write_text(json.dumps({"instruction": pairs, "questions": ["How?", "Why?"], "eval_prompt": judge}))


def _read_trait(path: Path) -> Any:
    from engine.heads.formats.persona_trait import read_trait

    return read_trait(path)


RULES = """[[rule]]
kind = "keywords"
words = ["bee", "honey"]
least = 1
weight = 2.0
[[rule]]
kind = "regex"
pattern = "(a|b)+c"
negate = true
[[rule]]
kind = "length"
unit = "words"
least = 1
most = 50
of = "coherence"
[[rule]]
kind = "case"
case = "upper"
[[rule]]
kind = "starts_with"
text = "Arr"
"""


def _read_rules(path: Path) -> Any:
    from engine.lab.judges.judge import JudgedItem
    from engine.lab.judges.rules_file import RulesJudge

    return RulesJudge(path).judge([JudgedItem("Be kind.", ("Why?",), "ab " * 400)], Cancel())


def _run(path: Path) -> None:
    path.write_bytes((ROOT / "tests/engine/generation/run-1.run.safetensors").read_bytes())


def _read_run(path: Path) -> Any:
    from engine.generation.run_file import load_run, run_to_bytes

    return run_to_bytes(load_run(path))


def _library(path: Path) -> None:
    from engine.library import catalog, sessions
    from engine.library.records import AnswerRecord, SessionRecord, TurnRecord
    from engine.library.store import LibraryStore

    store = LibraryStore(path.parent)
    turns = [
        TurnRecord(key, "Why?", {"mix": []}, (AnswerRecord("steered", "eos", "Arr.", {"n": 1}, b"t"),))
        for key in "abc"
    ]
    sessions.save_session(store, SessionRecord("c1", {"prompt": "x"}, False), list("abc"), turns)
    catalog.add_run(store, "distill", "pirate", {"figures": {"loss": 0.5}})
    catalog.add_vote(store, {"won": "a-psr", "lost": "caa"})
    store.close()


def _read_library(path: Path) -> Any:
    from engine.errors import LibraryError
    from engine.library import catalog, sessions
    from engine.library.records import SessionRecord
    from engine.library.store import LibraryStore

    store = LibraryStore(path.parent)
    try:
        session = sessions.last_session(store)
        for item in catalog.items(store, "conversation"):
            sessions.conversation(store, item.key)
        for item in catalog.items(store, "run"):
            try:
                catalog.run_facts(store, item.key)
            except LibraryError:
                continue  # costs itself alone
        catalog.votes(store)
        sessions.save_session(store, SessionRecord("c2", session.state if session else {}, True))
    finally:
        store.close()


KINDS: dict[str, Kind] = {
    "head": Kind("a.head.safetensors", "safetensors", _written("head"), _imported("head")),
    "run": Kind("a.run.safetensors", "safetensors", _run, _read_run),
    "steering-lite": Kind(
        "a.safetensors", "safetensors", _written("steering-lite"), _imported("steering-lite")
    ),
    "gguf": Kind("a.gguf", "gguf", _written("gguf"), _imported("gguf")),
    "persona": Kind(
        "a_response_avg_diff.pt", "zip", _written("persona_vectors"), _imported("persona_vectors")
    ),
    "axbench": Kind("a_weight.pt", "zip", _axbench, _imported("axbench", ImportOptions(block=1, concept=0))),
    "easyedit": Kind("layer_1.pt", "zip", _written("easyedit2", 1), _imported("easyedit2")),
    "rules": Kind("a.toml", "toml", lambda path: path.write_text(RULES), _read_rules),
    "metadata": Kind("metadata.jsonl", "jsonl", _metadata, _read_metadata),
    "ifeval": Kind("input_data.jsonl", "jsonl", _ifeval, _read_ifeval),
    "trait": Kind("warm.json", "json", _trait, _read_trait),
    "library": Kind("library.sqlite", "sqlite", _library, _read_library),
}
