"""Loads a language model: the bundled one, a local folder, or one from the hub."""

from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import Cancelled, EngineError, ModelError
from engine.events import Cancel, Emit, Progress, ignore
from engine.model.config import read_config
from engine.model.fit import SIZES, default_dtype, need, require_fit
from engine.model.language_model import LanguageModel, wrap
from engine.model.memory import memory_guard
from engine.model.placement import Place, can_spread, choose_place, free_at, several_gpus
from engine.model.quantised import can_quantise, int8_settings, plain_tensors
from engine.model.reading import watched
from engine.model.source import POCKET, POCKET_FOLDER, locate
from engine.model.weights import read_weights

__all__ = ["POCKET", "POCKET_FOLDER", "import_ahead", "load"]

# Under these names a vocabulary is stored.
_TOKENIZERS = ("tokenizer.json", "*.model", "vocab.*", "tekken.json", "*.tiktoken")


def load(
    source: str = POCKET,
    *,
    dtype: str | None = None,
    device: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    force: bool = False,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> LanguageModel:
    """Loads "pocket", a local folder in Hugging Face layout, or a hub model named owner/name[@revision].

    dtype: float32, bfloat16, float16 or int8; by default float32 under 1 GB of weights, else bfloat16.
    device: cpu, cuda or auto (spread over all GPUs and main memory); by default a GPU where there is one,
    all of them where one is too small. force: load it even if it does not fit into memory. Emits Progress;
    the model comes back frozen, in eval mode, with every weight checked to be finite.
    Raises ModelError (not found, unreachable, damaged, no decoder, too large) and Cancelled.
    """
    if dtype not in (None, *SIZES):
        raise ModelError(
            "The model was not loaded", f"There is no dtype {dtype}.", f"Use one of {', '.join(SIZES)}."
        )
    place = choose_place(device)
    emit(Progress("loading the model", 0, 0))
    found = locate(source, revision, code=trust_remote_code, emit=emit, cancel=cancel)
    config, weights = read_config(found.folder), read_weights(found.folder)
    kind = dtype or _default_dtype(weights.bytes, place)
    if device is None and several_gpus() and can_spread():
        place = None if need(config, weights.count, kind).total > free_at(place) else place
    if not force:
        offered = [name for name in SIZES if name != "int8" or can_quantise()]
        require_fit(found.id, config, weights.count, kind, free_at(place), offered)
    _check(cancel)
    with watched(emit, cancel):
        network, tokenizer = _read(found.folder, config, kind, place, trust_remote_code)
    _require_finite(network, kind, cancel)
    is_pocket = found.id == POCKET
    return wrap(network, tokenizer, source=found.id, revision=found.revision, is_pocket=is_pocket)


def import_ahead() -> None:
    """Imports what the bundled model needs beyond this module: about a second, once per process."""
    import transformers.models.llama.modeling_llama
    import transformers.tokenization_utils_tokenizers

    assert transformers


def _default_dtype(stored: int, place: Place) -> str:
    name = default_dtype(stored)
    if name == "bfloat16" and (place is None or place.type == "cuda") and torch.cuda.is_available():
        return name if torch.cuda.is_bf16_supported() else "float16"
    return name


def _read(
    folder: Path, config: dict[str, Any], dtype: str, place: Place, code: bool
) -> tuple[nn.Module, Any]:
    what = f"The model in {folder} was not loaded"
    if not code and not any(any(folder.glob(pattern)) for pattern in _TOKENIZERS):
        # The library would make up an empty one.
        raise ModelError(what, "It has no tokenizer.", "Fetch it again, tokenizer.json included.")
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
            "Fetch it again; if it needs code of its own, allow that for this model.",
        ) from None


def _require_complete(folder: Path, report: dict[str, Any]) -> None:
    odd = sorted(report["missing_keys"]) + sorted(str(key[0]) for key in report.get("mismatched_keys", ()))
    if odd:
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise ModelError(
            f"The model in {folder} is incomplete",
            f"It lacks {odd[0]}{more}.",
            "Fetch it again, or choose a language model.",
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
    return f"{lines[0].rstrip('.')}."


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
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    # Families with both uses look forward as well as back unless they are told that they are decoders.
    if config.get("model_type") in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.get("is_decoder"):
        raise ModelError(
            f"The model in {folder} cannot be steered",
            f"A {config['model_type']} is an encoder: it has no decoder blocks.",
            "Choose a causal language model, for instance a Llama, Qwen, Gemma or GPT.",
        )
    return AutoModelForCausalLM, AutoTokenizer


def _require_finite(network: nn.Module, dtype: str, cancel: Cancel | None) -> None:
    narrow = "Load it in bfloat16 or float32, whose range is wider; or fetch it again."
    for name, weight in network.named_parameters():
        _check(cancel)
        for part in plain_tensors(weight.data):
            if part.is_floating_point() and part.numel() and not part.is_meta:
                low, high = torch.aminmax(part)  # NaN shows in both; no copy of the weight is made
                if not bool(torch.isfinite(low) & torch.isfinite(high)):
                    raise ModelError(
                        "The model is damaged",
                        f"Its weights {name} hold values that are no numbers.",
                        narrow if dtype == "float16" else "Fetch it again.",
                    )


def _check(cancel: Cancel | None) -> None:
    if cancel is not None:
        cancel.check()
