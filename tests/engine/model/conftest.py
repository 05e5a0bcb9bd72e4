"""One tiny random model per architecture and precision for the session; none may keep a hook."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import torch

from engine.model.language_model import LanguageModel, wrap
from tests.hooks import hooks
from tests.models import tiny


@pytest.fixture
def model() -> Iterator[LanguageModel]:
    """The tiny Llama."""
    made = _made("llama", torch.float32)
    yield made
    assert hooks(made) == 0


@pytest.fixture(params=tiny.EVERY)
def any_model(request: pytest.FixtureRequest) -> Iterator[LanguageModel]:
    """A tiny random model of every architecture, in float32."""
    made = _made(request.param, torch.float32)
    yield made
    assert hooks(made) == 0


@pytest.fixture(params=tiny.EVERY)
def half_model(request: pytest.FixtureRequest) -> Iterator[LanguageModel]:
    """The same in bfloat16."""
    made = _made(request.param, torch.bfloat16)
    yield made
    assert hooks(made) == 0


@cache
def _made(architecture: str, dtype: torch.dtype) -> LanguageModel:
    return wrap(tiny.network(architecture).to(dtype), tiny.tokenizer(), source=f"tiny-{architecture}")
