"""`refine` beside the paper's recipe done plainly: whole dialogues in every step, the targets run again each
time.

The plain recipe is written out here from engine/README.md, section 4: of the product it takes the responses,
the blocks and the formula. The paper has about 1,000 responses; fewer are asked for here, which favours it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.distill import Request, distill
from engine.distill.gradient import PAPER, noise
from engine.distill.hooked_forward import output_hooks
from engine.distill.methods import METHODS
from engine.distill.model_kind import kind_of
from engine.distill.questions import evaluation_questions, questions
from engine.distill.responses import Sampler
from engine.distill.teacher_forcing import Response
from engine.distill.training_data import response_rows
from engine.events import Cancel, ignore
from engine.heads.head import BlockHead
from engine.heads.mix import MixBlock
from engine.heads.steering import steer
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from engine.pocket.wordings import EXAMPLES, styles_of
from tests.benchmarks.quality import judged
from tests.benchmarks.table import Bar, print_table


def measure(options: argparse.Namespace) -> list[Bar]:
    model = load()
    prompts = {styles_of(prompt)[0]: prompt for prompt in EXAMPLES}
    asked = evaluation_questions(model, options.questions)
    rows, times, traits = [], [], []
    for style in options.styles.split(","):
        request = Request(prompts[style], recipe="refine")
        start = time.perf_counter()
        refined = distill(model, request)
        refine_seconds, start = time.perf_counter() - start, time.perf_counter()
        sampler = Sampler(
            model=model,
            judge=kind_of(model).response_filter,
            positions="response",
            max_tokens=160,
            seed=0,
            cancel=Cancel(),
            emit=ignore,
        )
        kept, _ = sampler.positives(request.prompt, questions(model, options.paper_responses, 0))
        plain = plain_paper(model, request, kept)
        plain_seconds = time.perf_counter() - start
        heads = refined.head, replace(refined.head, blocks=plain)
        found = [judged(model, style, asked, None, head) for head in heads]
        times.append((refine_seconds, plain_seconds))
        traits.append([trait for trait, _ in found])
        rows.append((style, *times[-1], *(f"{t:.2f}/{c:.2f}" for t, c in found)))
        print("  ".join(map(str, rows[-1])), flush=True)
    print_table(("trait/coherence", "refine s", "plain paper s", "refine", "plain paper"), rows)
    refine_sum, plain_sum = (sum(row[i] for row in times) for i in range(2))
    lost = sum(plain - refined for refined, plain in traits) / len(traits)
    return [
        Bar(
            f"plain paper of {options.paper_responses} responses / refine, seconds",
            plain_sum / refine_sum,
            8.0,
        ),
        Bar("refine, trait lost against it", lost, 0.03, False),
    ]


def plain_paper(model: LanguageModel, request: Request, kept: Sequence[Response]) -> dict[int, BlockHead]:
    """A-PSR by MSE: AdamW at 1e-3 decaying to 0, batches of 8, 15 epochs, the gate regulariser."""
    schedule = PAPER["mse"]
    start = noise(METHODS["a-psr"], range(len(model.blocks)), model.width, 1, request.seed)
    parts = {
        i: MixBlock(*(torch.tensor(a, requires_grad=True) for a in (p.w, p.b, p.z)), torch.zeros(1))
        for i, p in start.items()
    }
    arrays = [array for part in parts.values() for array in (part.w, part.b, part.z)]
    optimizer = torch.optim.AdamW(arrays, lr=schedule.rate, weight_decay=schedule.weight_decay)
    generator = torch.Generator().manual_seed(request.seed)
    steps = schedule.epochs * -(-len(kept) // schedule.batch)
    decay = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    scale = None
    for _ in range(schedule.epochs):
        for index in torch.randperm(len(kept), generator=generator).split(schedule.batch):
            batch = [kept[i] for i in index]
            with torch.no_grad():
                targets, _ = _states(model, request, batch, request.prompt, {})
                if scale is None:
                    plain, _ = _states(model, request, batch, None, {})
                    scale = _distance(plain, targets)
            steered, opened = _states(model, request, batch, None, parts)
            dead = sum((1 - total).clamp_min(0).mean() for total in opened)
            loss = _distance(steered, targets) / scale + 0.1 * dead
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            decay.step()
    return {
        i: BlockHead(*(a.detach().numpy().copy() for a in (p.w, p.b, p.z))).canonical()
        for i, p in parts.items()
    }


def _states(
    model: LanguageModel,
    request: Request,
    batch: Sequence[Response],
    system: str | None,
    parts: dict[int, MixBlock],
) -> tuple[list[Tensor], list[Tensor]]:
    """Per block the states of the response positions, and each row's summed coefficients; the whole model."""
    rows = response_rows(model, request, batch, system)
    traits = torch.tensor([response.trait for response in batch])
    found: list[Tensor] = []
    opened: list[Tensor] = []

    def tap(block: int, hidden: Tensor) -> Tensor | None:
        changed = None
        if block in parts:
            changed, applied = steer(hidden, parts[block], (rows.steered * traits[:, None]).unsqueeze(-1))
            opened.append(applied.sum((1, 2)))
        found.append(rows.at(hidden if changed is None else changed))
        return changed

    with output_hooks(model, tap):
        model.network(
            input_ids=rows.ids, attention_mask=rows.mask, position_ids=rows.positions, use_cache=False
        )
    return found, opened


def _distance(states: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    return torch.stack([(s - t).square().mean() for s, t in zip(states, targets, strict=True)]).sum()
