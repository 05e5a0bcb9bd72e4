"""From a model's files to its network and tokenizer, by transformers' own loading; damage is named."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from engine.errors import Cancelled, EngineError, ModelError
from engine.events import Cancel, Emit
from engine.model.gguf_file import GgufModel
from engine.model.gguf_network import gguf_config, gguf_network, gguf_tokenizer
from engine.model.json_file import read_json
from engine.model.library_folder import library_folder
from engine.model.memory import memory_guard
from engine.model.placement import Place
from engine.model.prequantised import quantisation_of
from engine.model.quantised import int8_settings, plain_tensors, quantise
from engine.model.template_choice import settle_template
from engine.model.weights import Weights

# Under these names a vocabulary is stored.
_TOKENIZERS = ("tokenizer.json", "*.model", "vocab.*", "tekken.json", "*.tiktoken")
_NO_BACKEND = "Couldn't instantiate the backend tokenizer"  # transformers' own words, a list behind them


def read_network(
    folder: Path,
    config: dict[str, Any],
    weights: Weights,
    dtype: str,
    place: Place,
    code: bool,
    template: str | None = None,
) -> tuple[nn.Module, Any]:
    """The network of a folder in its place, and its tokenizer.

    config and weights: what the folder's config.json and the headers of its files say; code: whether code of
    its own may run; template: the name of the chat template, where it has several.
    Raises ModelError for what cannot be read whole.
    """
    what = f"The model in {folder} was not loaded"
    if not code and not any(any(folder.glob(pattern)) for pattern in _TOKENIZERS):
        # The library would make up an empty one.
        raise ModelError(what, "It has no tokenizer.", "Download it again, tokenizer.json included.")
    settings: dict[str, Any] = {"dtype": torch.bfloat16 if dtype == "int8" else getattr(torch, dtype)}
    stored = quantisation_of(config)
    if dtype == "int8":
        settings["quantization_config"] = int8_settings()
    if place is None:
        settings["device_map"] = "auto"
    elif stored is not None:
        settings["device_map"] = {"": place}  # packed weights cannot be moved later
    with _reading(what, lambda: _damaged_settings(folder)), library_folder(folder, weights) as readable:
        network_class, tokenizer_class = _classes(folder, config)
        tokenizer = tokenizer_class.from_pretrained(readable, trust_remote_code=code)
        if not tokenizer("a", add_special_tokens=False).input_ids:
            raise _no_vocabulary(what)  # the library made up an empty one
        settle_template(tokenizer, folder, template)
        network, report = network_class.from_pretrained(
            readable, use_safetensors=True, trust_remote_code=code, output_loading_info=True, **settings
        )
        _require_complete(f"The model in {folder}", report)
        return network if place is None or stored is not None else network.to(place), tokenizer


def read_gguf(
    model: GgufModel,
    dtype: str,
    place: Place,
    template: str | None,
    emit: Emit,
    cancel: Cancel | None,
) -> tuple[nn.Module, Any]:
    """The network of a GGUF file, its weights dequantised to `dtype`, and its tokenizer.

    Raises ModelError for what cannot be read whole, and Cancelled.
    """
    path = model.path
    kind = torch.bfloat16 if dtype == "int8" else getattr(torch, dtype)
    with _reading(f"The file {path} was not loaded", lambda: None):
        tokenizer = gguf_tokenizer(path)
        settle_template(tokenizer, path.parent, template)
        network, report = gguf_network(path, gguf_config(path), kind, place, emit, cancel)
        _require_complete(f"The file {path}", report)
        if model.end_ids:
            settings: Any = network.generation_config
            settings.eos_token_id = list(model.end_ids)
        if dtype == "int8":
            quantise(network)
        return network if place is None else network.to(place), tokenizer


def own_tokenizer(folder: Path) -> Any:
    """The tokenizer that an adapter's folder holds, None where it holds none."""
    if not (folder / "tokenizer.json").is_file():
        return None
    from transformers.tokenization_utils_tokenizers import PreTrainedTokenizerFast

    with _reading(f"The adapter in {folder} was not loaded", lambda: _damaged_settings(folder)):
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
        settle_template(tokenizer, folder, None)
        return tokenizer


@contextmanager
def _reading(what: str, damage: Callable[[], str | None]) -> Iterator[None]:
    """Within it whatever transformers stumbles over is a ModelError; damage: finds the cause in the files."""
    from transformers.utils import logging

    logging.set_verbosity_error()  # what it advises on kernels and settings is nothing to be done about here
    try:
        with memory_guard(
            what,
            "There is not enough memory for its weights.",
            "Close other programs, choose bfloat16, or choose a smaller model.",
        ):
            yield
    except (EngineError, Cancelled):
        raise
    except Exception as error:  # noqa: BLE001  a damaged folder can raise anything
        traceback.clear_frames(error.__traceback__)  # they hold what was loaded so far
        words = str(error)
        if words.startswith(_NO_BACKEND):
            raise _no_vocabulary(what) from None
        raise ModelError(
            what,
            damage() or _words(error),
            "Download it again; if it needs code of its own, allow that for this model.",
        ) from None


def _no_vocabulary(what: str) -> ModelError:
    return ModelError(
        what,
        "Its tokenizer cannot be read without tokenizer.json or the package that it was made with.",
        "Download tokenizer.json of the same model, or install sentencepiece and tiktoken.",
    )


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


def _require_complete(what: str, report: dict[str, Any]) -> None:
    odd = sorted(report["missing_keys"]) + sorted(str(key[0]) for key in report.get("mismatched_keys", ()))
    if odd:
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise ModelError(
            f"{what} is incomplete",
            f"It lacks {odd[0]}{more}.",
            "Download it again, or choose a language model.",
        )


def _damaged_settings(folder: Path) -> str | None:
    """Which of the folder's settings cannot be read, if any: the usual cause when a tokenizer fails."""
    for file in sorted(folder.glob("*.json")):
        try:
            read_json(file)
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
    if kind not in CONFIG_MAPPING_NAMES and "auto_map" not in config:
        raise ModelError(
            f"The model in {folder} was not loaded",
            f"transformers {version('transformers')} knows no architecture called {kind}.",
            "Update transformers, or choose a model of another family.",
        )
    other = kind in CONFIG_MAPPING_NAMES and kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    if other and "auto_map" not in config:
        raise ModelError(
            f"The model in {folder} cannot be steered",
            f"transformers knows {kind}, but not as a causal language model.",
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
