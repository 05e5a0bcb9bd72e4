"""LoRA adapters as the package peft writes them: which model one belongs to, and merging it into that."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ModelError
from engine.model.json_file import read_json
from engine.model.memory import ran_out

if TYPE_CHECKING:
    from torch import nn

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"


def holds_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, its weights included."""
    return (folder / CONFIG).is_file() and any(folder.glob("adapter_model*"))


def base_of(folder: Path) -> str:
    """The model that the adapter in a folder was made for: a folder or a hub id.

    Raises ModelError when its settings are unreadable, when they name none, or when its weights are pickled.
    """
    try:
        settings = read_json(folder / CONFIG)
    except (OSError, ValueError) as error:
        raise _refused(folder, f"Its {CONFIG} is unreadable: {error}.", "Download it again.") from None
    base = settings.get("base_model_name_or_path") if isinstance(settings, dict) else None
    if not isinstance(base, str) or not base:
        raise _refused(
            folder,
            f"Its {CONFIG} does not say which model it belongs to.",
            "Merge it into its model with peft.",
        )
    if not (folder / WEIGHTS).is_file():
        raise _refused(
            folder,
            f"It is a LoRA adapter of {base} without {WEIGHTS}, and pickled weights are never loaded.",
            "Choose an adapter that is stored as safetensors.",
        )
    return base


def require_peft(folder: Path, base: str) -> None:
    """Raises ModelError, which names the base, where the package that merges adapters is not installed."""
    if find_spec("peft") is None:
        raise _refused(
            folder,
            f"It is a LoRA adapter of {base}, and merging it needs the package peft.",
            f"Install it with `pip install 'steering-studio[peft]'`, or choose {base} itself.",
        )


def merged(network: nn.Module, folder: Path) -> nn.Module:
    """The network with the adapter's changes added to its weights. Raises ModelError when they do not fit."""
    import peft

    model: Any = network
    try:
        return peft.PeftModel.from_pretrained(model, str(folder)).merge_and_unload(safe_merge=True)
    except Exception as error:
        if ran_out(error):
            raise
        words = " ".join((str(error).strip() or type(error).__name__).split())[:200].rstrip(".")
        raise _refused(
            folder, f"Its changes do not fit the model ({words}).", "Check that it belongs to this model."
        ) from None


def _refused(folder: Path, why: str, remedy: str) -> ModelError:
    return ModelError(f"The adapter in {folder} was not loaded", why, remedy)
