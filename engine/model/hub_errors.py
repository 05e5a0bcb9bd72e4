"""What the hub, the network or the disk refuses, in one sentence with the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import ModelError
from engine.model.interruptible_wait import of_the_network


class Unreachable(ModelError):
    """The hub did not answer."""


@contextmanager
def told(source: str) -> Iterator[None]:
    """Within it what the hub, the network or the disk refuses is a ModelError in one sentence."""
    from huggingface_hub import errors

    try:
        yield
    except (errors.HfHubHTTPError, errors.HFValidationError) as error:
        raise _answer(source, error) from None
    except Exception as error:
        if isinstance(error, errors.LocalEntryNotFoundError) or of_the_network(error):
            raise Unreachable(
                f"The model {source} could not be downloaded",
                "Hugging Face cannot be reached.",
                "Check the network connection, or use a local model folder or the bundled model.",
            ) from None
        if isinstance(error, OSError):
            raise refused(
                source,
                f"The disk says: {error.strerror or error}.",
                "Free some space, or set HF_HOME to a folder on another disk.",
            ) from None
        raise


def _answer(source: str, error: Exception) -> ModelError:
    """The hub's refusal."""
    from huggingface_hub import errors

    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, errors.GatedRepoError):
        return refused(
            source,
            "Its owner asks for consent to terms first.",
            "Accept the model's terms on its hub page and log in with `hf auth login`.",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return refused(source, "It has no such revision.", "Choose a revision that exists.")
    if isinstance(error, (errors.RepositoryNotFoundError, errors.HFValidationError)) or status == 401:
        return refused(
            source,
            "The hub knows no such model.",
            "Check the spelling of owner/name; a private model needs `hf auth login`.",
        )
    return refused(source, f"The hub answered with error {status}.", "Try again later.")


def refused(source: str, why: str, remedy: str) -> ModelError:
    return ModelError(f"The model {source} could not be downloaded", why, remedy)
