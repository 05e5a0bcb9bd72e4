"""From the trunk's output to losses and divergences, few positions at a time.

The logits of all responses are never held: with a vocabulary of 150,000 a response of 64 tokens has 38 MB.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from engine.distill.hooked_forward import finite, giving
from engine.distill.teacher_forcing import IGNORED
from engine.model.language_model import LanguageModel

_CELLS = 1 << 23  # logits at a time; each costs some 50 bytes while its gradient is worked on


def losses(model: LanguageModel, states: Tensor, labels: Tensor) -> Tensor:
    """NLL per position, differentiable.

    Args:
        model: the model.
        states: the trunk's output, [M, d].
        labels: token ids, [M], -100 for none.

    Returns:
        Nats, [M]; 0 where there is no label.
    """

    def loss(part: Tensor, wanted: Tensor) -> Tensor:
        return torch.nn.functional.cross_entropy(
            logits(model, part).float(), wanted, reduction="none", ignore_index=IGNORED
        )

    return finite(_in_parts(model, loss, states, labels))


def divergences(model: LanguageModel, states: Tensor, reference: Tensor) -> Tensor:
    """KL between next-token distributions; differentiable.

    Args:
        model: the model.
        states: the trunk's output in S runs, [M, S, d].
        reference: the same in one other run, [M, d].

    Returns:
        KL(states || reference) in nats, [M, S].
    """

    def divergence(part: Tensor, other: Tensor) -> Tensor:
        q, found = logits(model, other).float().log_softmax(-1), []
        for one in part.unbind(1):
            p = logits(model, one).float().log_softmax(-1)
            found.append((p.exp() * (p - q)).sum(-1))
        return torch.stack(found, 1)

    return finite(_in_parts(model, divergence, states, reference))


def logits(model: LanguageModel, states: Tensor) -> Tensor:
    """The output layer alone, with the network's own scaling and capping.

    Args:
        model: the model.
        states: the trunk's output, [K, d].

    Returns:
        [K, V].
    """
    with giving([model.trunk], _Output(states.unsqueeze(0))):
        count = states.shape[0]
        ids = torch.zeros((1, count), dtype=torch.long, device=model.device)
        return model.network(input_ids=ids, use_cache=False).logits[0]


def _in_parts(
    model: LanguageModel, function: Callable[[Tensor, Tensor], Tensor], one: Tensor, two: Tensor
) -> Tensor:
    size = max(1, _CELLS // model.vocabulary)
    if one.shape[0] <= size:
        return function(one, two)
    parts = zip(one.split(size), two.split(size), strict=True)
    if torch.is_grad_enabled() and (
        one.requires_grad or two.requires_grad
    ):  # each part's logits are made again on the way back
        return torch.cat([checkpoint(function, a, b, use_reentrant=False) for a, b in parts])
    return torch.cat([function(a, b) for a, b in parts])


class _Output:
    """A trunk's output of whatever class: the states, and nothing else that it could carry."""

    def __init__(self, states: Tensor) -> None:
        self.last_hidden_state = states

    def keys(self) -> tuple[str]:
        """With this it can be taken apart as a mapping, as networks do whose trunk is one part of several."""
        return ("last_hidden_state",)

    def __getitem__(self, key: int | str) -> Tensor:
        return self.last_hidden_state if key == "last_hidden_state" else (self.last_hidden_state,)[int(key)]

    def __getattr__(self, name: str) -> None:
        return None
