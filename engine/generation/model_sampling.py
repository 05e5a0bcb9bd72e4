"""How a model's publisher recommends to sample from it."""

from __future__ import annotations

import logging
from typing import Any

from engine.errors import InputError
from engine.generation.sampling import Sampling
from engine.model.language_model import LanguageModel

# For models whose generation_config names nothing; small instruct models repeat themselves when greedy.
USUAL = Sampling(temperature=0.7, top_p=0.9, repetition_penalty=1.1)
_TRANSFORMERS_TOP_K = 50  # transformers' own, where a config samples and does not name one

_log = logging.getLogger(__name__)


def recommended_sampling(model: LanguageModel) -> Sampling:
    """Temperature, top-k, top-p and repetition penalty of the model's generation_config.

    As transformers reads them: `do_sample: false` is greedy. A config that names none of them gives USUAL,
    and so does one whose values are out of range, with a logged warning.

    Returns:
        The sampling, with the default token limit.
    """
    config = getattr(model.network, "generation_config", None)
    names = ("do_sample", "temperature", "top_k", "top_p", "repetition_penalty")
    given: dict[str, Any] = {name: getattr(config, name, None) for name in names}
    if all(value is None for value in given.values()):
        return USUAL
    samples = given["do_sample"]
    if samples is None:
        samples = any(given[name] is not None for name in names[1:4])
    values = {"repetition_penalty": _or(given["repetition_penalty"], 1.0)}
    if samples:
        values |= {
            "temperature": _or(given["temperature"], 1.0),
            "top_k": _or(given["top_k"], _TRANSFORMERS_TOP_K),
            "top_p": _or(given["top_p"], 1.0),
        }
    try:
        return Sampling(**values)
    except (InputError, TypeError) as error:
        _log.warning("The sampling that %s recommends is not used: %s", model.name, error)
        return USUAL


def _or(value: Any, default: float) -> Any:
    return default if value is None else value
