"""The request for a distillation, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from engine.errors import InputError
from engine.events import Effect
from engine.heads.head import Head, Positions
from engine.model.chat_template import Place

Objective = Literal["mse", "ll", "kl", "mse+ll"]
Recipe = Literal["instant", "refine", "paper"]
OBJECTIVES: tuple[Objective, ...] = ("mse", "ll", "kl", "mse+ll")
POSITIONS: tuple[Positions, ...] = ("response", "question_and_response")
RECIPES: tuple[Recipe, ...] = ("instant", "refine", "paper")
PlaceOption = Literal["automatic", "system", "before"]
PLACE_OPTIONS: tuple[PlaceOption, ...] = ("automatic", "system", "before")


@dataclass(frozen=True)
class Request:
    """One distillation that is asked for.

    Attributes:
        prompt: the steering prompt.
        method: a name in METHODS.
        objective: what training lowers: "mse", "ll", "kl" or "mse+ll" (engine/README.md, Eq. 10a to 13); None
            for the method's own.
        weight: the share of MSE in "mse+ll".
        recipe: "instant", "refine" or "paper"; None for the method's own.
        block: the block of a single-block method; None tries several (see `candidates`).
        responses: how many to sample; None for the model's kind's own number, 48 or 1000, by the recipe.
        negatives: how many responses without the prompt to learn from besides, to leave them as they are.
        seed: of the questions, the sampling and the training.
        rank: directions per block; "automatic" takes the least of 1, 2 and 4 that captures as much of
            left-out responses, within 0.01, as the best of them (engine/README.md, section 3), and 1 for a
            method without ranks or the recipe "paper".
        positions: where the head steers (engine/README.md, section 2).
        max_tokens: the longest response; None for the model's kind's own length.
        penalty: of the gates' ridge, relative to the mean eigenvalue of the inputs' covariance; None chooses
            it on responses that were left out.
        name: the head's name; None for the prompt's first words.
        questions: what the responses answer, over and over; empty for the built-in ones.
        place: where the steering prompt goes: "system" (message), "before" (the question), or "automatic",
            which measures both on a few short responses (see `engine.distill.prompt_place`).
        anyway: distill even where the prompt changes next to nothing.

    Raises:
        InputError: for values that make no sense.
    """

    prompt: str
    method: str = "a-psr"
    objective: Objective | None = None
    weight: float = 0.5
    recipe: Recipe | None = None
    block: int | None = None
    responses: int | None = None
    negatives: int = 0
    seed: int = 0
    rank: int | Literal["automatic"] = "automatic"
    positions: Positions = "response"
    max_tokens: int | None = None
    penalty: float | None = None
    name: str | None = None
    questions: tuple[str, ...] = ()
    place: PlaceOption = "automatic"
    anyway: bool = False

    def __post_init__(self) -> None:
        known = (self.name or "").encode(errors="replace").decode() == (self.name or "")
        _require(known, "Its name holds bytes that are not UTF-8 text.", "Type it again.")
        _require(
            bool(self.prompt.strip()), "The steering prompt is empty.", "Describe what the model should do."
        )
        _require(
            self.objective in (None, *OBJECTIVES),
            f"There is no objective {self.objective}.",
            f"Use one of {', '.join(OBJECTIVES)}.",
        )
        _require(
            0 < self.weight < 1, f"The weight {self.weight:g} is out of range.", "Give one between 0 and 1."
        )
        _require(
            self.positions in POSITIONS,
            f"There are no positions {self.positions}.",
            f"Use one of {', '.join(POSITIONS)}.",
        )
        _require(
            self.negatives >= 0, f"{self.negatives} negatives cannot be sampled.", "Give 0 or more of them."
        )
        _require(
            self.recipe in (None, *RECIPES),
            f"There is no recipe {self.recipe}.",
            f"Use one of {', '.join(RECIPES)}.",
        )
        _require(
            self.responses is None or self.responses >= 2,
            f"{self.responses} responses are too few.",
            "Ask for at least 2; 12 to 48 serve well.",
        )
        _require(
            self.max_tokens is None or self.max_tokens >= 4,
            f"Responses of {self.max_tokens} tokens are too short.",
            "Give at least 4.",
        )
        _require(
            self.penalty is None or 0 < self.penalty < float("inf"),
            f"The ridge {self.penalty} is out of range.",
            "Give a number above 0; 0.01 is usual.",
        )
        _require(
            self.place in PLACE_OPTIONS,
            f"There is no place {self.place} for a prompt.",
            f"Use one of {', '.join(PLACE_OPTIONS)}.",
        )
        _require(
            self.rank == "automatic" or 1 <= self.rank <= 16,
            f"Rank {self.rank} is out of range.",
            "Give a rank from 1 to 16.",
        )

    def count(self, recipe: Recipe, instant: int) -> int:
        """How many responses to sample; instant: the model's kind's own number for the recipe "instant"."""
        return self.responses or {"instant": instant, "refine": 48, "paper": 1000}[recipe]


@dataclass(frozen=True, kw_only=True)
class Distillation:
    """A finished distillation.

    Attributes:
        head: the head.
        effect: the prompt's effect, at all responses.
        responses: how many were sampled under the prompt.
        kept: how many of them were learned from.
        blocks: the blocks that the head steers.
        seconds: per stage, and "total".
        loss: the training loss after every step; empty without training.
        faithfulness: per block (engine/README.md, Eq. 16); 0 is the prompt itself, 1 doing nothing.
        paraphrase: the same for another wording of the prompt, the reference line.
        paraphrased: that wording.
        gate_r2: per gated block, the share of the targets that the gate predicts on responses that it was not
            fitted on (engine/README.md, Eq. 9).
        strength_range: of a slider (engine/README.md, Eq. 17).
        captured: the share of the prompt's effect that the head has on questions that no distillation asks
            (engine/README.md, Eq. 15); None when the model says nothing to them.
        place: where the prompt went.
    """

    head: Head
    effect: Effect
    responses: int
    kept: int
    blocks: tuple[int, ...]
    seconds: dict[str, float]
    loss: list[float]
    faithfulness: dict[int, float]
    paraphrase: dict[int, float]
    gate_r2: dict[int, float]
    strength_range: tuple[float, float]
    paraphrased: str
    captured: float | None
    place: Place


def _require(fine: bool, why: str, remedy: str) -> None:
    if not fine:
        raise InputError("The prompt cannot be distilled", why, remedy)
