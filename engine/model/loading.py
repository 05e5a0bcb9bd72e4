"""Loads a language model: the bundled one, a local folder, or one from the hub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from engine.errors import ModelError
from engine.events import Cancel, Emit, Progress, ignore
from engine.model.config import read_config
from engine.model.identity import POCKET
from engine.model.language_model import LanguageModel, wrap
from engine.model.load_progress import watched
from engine.model.memory_fit import SIZES, default_dtype, need, require_fit
from engine.model.network import read_network, require_finite
from engine.model.placement import Place, can_spread, choose_place, free_at, held_at, several_gpus
from engine.model.quantised import can_quantise
from engine.model.source import POCKET_FOLDER, Located, locate
from engine.model.steerability_check import require_steerable
from engine.model.weights import read_weights

__all__ = ["POCKET", "POCKET_FOLDER", "LocatedModel", "find", "import_ahead", "load"]


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
    found = find(
        source,
        dtype=dtype,
        device=device,
        revision=revision,
        trust_remote_code=trust_remote_code,
        force=force,
        emit=emit,
        cancel=cancel,
    )
    return found.load(emit, cancel)


@dataclass(frozen=True)
class LocatedModel:
    """A model that is on this machine, sound as far as headers tell, and known to fit; only its weights are
    not yet read. dtype and place: what it will run in, and where; code: whether code of its own may run."""

    located: Located
    config: dict[str, Any]
    dtype: str
    place: Place
    code: bool

    def load(self, emit: Emit = ignore, cancel: Cancel | None = None) -> LanguageModel:
        """Reads it. Raises ModelError (damaged, out of memory) and Cancelled."""
        if cancel is not None:
            cancel.check()
        emit(Progress("loading the model", 0, 0))
        with watched(emit, cancel):
            network, tokenizer = read_network(
                self.located.folder, self.config, self.dtype, self.place, self.code
            )
        require_finite(network, self.dtype, cancel)
        name, revision = self.located.id, self.located.revision
        model = wrap(network, tokenizer, source=name, revision=revision)
        require_steerable(model)
        return model


def find(
    source: str,
    *,
    dtype: str | None = None,
    device: str | None = None,
    revision: str | None = None,
    trust_remote_code: bool = False,
    force: bool = False,
    instead_of: LanguageModel | None = None,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> LocatedModel:
    """All of `load` but the reading of the weights: fetches what is missing, looks at it, and makes sure that
    it fits. instead_of: a loaded model whose memory is given back before this one is read.
    """
    if dtype not in (None, *SIZES):
        raise ModelError(
            "The model was not loaded", f"There is no dtype {dtype}.", f"Use one of {', '.join(SIZES)}."
        )
    place = choose_place(device)
    emit(Progress("loading the model", 0, 0))
    located = locate(source, revision, code=trust_remote_code, emit=emit, cancel=cancel)
    config, weights = read_config(located.folder), read_weights(located.folder)
    kind = dtype or _default_dtype(weights.bytes, place)
    if device is None and several_gpus() and can_spread():
        place = None if need(config, weights.count, kind).total > free_at(place) else place
    if not force:
        offered = [name for name in SIZES if name != "int8" or can_quantise()]
        free = free_at(place) + (held_at(place, instead_of) if instead_of is not None else 0)
        require_fit(located.id, config, weights.count, kind, free, offered)
    return LocatedModel(located, config, kind, place, trust_remote_code)


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
