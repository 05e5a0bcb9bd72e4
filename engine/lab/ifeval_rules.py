"""IFEval's verifiable instructions, each checked by rule (Zhou et al. 2023, arXiv 2311.07911)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from engine.errors import InputError
from engine.lab.judges.rules_file import count, is_json, language_of

Check = Callable[..., bool]


def followed(kind: str, facts: Mapping[str, Any], answer: str) -> bool:
    """Whether an answer follows an instruction; an empty one follows nothing.

    Args:
        kind: IFEval's id, such as "punctuation:no_comma".
        facts: IFEval's arguments.
        answer: the answer.

    Raises:
        InputError: for an unknown kind, or arguments that do not fit it.
    """
    if kind not in KINDS:
        raise InputError(
            "The answers cannot be checked", f"There is no instruction {kind}.", f"Known: {', '.join(KINDS)}."
        )
    given = {name: value for name, value in facts.items() if value is not None}
    try:
        return bool(answer.strip()) and KINDS[kind](answer, **given)
    except (TypeError, AttributeError, ValueError):
        raise InputError(
            "The answers cannot be checked",
            f"{kind} cannot be used with {dict(given)}.",
            "Correct the line's kwargs.",
        ) from None


def _compare(value: int, relation: str, limit: int) -> bool:
    if relation not in ("less than", "at least"):
        raise ValueError(relation)
    return value < limit if relation == "less than" else value >= limit


def _has(answer: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", answer, re.IGNORECASE) is not None


def _words(answer: str, num_words: int, relation: str) -> bool:
    return _compare(count(answer, "words"), relation, num_words)


def _sentences(answer: str, num_sentences: int, relation: str) -> bool:
    return _compare(count(answer, "sentences"), relation, num_sentences)


def _paragraphs(answer: str, num_paragraphs: int) -> bool:
    return len([p for p in re.split(r"\s*\*\*\*\s*", answer.strip()) if p]) == num_paragraphs


def _nth_paragraph(answer: str, num_paragraphs: int, nth_paragraph: int, first_word: str) -> bool:
    found = [p.strip() for p in re.split(r"\n\s*\n", answer) if p.strip()]
    if len(found) != num_paragraphs or not 1 <= nth_paragraph <= len(found):
        return False
    first = re.match(r"\W*(\w+)", found[nth_paragraph - 1])
    return first is not None and first[1].lower() == first_word.lower()


def _bullets(answer: str, num_bullets: int) -> bool:
    return len(re.findall(r"^\s*(?:\*(?!\*)|-)\s+\S", answer, re.MULTILINE)) == num_bullets


def _highlights(answer: str, num_highlights: int) -> bool:
    return len(re.findall(r"\*\*[^\n*]+\*\*|(?<!\*)\*[^\n*]+\*(?!\*)", answer)) >= num_highlights


def _sections(answer: str, section_spliter: str, num_sections: int) -> bool:  # IFEval's own spelling
    return len(re.findall(rf"{re.escape(section_spliter)}\s*\d+", answer)) >= num_sections


def _letters(answer: str, letter: str, let_frequency: int, let_relation: str) -> bool:
    return _compare(answer.lower().count(letter.lower()), let_relation, let_frequency)


def _frequency(answer: str, keyword: str, frequency: int, relation: str) -> bool:
    found = re.findall(rf"(?<!\w){re.escape(keyword)}(?!\w)", answer, re.IGNORECASE)
    return _compare(len(found), relation, frequency)


def _capitals(answer: str, capital_frequency: int, capital_relation: str) -> bool:
    found = [word for word in re.findall(r"[^\W\d_]+", answer) if word.isupper()]
    return _compare(len(found), capital_relation, capital_frequency)


def _postscript(answer: str, postscript_marker: str) -> bool:
    return re.search(rf"^\s*{re.escape(postscript_marker)}", answer, re.MULTILINE | re.IGNORECASE) is not None


def _two(answer: str) -> bool:
    parts = [part.strip() for part in answer.split("******")]
    return len(parts) == 2 and all(parts) and parts[0] != parts[1]


def _constrained(answer: str) -> bool:
    return any(f"My answer is {said}." in answer for said in ("yes", "no", "maybe"))


KINDS: dict[str, Check] = {
    "change_case:capital_word_frequency": _capitals,
    "change_case:english_capital": lambda answer: answer.isupper(),
    "change_case:english_lowercase": lambda answer: answer.islower(),
    "combination:repeat_prompt": lambda answer, prompt_to_repeat: (
        answer.strip().lower().startswith(prompt_to_repeat.strip().lower())
    ),
    "combination:two_responses": _two,
    "detectable_content:number_placeholders": lambda answer, num_placeholders: (
        len(re.findall(r"\[[^\[\]\n]+\]", answer)) >= num_placeholders
    ),
    "detectable_content:postscript": _postscript,
    "detectable_format:constrained_response": _constrained,
    "detectable_format:json_format": is_json,
    "detectable_format:multiple_sections": _sections,
    "detectable_format:number_bullet_lists": _bullets,
    "detectable_format:number_highlighted_sections": _highlights,
    "detectable_format:title": lambda answer: re.search(r"<<[^\n<>]*\S[^\n<>]*>>", answer) is not None,
    "keywords:existence": lambda answer, keywords: all(_has(answer, word) for word in keywords),
    "keywords:forbidden_words": lambda answer, forbidden_words: (
        not any(_has(answer, word) for word in forbidden_words)
    ),
    "keywords:frequency": _frequency,
    "keywords:letter_frequency": _letters,
    "language:response_language": lambda answer, language: language_of(answer) == language,
    "length_constraints:nth_paragraph_first_word": _nth_paragraph,
    "length_constraints:number_paragraphs": _paragraphs,
    "length_constraints:number_sentences": _sentences,
    "length_constraints:number_words": _words,
    "punctuation:no_comma": lambda answer: "," not in answer,
    "startend:end_checker": lambda answer, end_phrase: (
        answer.strip().strip('"').lower().endswith(end_phrase.strip().lower())
    ),
    "startend:quotation": lambda answer: re.fullmatch(r'\s*".*"\s*', answer, re.DOTALL) is not None,
}
