"""The field's protocols from end to end, on small data in their own file layouts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.__main__ import main
from engine.errors import InputError
from engine.lab import transfer as transferring
from engine.lab.axbench_concepts import read_concepts
from engine.lab.axbench_protocol import AxRow, harmonic, summaries
from engine.lab.cached_answers import Judged
from engine.lab.ifeval_cases import read_cases
from engine.lab.ifeval_rules import KINDS, followed
from engine.lab.persona_protocol import read_traits
from tests.engine.lab.judge_server import says, serving

DATA = Path(__file__).parent / "data"
Steer = Callable[..., dict[str, Any]]


@pytest.fixture
def steer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Steer:
    """Runs `steer lab ...` and returns the JSON that it prints."""

    def run(*words: str) -> dict[str, Any]:
        page, folder = tmp_path / "page.html", tmp_path / "figures"
        measured = [] if words[0] == "faithfulness" else ["--store", str(tmp_path / "lab.sqlite")]
        assert (
            main(["lab", *words, *measured, "--json", "--report", str(page), "--figures", str(folder)]) == 0
        )
        assert page.read_text().endswith("</html>\n")
        drawn = {path.stem for path in folder.glob("*.svg")}
        assert drawn and page.read_text().count("<svg") == len(drawn)
        assert {path.stem for path in folder.glob("*.png")} == drawn
        assert len((folder / "points.csv").read_text().splitlines()) > 2
        return json.loads(capsys.readouterr().out)

    return run


def by_method(rows: list[dict[str, Any]], **facts: Any) -> dict[str, dict[str, Any]]:
    return {r["method"]: r for r in rows if all(r[name] == value for name, value in facts.items())}


def test_faithfulness_beside_the_paraphrase(steer: Steer) -> None:
    told = steer("faithfulness", "--prompt", "Talk like a pirate.", "--methods", "a-psr,caa")
    rows = by_method(told["rows"])
    assert set(rows) == {"a-psr", "caa", "paraphrase"} and len(rows["a-psr"]["faithfulness"]) == 6
    assert rows["a-psr"]["faithfulness"]["4"] < 1.0 < rows["caa"]["faithfulness"]["4"] + 0.5


@pytest.mark.slow
def test_transfer(steer: Steer) -> None:
    told = steer(
        "transfer", "--count", "8", "--prompt", "Talk like a pirate.", "--prompt", "End with a question."
    )
    rows = [row for row in told["rows"] if row["prompt"] == "Talk like a pirate."]
    found = {row["condition"]: row for row in rows if row["condition"] != "strength"}
    assert found["other topics"]["trait"] > 0.8
    assert found["second turn, after an unsteered first"]["trait"] > 0.5
    assert found["beside another head: its own trait: End with a question."]["kind"].endswith("own trait")
    assert all(row["trait_ci"][0] <= row["trait"] <= row["trait_ci"][1] for row in rows)
    strengths = {row["strength"]: row["trait"] for row in rows if row["condition"] == "strength"}
    assert strengths[0.0] == 0.0 and strengths[1.0] > 0.8 and 3.0 in strengths


@pytest.mark.slow
def test_persona_on_pocket(steer: Steer) -> None:
    words = ["--traits", str(DATA / "traits"), "--methods", "none,prompt,a-psr:responses12"]
    told = steer("persona", *words, "--seeds", "2")
    rows = by_method(told["rows"], trait_name="piratical")
    assert rows["none"]["trait"] < 0.1 < 0.7 < rows["prompt"]["trait"]
    assert rows["a-psr:responses12"]["trait"] > 0.7 and rows["none"]["n"] == 4
    assert {row["trait_name"] for row in told["rows"]} == {"piratical", "cheery"}


def test_persona_asks_a_remote_judge_with_the_traits_own_prompt(steer: Steer, tmp_path: Path) -> None:
    (tmp_path / "traits").mkdir()
    text = (DATA / "traits" / "piratical.json").read_text()
    (tmp_path / "traits" / "piratical.json").write_text(text)

    def answer(body: dict[str, Any], number: int) -> Any:
        asked = body["messages"][0]["content"]
        if "How clearly is the answer piratical?" not in asked:
            return says("90", {"90": 1.0})
        assert "{question}" not in asked
        if "mirrors" in asked:  # one answer gets no score: it must be counted, not averaged
            return says("REFUSAL")
        told = asked.split("[Answer]")[1].lower()
        piratical = any(word in told for word in ("arr", "matey", "ahoy", "ye ", "aye", "shiver"))
        return says("80", {"80": 0.9, "90": 0.1}) if piratical else says("0", {"0": 1.0})

    with serving(answer) as server:
        words = ["--traits", str(tmp_path / "traits"), "--methods", "none,prompt", "--seeds", "1"]
        told = steer("persona", *words, "--judge", f"{server.url}#small")
    rows = by_method(told["rows"])
    assert rows["prompt"]["trait"] > rows["none"]["trait"] and rows["none"]["coherence"] == 0.9
    assert all((row["n"], row["missing"]) == (1, 1) for row in rows.values())
    assert told["judge"].startswith("small at http://127.0.0.1")


@pytest.mark.slow
def test_axbench_on_pocket(steer: Steer) -> None:
    words = ["--concepts", str(DATA / "metadata.jsonl"), "--template", "{concept}", "--count", "8"]
    told = steer("axbench", *words, "--methods", "none,prompt,a-psr:responses12")
    rows = by_method(told["rows"], concept=0)
    assert rows["none"]["score"] == 0.0 and rows["none"]["fluency_score"] > 1.5
    assert rows["prompt"]["score"] > 1.5 and rows["a-psr:responses12"]["score"] > 1.2
    assert rows["a-psr:responses12"]["factor"] > 0 and rows["prompt"]["n"] == 4
    tried = dict(rows["a-psr:responses12"]["tried"])
    assert max(tried.values()) == tried[rows["a-psr:responses12"]["factor"]]


def test_ifeval_on_pocket(steer: Steer) -> None:
    told = steer(
        "ifeval", "--data", str(DATA / "input_data.jsonl"), "--methods", "none,prompt,a-psr:responses12"
    )
    rows = by_method(told["rows"])
    assert rows["none"]["accuracy"] < 0.5 < 0.8 < rows["prompt"]["accuracy"]
    assert rows["a-psr:responses12"]["accuracy"] > rows["none"]["accuracy"] + 0.3
    assert rows["prompt"]["n"] == 12


def scored(concept: int, method: str, *scores: tuple[float, float, float]) -> AxRow:
    return AxRow(concept, method, None, np.array(scores, float)[:, None])


def test_axbench_over_concepts_counts_what_is_missing() -> None:
    rows = [scored(0, "prompt", (2, 2, 2), (2, 2, np.nan)), scored(1, "prompt", (0, 2, 2), (1, 2, 2))]
    [found] = summaries([*rows])
    assert found.score.value == pytest.approx((2.0 + 0.0 + 1.5) / 3)
    assert (found.score.n, found.score.missing) == (3, 1)
    assert found.judgements["fluency"].missing == 1 and found.judgements["concept"].missing == 0


def test_other_wordings_are_no_further_answers_of_the_same_head() -> None:
    """The head answers once, whatever wording it is held against."""
    rng = np.random.default_rng(0)
    head = Judged(rng.random((12, 1)), np.ones((12, 1)))
    prompted = [Judged(rng.random((12, 1)), np.ones((12, 1))) for _ in range(3)]
    rows = [transferring.Transfer("p", "other wordings", f"w{i}", 1.0, head, prompted[i]) for i in range(3)]
    [one], [three] = (transferring.summaries(some) for some in (rows[:1], rows))
    assert three.trait.interval == pytest.approx(one.trait.interval) and three.trait.n == 12
    means = np.mean([each.traits for each in prompted], axis=0)
    assert three.above.value == pytest.approx(float((head.traits - means).mean()))


def test_the_harmonic_mean_is_0_where_one_is_and_missing_where_one_is() -> None:
    scores = np.array([[2, 2, 2], [1, 2, 2], [0, 2, 2], [np.nan, 2, 2]], float)
    found = harmonic(scores)
    assert found[:3] == pytest.approx([2.0, 1.5, 0.0]) and np.isnan(found[3])


@pytest.mark.parametrize(
    ("kind", "facts", "right", "wrong"),
    [
        ("punctuation:no_comma", {}, "One two.", "One, two."),
        ("change_case:english_capital", {}, "ALL OF IT.", "All."),
        ("change_case:english_lowercase", {}, "all of it.", "All."),
        ("change_case:capital_word_frequency", {"capital_frequency": 2, "capital_relation": "at least"},
         "THE BIG one", "THE big one"),
        ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, "one two", "1 2 3"),
        ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, "A. B.", "A."),
        ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb", "a\n\nb"),
        ("length_constraints:nth_paragraph_first_word",
         {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "so"}, "a\n\nSo it is", "so\n\nis"),
        ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* a\n* b", "* a"),
        ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a* and **b**", "*a*"),
        ("detectable_format:multiple_sections", {"section_spliter": "Part", "num_sections": 2},
         "Part 1 a Part 2 b", "Part 1"),
        ("detectable_format:title", {}, "<<Title>> text", "Title"),
        ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "{a}"),
        ("detectable_format:constrained_response", {}, "My answer is yes.", "Yes."),
        ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] of [town]", "[name]"),
        ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Text\nP.S. more", "Text P.S."),
        ("keywords:existence", {"keywords": ["bee", "tea"]}, "A bee and tea.", "Beer and tea."),
        ("keywords:forbidden_words", {"forbidden_words": ["bee"]}, "Beer.", "A bee."),
        ("keywords:frequency", {"keyword": "bee", "frequency": 2, "relation": "at least"}, "bee, Bee", "bee"),
        ("keywords:letter_frequency", {"letter": "e", "let_frequency": 2, "let_relation": "less than"},
         "bed", "bee"),
        ("language:response_language", {"language": "de"}, "Die Bienen fliegen im Sommer über die Wiese.",
         "The bees fly over the meadow in summer."),
        ("combination:two_responses", {}, "one ****** two", "one"),
        ("combination:repeat_prompt", {"prompt_to_repeat": "Say it."}, "Say it. Well.", "Well."),
        ("startend:end_checker", {"end_phrase": "The end."}, "So it was. The end.", "The end. Or not."),
        ("startend:quotation", {}, '"All of it."', '"Some" of it.'),
    ],
)  # fmt: skip
def test_every_published_instruction(kind: str, facts: dict[str, Any], right: str, wrong: str) -> None:
    assert (
        followed(kind, facts, right) and not followed(kind, facts, wrong) and not followed(kind, facts, " ")
    )


def test_instructions_that_make_no_sense() -> None:
    assert len(KINDS) == 25
    for kind, facts in (("magic", {}), ("punctuation:no_comma", {"x": 1}), ("keywords:existence", {})):
        with pytest.raises(InputError):
            followed(kind, facts, "text")


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[", '{"concept_id": 1}', '{"concept_id": "x", "concept": "y"}',
        '{"concept_id": 1, "concept": " "}', '{"prompt": "a", "instruction_id_list": ["x"], "kwargs": [{}]}',
        '{"prompt": "One thing", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}]}',
        '{"prompt": "A. B", "instruction_id_list": ["punctuation:no_comma"], "kwargs": []}',
        '{"prompt": "A. B", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [{"x": 1}]}',
        '{"prompt": "A. B", "instruction_id_list": ["punctuation:no_comma"], "kwargs": [null]}',
        "[" * 3000 + "]" * 3000,
        '{"concept_id": Infinity, "concept": "a", "prompt": Infinity}',
        '{"concept_id": ' + "9" * 5000 + ', "concept": "a"}',
        '{"concept_id": 1, "concept": "\\ud800", "prompt": "\\ud800"}',
        '{"concept_id": "1", "concept": ["a"], "prompt": 1}',
        '{"concept_id": 1, "concept": "' + "a" * (2 << 20) + '"}',
    ],
)  # fmt: skip
def test_bad_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(text)
    for read in (read_concepts, read_cases):
        with pytest.raises(InputError, match="not read"):
            read(path)
    with pytest.raises(InputError):
        read_concepts(tmp_path / "none")


def test_bad_traits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="There is no"):
        read_traits(tmp_path)
    good = json.loads((DATA / "traits" / "cheery.json").read_text())
    for change in ({"questions": []}, {"questions": ["One?"]}, {"eval_prompt": "?"}, {"instruction": [{}]}):
        (tmp_path / "bad.json").write_text(json.dumps({**good, **change}))
        with pytest.raises(InputError):
            read_traits(tmp_path)
