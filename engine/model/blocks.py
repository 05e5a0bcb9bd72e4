"""The decoder blocks of a network, found by structure, and the hidden state in what a block returns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from engine.errors import ModelError


def find_blocks(network: nn.Module) -> list[nn.Module]:
    """The decoder blocks, first to last.

    They are the nn.ModuleList on the trunk with as many items as the configuration has hidden layers, all of
    one class where any such list is; of several the one nearest to the root, since lists inside a block
    (experts, say) lie deeper. No class names are involved.
    Raises ModelError for encoders, encoder-decoders and anything else without such a list.
    """
    return list(network.get_submodule(_place(network)))  # type: ignore[call-overload]


def find_trunk(network: nn.Module) -> nn.Module:
    """The module that the blocks belong to: token ids in, the states after the final norm out.

    Not the library's base model, which some networks pass by, an OPT for instance, and some have none of.
    """
    return network.get_submodule(_place(network).rpartition(".")[0])


def _place(network: nn.Module) -> str:
    """The path of the list of blocks."""
    config = _text_config(network)
    if getattr(config, "is_encoder_decoder", False):
        raise _no_blocks("It is an encoder-decoder")
    count = getattr(config, "num_hidden_layers", None)
    lists = [
        (path, module)
        for path, module in network.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) and count in (None, len(module))
    ]
    if not lists:
        raise _no_blocks("It has no list of decoder blocks")

    def unlikely(entry: tuple[str, nn.ModuleList]) -> tuple[int, bool, int]:
        path, module = entry
        return -len(module), len({type(item) for item in module}) > 1, path.count(".")

    return min(lists, key=unlikely)[0]


def hidden_of(output: Any) -> Tensor:
    """The hidden state [rows, tokens, d] in a block's output, a tensor or a tuple that starts with it."""
    return output[0] if isinstance(output, tuple) else output


def replace_hidden(output: Any, hidden: Tensor) -> Any:
    """The same output with another hidden state."""
    return (hidden, *output[1:]) if isinstance(output, tuple) else hidden


@contextmanager
def rewired(modules: Sequence[nn.Module], make: Callable[[int, Any], Any]) -> Iterator[None]:
    """While entered, the forward of the i-th module is `make(i, own)`, `own` being its own; then they are as
    they were, also when making one of them fails. Forward hooks see what the new one returns.

    Not a hook itself, since PyTorch calls a module that has hooks by a slower way.
    """
    own = [module.__dict__.get("forward") for module in modules]  # accelerate's, say; else the class's own
    try:
        for index, module in enumerate(modules):
            made = make(index, module.forward)
            made.attached = True
            module.__dict__["forward"] = made
        yield
    finally:
        for module, forward in zip(modules, own, strict=True):
            module.__dict__.pop("forward", None)
            if forward is not None:
                module.__dict__["forward"] = forward


def attached(module: nn.Module) -> bool:
    """Whether a hook or another forward sits on it now; what was there from loading on does not count."""
    return bool(module._forward_hooks) or getattr(module.__dict__.get("forward"), "attached", False)


def _text_config(network: nn.Module) -> Any:
    config: Any = getattr(network, "config", None)
    return config.get_text_config(decoder=True) if hasattr(config, "get_text_config") else config


def _no_blocks(why: str) -> ModelError:
    return ModelError(
        "This model cannot be steered",
        f"{why}, and steering works on decoder blocks.",
        "Choose a decoder-only language model, for instance a Llama, Qwen, Gemma or GPT.",
    )
