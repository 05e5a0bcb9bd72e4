"""From a model's folder to its network and tokenizer, by transformers' own loading; damage is told."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import Cancelled, EngineError, ModelError
from engine.events import Cancel
from engine.model.memory import memory_guard
from engine.model.placement import Place
from engine.model.quantised import int8_settings, plain_tensors

# Under these names a vocabulary is stored.
_TOKENIZERS = ("tokenizer.json", "*.model", "vocab.*", "tekken.json", "*.tiktoken")


def read_network(
    folder: Path, config: dict[str, Any], dtype: str, place: Place, code: bool
) -> tuple[nn.Module, Any]:
    """The network in its place, and its tokenizer. Raises ModelError for what cannot be read whole."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # what it advises on kernels and settings is nothing to be done about here
    what = f"The model in {folder} was not loaded"
    if not code and not any(any(folder.glob(pattern)) for pattern in _TOKENIZERS):
        # The library would make up an empty one.
        raise ModelError(what, "It has no tokenizer.", "Download it again, tokenizer.json included.")
    settings: dict[str, Any] = {"dtype": torch.bfloat16 if dtype == "int8" else getattr(torch, dtype)}
    if dtype == "int8":
        settings["quantization_config"] = int8_settings()
    if place is None:
        settings["device_map"] = "auto"
    try:
        with memory_guard(
            what,
            "There is not enough memory for its weights.",
            "Close other programs, choose bfloat16, or choose a smaller model.",
        ):
            network_class, tokenizer_class = _classes(folder, config)
            tokenizer = tokenizer_class.from_pretrained(folder, trust_remote_code=code)
            network, report = network_class.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=code, output_loading_info=True, **settings
            )
            _require_complete(folder, report)
            return network if place is None else network.to(place), tokenizer
    except (EngineError, Cancelled):
        raise
    except Exception as error:  # noqa: BLE001  a damaged folder can raise anything
        traceback.clear_frames(error.__traceback__)  # they hold what was loaded so far
        raise ModelError(
            what,
            _damaged_settings(folder) or _words(error),
            "Download it again; if it needs code of its own, allow that for this model.",
        ) from None


def require_finite(network: nn.Module, dtype: str, cancel: Cancel | None) -> None:
    """Raises ModelError when a weight holds NaN or infinite values, and Cancelled."""
    narrow = "Load it in bfloat16 or float32, whose range is wider; or fetch it again."
    for name, weight in network.named_parameters():
        if cancel is not None:
            cancel.check()
        for part in plain_tensors(weight.data):
            if part.is_floating_point() and part.numel() and not part.is_meta:
                low, high = torch.aminmax(part)  # NaN shows in both; no copy of the weight is made
                if not bool(torch.isfinite(low) & torch.isfinite(high)):
                    raise ModelError(
                        "The model is damaged",
                        f"Its weights {name} hold NaN or infinite values.",
                        narrow if dtype == "float16" else "Download it again.",
                    )


def _require_complete(folder: Path, report: dict[str, Any]) -> None:
    odd = sorted(report["missing_keys"]) + sorted(str(key[0]) for key in report.get("mismatched_keys", ()))
    if odd:
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise ModelError(
            f"The model in {folder} is incomplete",
            f"It lacks {odd[0]}{more}.",
            "Download it again, or choose a language model.",
        )


def _damaged_settings(folder: Path) -> str | None:
    """Which of the folder's settings cannot be read, if any: the usual cause when a tokenizer fails."""
    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_text(encoding="utf-8"))
        except ValueError:
            return f"Its file {file.name} is damaged."
    return None


def _words(error: Exception) -> str:
    lines = (str(error).strip() or type(error).__name__).splitlines()
    words = " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]  # a heading says nothing
    return f"{' '.join(words.split()).rstrip('.')}."


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
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
        MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    )

    kind = config.get("model_type")
    other = kind in CONFIG_MAPPING_NAMES and kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    if other and "auto_map" not in config:
        raise ModelError(
            f"The model in {folder} cannot be steered",
            f"The library knows a {kind}, but as no causal language model.",
            "Choose a causal language model, for instance a Llama, Qwen, Gemma or GPT.",
        )
    # Families with both uses look forward as well as back unless they are told that they are decoders.
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.get("is_decoder"):
        raise ModelError(
            f"The model in {folder} cannot be steered",
            f"A {kind} is an encoder: it has no decoder blocks.",
            "Choose a causal language model, for instance a Llama, Qwen, Gemma or GPT.",
        )
    return AutoModelForCausalLM, AutoTokenizer
