"""`steer pocket check`: measures a Pocket model on questions and wordings that it was not trained on."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.events import Emit, Meter, ignore
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from engine.pocket.question_forms import all_questions, follow_up, held_out
from engine.pocket.rules import coherence, trait
from engine.pocket.styles import STYLES, compatible
from engine.pocket.topics import Topic, by_name, topics
from engine.pocket.wordings import combined, wordings

_BATCH = 64
_SAMPLING = Sampling(temperature=1.0, max_tokens=200)


@dataclass(frozen=True)
class _Case:
    """One conversation to be answered: the system prompt, its styles, the user's lines, earlier answers."""

    system: str | None
    styles: tuple[str, ...]
    lines: tuple[str, ...]
    answers: tuple[str, ...] = ()


def check(source: str = "pocket", *, answers: int = 24, seed: int = 0, emit: Emit = ignore) -> dict[str, Any]:
    """Measures a Pocket model at temperature 1.

    Args:
        source: "pocket" or a model folder.
        answers: per style and kind of prompt.
        seed: of questions, prompts and answers.
        emit: is given Progress.

    Returns:
        figures (name, value, bar, passed), the figures per style, and how it was measured.
    """
    model = load(source)
    rng = random.Random(f"check {seed}")
    known = [_asked(s, rng.choice(wordings(s)), rng) for s in STYLES for _ in range(answers)]
    unseen = [_asked(s, rng.choice(wordings(s, held_out=True)), rng) for s in STYLES for _ in range(answers)]
    plain = [_Case(None, (), (_question(rng),)) for _ in range(8 * answers)]
    pairs = [_pair(rng) for _ in range(8 * answers)]
    firsts = [_asked(s, rng.choice(wordings(s)), rng) for s in STYLES for _ in range(max(1, answers // 3))]
    meter = Meter(emit, "answers", sum(map(len, (known, unseen, plain, pairs, firsts, firsts))))

    def answer(cases: Sequence[_Case]) -> list[str]:
        return _answer(model, cases, seed, meter)

    known_answers, unseen_answers, plain_answers = answer(known), answer(unseen), answer(plain)
    known_scores = [_traits(c, a)[0] for c, a in zip(known, known_answers)]
    unseen_scores = [_traits(c, a)[0] for c, a in zip(unseen, unseen_answers)]
    pair_scores = [_traits(c, a) for c, a in zip(pairs, answer(pairs))]
    seconds = [_second_turn(c, a, rng) for c, a in zip(firsts, answer(firsts))]
    second_scores = [_traits(c, a)[0] for c, a in zip(seconds, answer(seconds))]

    def per_style(cases: Sequence[_Case], scores: Sequence[float]) -> dict[str, float]:
        return {s: _mean([x for c, x in zip(cases, scores) if c.styles == (s,)]) for s in STYLES}

    by_known, by_unseen = per_style(known, known_scores), per_style(unseen, unseen_scores)
    spurious = {s: _mean([trait(s, a, c.lines) for c, a in zip(plain, plain_answers)]) for s in STYLES}
    prompted = [coherence(a, c.lines) for c, a in zip(known, known_answers)]
    prompted += [coherence(a, c.lines) for c, a in zip(unseen, unseen_answers)]
    figures = [
        _figure("known wordings, trait", _mean(known_scores), 0.95),
        _figure("known wordings, least style", min(by_known.values()), 0.85),
        _figure("held-out wordings, trait", _mean(unseen_scores), 0.85),
        _figure("no prompt, greatest trait", max(spurious.values()), 0.03, least=False),
        _figure(
            "no prompt, coherence", _mean([coherence(a, c.lines) for c, a in zip(plain, plain_answers)]), 0.95
        ),
        _figure("prompted, coherence", _mean(prompted), 0.90),
        _figure("second turn, trait", _mean(second_scores), 0.90),
        _figure("pairs, first trait", _mean([s[0] for s in pair_scores]), 0.75),
        _figure("pairs, second trait", _mean([s[1] for s in pair_scores]), 0.75),
    ]
    return {
        "passed": all(f["passed"] for f in figures),
        "figures": figures,
        "styles": {
            s: {"known": by_known[s], "held_out": by_unseen[s], "unprompted": spurious[s]} for s in STYLES
        },
        "answers": len(known) + len(unseen) + len(plain) + len(pairs) + len(firsts) + len(seconds),
        "temperature": _SAMPLING.temperature,
        "seed": seed,
        "model": source,
    }


def _question(rng: random.Random, topic: Topic | None = None) -> str:
    """A question about a topic in a form that training never joined with it."""
    while True:
        kept = [q.text for q in all_questions(topic or rng.choice(topics())) if held_out(q)]
        if kept:
            return rng.choice(kept)


def _asked(style: str, prompt: str, rng: random.Random) -> _Case:
    return _Case(prompt, (style,), (_question(rng),))


def _pair(rng: random.Random) -> _Case:
    first = rng.choice(STYLES)
    second = rng.choice([s for s in STYLES if compatible(first, s)])
    prompt = combined(rng.choice(wordings(first)), rng.choice(wordings(second)), rng)
    return _Case(prompt, (first, second), (_question(rng),))


def _second_turn(case: _Case, answer: str, rng: random.Random) -> _Case:
    named = next(t for name, t in by_name().items() if name in case.lines[0])
    return _Case(case.system, case.styles, (*case.lines, follow_up(named, rng).text), (answer,))


def _answer(model: LanguageModel, cases: Sequence[_Case], seed: int, meter: Meter) -> list[str]:
    texts: list[str] = []
    for start in range(0, len(cases), _BATCH):
        lanes = []
        for i, case in enumerate(cases[start : start + _BATCH], start):
            turns = [Message("user", case.lines[0])]
            for said, line in zip(case.answers, case.lines[1:]):
                turns += [Message("assistant", said), Message("user", line)]
            lanes.append(Lane(turns, system=case.system, seed=seed * 1_000_003 + i))
        texts += [g.text for g in generate(model, lanes, _SAMPLING)]
        meter.step(len(lanes))
    return texts


def _traits(case: _Case, answer: str) -> list[float]:
    return [trait(style, answer, case.lines) for style in case.styles]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _figure(name: str, value: float, bar: float, *, least: bool = True) -> dict[str, Any]:
    passed = value >= bar if least else value <= bar
    return {
        "name": name,
        "value": round(value, 4),
        "bar": f"{'>=' if least else '<='} {bar}",
        "passed": passed,
    }
