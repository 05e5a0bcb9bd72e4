"""Loads a language model: the bundled one, a folder, a GGUF file, or one from the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from engine.errors import ModelError
from engine.events import Cancel, Emit, Progress, ignore
from engine.model.adapter import merged
from engine.model.config import read_config
from engine.model.gguf_file import GgufModel, read_gguf_header
from engine.model.language_model import LanguageModel, wrap
from engine.model.load_progress import watched
from engine.model.memory_fit import SIZES, need, require_fit
from engine.model.network import own_tokenizer, read_gguf, read_network, require_finite
from engine.model.placement import (
    Place,
    can_spread,
    choose_place,
    default_dtype_at,
    free_at,
    held_at,
    several_gpus,
)
from engine.model.prequantised import quantisation_of, require_reader, values_of
from engine.model.quantised import can_quantise
from engine.model.source import POCKET, POCKET_FOLDER, Located, locate
from engine.model.steerability_check import require_steerable
from engine.model.template_choice import require_template
from engine.model.weights import Weights, read_weights

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
    """Loads a language model: frozen, in eval mode, with every weight checked to be finite.

    source: "pocket", a folder or a file of one, a GGUF file, or a hub model, owner/name[@revision].
    dtype: float32, bfloat16, float16 or int8; by default float32 under 1 GB of weights, else bfloat16.
    device: cpu, cuda, cuda:1, mps, or auto, which is all GPUs and main memory; by default a GPU if there is
    one, all of them where one is too small.
    revision: a hub model's branch, tag or commit.
    trust_remote_code: run the Python code that comes with the model.
    force: load it even if it does not fit into memory.
    emit: gets Progress by the tensor, Download by the chunk. cancel: ends it between two of them.
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
    not yet read.

    config: its settings; weights: what its files hold, a GGUF file's facts where it is one; dtype and
    place: what it will run in, and where; code: whether code of its own may run.
    """

    located: Located
    config: dict[str, Any]
    weights: Weights | GgufModel
    dtype: str
    place: Place
    code: bool

    def load(self, emit: Emit = ignore, cancel: Cancel | None = None) -> LanguageModel:
        """Reads it. Raises ModelError (damaged, out of memory) and Cancelled."""
        if cancel is not None:
            cancel.check()
        emit(Progress("loading the model", 0, 0))
        # Of a GGUF file dequantising is the work, and what follows is over at once.
        with watched(emit if self.located.file is None else ignore, cancel):
            network, tokenizer = self._read(emit, cancel)
        require_finite(network, self.dtype, cancel)
        name, revision = self.located.id, self.located.revision
        model = wrap(network, tokenizer, source=name, name=_name(self.located), revision=revision)
        require_steerable(model)
        return model

    def _read(self, emit: Emit, cancel: Cancel | None) -> tuple[nn.Module, Any]:
        found = self.located
        if isinstance(self.weights, GgufModel):
            network, tokenizer = read_gguf(self.weights, self.dtype, self.place, found.template, emit, cancel)
        else:
            network, tokenizer = read_network(
                found.folder, self.config, self.weights, self.dtype, self.place, self.code, found.template
            )
        if found.adapter is None:
            return network, tokenizer
        return merged(network, found.adapter), own_tokenizer(found.adapter) or tokenizer


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
    weights: Weights | GgufModel
    if located.file is not None:
        from engine.model.gguf_network import require_readable

        weights = read_gguf_header(located.file)
        require_readable(weights)
        config, count, stored = weights.config, weights.count, weights.count * SIZES["bfloat16"]
    else:
        config, weights = read_config(located.folder), read_weights(located.folder)
        require_reader(config, f"The model in {located.folder}", dtype)
        require_template(located.folder, located.template)
        kind = dtype or "bfloat16"
        count, stored = values_of(config, weights.bytes, weights.count, SIZES[kind]), weights.bytes
    kind = dtype or default_dtype_at(place, stored, quantisation_of(config) is not None)
    if device is None and several_gpus() and can_spread():
        place = None if need(config, count, kind).total > free_at(place) else place
    if not force:
        offered = [name for name in SIZES if name != "int8" or can_quantise()]
        free = free_at(place) + (held_at(place, instead_of) if instead_of is not None else 0)
        require_fit(located.id, config, count, kind, free, offered)
    return LocatedModel(located, config, weights, kind, place, trust_remote_code)


def import_ahead() -> None:
    """Imports what the bundled model needs beyond this module: about a second, once per process."""
    import transformers.models.llama.modeling_llama
    import transformers.tokenization_utils_tokenizers

    assert transformers


def _name(located: Located) -> str | None:
    """What a file or the folder of a hub cache is called; None: what the source says."""
    if located.file is not None:
        return located.file.stem
    hub = Path(located.id).name if located.revision is None else ""
    return hub.rpartition("--")[2] if hub.startswith("models--") else None
