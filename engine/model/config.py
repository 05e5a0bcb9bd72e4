"""A model folder's config.json: read, and refused where it describes nothing that can be steered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.model.json_file import read_json


def read_config(folder: Path) -> dict[str, Any]:
    """The settings. Raises ModelError for none, unreadable ones, and those of no decoder-only model."""
    try:
        config = read_json(folder / "config.json")
    except (OSError, ValueError) as error:
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
    """Raises ModelError when the settings are those of an encoder or an encoder-decoder, or make no sense."""
    names = config.get("architectures") or []
    if not isinstance(names, list) or not all(isinstance(entry, str) for entry in names):
        raise _senseless(name, "architectures", "a list of names")
    for key in ("text_config", "quantization_config"):
        if not isinstance(config.get(key) or {}, dict):
            raise _senseless(name, key, "a group of settings")
    if config.get("is_encoder_decoder") or (names and not any(_generates(entry) for entry in names)):
        raise ModelError(
            f"{name} cannot be steered",
            f"{names[0] if names else 'It'} is not a decoder-only language model.",
            "Choose a causal language model, for instance a Llama, Qwen, Gemma or GPT.",
        )


def text_settings(config: dict[str, Any]) -> dict[str, Any]:
    """The settings of the language model, which in a model of pictures and text are a part of all."""
    return config.get("text_config") or config


def _generates(architecture: str) -> bool:
    return architecture.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"))


def _senseless(name: str, key: str, expected: str) -> ModelError:
    return ModelError(
        f"{name} was not loaded", f"In its config.json {key} is not {expected}.", "Download that file again."
    )


def _nothing(folder: Path, why: str, remedy: str) -> ModelError:
    return ModelError(f"The folder {folder} holds no model", why, remedy)
