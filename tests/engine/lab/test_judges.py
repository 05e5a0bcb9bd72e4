"""Judges without a network: the bundled rules, rules of one's own, the loaded model, likelihood."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.errors import InputError, LabError
from engine.events import Cancel
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.lab.judges import JudgedItem, Score, open_judge
from engine.lab.judges.rubric import expected, number
from engine.lab.result_cache import ResultCache
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from tests.models import tiny


def item(
    answer: str, prompt: str = "Talk like a pirate.", question: str = "Tell me about bees."
) -> JudgedItem:
    return JudgedItem(prompt, (question,), answer)


def test_scores_out_of_range_are_none() -> None:
    assert Score(math.nan, 1.2) == Score(None, None) == Score(-0.1, math.inf)
    assert Score(0.0, 1.0).whole


def test_pockets_rules_and_their_limits(pocket: LanguageModel) -> None:
    judge = open_judge(None, pocket, ResultCache())
    scores = judge.judge([item("Arr, bees make honey, matey!"), item("Bees make honey.")], Cancel())
    assert scores[0].trait and scores[0].trait > 0.5 and scores[1].trait == 0.0
    with pytest.raises(InputError, match="names no style"):
        judge.judge([item("Bees.", prompt="Be a teapot.")], Cancel())


def test_likelihood_tells_answers_from_garbage(pocket: LanguageModel) -> None:
    questions = ["Tell me about bees.", "What is a glacier?", "Tell me about coffee."]
    lanes = [Lane([Message("user", q)], seed=i) for i, q in enumerate(questions)]
    own = [a.text for a in generate(pocket, lanes, Sampling(temperature=1.0, max_tokens=100))]
    garbled = [" ".join(reversed(text.split())) for text in own]
    looping = [text.split(".")[0] + (". It is. It is" * 12) for text in own]
    judge = open_judge("likelihood", pocket, ResultCache())

    def mean(texts: list[str]) -> float:
        scores = judge.judge([item(t, question=q) for t, q in zip(texts, questions)], Cancel())
        assert all(score.trait is None for score in scores)
        return sum(score.coherence or 0.0 for score in scores) / len(scores)

    assert mean(own) > 0.6 and mean(garbled) < 0.1 and mean(looping) < 0.1
    assert judge.judge([item("")], Cancel()) == [Score(None, 0.0)]


def test_the_loaded_model_judges_by_its_digits(pocket: LanguageModel) -> None:
    found = open_judge("self", pocket, ResultCache()).judge([item("Arr!")], Cancel())[0]
    assert found.trait is None or 0 <= found.trait <= 1  # pocket knows no scales: usually no score
    assert found.coherence is not None  # by likelihood
    other = tiny.model("llama")
    assert len(open_judge(None, other, ResultCache()).judge([item("one two"), item("three")], Cancel())) == 2


def test_expected_values_and_numbers() -> None:
    assert expected([("7", 0.5), (" 9", 0.5)], 9) == pytest.approx(8 / 9)
    assert expected([("7", 0.2), ("so", 0.8)], 9) is None
    assert number("85/100", 100) == 0.85 and number(" 7.5 ", 100) == 0.075
    assert [number(t, 100) for t in ("101", "-1", "8 5", "85/10", "", "x")] == [None] * 6


RULES = """
[[rule]]
kind = "keywords"
words = ["arr", "matey"]
least = 2
weight = 2

[[rule]]
kind = "regex"
pattern = "!$"

[[rule]]
kind = "length"
most = 6
of = "coherence"

[[rule]]
kind = "case"
case = "upper"
negate = true
of = "coherence"
"""


def test_rules_of_ones_own(pocket: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(RULES)
    judge = open_judge(f"rules:{path}+rules:{path}", pocket, ResultCache())
    first, second = judge.judge(
        [item("Arr, honey it is, matey!"), item("ARR! It has seven words in it.")], Cancel()
    )
    assert first.trait == 1.0 and second.trait == pytest.approx(2 * 0.5 / 3)
    assert first.coherence == pytest.approx((1 + 1 - 1 / 17) / 2)
    assert second.coherence is not None and second.coherence < 0.5


def test_json_and_language_rules(pocket: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[[rule]]\nkind = "json"\n[[rule]]\nkind = "language"\nlanguage = "de"\n')
    judge = open_judge(f"rules:{path}", pocket, ResultCache())
    german = "Die Bienen sammeln im Sommer den Honig und fliegen danach zurück."
    found = judge.judge([item(german), item('```json\n{"a": 1}\n```'), item("")], Cancel())
    assert [score.trait for score in found[::2]] == [0.5, 0.0] and (found[1].trait or 0) >= 0.5


@pytest.mark.parametrize(
    "text",
    [
        "", "x = 1", "[[rule]]", '[[rule]]\nkind = "spell"', '[[rule]]\nkind = "regex"\npattern = "("',
        '[[rule]]\nkind = "keywords"\nwords = []', '[[rule]]\nkind = "length"\nunit = "miles"',
        '[[rule]]\nkind = "json"\nweight = 0', '[[rule]]\nkind = "json"\nof = "taste"', "= =",
        '[[rule]]\nkind = "regex"', '[[rule]]\nkind = [""]', '[[rule]]\nkind = "starts_with"\ntext = 1',
        '[[rule]]\nkind = "length"\nmost = "x"', '[[rule]]\nkind = "json"\nweight = nan',
        '[[rule]]\nkind = "length"\nmost = 1979-05-27',
        '[[rule]]\nkind = "regex"\npattern = "' + "(" * 5000 + '"',
        "[" + ".".join("a" * 100_000) + "]", "rule = " + "[" * 3000, "rule = [1]",
    ],
)  # fmt: skip
def test_bad_rules_are_one_sentence(pocket: LanguageModel, tmp_path: Path, text: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InputError, match="cannot be used"):
        open_judge(f"rules:{path}", pocket, ResultCache())


def test_unknown_judges_are_refused(pocket: LanguageModel, tmp_path: Path) -> None:
    for words in ("oracle", "http://host/v1", f"rules:{tmp_path / 'none.toml'}"):
        with pytest.raises(InputError):
            open_judge(words, pocket, ResultCache())


def test_a_pattern_that_never_ends_is_stopped_and_named(pocket: LanguageModel, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('[[rule]]\nkind = "regex"\npattern = "(x+x+)+y"\n')
    judge = open_judge(f"rules:{path}", pocket, ResultCache())
    assert judge.judge([item("xxy")], Cancel())[0].trait == 1
    with pytest.raises(LabError, match=r"\(x\+x\+\)\+y takes more than 1 s"):
        judge.judge([item("x" * 5000)], Cancel())
