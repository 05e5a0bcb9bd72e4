"""What passes between the window and the engine's thread: wishes and facts, as plain frozen records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from studio.state.conversation import Told
from studio.state.sampling_settings import SamplingSettings

if TYPE_CHECKING:
    from engine.distill.request import Objective, PlaceOption, Recipe
    from engine.heads.head import Positions


@dataclass(frozen=True)
class ModelFacts:
    """The loaded model in plain values; dtype: that it computes in, precision: that of its matrices;
    identity: its ModelIdentity; bytes: size of the weights; examples: steering prompts that it
    follows; sampling: with the rules that its publisher recommends."""

    name: str
    source: str
    device: str
    dtype: str
    precision: str
    blocks: int
    width: int
    bytes: int
    is_pocket: bool
    identity: Any
    examples: tuple[str, ...] = ()
    sampling: SamplingSettings = field(default_factory=SamplingSettings)

    @property
    def key(self) -> str:
        """Names this very model: what it said can be run again by it alone."""
        return model_key(self.identity)


def model_key(identity: Any) -> str:
    """A name for one very model, from its ModelIdentity."""
    return f"{identity.id}@{identity.revision or ''}#{identity.fingerprint}"


@dataclass(frozen=True)
class MethodFacts:
    """One way to make a head; recipes: the default first; one_block: whether it steers a single block;
    ranked: whether it takes a rank; objective: what its gradient fits by default, None where it has none;
    objectives: all that it can fit."""

    key: str
    title: str
    about: str
    one_block: bool
    recipes: tuple[Recipe, ...]
    ranked: bool = False
    objective: Objective | None = None
    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True)
class Loaded:
    """A model, the methods that it can be steered by, the heads that come with it, and the files among
    them that could not be read."""

    facts: ModelFacts
    methods: tuple[MethodFacts, ...] = ()
    heads: tuple[Any, ...] = ()
    unread: tuple[str, ...] = ()


@dataclass(frozen=True)
class Imported:
    """A head out of another tool's file: the format's name, and what was lost on the way, in sentences."""

    head: Any
    format: str
    losses: tuple[str, ...]


@dataclass(frozen=True)
class LaneRequest:
    """One row of the batch: what was told so far, its heads and their live strengths.

    system: a steering prompt; truth: the prompt whose effect is measured beside (engine.generation.lanes);
    place: where either goes, "system" or "before" the question; opening: ids that the answer begins with.
    """

    messages: tuple[Told, ...]
    heads: tuple[Any, ...] = ()
    strengths: Any = None
    system: str | None = None
    truth: str | None = None
    opening: tuple[int, ...] = ()
    place: Literal["system", "before"] = "system"


@dataclass(frozen=True)
class ContextForecast:
    """What the next answer would take of the model's context, in tokens.

    question: the typed question alone; prompt: all that the model would read; left_out: turns that would go;
    room: what is left for the answer, below 1 when the question alone is too long; wanted: what the answer
    may have; context: what the model can take, None for no limit.
    """

    question: int
    prompt: int
    left_out: int
    room: int
    wanted: int
    context: int | None

    @property
    def too_long(self) -> int:
        """How many tokens the question would have to be shorter; 0 when it fits."""
        return max(0, 1 - self.room)

    @property
    def answer(self) -> int:
        """The tokens that the answer can really have."""
        return max(0, min(self.wanted, self.room))


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """How a head is to be made; None leaves the choice to the engine."""

    method: str = "a-psr"
    objective: Objective | None = None
    weight: float = 0.5  # of the distance to the prompt, where the objective is a sum
    recipe: Recipe | None = None
    block: int | None = None
    responses: int | None = None
    negatives: int = 0  # answers without the prompt, which the head is to leave as they are
    rank: int | Literal["automatic"] = "automatic"
    positions: Positions = "response"
    place: PlaceOption = "automatic"  # where the prompt goes


@dataclass(frozen=True)
class FitRequest(FitOptions):
    """What the steering panel asks for."""

    prompt: str
    seed: int = 0
    anyway: bool = False  # even where the prompt changes next to nothing


@dataclass(frozen=True)
class WeakPrompt:
    """A prompt that was not distilled, as it changes next to nothing: kl, in nats per token."""

    kl: float
