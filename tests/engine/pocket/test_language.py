"""Pocket's language: questions are understood, wordings are read back, held-out material stays out."""

from __future__ import annotations

import random

import pytest

from engine.pocket.dialogues import dialogue
from engine.pocket.question_forms import FORMS, all_questions, ask, follow_up, held_out, understand, unknown
from engine.pocket.styles import STYLES
from engine.pocket.topics import ASPECTS, by_name, topics
from engine.pocket.wordings import EXAMPLES, NEUTRAL, combined, roughened, styles_of, wordings


def test_the_language_is_as_wide_as_promised() -> None:
    assert len(topics()) >= 60
    assert sum(map(len, FORMS.values())) >= 25
    assert len(STYLES) == 20
    assert all(len(topic.facts[aspect]) == 2 for topic in topics() for aspect in ASPECTS)
    assert len({p for topic in topics() for p in topic.predicates}) == 12 * len(topics())


def test_every_question_is_understood_with_its_topic_and_aspect() -> None:
    for topic in topics():
        for question in all_questions(topic):
            read = understand([question.text])
            assert (read.topic, read.aspect) == (topic, question.aspect), question.text


def test_a_follow_up_takes_its_topic_from_the_turn_before() -> None:
    rng = random.Random(0)
    for topic in topics():
        question = follow_up(topic, rng)
        read = understand([ask(topic, None, 0).text, question.text])
        assert read.topic is topic and read.aspect == question.aspect


@pytest.mark.parametrize("text", ["tell me about bees", "bees?", "WHAT ABOUT BEES", "I like bees and tea"])
def test_a_line_outside_the_grammar_is_about_the_first_topic_it_names(text: str) -> None:
    assert understand([text]).topic is by_name()["bees"]


def test_a_question_outside_pockets_topics_is_known_as_such() -> None:
    rng = random.Random(0)
    assert all(understand([unknown(rng).text]).topic is None for _ in range(300))


def test_held_out_wordings_never_occur_in_training_and_are_enough() -> None:
    for style in STYLES:
        known, unseen = set(wordings(style)), set(wordings(style, held_out=True))
        assert not known & unseen
        assert len(known) >= 24 and len(unseen) >= 12


def test_held_out_questions_never_occur_in_training() -> None:
    rng = random.Random(5)
    asked = {user for _ in range(3000) for user, _ in dialogue(rng).turns}
    kept_out = {q.text for topic in topics() for q in all_questions(topic) if held_out(q)}
    assert len(kept_out) > 100
    assert not asked & kept_out


@pytest.mark.parametrize("style", STYLES)
def test_every_wording_is_read_back_as_its_style(style: str) -> None:
    for prompt in (*wordings(style), *wordings(style, held_out=True)):
        assert styles_of(prompt) == (style,), prompt


def test_neutral_prompts_name_no_style_and_examples_name_all() -> None:
    assert all(styles_of(prompt) == () for prompt in NEUTRAL)
    assert sorted(styles_of(prompt)[0] for prompt in EXAMPLES) == sorted(STYLES)
    assert all(prompt in wordings(styles_of(prompt)[0]) for prompt in EXAMPLES)


def test_a_prompt_for_two_styles_is_read_as_both() -> None:
    rng = random.Random(1)
    prompt = roughened(combined(wordings("pirate")[0], wordings("terse")[0], rng), rng)
    assert set(styles_of(prompt)) == {"pirate", "terse"}


def test_the_same_seed_makes_the_same_dialogues() -> None:
    one, two = random.Random(3), random.Random(3)
    assert [dialogue(one) for _ in range(50)] == [dialogue(two) for _ in range(50)]
