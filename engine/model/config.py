"""A model folder's config.json: read, and refused where it describes nothing that can be steered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.errors import ModelError


def read_config(folder: Path) -> dict[str, Any]:
    """The settings. Raises ModelError for none, unreadable ones, and those of no decoder-only model."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        why = (
            "It has no config.json."
            if isinstance(error, FileNotFoundError)
            else f"Its config.json is unreadable: {error}."
        )
        raise _nothing(folder, why, "Choose a folder in the Hugging Face layout.") from None
    if not isinstance(config, dict):
        raise _nothing(folder, "Its config.json holds no settings.", "Download it again.")
    require_decoder(config, f"The model in {folder}")
    return config


def require_decoder(config: dict[str, Any], name: str) -> None:
    """Raises ModelError when the settings are those of an encoder or an encoder-decoder."""
    names = config.get("architectures") or []
    if config.get("is_encoder_decoder") or (names and not any(_generates(name) for name in names)):
        raise ModelError(
            f"{name} cannot be steered",
            f"{names[0] if names else 'It'} is not a decoder-only language model.",
            "Choose a causal language model, for instance a Llama, Qwen, Gemma or GPT.",
        )


def _generates(architecture: str) -> bool:
    return architecture.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"))


def _nothing(folder: Path, why: str, remedy: str) -> ModelError:
    return ModelError(f"The folder {folder} holds no model", why, remedy)
