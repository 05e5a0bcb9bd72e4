"""int8 weights: the blocks' matrices held in eight bits each, by the optional package torchao."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

from torch import Tensor, nn

from engine.errors import ModelError

# torchao warns of every kernel for other machines, bitsandbytes of every matrix that it casts.
for _name in ("torchao", "torch.utils._pytree", "bitsandbytes"):
    logging.getLogger(_name).setLevel(logging.ERROR)


def can_quantise() -> bool:
    return find_spec("torchao") is not None


def int8_settings() -> Any:
    """What transformers wants to hear to load in int8; raises ModelError without torchao."""
    if not can_quantise():
        raise ModelError(
            "The model was not loaded",
            "Loading in int8 needs the package torchao.",
            "Install it with `pip install 'steering-studio[quant]'`, or use bfloat16.",
        )
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    return TorchAoConfig(Int8WeightOnlyConfig())


def quantise(network: nn.Module) -> None:
    """Holds the matrices of a loaded network's blocks in int8; the output embeddings stay as they are.

    Raises ModelError without torchao.
    """
    int8_settings()
    from torchao.quantization import Int8WeightOnlyConfig, quantize_

    net: Any = network
    output = net.get_output_embeddings()
    quantize_(
        network,
        Int8WeightOnlyConfig(),
        filter_fn=lambda module, _: isinstance(module, nn.Linear) and module is not output,
    )


def plain_tensors(weight: Tensor) -> list[Tensor]:
    """The tensors that really hold a weight: itself, or the numbers and scales of a quantised one."""
    flatten = getattr(weight, "__tensor_flatten__", None)
    if flatten is None:
        return [weight]
    names, _ = flatten()
    return [part for name in names for part in plain_tensors(getattr(weight, name))]


def held_bytes(network: nn.Module) -> int:
    """The size of a network's weights as they are held."""
    parts = [part for weight in network.parameters() for part in plain_tensors(weight.data)]
    return sum(part.numel() * part.element_size() for part in parts)
