"""Does a head do what its prompt does where it was not distilled?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.distill import Request, distill
from engine.distill.paraphrase import paraphrase
from engine.distill.questions import questions
from engine.events import Cancel, Emit, Meter, ignore
from engine.heads.head import Head
from engine.lab.answers import Asked, Judged, Speaker, laid_out
from engine.lab.judges import Judge
from engine.pocket.styles import compatible
from engine.pocket.wordings import styles_of, wordings

STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0)
_WORDINGS = 3
_MORE = "And what else?"


@dataclass(frozen=True)
class Transfer:
    """One condition: the head at its strength, and the prompt where there is one to compare with."""

    prompt: str
    condition: str
    strength: float
    trait: float | None
    coherence: float | None
    prompt_trait: float | None
    prompt_coherence: float | None
    n: int
    missing: int


@dataclass(frozen=True)
class Setting:
    """asked: questions that distillation never saw."""

    speaker: Speaker
    judge: Judge
    asked: tuple[str, ...]
    method: str = "a-psr"


def transfer(
    setting: Setting, prompts: Sequence[str], *, emit: Emit = ignore, cancel: Cancel | None = None
) -> list[Transfer]:
    """Every condition for every prompt; emits Progress and each Transfer as it is known.

    Conditions: the topics of distillation and others, other wordings of the prompt, a second turn, another
    head beside it (that of the next prompt that goes with it), strengths from 0 to 3.
    """
    cancel = Cancel() if cancel is None else cancel
    meter = Meter(emit, "prompts", len(prompts))
    model = setting.speaker.model
    heads = {
        prompt: distill(model, Request(prompt, method=setting.method), cancel=cancel).head
        for prompt in prompts
    }
    found = []
    for prompt in prompts:
        for row in _conditions(setting, prompt, heads, cancel):
            found.append(row)
            emit(row)
        meter.step()
    return found


def _conditions(setting: Setting, prompt: str, heads: dict[str, Head], cancel: Cancel) -> Iterator[Transfer]:
    head, model = heads[prompt], setting.speaker.model
    unseen = [Asked(question, i) for i, question in enumerate(setting.asked)]
    seen = [Asked(q, i) for i, q in enumerate(questions(model, len(unseen), 0))]

    def ask(
        asked: Sequence[Asked], judged_by: str, system: str | None, steered: Sequence[tuple[Head, float]]
    ) -> Judged:
        texts = setting.speaker.answers(asked, system, steered, cancel)
        items = [each.item(judged_by, text) for each, text in zip(asked, texts, strict=True)]
        return laid_out(setting.judge.judge(items, cancel), len(items))

    def row(
        condition: str, asked: Sequence[Asked], system: str, judged_by: str, *others: Head, at: float = 1.0
    ) -> Transfer:
        steered = ask(asked, judged_by, None, [(head, at), *((other, 1.0) for other in others)])
        prompted = ask(asked, judged_by, system, [])
        return Transfer(
            prompt, condition, at, steered.trait, steered.coherence, prompted.trait, prompted.coherence,
            steered.n, steered.missing,
        )  # fmt: skip

    yield row("topics of the distillation", seen, prompt, prompt)
    yield row("other topics", unseen, prompt, prompt)
    for other in _other_wordings(setting, prompt):
        yield row(f"other wording: {other}", unseen, other, other if styles_of(other) else prompt)
    plain = setting.speaker.answers(unseen, None, [], cancel)
    second = [Asked(_MORE, i, (each.question, plain[i])) for i, each in enumerate(unseen)]
    yield row("second turn, after an unsteered first", second, prompt, prompt)
    beside = _beside(prompt, list(heads))
    if beside is not None:
        both = f"{prompt} {beside}"
        yield row(f"with the head of: {beside}", unseen, both, prompt, heads[beside])
        yield row(f"the other trait, beside: {beside}", unseen, both, beside, heads[beside])
    for strength in STRENGTHS:
        yield row("strength", unseen, prompt, prompt, at=strength)


def _other_wordings(setting: Setting, prompt: str) -> list[str]:
    styles = styles_of(prompt) if setting.speaker.model.is_pocket else ()
    if len(styles) != 1:
        return [paraphrase(setting.speaker.model, prompt)]
    kept_out = [w for w in wordings(styles[0], held_out=True) if w != prompt]
    step = max(1, len(kept_out) // _WORDINGS)
    return kept_out[::step][:_WORDINGS]


def _beside(prompt: str, prompts: Sequence[str]) -> str | None:
    """The next prompt that can be followed together with this one."""
    at = prompts.index(prompt)
    own = styles_of(prompt)
    for other in (*prompts[at + 1 :], *prompts[:at]):
        theirs = styles_of(other)
        if not own or not theirs or compatible(own[0], theirs[0]):
            return other
    return None
