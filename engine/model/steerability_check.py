"""A trial of a model that was just loaded: whether what is done with it later is possible at all."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor

from engine.errors import EngineError, ModelError
from engine.model.blocks import hidden_of
from engine.model.language_model import LanguageModel
from engine.model.memory import memory_guard, ran_out

_TOKENS, _BEFORE, _BEHIND = 9, 4, 6  # a text, and two places in it where it is broken off and gone on from
_PADDING = 3
_ODD = 0.25  # of the logits' own size; rounding is far below, a forgotten text far above


def require_steerable(model: LanguageModel) -> None:
    """Runs a few tokens, as whole and, where blocks carry a state on, in parts and padded.

    Raises ModelError when the run fails, a network's own kind of cache being the usual cause, when a block
    puts out something else than the residual stream [rows, T, d], and when parts or padding give other
    logits: then neither could an answer go on nor several be computed together.
    """
    with memory_guard(
        "The model was not loaded",
        "Memory ran out at its first tokens.",
        "Close other programs, or choose a smaller model.",
    ):
        try:
            with torch.inference_mode():
                _try(model)
        except EngineError:
            raise
        except Exception as error:  # networks with code of their own may raise anything
            if ran_out(error):
                raise
            words = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise _refused(f"A few tokens on trial ended in an error ({words.rstrip('.')}).") from None


def recurrent(cache: Any) -> bool:
    """Whether some of its layers keep a state instead of the keys and values of every token."""
    from transformers.cache_utils import LinearAttentionCacheLayerMixin

    return any(isinstance(layer, LinearAttentionCacheLayerMixin) for layer in cache.layers)


def _try(model: LanguageModel) -> None:
    ids = torch.arange(1, _TOKENS + 1, device=model.device) * 7919 % model.vocabulary  # not the special ones
    seen: list[Any] = []
    with ExitStack() as stack:
        for module in (*model.blocks, model.trunk):
            stack.callback(module.register_forward_hook(lambda *call: seen.append(call[2])).remove)
        whole = _logits(model, ids.unsqueeze(0), _cache(model))
    shape = 1, _TOKENS, model.width
    shapes = [getattr(hidden_of(output), "shape", None) for output in seen[:-1]]
    if shapes != [shape] * len(model.blocks) or not hasattr(seen[-1], "last_hidden_state"):
        raise _refused("Its blocks do not hand the residual stream from one to the next.")
    if recurrent(_cache(model)):
        _require_alike(whole, _in_parts(model, ids), "when a text is gone on from")
        _require_alike(whole, _padded(model, ids), "beside a longer text")


def _in_parts(model: LanguageModel, ids: Tensor) -> dict[int, Tensor]:
    """Logits [V] by the place of their token: of a start, of what follows at once, of single tokens."""
    cache, row = _cache(model), ids.unsqueeze(0)
    places = [_BEFORE, _BEHIND, *range(_BEHIND + 1, _TOKENS + 1)]
    found = {}
    for start, stop in zip([0, *places], places):
        found[stop - 1] = _logits(model, row[:, start:stop], cache)[0, -1]
    return found


def _padded(model: LanguageModel, ids: Tensor) -> dict[int, Tensor]:
    """The same of the text's first tokens behind a padding, in one batch with all of it."""
    width = _TOKENS - 1
    short = torch.cat([ids[:1].expand(_PADDING), ids[: _TOKENS - _PADDING]])
    rows = torch.stack([ids, short])
    shift = torch.tensor([[0], [_PADDING]], device=ids.device)
    columns = torch.arange(_TOKENS, device=ids.device)
    mask, positions = (columns >= shift).long(), (columns - shift).clamp_min(0)
    cache, found = _cache(model), {}
    for start, stop in ((0, width), (width, _TOKENS)):
        part = slice(None), slice(start, stop)
        logits = _logits(
            model, rows[part], cache, attention_mask=mask[:, :stop], position_ids=positions[part]
        )
        found[stop - 1 - _PADDING] = logits[1, -1]
    return found


def _require_alike(whole: Tensor, found: dict[int, Tensor], when: str) -> None:
    for place, logits in found.items():
        own = whole[0, place].float()
        odd = (logits.float() - own).norm() / (own - own.mean()).norm().clamp_min(1e-9)
        if odd > _ODD:
            raise _refused(f"It computes something else {when}.")


def _logits(model: LanguageModel, ids: Tensor, cache: Any, **extra: Any) -> Tensor:
    cached = {model.cache_argument: cache}
    return model.network(input_ids=ids, use_cache=True, **cached, **extra).logits


def _cache(model: LanguageModel) -> Any:
    from transformers.cache_utils import DynamicCache

    return DynamicCache(config=model.network.config)


def _refused(why: str) -> ModelError:
    return ModelError(
        "This model cannot be steered",
        why,
        "Choose a decoder-only language model, for instance a Llama, Qwen, Gemma or GPT.",
    )
