"""Shared fixtures: the real bundled model, and the promise that nobody leaves hooks behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.model.language_model import LanguageModel


@pytest.fixture(scope="session")
def loaded_pocket() -> LanguageModel:
    from engine.model.loading import load

    return load()


@pytest.fixture
def pocket(loaded_pocket: LanguageModel) -> Iterator[LanguageModel]:
    """The bundled model, loaded once; a test that leaves a hook on it fails."""
    yield loaded_pocket
    left = [i for i, b in enumerate(loaded_pocket.blocks) if b._forward_hooks or b._forward_pre_hooks]
    assert not left, f"hooks left on blocks {left}"
