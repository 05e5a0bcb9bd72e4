"""Loads a language model: the bundled one, a local folder, or one from the hub."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

import assets
from engine.errors import EngineError, ModelError
from engine.events import Cancel, Emit, Meter, ignore
from engine.model.hub import fetch, is_hub_id
from engine.model.language_model import LanguageModel, wrap

POCKET = "pocket"
POCKET_FOLDER = Path(assets.__file__).parent / "pocket"
SMALL = 1 << 30  # bytes of weights; smaller models run in float32

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
_DEVICES = ("cpu", "cuda")


def load(
    source: str = POCKET,
    *,
    dtype: str | None = None,
    device: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> LanguageModel:
    """Loads "pocket", a local folder in Hugging Face layout, or a hub model named owner/name.

    dtype: float32, bfloat16 or float16; by default float32 under 1 GB of weights, else bfloat16.
    device: cpu or cuda; by default cuda where there is one. Emits Progress; the model comes back frozen,
    in eval mode, with every weight checked to be finite.
    Raises ModelError (not found, unreachable, damaged, no decoder, too large) and Cancelled.
    """
    if dtype not in (None, *_DTYPES):
        raise ModelError(
            "The model was not loaded", f"There is no dtype {dtype}.", f"Use one of {', '.join(_DTYPES)}."
        )
    place = _device(device)
    meter = Meter(emit, "loading the model", 3)
    folder, commit = _locate(source, revision, trust_remote_code, emit, cancel)
    config = _read_config(folder)
    meter.step()
    _check(cancel)
    kind = _DTYPES[dtype] if dtype else _default_dtype(folder, place)
    network, tokenizer = _read(folder, config, kind, place, trust_remote_code)
    meter.step()
    _check(cancel)
    _require_finite(network)
    model = wrap(network, tokenizer, source=source, revision=commit, is_pocket=source == POCKET)
    meter.step()
    return model


def _locate(
    source: str, revision: str | None, code: bool, emit: Emit, cancel: Cancel | None
) -> tuple[Path, str | None]:
    if source == POCKET:
        return POCKET_FOLDER, None
    folder = Path(source).expanduser()
    if folder.is_dir():
        return folder, None
    if is_hub_id(source):
        return fetch(source, revision, code=code, emit=emit, cancel=cancel)
    raise ModelError(
        f"The model {source} was not found",
        "It is neither a folder nor a hub id.",
        'Give "pocket", the path of a model folder, or owner/name.',
    )


def _read_config(folder: Path) -> dict[str, Any]:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = (
            "It has no config.json."
            if isinstance(error, FileNotFoundError)
            else f"Its config.json is unreadable: {error}."
        )
        raise ModelError(
            f"The folder {folder} holds no model", why, "Choose a folder in the Hugging Face layout."
        ) from None
    if not isinstance(config, dict):
        raise ModelError(
            f"The folder {folder} holds no model", "Its config.json holds no settings.", "Fetch it again."
        )
    names = config.get("architectures") or []
    if config.get("is_encoder_decoder") or (names and not any(_generates(name) for name in names)):
        raise ModelError(
            f"The model in {folder} cannot be steered",
            f"{names[0] if names else 'It'} is not a decoder-only language model.",
            "Choose a causal language model, for instance a Llama, Qwen, Gemma or GPT.",
        )
    return config


def _generates(architecture: str) -> bool:
    return architecture.endswith(("ForCausalLM", "LMHeadModel", "ForConditionalGeneration"))


def _device(name: str | None) -> torch.device:
    if name not in (None, *_DEVICES):
        raise ModelError("The model was not loaded", f"There is no device {name}.", "Use cpu or cuda.")
    usable = torch.cuda.is_available()
    if name == "cuda" and not usable:
        raise ModelError(
            "The model was not loaded", "This machine offers no usable GPU.", "Use the device cpu."
        )
    return torch.device(name or ("cuda" if usable else "cpu"))


def _default_dtype(folder: Path, device: torch.device) -> torch.dtype:
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    if size < SMALL:
        return torch.float32
    half = torch.float16 if device.type == "cuda" and not torch.cuda.is_bf16_supported() else torch.bfloat16
    return half


def _read(
    folder: Path, config: dict[str, Any], dtype: torch.dtype, device: torch.device, code: bool
) -> tuple[nn.Module, Any]:
    if not any(folder.glob("*.safetensors")):
        raise ModelError(
            f"The model in {folder} was not loaded",
            "It has no safetensors weights, and pickled ones are never read.",
            "Choose a model that is stored as safetensors.",
        )
    try:
        network_class, tokenizer_class = _classes(folder, config)
        _quiet()
        tokenizer = tokenizer_class.from_pretrained(folder, trust_remote_code=code)
        network, report = network_class.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, trust_remote_code=code, output_loading_info=True
        )
        missing = sorted(report["missing_keys"])
        if missing:
            raise ModelError(
                f"The model in {folder} is incomplete",
                f"It lacks {missing[0]} and {len(missing) - 1} more.",
                "Fetch it again, or choose a language model.",
            )
        return network.to(device), tokenizer
    except EngineError:
        raise
    except (torch.OutOfMemoryError, MemoryError):
        raise ModelError(
            f"The model in {folder} was not loaded",
            "There is not enough memory for its weights.",
            "Close other programs, choose bfloat16, or choose a smaller model.",
        ) from None
    except Exception as error:
        words = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ModelError(
            f"The model in {folder} was not loaded",
            f"{words.rstrip('.')}.",
            "Fetch it again; if it needs code of its own, allow that for this model.",
        ) from error


def _classes(folder: Path, config: dict[str, Any]) -> tuple[Any, Any]:
    """The network's and the tokenizer's class.

    The auto classes import half of the library (two seconds), so a Llama, the bundled model's kind, is
    taken from its own module.
    """
    if (
        config.get("model_type") == "llama"
        and (folder / "tokenizer.json").is_file()
        and "auto_map" not in config
    ):
        from transformers.models.llama.modeling_llama import LlamaForCausalLM
        from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

        return LlamaForCausalLM, PreTrainedTokenizerFast
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM, AutoTokenizer


def _quiet() -> None:
    """Progress is told in events: the library's own bars would write across the terminal."""
    from transformers.utils import logging

    logging.disable_progress_bar()


def _require_finite(network: nn.Module) -> None:
    for name, weight in network.named_parameters():
        if weight.is_floating_point() and weight.numel():
            low, high = torch.aminmax(weight.detach())  # NaN shows in both; no copy of the weight is made
            if not bool(torch.isfinite(low) & torch.isfinite(high)):
                raise ModelError(
                    "The model is damaged",
                    f"Its weights {name} hold values that are no numbers.",
                    "Fetch it again.",
                )


def _check(cancel: Cancel | None) -> None:
    if cancel is not None:
        cancel.check()
