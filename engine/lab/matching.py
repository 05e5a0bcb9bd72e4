"""Methods at equal coherence, or at equal KL: TA@C80, TA@Cp and iso-KL of METHOD.md section 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from engine.distill import distill
from engine.errors import EngineError, InputError, LabError
from engine.events import Cancel, Emit, LossPoint, Meter, Pause, ignore
from engine.heads.head import Head
from engine.lab.bisection import Point, at_iso_kl, search
from engine.lab.bootstrap import interval
from engine.lab.cached_answers import CachedGenerator, Judged, judged, judged_twice, queries
from engine.lab.differences import Difference, differences
from engine.lab.effect_distribution import Spread
from engine.lab.judges import Disagreement, Judge
from engine.lab.method_specs import MethodSpec
from engine.lab.teacher_forced_answers import TeacherForcedAnswers

_EXPECTED = 8  # measurements to match a head: strengths tried, and the report

Target = Literal["prompt", "kl"] | float
"""A coherence, the one that prompting has itself, or a KL of 1 nat."""


@dataclass(frozen=True)
class MatchRow:
    """One method, on the half of the questions that nothing was chosen on.

    strength: the one whose coherence is nearest to the target, or the iso-KL one; None where there is none to
    choose. reached: whether that is near (0.08) to the target; `note` says what was done otherwise. n: judged
    answers, missing: those the judge gave no score for. curve: the strengths tried, in order. kl: the 95th
    percentile over the tokens of the prompt's answers of KL(steered || unsteered) at `strength`, in nats;
    iso_kl: the strength at which it is 1. faithfulness and paraphrase per block as the Distillation tells
    them; head: its hash, "" without one;
    effects, prompted: how the lengths of what the head (at strength 1) and the prompt add are spread
    over those tokens, per block; seconds: of the distillation; traits: what each answer was
    given, per question and seed.
    """

    method: str
    strength: float | None
    trait: float | None
    trait_ci: tuple[float, float] | None
    coherence: float | None
    coherence_ci: tuple[float, float] | None
    n: int
    missing: int
    reached: bool = True
    note: str = ""
    curve: tuple[Point, ...] = ()
    kl: float | None = None
    iso_kl: float | None = None
    faithfulness: Mapping[int, float] = field(default_factory=dict)
    paraphrase: Mapping[int, float] = field(default_factory=dict)
    effects: Spread = field(default_factory=dict)
    prompted: Spread = field(default_factory=dict)
    seconds: float = 0.0
    head: str = ""
    traits: tuple[tuple[float | None, ...], ...] = ()


@dataclass(frozen=True)
class Failure:
    """A method that could not be compared, and why; the others were."""

    method: str
    why: str


@dataclass(frozen=True)
class Match:
    """A whole comparison. coherence: the target that was matched, None where the KL was."""

    prompt: str
    coherence: float | None
    rows: tuple[MatchRow, ...]
    failures: tuple[Failure, ...]
    disagreement: Disagreement

    @property
    def heads(self) -> str:
        """The hashes of the heads that were compared."""
        return ", ".join(f"{row.method} ({row.head})" for row in self.rows if row.head) or "none"

    @property
    def differences(self) -> list[Difference]:
        return differences(self.rows)

    def to_json(self) -> dict[str, Any]:
        """As JSON says it."""
        return {**asdict(self), "differences": [asdict(each) for each in self.differences]}


@dataclass(frozen=True)
class MatchSetup:
    """What all methods are put through. questions: the first half to choose on, the second to report on;
    rubric: the trait's own judging prompt."""

    generator: CachedGenerator
    judge: Judge
    prompt: str
    questions: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    rubric: str | None = None
    _kept: dict[Any, Judged] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if len(self.questions) < 2 or not self.seeds:
            raise InputError(
                "The methods cannot be compared",
                f"{len(self.questions)} questions cannot be halved.",
                "Give at least 2: strengths are chosen on one half and reported on the other.",
            )

    def choosing(self, system: str | None, heads: Sequence[tuple[Head, float]], cancel: Cancel) -> Judged:
        return self._half(0, system, heads, cancel)

    def reporting(self, system: str | None, heads: Sequence[tuple[Head, float]], cancel: Cancel) -> Judged:
        return self._half(1, system, heads, cancel)

    def forced(self, cancel: Cancel) -> TeacherForcedAnswers:
        """The prompt's own answers, on the half that strengths are chosen on."""
        asked = queries(self.questions[: len(self.questions) // 2], self.seeds)
        return TeacherForcedAnswers.of(self.generator, self.prompt, asked, cancel)

    def _half(
        self, half: int, system: str | None, heads: Sequence[tuple[Head, float]], cancel: Cancel
    ) -> Judged:
        key = half, system, tuple((head.digest, strength) for head, strength in heads)
        if key not in self._kept:
            middle = len(self.questions) // 2
            asked = self.questions[:middle] if half == 0 else self.questions[middle:]
            self._kept[key] = judged(
                self.generator, self.judge, self.prompt, asked, self.seeds, system, heads, cancel, self.rubric
            )
        return self._kept[key]


def match(
    setup: MatchSetup,
    specs: Sequence[MethodSpec],
    target: Target = 0.8,
    *,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> Match:
    """Compares the arms at the coherence `target`, at the one that prompting itself has ("prompt"), or where
    the tokens' KL reaches 1 nat ("kl").

    Emits Progress, each Point as it is tried, and each Row or Failure as it is done. Strengths are bisected
    on one half of the questions and reported on the other. An arm that fails is reported, the rest goes on.
    Raises LabError when the judge gives no scores, Cancelled when stopped.
    """
    cancel = Cancel() if cancel is None else cancel
    coherence = prompt_coherence(setup, cancel) if target == "prompt" else None if target == "kl" else target
    forced = setup.forced(cancel)
    meter = Meter(emit, "measurements", planned(specs))
    rows, failures = [], []
    for spec in specs:
        cancel.check()
        left = planned([spec])

        def tell(event: Any) -> None:
            nonlocal left
            emit(event)
            if isinstance(event, Point) and left > 1:
                left -= 1
                meter.step()

        try:
            [row] = measure_method(setup, spec, [coherence], cancel, tell, forced)
            rows.append(row)
            emit(row)
        except LabError:  # a judge that is not heard would fail for all of them
            raise
        except EngineError as error:
            failures.append(Failure(spec.name, str(error)))
            emit(failures[-1])
        meter.step(left)
    itself = judged_twice(setup.generator, setup.judge, setup.prompt, setup.questions, cancel, setup.rubric)
    return Match(setup.prompt, coherence, tuple(rows), tuple(failures), itself)


def planned(specs: Sequence[MethodSpec]) -> int:
    """How many measurements they are expected to take: a method without a head takes one."""
    return sum(1 if spec.request is None else _EXPECTED for spec in specs)


def prompt_coherence(setup: MatchSetup, cancel: Cancel) -> float:
    """The coherence that prompting has, on the half that strengths are chosen on."""
    return _figures(setup.choosing(setup.prompt, [], cancel))[1]


def measure_method(
    setup: MatchSetup,
    spec: MethodSpec,
    targets: Sequence[float | None],
    cancel: Cancel,
    emit: Emit = ignore,
    forced: TeacherForcedAnswers | None = None,
) -> list[MatchRow]:
    """One arm at several target coherences (None: at iso-KL, which needs `forced`), from one distillation.
    Emits every Point that is tried, and a Pause wherever one fits.

    forced: what the KL and the effects per token are measured on; without it they are not.
    Raises what distilling, generating and judging raise.
    """
    system = setup.prompt if spec.prompted else None
    if spec.request is None:
        found = setup.reporting(system, [], cancel)
        kl = None if forced is None else forced.kl(None, 0.0, beside_prompt=spec.prompted)
        return [_reported(spec, found, strength=None if spec.prompted else 0.0, kl=kl) for _ in targets]
    made = distill(setup.generator.model, spec.request, cancel=cancel, emit=_pausing(emit))
    iso = None if forced is None else forced.iso_kl(made.head, beside_prompt=spec.prompted)

    def at(strength: float) -> Point:
        emit(Pause())
        found = setup.choosing(system, [(made.head, strength)], cancel)
        point = Point(strength, *_figures(found), found.missing)
        emit(point)
        return point

    rows = []
    for target in targets:
        if target is None:
            assert iso is not None
            strength, curve, reached, note = at_iso_kl(at, iso)
        else:
            strength, curve, reached, note = search(at, target)
        found = setup.reporting(system, [(made.head, strength)], cancel)
        tokens: dict[str, Any] = {}
        if forced is not None and iso is not None:
            tokens = {
                "kl": forced.kl(made.head, strength, beside_prompt=spec.prompted),
                "iso_kl": iso.strength if iso.reached else None,
                "effects": forced.effects(made.head),
                "prompted": forced.prompt_effects(),
            }
        rows.append(
            _reported(
                spec,
                found,
                strength=strength,
                curve=curve,
                reached=reached,
                note=note,
                faithfulness=made.faithfulness,
                paraphrase=made.paraphrase,
                seconds=made.seconds["total"],
                head=made.head.digest,
                **tokens,
            )
        )
    return rows


def _pausing(emit: Emit) -> Emit:
    """Of what a distillation tells only where it can be interrupted."""

    def tell(event: Any) -> None:
        if isinstance(event, LossPoint):
            emit(Pause())

    return tell


def _reported(spec: MethodSpec, found: Judged, **more: Any) -> MatchRow:
    trait, coherence = _figures(found)
    return MatchRow(
        method=spec.name,
        trait=trait,
        trait_ci=interval(found.traits),
        coherence=coherence,
        coherence_ci=interval(found.coherences),
        n=found.n,
        missing=found.missing,
        traits=found.plain_traits,
        **more,
    )


def _figures(found: Judged) -> tuple[float, float]:
    """Trait and coherence. Raises LabError when the judge gave none at all."""
    if found.trait is None or found.coherence is None:
        lacking = "trait" if found.trait is None else "coherence"
        raise LabError(
            "The methods were not compared",
            f"The judge gave no score of {lacking} for any of {found.traits.size} answers.",
            "Use another judge, or join two: JUDGE+likelihood.",
        )
    return found.trait, found.coherence
