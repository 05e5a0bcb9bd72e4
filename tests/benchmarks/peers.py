"""Other libraries' steered loops: a constant vector on every block, by their own documented way.

Each is there when it is installed (`pip install -e ".[bench]"`, `pip install --no-deps steering-vectors`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Loop = Callable[[], object]


def peers(
    network: Any, tokenizer: Any, vectors: Mapping[int, np.ndarray], ids: Tensor, tokens: int
) -> dict[str, Loop]:
    """Name -> a loop that generates `tokens` tokens after `ids`, steered by [d] vectors per block."""
    makers = {"repeng": _repeng, "steering_vectors": _steering_vectors, "nnsight": _nnsight}
    return {
        name: make(network, tokenizer, vectors, ids, tokens)
        for name, make in makers.items()
        if importlib.util.find_spec(name)
    }


def generate(network: Any, ids: Tensor, tokens: int) -> Tensor:
    """transformers' own loop, which all of them run."""
    with torch.inference_mode():
        return network.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=tokens,
            eos_token_id=None,
            do_sample=False,
            pad_token_id=0,
        )


def _repeng(
    network: Any, tokenizer: Any, vectors: Mapping[int, np.ndarray], ids: Tensor, tokens: int
) -> Loop:
    from repeng import ControlModel, ControlVector

    vector = ControlVector(model_type=network.config.model_type, directions=dict(vectors))

    def loop() -> None:
        # Wrapping exchanges the blocks, so it is undone: the other loops run the plain network.
        model = ControlModel(network, list(vectors))
        try:
            model.set_control(vector, 1.0)
            generate(model, ids, tokens)
        finally:
            model.unwrap()

    return loop


def _steering_vectors(
    network: Any, tokenizer: Any, vectors: Mapping[int, np.ndarray], ids: Tensor, tokens: int
) -> Loop:
    from steering_vectors import SteeringVector

    dtype = next(network.parameters()).dtype
    vector = SteeringVector({k: torch.from_numpy(v).to(dtype) for k, v in vectors.items()}, "decoder_block")

    def loop() -> None:
        with vector.apply(network):
            generate(network, ids, tokens)

    return loop


def _nnsight(
    network: Any, tokenizer: Any, vectors: Mapping[int, np.ndarray], ids: Tensor, tokens: int
) -> Loop:
    from nnsight import LanguageModel

    model = LanguageModel(network, tokenizer=tokenizer)
    dtype = next(network.parameters()).dtype
    added = {k: torch.from_numpy(v).to(dtype) for k, v in vectors.items()}

    def loop() -> None:
        # The tracer reads this block's source: it must stand alone in its `with`.
        with (
            torch.inference_mode(),
            model.generate(
                ids, max_new_tokens=tokens, eos_token_id=None, do_sample=False, pad_token_id=0
            ) as tracer,
        ):
            for _ in tracer.iter[:]:
                for index, vector in added.items():
                    model.model.layers[index].output = model.model.layers[index].output + vector

    return loop
