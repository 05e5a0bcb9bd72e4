"""Trains heads by gradient: from the closed form ("refine") or from noise ("paper")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from engine.distill.hooked_forward import output_hooks, run
from engine.distill.methods import Method
from engine.distill.request import Objective
from engine.distill.trainer import Trainer
from engine.distill.training_data import TrainingData
from engine.events import Cancel, Emit, LossPoint, Meter
from engine.generation.sampling import seeded_generator
from engine.heads.head import BlockHead
from engine.model.language_model import LanguageModel


@dataclass(frozen=True)
class Schedule:
    """A training schedule; the rate falls linearly to 0.

    Attributes:
        rate: AdamW's.
        relative: the rate is relative to the root mean square of each array.
        epochs: at most.
        batch: responses per step.
        weight_decay: AdamW's.
        patience: epochs without a better loss on the left-out responses before training stops; the best
            state is kept. None trains on everything to the end.
    """

    rate: float
    relative: bool
    epochs: int
    batch: int = 8
    weight_decay: float = 1e-6
    patience: int | None = None


# What follows the closed form in the recipe instant: eight steps of 40 responses, a fourth of them left out.
POLISH = Schedule(rate=0.06, relative=True, epochs=2, batch=8, patience=2)
REFINE = Schedule(rate=0.05, relative=True, epochs=15, patience=3)
PAPER = {
    "mse": Schedule(rate=1e-3, relative=False, epochs=15),
    "mse+ll": Schedule(rate=1e-3, relative=False, epochs=15),
    "kl": Schedule(rate=1e-3, relative=False, epochs=7),
    "ll": Schedule(rate=1e-3, relative=False, epochs=7),
}


@dataclass(frozen=True, eq=False)
class Trained:
    """Trained arrays.

    Attributes:
        parts: per block, in canonical form.
        losses: after every step.
    """

    parts: dict[int, BlockHead]
    losses: list[float]


def train(
    model: LanguageModel,
    data: TrainingData,
    method: Method,
    *,
    objective: Objective,
    weight: float,
    start: dict[int, BlockHead],
    schedule: Schedule,
    seed: int,
    cancel: Cancel,
    emit: Emit,
) -> Trained:
    """Trains a method's arrays on the responses (engine/README.md, Eq. 11 to 13); the base model is frozen.

    A response is trained at its own trait score as the strength (soft label), a negative one at 1.

    Args:
        model: the model.
        data: the responses.
        method: the method.
        objective: see Request.
        weight: the share of MSE in "mse+ll".
        start: the arrays to begin from, per block.
        schedule: rate, epochs and batches.
        seed: of the order of the responses.
        cancel: checked before every step.
        emit: is given a LossPoint per step, and Progress.

    Raises:
        Cancelled: when asked to stop.
    """
    trainer = Trainer(model, data, method, objective=objective, weight=weight, start=start)
    generator = seeded_generator(seed)
    count = len(data.whole.rows)
    learned, held = data.split() if schedule.patience is not None else (torch.arange(count), torch.arange(0))
    learned = learned[torch.randperm(len(learned), generator=generator)]
    optimizer = torch.optim.AdamW(
        trainer.groups(schedule.rate, schedule.relative), weight_decay=schedule.weight_decay
    )
    rates = [group["lr"] for group in optimizer.param_groups]
    steps = schedule.epochs * -(-len(learned) // schedule.batch)
    meter = Meter(emit, "fit", steps)
    losses: list[float] = []
    with _attention(model):
        best, kept, waited = trainer.loss_of(held), trainer.state(), 0
        done = 0
        for _ in range(schedule.epochs):
            for index in _batches(learned, schedule.batch, generator):
                cancel.check()
                for group, rate in zip(optimizer.param_groups, rates, strict=True):
                    group["lr"] = rate * (1 - done / steps)
                loss = trainer.loss(index)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                done += 1
                losses.append(loss.item())
                emit(LossPoint(done, losses[-1]))
                meter.step()
            if schedule.patience is None:
                continue
            now = trainer.loss_of(held)
            if now < best:
                best, kept, waited = now, trainer.state(), 0
            else:
                waited += 1
                if waited >= schedule.patience:
                    break
    if schedule.patience is not None:
        trainer.restore(kept)
    return Trained(_finalized(model, data, method, trainer.parts()), losses)


def noise(method: Method, blocks: Sequence[int], width: int, rank: int, seed: int) -> dict[int, BlockHead]:
    """The paper's start: w normal (0.01), b 0, z as a linear layer's default; constants from the same z.

    Args:
        method: the method.
        blocks: the blocks to steer.
        width: d.
        rank: directions per block.
        seed: of the draw.
    """
    generator = seeded_generator(seed)
    bound = width**-0.5
    parts = {}
    for block in blocks:
        z = (torch.rand(rank, width, generator=generator) * 2 - 1) * bound
        w = torch.randn(rank, width, generator=generator) * 0.01
        b = torch.zeros(rank)
        if "w" not in method.trainable:
            w, b = torch.zeros(1, width), torch.ones(1)
        parts[block] = BlockHead(w.numpy(), b.numpy(), z.numpy())
    return parts


@torch.inference_mode()
def _finalized(
    model: LanguageModel, data: TrainingData, method: Method, parts: dict[int, BlockHead]
) -> dict[int, BlockHead]:
    """What is left of trained parts at inference, for methods where that is something else."""
    finalize, sample = method.finalize, data.first(1, 1)
    if finalize is None:
        return parts
    finalized: dict[int, BlockHead] = {}

    def look(block: int, hidden: Tensor) -> None:
        if block in parts:
            here = sample.rows.at(hidden)
            finalized[block] = finalize(parts[block], here, sample.rows.groups.to(here.device))

    with output_hooks(model, look):
        run(model, sample.rows, sample.prefix)
    return finalized


def _attention(model: LanguageModel) -> AbstractContextManager[None]:
    """PyTorch's plain attention on a processor in half precision: short responses go back through it in half
    the time that its fused one takes there. Elsewhere its own choice."""
    if model.device.type != "cpu" or model.dtype is torch.float32:
        return nullcontext()
    return sdpa_kernel([SDPBackend.MATH])


def _batches(index: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    shuffled = index[torch.randperm(len(index), generator=generator)]
    yield from shuffled.split(size)
