"""Tokens per second on the bundled model, in turns within one run: only the ratios mean something."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch

from engine.distill import Request, distill
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.heads.head import Head
from engine.model.chat import Message, encode
from engine.model.loading import load
from tests.benchmarks.table import Bar, print_table

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
    ids = torch.tensor([encode(model, messages).ids])

    def ours(heads: Sequence[Head]) -> None:
        generate(model, [Lane(messages, heads=heads)], Sampling(max_tokens=_TOKENS))

    def reference() -> None:
        with torch.inference_mode():
            model.network.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                max_new_tokens=_TOKENS,
                eos_token_id=None,
                do_sample=False,
                pad_token_id=0,
            )

    loops: dict[str, Callable[[], None]] = {
        "steered, all blocks, full trace": lambda: ours(heads),
        "unsteered, same loop": lambda: ours([]),
        "transformers generate, unsteered": reference,
    }
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for turn in range(_ROUNDS + 1):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop()
            if turn:  # the first round warms up
                rates[name].append(_TOKENS / (time.perf_counter() - start))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    print_table(
        ("loop", "tokens/s", "least", "most"), [(n, middle[n], min(r), max(r)) for n, r in rates.items()]
    )
    # Ratios of neighbours in time, so that the machine's mood cancels out.
    steered, unsteered, library = rates.values()
    return [
        Bar(
            "steered / same loop unsteered",
            statistics.median(a / b for a, b in zip(steered, unsteered)),
            0.85,
        ),
        Bar(
            "steered / transformers generate unsteered",
            statistics.median(a / b for a, b in zip(steered, library)),
            1.0,
        ),
    ]
