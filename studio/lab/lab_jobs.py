"""What the Lab page has done in the worker thread, as plain calls into engine.lab.

The engine is imported inside the functions: this module is loaded before the first paint, torch is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from engine.events import Cancel, Emit, Pause, Progress
from studio.state.requests import model_key

TEMPERATURE, MAX_TOKENS = 1.0, 160  # as `steer lab` has them


@dataclass(frozen=True)
class LabRequest:
    """match: every method at the coherence `target`; sweep: methods x blocks x ranks x strengths x seeds.

    methods, judge: in the words of `steer lab`; questions: how many of the built-in ones.
    """

    kind: Literal["match", "sweep"]
    prompt: str
    methods: str
    target: float | Literal["prompt", "kl"] = 0.8
    strengths: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    blocks: tuple[int, ...] = ()
    ranks: tuple[int, ...] = ()
    questions: int = 24
    seeds: int = 1
    judge: str | None = None


@dataclass(frozen=True)
class ResultPlace:
    """Where a figure was measured: a method's words, its strength, the half of the questions (None: all),
    the seed (None: all)."""

    words: str
    strength: float
    half: int | None = None
    seed: int | None = None


@dataclass(frozen=True)
class ResultPoint:
    """One point of the picture."""

    place: ResultPlace
    trait: float
    coherence: float


@dataclass(frozen=True)
class LabResult:
    """A method that was matched, or a cell of a sweep. strength: None where there is none to choose; dot: its
    figure, None where the judge gave no score; tried: the strengths on the way there; effects, prompted: per
    block EffectLengths of what the head and the prompt add; done: the engine's own cell."""

    place: ResultPlace
    strength: float | None
    dot: ResultPoint | None
    trait_ci: tuple[float, float] | None
    n: int
    missing: int
    tried: tuple[ResultPoint, ...] = ()
    note: str = ""
    kl: float | None = None
    iso_kl: float | None = None
    faithfulness: Mapping[int, float] = field(default_factory=dict)
    paraphrase: Mapping[int, float] = field(default_factory=dict)
    effects: Mapping[int, Any] = field(default_factory=dict)
    prompted: Mapping[int, Any] = field(default_factory=dict)
    done: Any = None


@dataclass(frozen=True)
class NotMeasured:
    """What failed, and why; the rest went on."""

    words: str
    why: str


@dataclass(frozen=True)
class Finished:
    """All that was found. found: an engine Match, or a sweep's Outcomes; facts: what it was measured with;
    disagreement: the judge's with itself, an engine Disagreement."""

    request: LabRequest
    found: Any
    facts: Mapping[str, object]
    disagreement: Any


def measure(model: Any, request: LabRequest, store: Path | None, emit: Emit, cancel: Cancel) -> Finished:
    """Emits Progress, and a Result or NotMeasured as soon as each is known."""
    from engine.distill.questions import EVALUATION_SEED
    from engine.lab.cached_answers import judged_twice
    from engine.lab.matching import MatchSetup, match
    from engine.lab.method_specs import parse_method_specs
    from engine.lab.sweep import SweepSetup, cells, sweep

    arms = parse_method_specs(request.methods, request.prompt)

    def tell(event: Any) -> None:
        known = event if isinstance(event, Progress | Pause) else _told(event)
        if known is not None:
            emit(known)

    with _speaking(model, request, store) as (speaker, judge, questions):
        found: Any
        if request.kind == "match":
            exam = MatchSetup(speaker, judge, request.prompt, questions, tuple(range(request.seeds)))
            found = match(exam, arms, request.target, emit=tell, cancel=cancel)
            itself = found.disagreement
        else:
            wanted = cells(
                [arm.name for arm in arms],
                blocks=request.blocks,
                ranks=request.ranks,
                strengths=request.strengths,
                seeds=range(request.seeds),
            )
            host = SweepSetup(speaker, judge, request.prompt, questions)
            found = tuple(sweep(host, wanted, emit=tell, cancel=cancel))
            itself = judged_twice(speaker, judge, request.prompt, questions, cancel=cancel)
        facts = {
            "model": model_key(model.identity),
            "judge": judge.name,
            "questions": f"{len(questions)}, drawn with seed {EVALUATION_SEED}",
            "seeds": ", ".join(map(str, range(request.seeds))),
            "temperature": TEMPERATURE,
            "max_tokens": MAX_TOKENS,
        }
    return Finished(request, found, facts, itself)


def answers_at(
    model: Any, request: LabRequest, place: ResultPlace, store: Path | None, emit: Emit, cancel: Cancel
) -> list[Any]:
    """What was said where that figure was measured: engine.lab.transcript Spoken."""
    from engine.lab.method_specs import parse_method_spec
    from engine.lab.transcript import transcript

    arm = parse_method_spec(place.words, request.prompt)
    if place.seed is not None:
        arm = arm.seeded(place.seed)
    seeds = range(request.seeds) if place.seed is None else (place.seed,)
    with _speaking(model, request, store) as (speaker, judge, questions):
        middle = len(questions) // 2
        asked = {None: questions, 0: questions[:middle], 1: questions[middle:]}[place.half]
        return transcript(
            speaker,
            judge,
            request.prompt,
            questions=asked,
            seeds=tuple(seeds),
            spec=arm,
            strength=place.strength,
            cancel=cancel,
        )


@contextmanager
def _speaking(model: Any, request: LabRequest, path: Path | None) -> Iterator[tuple[Any, Any, Any]]:
    """Who answers, who judges, and the questions."""
    from engine.distill.questions import evaluation_questions
    from engine.generation.sampling import Sampling
    from engine.lab.cached_answers import CachedGenerator
    from engine.lab.judges import open_judge
    from engine.lab.result_cache import ResultCache

    store = ResultCache(path)
    try:
        questions = tuple(evaluation_questions(model, request.questions))
        judge = open_judge(request.judge, model, store)
        speaker = CachedGenerator(model, store, Sampling(temperature=TEMPERATURE, max_tokens=MAX_TOKENS))
        yield speaker, judge, questions
    finally:
        store.close()


def _told(event: Any) -> LabResult | NotMeasured | None:
    """The engine's own records in the studio's terms."""
    from engine.lab.bootstrap import interval
    from engine.lab.matching import Failure, MatchRow
    from engine.lab.sweep import CellFailure, CellResult

    if isinstance(event, MatchRow):
        place = ResultPlace(event.method, event.strength or 0.0, half=1)
        tried = tuple(
            ResultPoint(ResultPlace(event.method, point.strength, half=0), point.trait, point.coherence)
            for point in event.curve
        )
        return LabResult(
            place,
            event.strength,
            _dot(place, event),
            event.trait_ci,
            event.n,
            event.missing,
            tried,
            event.note,
            event.kl,
            event.iso_kl,
            event.faithfulness,
            event.paraphrase,
            event.effects,
            event.prompted,
        )
    if isinstance(event, CellResult):
        place = ResultPlace(event.cell.words, event.cell.strength, seed=event.cell.seed)
        found = event.judged
        between = interval(found.traits)
        dot = _dot(place, found)
        return LabResult(place, event.cell.strength, dot, between, found.n, found.missing, done=event)
    if isinstance(event, Failure):
        return NotMeasured(event.method, event.why)
    if isinstance(event, CellFailure):
        return NotMeasured(f"{event.cell.words} {event.cell.strength:g}", event.why)
    return None


def _dot(place: ResultPlace, figures: Any) -> ResultPoint | None:
    if figures.trait is None or figures.coherence is None:
        return None
    return ResultPoint(place, figures.trait, figures.coherence)
