"""One family of errors: what failed, why, what to do."""

from __future__ import annotations

from engine.text import encodable

LONGEST = 1000  # characters of one part of a message


class EngineError(Exception):
    """A failure that a person can act on.

    Only text is kept: an exception object as a cause would keep the tensors of its frames in memory.

    Args:
        what: the thing that failed, a few words without a full stop.
        why: the cause, a sentence.
        remedy: the next step to take, a sentence.
    """

    def __init__(self, what: str, why: str, remedy: str) -> None:
        what, why, remedy = map(_readable, (what, why, remedy))
        super().__init__(what, why, remedy)
        self.what, self.why, self.remedy = what, why, remedy

    def __str__(self) -> str:
        return f"{self.what}: {self.why} {self.remedy}"


class InputError(EngineError):
    """What a person asked for cannot be done in that way."""


class WeakPromptError(InputError):
    """A steering prompt changes next to nothing, and was not to be distilled anyway.

    Args:
        kl: its effect on the first responses, in nats per token (engine/README.md, Eq. 14).
    """

    def __init__(self, kl: float) -> None:
        super().__init__(
            "The prompt was not distilled",
            f"It barely changes the model ({kl:.3f} nats/token).",
            "Rephrase it, since this model may not know what it asks for; or distill it anyway.",
        )
        self.kl = kl

    def __reduce__(self) -> tuple[type[WeakPromptError], tuple[float]]:
        return type(self), (self.kl,)


class ModelError(EngineError):
    """A model could not be found, loaded or run."""


class HeadError(EngineError):
    """A head file could not be read, written or used with this model."""


class ChoiceError(HeadError):
    """A head file of another format leaves something open that its reader must be told by an option."""


class RunError(EngineError):
    """A recorded run could not be read, written or replayed."""


class LibraryError(EngineError):
    """The library of conversations, heads and runs could not be read or written."""


class LabError(EngineError):
    """A comparison could not be judged, or its results could not be read or stored."""


class Cancelled(Exception):
    """A person stopped the job. Not an error: partial results stay valid."""


def _readable(text: str) -> str:
    """Names and values out of damaged files may be of any length, and hold what no terminal can print."""
    text = encodable(text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
