"""Exact rules for answers, without a model: the trait of each style, and coherence; all in [0, 1]."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from engine.pocket.answer_plans import CLOSERS, CONNECTORS, OPENERS, TALK
from engine.pocket.question_forms import Question, understand
from engine.pocket.styles import ASK_BACK, EMOJI, LEXICAL, STYLES
from engine.pocket.topics import Topic, topics

Words = tuple[str, ...]

# A sentence that is well formed but states another topic's fact reads well and is false.
_FALSE_FACT = 0.6
# Words that styles exchange for one another count as one.
_SAME = {
    "is": "be", "are": "be", "was": "be", "were": "be", "am": "be", "ye": "you", "me": "my", "o'": "of",
    "an'": "and", "cuz": "because", "kinda": "very",
}  # fmt: skip
_MAX_DECORATIONS = 3


@dataclass(frozen=True)
class Judgement:
    """The scores of an answer.

    Attributes:
        trait: in [0, 1].
        coherence: in [0, 1].
    """

    trait: float
    coherence: float


def judge(style: str, answer: str, questions: str | Sequence[str]) -> Judgement:
    """Trait of `style` and coherence of an answer to the last of the user's lines."""
    return Judgement(trait(style, answer, questions), coherence(answer, questions))


def trait(style: str, answer: str, questions: str | Sequence[str] = ()) -> float:
    """How much of an answer shows a style.

    Lexical styles: the share of sentences that carry one of the style's phrases. shouting: the share of
    letters in upper case, counted from one half on. terse: 1 for exactly one sentence. asks_back: 1 when the
    answer ends with a question. numbered: the share of lines numbered in sequence. inventing: the share of
    fact sentences that state another topic's fact. emoji: the share of sentences followed by one.

    Args:
        style: one of STYLES.
        answer: the answer.
        questions: the user's lines, the answered one last; needed for inventing.

    Raises:
        KeyError: for an unknown style.
    """
    if style not in STYLES:
        raise KeyError(style)
    sentences = split(answer)
    if not sentences:
        return 0.0
    if style in LEXICAL:
        marked = sum(any(_contains(_words(s), phrase) for phrase in _phrases(style)) for s in sentences)
        share = marked / len(sentences)
        if LEXICAL[style].own_lines and len(sentences) > 1:
            lines = [line for line in answer.split("\n") if line.strip()]
            share *= min(1.0, len(lines) / len(sentences))
        return share
    if style == "shouting":
        letters = [c for c in answer if c.isalpha()]
        upper = sum(c.isupper() for c in letters) / max(1, len(letters))
        return max(0.0, 2 * upper - 1)
    if style == "terse":
        return float(len(sentences) == 1 and len(_words(sentences[0])) >= 2)
    if style == "asks_back":
        return float(_bare(sentences[-1]).endswith("?"))
    if style == "numbered":
        lines = [line for line in answer.split("\n") if line.strip()]
        right = sum(line.lstrip().startswith(f"{i}.") for i, line in enumerate(lines, 1))
        return right / max(len(lines), len(sentences))
    if style == "emoji":
        return sum(any(e in s for e in EMOJI) for s in sentences) / len(sentences)
    return _invented(sentences, _question(questions))


def coherence(answer: str, questions: str | Sequence[str]) -> float:
    """Whether an answer is well formed and about the question.

    The mean worth of its sentences (a known sentence of the right topic 1, a fact of another topic 0.6,
    garbled ones by their likeness, repeated ones 0), lowered when the answer breaks off, misses the asked
    aspect, never comes to the topic, or is longer than any plan.

    Args:
        answer: the answer.
        questions: the user's lines, the answered one last.
    """
    question = _question(questions)
    sentences = split(answer)
    if not sentences:
        return 0.0
    readings = [_read(s, question) for s in sentences]
    seen: set[str] = set()
    total = 0.0
    for reading in readings:
        total += 0.0 if reading.said in seen else reading.worth
        seen.add(reading.said)
    score = total / len(sentences)
    if question.topic is not None:
        if not any(r.fact for r in readings):
            score *= 0.5
        elif question.aspect is not None and not any(
            r.aspect == question.aspect or r.topic is not question.topic for r in readings if r.fact
        ):
            score *= 0.8
    if not _bare(sentences[-1]).endswith((".", "!", "?")):
        score *= 0.8
    if len(sentences) > 7:
        score *= 7 / len(sentences)
    return score


def split(answer: str) -> list[str]:
    """The sentences of an answer; a list number belongs to its sentence, an emoji to the one before."""
    text = re.sub(r"(?m)^\s*(\d+)\.\s*", r"\1) ", answer.strip())
    parts = re.split(r"(?<=[.!?])(?=\s)|\n", text)
    sentences: list[str] = []
    for part in (p.strip() for p in parts):
        if part and not re.search(r"\w", part) and sentences:
            sentences[-1] += " " + part
        else:
            leading = re.match(r"^([^\w\"']+)(?=\w)", part)
            if leading and sentences and any(e in leading[1] for e in EMOJI):
                sentences[-1] += " " + leading[1].strip()
                part = part[leading.end() :]
            if re.search(r"\w", part):
                sentences.append(part)
    return sentences


