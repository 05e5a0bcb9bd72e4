"""Fixtures of the engine's tests: one tiny Llama for the session, and proof that no hook outlives a test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from engine.heads.head import Head
from engine.model.language_model import LanguageModel
from tests.hooks import hooks
from tests.models import tiny


@pytest.fixture(scope="session")
def session_model() -> LanguageModel:
    torch.set_num_threads(1)
    return tiny.model()


@pytest.fixture
def model(session_model: LanguageModel) -> Iterator[LanguageModel]:
    """A tiny random Llama; a test that leaves a hook behind fails."""
    yield session_model
    assert hooks(session_model) == 0


@pytest.fixture
def heads(model: LanguageModel) -> tuple[Head, ...]:
    return tiny.head(model), tiny.head(model, seed=1, rank=2, blocks=(1,))
