"""The promise that nobody leaves anything attached to a network."""

from __future__ import annotations

from engine.model.language_model import LanguageModel


def hooks(model: LanguageModel) -> int:
    """How many hooks are attached anywhere in the network, and forwards that are not the class's own."""
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + ("forward" in m.__dict__)
        for m in model.network.modules()
    )
