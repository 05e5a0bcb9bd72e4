"""Shared fixtures: the real bundled model, and the promise that nobody leaves hooks behind; processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is imported: a core for each process

import pytest

from engine.model.language_model import LanguageModel
from tests.hooks import hooks

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
