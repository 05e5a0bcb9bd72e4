"""Shared fixtures: the real bundled model, and the promise that nobody leaves hooks behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.model.language_model import LanguageModel
from tests.hooks import hooks


@pytest.fixture(scope="session")
def loaded_pocket() -> LanguageModel:
    from engine.model.loading import load

    return load()


@pytest.fixture
def pocket(loaded_pocket: LanguageModel) -> Iterator[LanguageModel]:
    """The bundled model, loaded once; a test that leaves a hook on it fails."""
    yield loaded_pocket
    assert hooks(loaded_pocket) == 0
