"""Transfer: does a head do what its prompt does where it was not distilled?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.distill import Request
from engine.distill.model_kind import kind_of
from engine.distill.questions import questions
from engine.events import Cancel, Emit, Meter, ignore
from engine.heads.head import Head
from engine.lab.bootstrap import Mean
from engine.lab.cached_answers import CachedGenerator, Judged, Query, as_judged, queries, scored
from engine.lab.judges import Judge
from engine.pocket.styles import compatible
from engine.pocket.wordings import styles_of

STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
_WORDINGS = 3
_MORE = "And what else?"


@dataclass(frozen=True, eq=False)
class Transfer:
    """One condition.

    Attributes:
        prompt: the steering prompt.
        kind: what conditions of several prompts have in common.
        condition: this one.
        strength: of the head.
        head: the head's scores.
        prompted: the prompt's, for the same questions.
    """

    prompt: str
    kind: str
    condition: str
    strength: float
    head: Judged
    prompted: Judged

    @property
    def missing(self) -> int:
        """How many answers of either lack a score."""
        return self.head.missing + self.prompted.missing

    def to_json(self) -> dict[str, Any]:
        """A JSON record."""
        facts = {"prompt": self.prompt, "kind": self.kind, "condition": self.condition}
        scores = {**self.head.to_json(), **self.prompted.to_json("prompt_")}
        return {**facts, "strength": self.strength, **scores}


@dataclass(frozen=True)
class Summary:
    """A kind of condition over all prompts.

    Attributes:
        kind: the kind.
        strength: of the heads.
        trait: the heads'.
        coherence: the heads'.
        prompt_trait: the prompts'.
        prompt_coherence: the prompts'.
        above: the heads' trait less the prompts', answer by answer.
        missing: answers of either without a score.
    """

    kind: str
    strength: float
    trait: Mean
    coherence: Mean
    prompt_trait: Mean
    prompt_coherence: Mean
    above: Mean
    missing: int


@dataclass(frozen=True)
class TransferSetup:
    """What is the same for all conditions.

    Attributes:
        generator: the model and the cache of its answers.
        judge: scores trait and coherence.
        asked: questions that no distillation saw.
        seeds: of the answers to each question.
        method: that the heads are made by.
    """

    generator: CachedGenerator
    judge: Judge
    asked: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    method: str = "a-psr"


def transfer(
    setting: TransferSetup, prompts: Sequence[str], *, emit: Emit = ignore, cancel: Cancel | None = None
) -> list[Transfer]:
    """Every condition for every prompt.

    Conditions: the topics of distillation and others, other wordings of the prompt, a second turn, another
    head beside it (that of the next prompt that can be followed together with it), strengths from 0 to 3.

    Args:
        setting: what is the same for all.
        prompts: the steering prompts.
        emit: is given Progress and each Transfer.
        cancel: stops it.

    Raises:
        EngineError: what distilling, generating and judging raise.
        Cancelled: when asked to stop.
    """
    cancel = Cancel() if cancel is None else cancel
    meter = Meter(emit, "prompts", len(prompts))
    heads = {
        prompt: setting.generator.distilled(Request(prompt, method=setting.method, anyway=True), cancel).head
        for prompt in dict.fromkeys(prompts)
    }
    found = []
    for prompt in heads:
        for row in _conditions(setting, prompt, heads, cancel):
            found.append(row)
            emit(row)
        meter.step()
    return found


def summaries(rows: Sequence[Transfer]) -> list[Summary]:
    """Every kind of condition over the prompts, in order."""
    kinds: dict[tuple[str, float], dict[str, list[Transfer]]] = {}
    for row in rows:
        kinds.setdefault((row.kind, row.strength), {}).setdefault(row.prompt, []).append(row)

    def over(prompts: Iterable[Sequence[Transfer]], score: Callable[[Transfer], np.ndarray]) -> Mean:
        # Wordings of one prompt first become one value per answer: they are not further answers of the head.
        return Mean.of([_means([score(row) for row in own]) for own in prompts])

    return [
        Summary(
            kind,
            strength,
            over(each.values(), lambda row: row.head.traits),
            over(each.values(), lambda row: row.head.coherences),
            over(each.values(), lambda row: row.prompted.traits),
            over(each.values(), lambda row: row.prompted.coherences),
            over(each.values(), lambda row: row.head.traits - row.prompted.traits),
            sum(row.missing for own in each.values() for row in own),
        )
        for (kind, strength), each in kinds.items()
    ]


def _means(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """Over those that are there, NaN where none is."""
    stacked = np.stack(arrays)
    there = ~np.isnan(stacked)
    counts = there.sum(0)
    return np.where(counts > 0, np.where(there, stacked, 0.0).sum(0) / np.maximum(counts, 1), np.nan)


def _conditions(
    setting: TransferSetup, prompt: str, heads: dict[str, Head], cancel: Cancel
) -> Iterator[Transfer]:
    head, model = heads[prompt], setting.generator.model
    unseen = queries(setting.asked, setting.seeds)
    seen = queries(questions(model, len(setting.asked), 0), setting.seeds)

    def ask(
        asked: Sequence[Query], judged_by: str, system: str | None, steered: Sequence[tuple[Head, float]]
    ) -> Judged:
        _, scores = scored(
            setting.generator,
            setting.judge,
            judged_by,
            asked=asked,
            system=system,
            heads=steered,
            cancel=cancel,
        )
        return as_judged(scores, len(asked) // len(setting.seeds))

    def row(
        kind: str, asked: Sequence[Query], system: str, judged_by: str, *others: Head,
        at: float = 1.0, with_: str = "",
    ) -> Transfer:  # fmt: skip
        steered = ask(asked, judged_by, None, [(head, at), *((other, 1.0) for other in others)])
        prompted = ask(asked, judged_by, system, [])
        return Transfer(prompt, kind, f"{kind}: {with_}" if with_ else kind, at, steered, prompted)

    yield row("topics of the distillation", seen, prompt, prompt)
    yield row("other topics", unseen, prompt, prompt)
    for other in kind_of(setting.generator.model).other_wordings(prompt, _WORDINGS):
        judged_by = other if styles_of(other) else prompt
        yield row("other wordings", unseen, other, judged_by, with_=other)
    plain = setting.generator.answers(unseen, None, [], cancel)
    second = [
        Query(_MORE, each.seed, (each.question, said)) for each, said in zip(unseen, plain, strict=True)
    ]
    yield row("second turn, after an unsteered first", second, prompt, prompt)
    beside = _beside(prompt, list(heads))
    if beside is not None:
        both = f"{prompt} {beside}"
        yield row("beside another head: its own trait", unseen, both, prompt, heads[beside], with_=beside)
        yield row("beside another head: the other's trait", unseen, both, beside, heads[beside], with_=beside)
    for strength in STRENGTHS:
        yield row("strength", unseen, prompt, prompt, at=strength)


def _beside(prompt: str, prompts: Sequence[str]) -> str | None:
    """The next prompt that can be followed together with this one."""
    at = prompts.index(prompt)
    own = styles_of(prompt)
    for other in (*prompts[at + 1 :], *prompts[:at]):
        theirs = styles_of(other)
        if not own or not theirs or compatible(own[0], theirs[0]):
            return other
    return None
