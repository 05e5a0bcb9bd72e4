"""What a long job shows of itself: the model slot, a distillation, and the figures of a finished head."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Fit:
    """A distillation as it runs and as it ended; effect, of `prompt`, in nats, eta in seconds; live: follows
    the typing."""

    running: bool = False
    live: bool = False
    stage: str = ""
    done: int = 0
    total: int = 0
    eta: float | None = None
    effect: float | None = None
    verdict: str = ""
    enough: bool = True
    losses: list[float] = field(default_factory=list)
    outcome: str = ""
    prompt: str = ""


@dataclass(frozen=True)
class Faithfulness:
    """Relative RMSE per block, 1 = no better than no head; paraphrase: of another wording."""

    blocks: dict[int, float]
    paraphrase: dict[int, float] | None = None


@dataclass(frozen=True)
class Loading:
    """The model slot: `facts` (requests.ModelFacts) of the model that can be used, None for none; `coming`:
    the source of one that is being fetched or loaded, and how far that is."""

    facts: Any = None
    stage: str = ""
    done: int = 0
    total: int = 0
    coming: str = ""
