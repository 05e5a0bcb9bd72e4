"""Where a steering prompt goes: as a system message, or before the question; measured on a few responses."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.distill.hooked_forward import run
from engine.distill.model_kind import kind_of
from engine.distill.teacher_forcing import Response, collate
from engine.distill.token_losses import divergences
from engine.events import Cancel, ChosenPlace, PlaceScore
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.model.chat_template import PLACES, Message, Place, encode, placed
from engine.model.language_model import LanguageModel

_QUESTIONS = 4
_TOKENS = 16  # the beginning of an answer shows whether the prompt is heeded
_ADVANTAGE = 1.1  # so much more must the place before the question do: a system message is the usual way


def choose_place(
    model: LanguageModel, prompt: str, asked: Sequence[str], seed: int, cancel: Cancel
) -> ChosenPlace:
    """The place that the model was trained on, if known; else the one from which the prompt does more.

    That is the mean effect times the share of usable responses: a likelihood does not tell whether a prompt
    is followed.

    Args:
        model: the model.
        prompt: the steering prompt.
        asked: questions; the first four are used.
        seed: of the sampling at temperature 1.
        cancel: checked before every token.
    """
    trained = kind_of(model).trained_place
    if trained is not None:
        return ChosenPlace(trained, {}, f"{model.name} was trained on prompts in this place: {trained}.")
    scores = measure_places(model, prompt, asked, seed, cancel)
    system, before = (score.usable * score.effect for score in (scores["system"], scores["before"]))
    place: Place = "before" if before > _ADVANTAGE * system else "system"
    words = {"system": "as a system message", "before": "before the question"}
    effects = " and ".join(f"{scores[at].effect:.2f} {words[at]}" for at in PLACES)
    why = f"The prompt goes {words[place]}: it moves the answers by {effects} (nats per token)."
    return ChosenPlace(place, scores, why)


def measure_places(
    model: LanguageModel, prompt: str, asked: Sequence[str], seed: int, cancel: Cancel
) -> dict[Place, PlaceScore]:
    """Samples short responses with the prompt in either place, in one batch, and compares them to no prompt.

    Args:
        prompt: the steering prompt.
        asked: questions; the first four are used.
        seed: of the sampling at temperature 1.

    Returns: the score of each place.
    """
    kind, asked = kind_of(model), asked[:_QUESTIONS]
    lanes = [
        Lane([Message("user", question)], seed=seed * 100_003 + i, **placed(prompt, place))
        for place in PLACES
        for i, question in enumerate(asked)
    ]
    answers = generate(model, lanes, Sampling(temperature=1.0, max_tokens=_TOKENS), cancel=cancel)
    cancel.check()
    found: dict[Place, PlaceScore] = {}
    for start, place in zip(range(0, len(lanes), len(asked)), PLACES, strict=True):
        own = answers[start : start + len(asked)]
        judged = kind.response_filter.judge(model, prompt, asked, own)
        usable = [a.trait >= 0.5 and a.coherence >= 0.5 and len(g.trace) > 0 for a, g in zip(judged, own)]
        responses = [
            Response(
                question=q,
                ids=tuple(g.trace.ids.tolist()),
                end=-1 if g.end is None else g.end,
                text=g.text,
                trait=1.0,
                coherence=1.0,
            )
            for q, g in zip(asked, own, strict=True)
        ]
        found[place] = PlaceScore(_effect(model, prompt, place, responses), sum(usable) / len(usable))
    return found


@torch.inference_mode()
def _effect(model: LanguageModel, prompt: str, place: Place, responses: Sequence[Response]) -> float:
    states = []
    for texts in (placed(prompt, place), placed(None, place)):
        prompts = [encode(model, [Message("user", r.question)], **texts) for r in responses]
        states.append(run(model, collate(model, prompts, responses)))
    return float(divergences(model, states[0].unsqueeze(1), states[1]).mean())
