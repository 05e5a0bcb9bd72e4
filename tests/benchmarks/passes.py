"""An instant distillation in forward passes, counted at the weights, and in seconds per stage."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from engine.distill import Request, distill
from engine.distill.responses import Sampler
from engine.distill.teacher_forcing import Response
from engine.distill.training_data import response_rows
from engine.events import Progress
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from tests.benchmarks.decoding import half_billion
from tests.benchmarks.table import Bar, print_table

PROMPT = "Talk like a pirate."
REQUESTS = {
    "pocket": Request(PROMPT),
    # A random network hardly heeds a prompt; its distillation costs what any other does.
    "half-billion": Request(PROMPT, responses=12, max_tokens=40, anyway=True),
}


def measure(options: argparse.Namespace) -> list[Bar]:
    bars = []
    for name in options.model or REQUESTS:
        model, request = (load() if name == "pocket" else half_billion()), REQUESTS[name]
        with counted(model) as tokens, kept(Sampler) as responses:
            result = distill(model, request, emit=tokens.listen)
        unit = one_pass(model, request, responses)
        print(f"{name}: {result.kept} responses; one pass over prompts and responses is {unit:.0f} tokens")
        print_table(
            ("stage", "passes"), [(s, n / unit) for s, n in tokens.stages.items() if s != "responses"]
        )
        print_table(("stage", "seconds"), list(result.seconds.items()))
        spent = sum(n for stage, n in tokens.stages.items() if stage != "responses") / unit
        bars.append(Bar(f"{name}: forward passes of an instant head", spent, 2.5, False))
        if name == "half-billion":
            bars.append(Bar(f"{name}: in all", result.seconds["total"], 60.0, False, " s"))
        del model
    return bars


class Tokens:
    """Tokens that went through the network per stage, a token through all weights being 1."""

    def __init__(self) -> None:
        self.stages: Counter[str] = Counter()
        self._stage = "responses"

    def listen(self, event: object) -> None:
        if isinstance(event, Progress):
            self._stage = event.stage

    def add(self, share: float) -> None:
        self.stages[self._stage] += share  # type: ignore[assignment]


@contextmanager
def counted(model: LanguageModel) -> Iterator[Tokens]:
    """Counts at every block and at the output embeddings, each by its share of the weights; padding too."""
    tokens = Tokens()
    head = model.network.get_output_embeddings()
    weights = [sum(p.numel() for p in module.parameters()) for module in (*model.blocks, head)]
    handles = []
    for module, size in zip((*model.blocks, head), weights, strict=True):

        def count(module: Any, arguments: Any, share: float = size / sum(weights)) -> None:
            tokens.add(arguments[0].shape[:-1].numel() * share)

        handles.append(module.register_forward_pre_hook(count))
    try:
        yield tokens
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def kept(sampler: type[Sampler]) -> Iterator[list[Response]]:
    """The responses that the distillation learns from."""
    found: list[Response] = []
    own = sampler.positives

    def positives(self: Sampler, prompt: str, questions: Any) -> Any:
        made = own(self, prompt, questions)
        found.extend(made[0])
        return made

    with patch.object(sampler, "positives", positives):
        yield found


def one_pass(model: LanguageModel, request: Request, responses: list[Response]) -> float:
    """Tokens of one forward over steering prompts, questions and responses, padded as they are run; logits
    where responses are."""
    rows = response_rows(model, request, responses, request.prompt)
    blocks = sum(p.numel() for block in model.blocks for p in block.parameters())
    head = model.network.get_output_embeddings().weight.numel()
    return (rows.ids.numel() * blocks + int(rows.learned.sum()) * head) / (blocks + head)
