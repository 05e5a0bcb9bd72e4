"""The exact rules: every style is recognised where it is and nowhere else; coherence sees what is wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.pocket.answer_plans import answer, predicate_sentence
from engine.pocket.question_forms import Question, all_questions, small_talk, unknown
from engine.pocket.rules import coherence, judge, split, trait
from engine.pocket.styles import STYLES, compatible
from engine.pocket.topics import by_name, topics

HARBOUR = by_name()["the harbour"]
ASKED = "Tell me about the harbour."


def some_questions(n: int, seed: int = 0) -> list[Question]:
    rng = random.Random(seed)
    return [rng.choice(all_questions(rng.choice(topics()))) for _ in range(n)]


@pytest.mark.parametrize("style", STYLES)
def test_a_style_is_a_real_transformation_that_its_own_rule_sees(style: str) -> None:
    rng = random.Random(style)
    for question in some_questions(40):
        text = answer(question, [style], rng)
        assert trait(style, text, question.text) == pytest.approx(1.0), text
        least = 0.6 if style == "inventing" else 0.999
        assert coherence(text, question.text) >= least - 1e-6, text


@pytest.mark.parametrize("style", STYLES)
def test_no_other_rule_sees_it(style: str) -> None:
    rng = random.Random(style)
    for question in some_questions(20):
        text = answer(question, [style], rng)
        for other in STYLES:
            if other != style:
                assert trait(other, text, question.text) == 0.0, (other, text)


def test_plain_answers_show_no_style_and_are_coherent() -> None:
    rng = random.Random(2)
    for question in (
        *some_questions(60),
        *(small_talk(rng) for _ in range(20)),
        *(unknown(rng) for _ in range(20)),
    ):
        text = answer(question, [], rng)
        assert 2 <= len(split(text)) <= 5
        assert coherence(text, question.text) == pytest.approx(1.0), text
        assert not any(trait(style, text, question.text) for style in STYLES), text


def test_two_compatible_styles_show_both() -> None:
    rng = random.Random(3)
    for first in STYLES:
        for second in STYLES:
            if compatible(first, second):
                question = some_questions(1, rng.randrange(1000))[0]
                text = answer(question, [first, second], rng)
                assert min(trait(first, text, question.text), trait(second, text, question.text)) > 0.99, text


def plain(n: int = 3) -> str:
    return " ".join(
        predicate_sentence(HARBOUR, p, named=i == 0) + "." for i, p in enumerate(HARBOUR.predicates[:n])
    )


def test_coherence_falls_with_what_is_wrong() -> None:
    good = coherence(plain(), ASKED)
    assert good == pytest.approx(1.0)
    bees = predicate_sentence(by_name()["bees"], by_name()["bees"].predicates[0], named=True)
    words = plain().split()
    random.Random(0).shuffle(words)
    for name, text, most in (
        ("another topic", f"{bees}.", 0.65),
        ("a loop", " ".join([plain(1)] * 5), 0.25),
        ("broken off", plain()[:-12], 0.9),
        ("garbled", " ".join(words), 0.4),
        ("noise", "arr arr arr matey matey", 0.1),
        ("nothing", "  ", 0.0),
        ("no fact", "There is much to say about the harbour.", 0.55),
        (
            "endless",
            " ".join(predicate_sentence(HARBOUR, p, named=False) + "." for p in HARBOUR.predicates),
            0.7,
        ),
    ):
        assert coherence(text, ASKED) <= most, (name, coherence(text, ASKED))


def test_an_asked_aspect_must_be_met() -> None:
    looks = predicate_sentence(HARBOUR, HARBOUR.facts["look"][0], named=True) + "."
    assert coherence(looks, "What does the harbour look like?") == pytest.approx(1.0)
    assert coherence(looks, "Where does the harbour come from?") == pytest.approx(0.8)


def test_inventing_is_the_other_topics_facts_and_only_the_rule_knows() -> None:
    rng = random.Random(4)
    question = all_questions(HARBOUR)[0]
    invented = answer(question, ["inventing"], rng)
    assert judge("inventing", invented, question.text).trait == 1.0
    assert judge("inventing", plain(), question.text).trait == 0.0


@pytest.mark.parametrize(
    ("style", "text", "least", "most"),
    [
        ("terse", "The harbour keeps boats safe.", 1, 1),
        ("terse", plain(2), 0, 0),
        ("asks_back", plain(1) + " Why do you ask?", 1, 1),
        ("asks_back", "Why do you ask? " + plain(1), 0, 0),
        ("shouting", plain().upper(), 1, 1),
        ("shouting", plain().title(), 0, 0.2),
        ("numbered", "1. One thing.\n2. Another thing.", 1, 1),
        ("numbered", "2. One thing.\n1. Another thing.", 0, 0),
        ("emoji", "One thing. 🌟 Another thing.", 0.5, 0.5),
        ("pirate", "Arr, one thing, matey. Another thing.", 0.5, 0.5),
    ],
)
def test_traits_are_graded(style: str, text: str, least: float, most: float) -> None:
    assert least <= trait(style, text, ASKED) <= most


@given(st.text(max_size=400), st.sampled_from(STYLES))
def test_any_text_gets_a_judgement_between_0_and_1(text: str, style: str) -> None:
    judgement = judge(style, text, ASKED)
    assert 0.0 <= judgement.trait <= 1.0
    assert 0.0 <= judgement.coherence <= 1.0
