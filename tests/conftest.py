"""Shared fixtures: the bundled model, real ones, the promise that no hook stays; processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported: a core for each process

import pytest

from engine.model.language_model import LanguageModel
from tests.hooks import hooks
from tests.models import real

MOST_PROCESSES = 4  # each holds torch, Qt and a model or two, about 1 GB


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """For `-n auto`, which pyproject.toml sets: a process per core for folders of tests; for single files
    none, as starting one takes longer than it saves.
    """
    if not any(Path(arg).is_dir() for arg in config.args):
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_PROCESSES)


@pytest.fixture(scope="session")
def loaded_pocket() -> LanguageModel:
    from engine.model.loading import load

    return load()


@pytest.fixture
def pocket(loaded_pocket: LanguageModel) -> Iterator[LanguageModel]:
    """The bundled model, loaded once; a test that leaves a hook on it fails."""
    yield loaded_pocket
    assert hooks(loaded_pocket) == 0


@pytest.fixture(scope="session")
def smollm2_file() -> Path:
    """SmolLM2-135M-Instruct as a GGUF file. Tests that ask for it carry the mark `real`."""
    return real.bring(real.SMOLLM2)


@pytest.fixture(scope="session")
def gemma3_file() -> Path:
    """Gemma 3 270M, a base model without a chat template, as a GGUF file."""
    return real.bring(real.GEMMA3)


@pytest.fixture(scope="session")
def loaded_smollm2(smollm2_file: Path) -> LanguageModel:
    """SmolLM2-135M-Instruct in float32, loaded once."""
    from engine.model.loading import load

    return load(str(smollm2_file), device="cpu")


@pytest.fixture
def smollm2(loaded_smollm2: LanguageModel) -> Iterator[LanguageModel]:
    """The same; a test that leaves a hook on it fails."""
    yield loaded_smollm2
    assert hooks(loaded_smollm2) == 0
