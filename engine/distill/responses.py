"""Responses under the steering prompt: sampled in one batch, judged, filtered."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from engine.distill.judging import Judge
from engine.errors import InputError
from engine.events import Cancel, Emit, Progress
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.model.chat import Message
from engine.model.language_model import LanguageModel

_BATCH = 64
_THRESHOLD = 0.5  # METHOD.md section 3: less coherent responses and those without the trait are dropped
_FEWEST = 2
_PACE_AFTER = 8  # tokens per response


@dataclass(frozen=True)
class Response:
    """One response: ids [n] without the end token; end: that token, -1 when the length ended it."""

    question: str
    ids: tuple[int, ...]
    end: int
    text: str
    trait: float
    coherence: float


def sample_responses(
    model: LanguageModel,
    prompt: str,
    questions: Sequence[str],
    judge: Judge,
    *,
    max_tokens: int,
    seed: int,
    cancel: Cancel,
    emit: Emit,
) -> list[Response]:
    """The responses worth learning from, in the questions' order.

    Raises InputError when fewer than two are: the model does not do what the prompt asks.
    """
    found: list[Response] = []
    for start in range(0, len(questions), _BATCH):
        part = questions[start : start + _BATCH]
        found += _sample(model, prompt, part, judge, max_tokens, seed + start, cancel, emit)
    kept = [r for r in found if r.coherence >= _THRESHOLD and r.trait >= _THRESHOLD and r.ids]
    if len(kept) < _FEWEST:
        raise InputError(
            "The prompt was not distilled",
            f"Of {len(found)} responses under it only {len(kept)} are coherent and show what it asks for.",
            "Word the prompt differently, or ask for more responses.",
        )
    return kept


def _sample(
    model: LanguageModel,
    prompt: str,
    questions: Sequence[str],
    judge: Judge,
    max_tokens: int,
    seed: int,
    cancel: Cancel,
    emit: Emit,
) -> list[Response]:
    lanes = [
        Lane([Message("user", question)], system=prompt, seed=seed * 100_003 + i)
        for i, question in enumerate(questions)
    ]
    told, last, start = 0, 0.0, time.monotonic()
    most = max_tokens * len(lanes)
    emit(Progress("responses", 0, len(lanes)))

    def count(token: object) -> None:
        nonlocal told, last
        told += 1
        now = time.monotonic()
        if now - last > 0.1:
            last = now
            # The first tokens carry the prompts' own time; their pace says nothing of the rest.
            known = told >= _PACE_AFTER * len(lanes)
            eta = (now - start) / told * (most - told) if known else None
            emit(Progress("responses", told * len(lanes) // most, len(lanes), eta))

    sampling = Sampling(temperature=1.0, max_tokens=max_tokens)
    generations = generate(model, lanes, sampling, cancel=cancel, on_token=count)
    cancel.check()
    end = min(model.eos_ids, default=-1)
    emit(Progress("responses", len(lanes), len(lanes), 0.0))
    judgements = judge.judge(model, prompt, questions, generations)
    return [
        Response(
            question,
            tuple(int(i) for i in g.trace.ids),
            end if g.stopped == "eos" else -1,
            g.text,
            judgement.trait,
            judgement.coherence,
        )
        for question, g, judgement in zip(questions, generations, judgements, strict=True)
    ]
