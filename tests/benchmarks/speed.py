"""Tokens per second on the bundled model, in turns within one run: only the ratios mean something."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence

import torch

from engine.distill import Request, distill
from engine.generation.compiled_step import CompiledStep
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.heads.head import Head
from engine.model.chat_template import Message, encode
from engine.model.loading import load
from tests.benchmarks.peers import generate as generate_plainly
from tests.benchmarks.speed import compare
from tests.benchmarks.table import Bar

_TOKENS = 200
_ROUNDS = 15


def measure(options: argparse.Namespace) -> list[Bar]:
    """Our loop steered on all blocks with full trace, ours unsteered, transformers' generate unsteered."""
    model = load()
    heads = [distill(model, Request("Talk like a pirate.", responses=12)).head]
    messages = [Message("user", "Tell me about the harbour.")]
    # Every run has the same length; what is said past the answer's end is no matter.
    model.eos_ids = frozenset()
    model.network.generation_config.eos_token_id = None
    ids = torch.tensor([encode(model, messages).ids], device=model.device)

    def ours(heads: Sequence[Head], steps: Sequence[CompiledStep] = ()) -> None:
        generate(model, [Lane(messages, heads=heads)], Sampling(max_tokens=_TOKENS), compiled=steps)

    step = CompiledStep(model).prepare()
    loops: dict[str, Callable[[], None]] = {
        "steered, all blocks, full trace": lambda: ours(heads),
        "the same, compiled step": lambda: ours(heads, [step]),
        "unsteered, same loop": lambda: ours([]),
        "transformers generate, unsteered": lambda: generate_plainly(model.network, ids, _TOKENS),
    }
    paces = compare(loops, _TOKENS, _ROUNDS)
    paces.show("transformers generate, unsteered")
    return [
        Bar(
            "steered / same loop unsteered",
            paces.ratio("steered, all blocks, full trace", "unsteered, same loop"),
            0.85,
        ),
        Bar(
            "steered / transformers generate unsteered",
            paces.ratio("steered, all blocks, full trace", "transformers generate, unsteered"),
            1.0,
        ),
        Bar(
            "steered, compiled / transformers generate unsteered",
            paces.ratio("the same, compiled step", "transformers generate, unsteered"),
            1.0,
        ),
    ]
