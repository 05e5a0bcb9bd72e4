"""Options that name a model, and its loading: shared by several commands."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from engine.cli.terminal_progress import progress_bar

if TYPE_CHECKING:
    from engine.model.language_model import LanguageModel


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Adds --model, --dtype, --device, --force and --trust-remote-code."""
    group = parser.add_argument_group("model")
    group.add_argument(
        "--model",
        default="pocket",
        help="pocket, a model folder, a GGUF file, or a hub id, owner/name or owner/name@revision; "
        "#NAME behind it chooses one of several chat templates (default: pocket)",
    )
    group.add_argument(
        "--dtype",
        help="float32, bfloat16, float16 or int8 (default: float32 under 1 GB of weights, else bfloat16)",
    )
    group.add_argument(
        "--device",
        help="cpu, cuda, cuda:1, mps (an Apple GPU), or auto: spread over all GPUs "
        "(default: a GPU where there is one)",
    )
    group.add_argument("--force", action="store_true", help="load it even if it does not fit into memory")
    group.add_argument(
        "--trust-remote-code", action="store_true", help="run the Python code that comes with the model"
    )


def load_model(options: argparse.Namespace) -> LanguageModel:
    """The model that the options name, with a progress bar.

    Raises:
        ModelError: when it cannot be found or loaded.
    """
    from engine.model.loading import load

    with progress_bar() as emit:
        return load(
            options.model,
            dtype=options.dtype,
            device=options.device,
            trust_remote_code=options.trust_remote_code,
            force=options.force,
            emit=emit,
        )
