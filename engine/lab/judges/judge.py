"""The interface of a judge: trait and coherence for a batch of answers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

from engine.events import Cancel
from engine.lab.result_cache import ResultCache, content_key

_AT_ONCE = 32  # answers between two writes; a multiple of what judges batch


@dataclass(frozen=True)
class JudgedItem:
    """One answer to be judged.

    Attributes:
        prompt: what was asked for: a steering prompt, or a trait in words.
        questions: the user's lines, the answered one last.
        answer: the answer.
        rubric: the trait's own judging prompt with {question} and {answer} in it and a scale from 0 to 100,
            for judges that read prompts.
    """

    prompt: str
    questions: tuple[str, ...]
    answer: str
    rubric: str | None = None


@dataclass(frozen=True)
class Score:
    """The scores of an answer, each in [0, 1].

    A value outside becomes None: a judge that gives such numbers is counted as missing, never averaged.

    Attributes:
        trait: None where the judge gave none.
        coherence: the same.
    """

    trait: float | None
    coherence: float | None

    def __post_init__(self) -> None:
        for name in ("trait", "coherence"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and 0 <= value <= 1):
                object.__setattr__(self, name, None)

    @property
    def whole(self) -> bool:
        """Whether both are there."""
        return self.trait is not None and self.coherence is not None


# Asked for instead of a steering prompt: whether an answer is about what was asked.
ON_TOPIC = "Answer the user's question and stay on its topic."


class Judge(Protocol):
    """Scores answers.

    Attributes:
        name: who judges, with everything that its scores depend on; a part of the key that they are kept
            under.
        steady: the same item always gets the same score.
    """

    @property
    def name(self) -> str: ...

    @property
    def steady(self) -> bool: ...

    def judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]: ...


@dataclass(frozen=True)
class Disagreement:
    """Mean absolute difference between two judgements of the same items.

    Attributes:
        trait: None without any.
        coherence: the same.
        n: items; 0 for a steady judge, where there is nothing to measure.
        missing: items that lack a score at least once.
    """

    trait: float | None
    coherence: float | None
    n: int
    missing: int = 0

    def words(self) -> str:
        """In words."""
        if not self.n:
            return "0 (deterministic)"
        trait, coherence = ("-" if v is None else f"{v:.3f}" for v in (self.trait, self.coherence))
        lacking = f", {self.missing} of them not scored" if self.missing else ""
        return f"trait {trait}, coherence {coherence} (mean over {self.n} answers scored twice{lacking})"


def disagreement(judge: Judge, items: Sequence[JudgedItem], cancel: Cancel) -> Disagreement:
    """How far a judge is from itself: the items are judged twice, past the cache."""
    bare = judge.judged_by if isinstance(judge, CachingJudge) else judge
    first, second = (bare.judge(items, cancel) for _ in range(2))

    def mean(name: str) -> float | None:
        pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(first, second, strict=True)]
        known = [abs(a - b) for a, b in pairs if a is not None and b is not None]
        return sum(known) / len(known) if known else None

    missing = sum(not (a.whole and b.whole) for a, b in zip(first, second, strict=True))
    return Disagreement(mean("trait"), mean("coherence"), len(items), missing)


@dataclass(frozen=True)
class CachingJudge:
    """A judge that is asked once about every answer; missing scores are not kept, but asked for again.

    Scores are on the disk after every few answers, so that a run that is killed loses no more than those.

    Attributes:
        judged_by: the judge.
        store: where scores are kept.
    """

    judged_by: Judge
    store: ResultCache

    @property
    def name(self) -> str:
        return self.judged_by.name

    @property
    def steady(self) -> bool:
        return self.judged_by.steady

    def judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]:
        """The scores, from the cache or by the judge."""
        keys = [content_key(self.name, *astuple(item)) for item in items]
        known = {key: Score(*value) for key, value in self.store.get("score", keys).items()}
        todo = list({k: item for k, item in zip(keys, items, strict=True) if k not in known}.items())
        for start in range(0, len(todo), _AT_ONCE):
            some = dict(todo[start : start + _AT_ONCE])
            made = dict(zip(some, self.judged_by.judge(list(some.values()), cancel), strict=True))
            self.store.put("score", {k: [s.trait, s.coherence] for k, s in made.items() if s.whole})
            known |= made
        return [known[key] for key in keys]


@dataclass(frozen=True)
class JoinedJudge:
    """The trait by one judge, the coherence by another.

    Attributes:
        traits: one.
        coherences: the other.
    """

    traits: Judge
    coherences: Judge

    @property
    def name(self) -> str:
        return f"{self.traits.name}+{self.coherences.name}"

    @property
    def steady(self) -> bool:
        return self.traits.steady and self.coherences.steady

    def judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]:
        """The scores of both judges."""
        traits, coherences = self.traits.judge(items, cancel), self.coherences.judge(items, cancel)
        return [Score(t.trait, c.coherence) for t, c in zip(traits, coherences, strict=True)]
