"""The persona protocol: traits in the persona_vectors layout, methods matched on each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.events import Cancel, Emit, Meter, Pause, Progress, ignore
from engine.heads.formats.persona_trait import Trait, read_trait
from engine.lab.cached_answers import CachedGenerator
from engine.lab.judges import Judge
from engine.lab.matching import Match, MatchSetup, Target, match, planned
from engine.lab.method_specs import parse_method_specs


@dataclass(frozen=True)
class Persona:
    """One trait's comparison.

    Attributes:
        trait: its name.
        trained: how many questions were distilled from.
        evaluated: how many others were evaluated on.
        match: the comparison.
    """

    trait: str
    trained: int
    evaluated: int
    match: Match


def read_traits(folder: Path) -> list[Trait]:
    """Every *.json of a folder, in persona_vectors' layout.

    Args:
        folder: the folder.

    Raises:
        InputError: for a folder without any, a file that is none, or a trait with fewer than 4 questions.
    """
    if not folder.is_dir():
        raise InputError(f"The traits in {folder} were not read", "It is not a folder.", "Give a folder.")
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise InputError(
            f"The traits in {folder} were not read", "There is no .json in it.", "Name another folder."
        )
    traits = [read_trait(path) for path in paths]
    for trait in traits:
        if len(trait.questions) < 4:
            raise InputError(
                f"The trait {trait.name} cannot be compared",
                f"It has {len(trait.questions)} questions.",
                "Give at least 4: half to train on, half to evaluate on.",
            )
    return traits


def persona(
    generator: CachedGenerator,
    judge: Judge,
    traits: Sequence[Trait],
    methods: str,
    target: Target = 0.8,
    *,
    rollouts: int = 10,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> list[Persona]:
    """Per trait, methods at equal coherence; the steering prompt is the trait's first positive instruction.

    The first half of the questions is distilled from, the second evaluated on; the judge gets the trait's own
    judging prompt.

    Args:
        generator: the model and the cache of its answers.
        judge: scores trait and coherence.
        traits: the traits.
        methods: in the words of `parse_method_specs`.
        target: see `match`.
        rollouts: answers to each question.
        emit: is given Progress and each Persona.
        cancel: stops it.

    Raises:
        LabError: when the judge gives no scores.
        Cancelled: when asked to stop.

    Source:
        Chen et al. 2025, arXiv 2507.21509; the paper's persona experiments.
    """
    plans = []
    for trait in traits:
        prompt, middle = trait.pairs[0][0], len(trait.questions) // 2
        trained, evaluated = trait.questions[:middle], trait.questions[middle:]
        specs = [spec.asking(trained) for spec in parse_method_specs(methods, prompt)]
        setup = MatchSetup(generator, judge, prompt, evaluated, tuple(range(rollouts)), trait.judge)
        plans.append((trait.name, len(trained), setup, specs))
    meter = Meter(emit, "measurements", sum(planned(specs) for *_, specs in plans))
    found = []
    for name, trained_on, setup, specs in plans:
        known = 0

        def tell(event: object) -> None:
            nonlocal known
            if isinstance(event, Progress):
                meter.step(event.done - known)
                known = event.done
            elif isinstance(event, Pause):
                emit(event)

        result = match(setup, specs, target, emit=tell, cancel=cancel)
        found.append(Persona(name, trained_on, len(setup.questions), result))
        emit(found[-1])
    return found
