"""Methods at equal coherence, or at equal KL (engine/README.md, Eq. 17 and 18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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


@dataclass(frozen=True, kw_only=True)
class MatchRow:
    """One method, on the half of the questions that nothing was chosen on.

    Attributes:
        method: in the words of the command.
        strength: whose coherence is nearest to the target, or the iso-KL one; None where there is none to
            choose.
        trait: mean, in [0, 1].
        trait_ci: its 95 % interval.
        coherence: mean, in [0, 1].
        coherence_ci: its 95 % interval.
        n: judged answers.
        missing: answers that the judge gave no score for.
        reached: whether the coherence is near (0.08) to the target.
        note: what was done otherwise.
        curve: the strengths tried, in order.
        kl: 95th percentile over the tokens of the prompt's answers of KL(steered || unsteered), in nats.
        iso_kl: the strength at which it is 1 nat, None where it never is.
        faithfulness: per block, see Distillation.
        paraphrase: per block, see Distillation.
        effects: lengths of what the head adds at strength 1, per block.
        prompted: lengths of what the prompt adds, per block.
        seconds: of the distillation.
        head: its digest, "" without one.
        traits: what each answer was given, per question and seed.
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
    """A method that could not be compared; the others were.

    Attributes:
        method: in the words of the command.
        why: the error, in a sentence.
    """

    method: str
    why: str


@dataclass(frozen=True)
class Match:
    """A whole comparison.

    Attributes:
        prompt: the steering prompt.
        coherence: the target, None where the KL was matched.
        rows: the methods.
        failures: those that could not be compared.
        disagreement: of the judge with itself.
    """

    prompt: str
    coherence: float | None
    rows: tuple[MatchRow, ...]
    failures: tuple[Failure, ...]
    disagreement: Disagreement

    @property
    def heads(self) -> str:
        """The digests of the heads that were compared, in words."""
        return ", ".join(f"{row.method} ({row.head})" for row in self.rows if row.head) or "none"

    @property
    def differences(self) -> list[Difference]:
        """Every method against all before it."""
        return differences(self.rows)

    def to_json(self) -> dict[str, Any]:
        """A JSON record."""
        return {**asdict(self), "differences": [asdict(each) for each in self.differences]}


@dataclass(frozen=True)
class MatchSetup:
    """What is the same for all methods of a comparison.

    Attributes:
        generator: the model and the cache of its answers.
        judge: scores trait and coherence.
        prompt: the steering prompt.
        questions: the first half to choose strengths on, the second to report on.
        seeds: of the answers to each question.
        rubric: the trait's own judging prompt.

    Raises:
        InputError: for fewer than two questions.
    """

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
        """The scores on the half that strengths are chosen on; kept, so that none is computed twice."""
        return self._half(0, system, heads, cancel)

    def reporting(self, system: str | None, heads: Sequence[tuple[Head, float]], cancel: Cancel) -> Judged:
        """The scores on the other half."""
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
                self.generator,
                self.judge,
                self.prompt,
                questions=asked,
                seeds=self.seeds,
                system=system,
                heads=heads,
                cancel=cancel,
                rubric=self.rubric,
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
    """Compares methods at one coherence, or at one KL.

    Strengths are bisected on one half of the questions and reported on the other. A method that fails is
    reported, the rest continues.

    Args:
        setup: what is the same for all.
        specs: the methods.
        target: a coherence in [0, 1], "prompt" for that of prompting itself, "kl" for 1 nat.
        emit: is given Progress, each Point as it is tried, and each MatchRow or Failure as it is done.
        cancel: stops it.

    Raises:
        LabError: when the judge gives no scores.
        Cancelled: when asked to stop.
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
            [row] = measure_method(setup, spec, [coherence], cancel=cancel, emit=tell, forced=forced)
            rows.append(row)
            emit(row)
        except LabError:  # a judge that cannot be reached would fail for all of them
            raise
        except EngineError as error:
            failures.append(Failure(spec.name, str(error)))
            emit(failures[-1])
        meter.step(left)
    itself = judged_twice(
        setup.generator, setup.judge, setup.prompt, setup.questions, cancel=cancel, rubric=setup.rubric
    )
    return Match(setup.prompt, coherence, tuple(rows), tuple(failures), itself)


def planned(specs: Sequence[MethodSpec]) -> int:
    """How many measurements they are expected to take; a method without a head takes one."""
    return sum(1 if spec.request is None else _EXPECTED for spec in specs)


def prompt_coherence(setup: MatchSetup, cancel: Cancel) -> float:
    """The coherence of prompting, on the half that strengths are chosen on."""
    return _figures(setup.choosing(setup.prompt, [], cancel))[1]


def measure_method(
    setup: MatchSetup,
    spec: MethodSpec,
    targets: Sequence[float | None],
    *,
    cancel: Cancel,
    emit: Emit = ignore,
    forced: TeacherForcedAnswers | None = None,
) -> list[MatchRow]:
    """One method at several targets, from one distillation.

    Args:
        setup: the comparison.
        spec: the method.
        targets: coherences in [0, 1]; None for iso-KL, which needs `forced`.
        cancel: stops it.
        emit: is given every Point that is tried, and a Pause wherever one fits.
        forced: what the KL and the effects per token are measured on; None to leave them out.

    Raises:
        EngineError: what distilling, generating and judging raise.
    """
    system = setup.prompt if spec.prompted else None
    if spec.request is None:
        found = setup.reporting(system, [], cancel)
        kl = None if forced is None else forced.kl(None, 0.0, beside_prompt=spec.prompted)
        return [_reported(spec, found, strength=None if spec.prompted else 0.0, kl=kl) for _ in targets]
    made = setup.generator.distilled(spec.request, cancel, _pausing(emit))
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
    """Of a distillation's events only where it can be interrupted."""

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