@dataclass(frozen=True)
class _Reading:
    """What a sentence says once its decorations are taken off, and what that is worth."""

    worth: float
    said: str
    fact: bool = False
    topic: Topic | None = None
    aspect: str | None = None


def _question(questions: str | Sequence[str]) -> Question:
    return understand([questions] if isinstance(questions, str) else list(questions))


def _read(sentence: str, question: Question) -> _Reading:
    words = _undecorated(_words(sentence))
    if not words:
        return _Reading(0.0, "")
    frame = max((_likeness(words, f) for f in _frames(question.topic, question.kind)), default=0.0)
    best = _Reading(frame if frame > 0.8 else 0.0, " ".join(words))
    if frame == 1.0:
        return best
    for entry in _candidates(words):
        for subject in (_plain(entry.topic.name), (entry.topic.pronoun,), _subject(question.topic)):
            like = _likeness(words, subject + entry.words)
            right = question.topic is None or entry.topic is question.topic
            names_other = subject == _plain(entry.topic.name) and not right
            worth = like**2 * (1.0 if right else _FALSE_FACT) * (0.5 if names_other else 1.0)
            if worth > best.worth:
                said = " ".join(entry.words)
                best = _Reading(worth, said, like > 0.8, entry.topic, entry.aspect)
    return best


def _invented(sentences: list[str], question: Question) -> float:
    readings = [r for r in (_read(s, question) for s in sentences) if r.fact]
    if question.topic is None or not readings:
        return 0.0
    return sum(r.topic is not question.topic for r in readings) / len(readings)


def _bare(sentence: str) -> str:
    """The sentence without emoji and blanks at its end."""
    while sentence and (sentence[-1] in "".join(EMOJI) or sentence[-1].isspace()):
        sentence = sentence[:-1]
    return sentence


def _words(text: str) -> Words:
    found = re.findall(r"[a-z]+'?|\d+", re.sub(r"^\s*\d+\)\s*", "", text.lower()))
    return tuple(_SAME.get(w, w) for w in found)


@cache
def _plain(text: str) -> Words:
    return _words(text)


def _subject(topic: Topic | None) -> Words:
    return _plain(topic.name) if topic else ()


def _likeness(a: Words, b: Words) -> float:
    if a == b:
        return 1.0
    return SequenceMatcher(None, a, b, autojunk=False).ratio()


def _contains(words: Words, phrase: Words) -> bool:
    n = len(phrase)
    return any(words[i : i + n] == phrase for i in range(len(words) - n + 1))


@cache
def _phrases(style: str) -> tuple[Words, ...]:
    lexical = LEXICAL[style]
    return tuple(_words(p) for p in (*lexical.before, *lexical.after, *lexical.first))


@cache
def _edges() -> tuple[tuple[Words, ...], tuple[Words, ...]]:
    """All phrases that may stand before and after a sentence, longest first."""
    before = {_words(p) for x in LEXICAL.values() for p in (*x.before, *x.first)} | {
        _words(c) for c in CONNECTORS
    }
    after = {_words(p) for x in LEXICAL.values() for p in x.after}
    return tuple(sorted(before, key=len, reverse=True)), tuple(sorted(after, key=len, reverse=True))


def _undecorated(words: Words) -> Words:
    before, after = _edges()
    for _ in range(_MAX_DECORATIONS):
        lead = next((p for p in before if words[: len(p)] == p), ())
        words = words[len(lead) :]
        tail = next((p for p in after if words[-len(p) :] == p), ())
        words = words[: len(words) - len(tail)]
        if not lead and not tail:
            break
    return words


@cache
def _frames(topic: Topic | None, kind: str) -> tuple[Words, ...]:
    """Sentences that state no fact yet belong in an answer to such a question."""
    if topic is not None:
        return tuple(_words(f.format(t=topic.name)) for f in (*OPENERS, *CLOSERS, *ASK_BACK))
    return tuple(_words(f) for f in (*TALK[kind], *(q for q in ASK_BACK if "{t}" not in q)))


@dataclass(frozen=True)
class _Entry:
    topic: Topic
    aspect: str
    words: Words


@cache
def _facts() -> tuple[tuple[_Entry, ...], dict[str, tuple[int, ...]]]:
    """All facts, and for every word the facts that hold it."""
    entries = [_Entry(t, a, _words(p)) for t in topics() for a, facts in t.facts.items() for p in facts]
    index: dict[str, list[int]] = {}
    for i, entry in enumerate(entries):
        for word in set(entry.words):
            index.setdefault(word, []).append(i)
    return tuple(entries), {w: tuple(found) for w, found in index.items()}


def _candidates(words: Words) -> list[_Entry]:
    """The three facts that share the rarest words with the sentence."""
    entries, index = _facts()
    weight: dict[int, float] = {}
    for word in set(words):
        holders = index.get(word, ())
        for i in holders:
            weight[i] = weight.get(i, 0.0) + 1.0 / len(holders)
    best = sorted(weight, key=weight.__getitem__, reverse=True)[:3]
    return [entries[i] for i in best]
