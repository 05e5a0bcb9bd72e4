"""Training heads by gradient: from a closed form (`refine`) or from noise (`paper`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from engine.distill.closed_form import response_loss
from engine.distill.methods import Method
from engine.distill.request import Objective
from engine.distill.teacher import Rows, run, tapped
from engine.events import Cancel, Emit, LossPoint, Meter
from engine.heads.head import BlockHead
from engine.heads.mix import Mix, MixBlock, floor_of
from engine.heads.steering import Steering
from engine.model.language_model import LanguageModel

_GATE_WEIGHT = 0.1  # of the regulariser against dead gates (METHOD.md section 3)


@dataclass(frozen=True)
class Schedule:
    """How to train. rate: AdamW's, relative to each array's own scale when `relative`; linear decay to 0.

    patience: epochs without a better loss on the held-out fifth of the responses before it stops, keeping
    the best; None trains on everything to the end.
    """

    rate: float
    relative: bool
    epochs: int
    batch: int = 8
    weight_decay: float = 1e-6
    patience: int | None = None


REFINE = Schedule(rate=0.05, relative=True, epochs=15, patience=3)
PAPER = {
    "mse": Schedule(rate=1e-3, relative=False, epochs=15),
    "ll": Schedule(rate=1e-3, relative=False, epochs=7),
}


@dataclass(frozen=True, eq=False)
class Trained:
    parts: dict[int, BlockHead]
    losses: list[float]


def train(
    model: LanguageModel,
    rows: Rows,
    base: Sequence[Tensor],
    targets: Sequence[Tensor],
    traits: Tensor,
    method: Method,
    objective: Objective,
    start: dict[int, BlockHead],
    schedule: Schedule,
    *,
    seed: int,
    cancel: Cancel,
    emit: Emit,
) -> Trained:
    """Trains the method's arrays on the responses; the base model stays frozen.

    base, targets: per block the unsteered and the prompted states [M, d]; traits [N]: each response's trait
    score, the strength at which it is trained (soft label). MSE: over the first steered and all later
    blocks, normalised by the unsteered value. Both objectives carry the gate regulariser.
    """
    trainer = _Trainer(model, rows, base, targets, traits, method, objective, start)
    generator = torch.Generator().manual_seed(seed)
    count = rows.ids.shape[0]
    order = torch.randperm(count, generator=generator)
    held = order[: count // 5] if schedule.patience is not None else order[:0]
    learned = order[len(held) :]
    optimizer = torch.optim.AdamW(trainer.groups(schedule), weight_decay=schedule.weight_decay)
    rates = [group["lr"] for group in optimizer.param_groups]
    steps = schedule.epochs * -(-len(learned) // schedule.batch)
    meter = Meter(emit, "fit", steps)
    losses: list[float] = []
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
    return Trained(trainer.parts(), losses)


def noise(method: Method, blocks: Sequence[int], width: int, rank: int, seed: int) -> dict[int, BlockHead]:
    """The paper's start: w small normal, b 0, z as a linear layer's default; constants from the same z."""
    generator = torch.Generator().manual_seed(seed)
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


class _Trainer:
    """The trainable mix and its loss on some of the rows."""

    def __init__(
        self,
        model: LanguageModel,
        rows: Rows,
        base: Sequence[Tensor],
        targets: Sequence[Tensor],
        traits: Tensor,
        method: Method,
        objective: Objective,
        start: dict[int, BlockHead],
    ) -> None:
        self._model, self._rows, self._traits = model, rows, traits.to(model.device)
        self._objective = objective
        self._first = min(start)
        self._targets = [rows.spread(t) if i >= self._first else None for i, t in enumerate(targets)]
        self._scale = sum(
            float((t - b).square().mean()) for i, (t, b) in enumerate(zip(targets, base)) if i >= self._first
        )
        self._names = method.trainable
        self._gated = "w" in method.trainable
        self._blocks = {i: _trainable(part, method, model) for i, part in start.items()}
        rank = next(iter(start.values())).rank
        self._mix = Mix.of_tensors(self._blocks, [rank])

    def loss_of(self, index: Tensor) -> float:
        """The loss on held-out rows; infinite for none, so that the first epoch counts as better."""
        if not len(index):
            return float("inf")
        with torch.no_grad():
            return float(self.loss(index))

    def loss(self, index: Tensor) -> Tensor:
        rows = self._rows.select(index.to(self._rows.ids.device))
        wide = rows.valid.shape[1]
        missed: list[Tensor] = []

        def compare(block: int, hidden: Tensor) -> None:
            target = self._targets[block]
            if target is not None:
                goal = target[index.to(target.device), :wide][rows.valid]
                missed.append((rows.at_response(hidden) - goal).square().mean())

        with Steering(self._model, self._mix) as steering:
            steering.strengths = (rows.steered * self._traits[index, None]).unsqueeze(-1)
            with tapped(self._model, compare) if self._objective == "mse" else nullcontext():
                logits = run(self._model, rows)
            loss = torch.stack(missed).sum() / self._scale if missed else response_loss(logits, rows)
            if self._gated:
                loss = loss + _GATE_WEIGHT * _dead_gates(steering.coefficients(), rows)
        return loss

    def groups(self, schedule: Schedule) -> list[dict[str, object]]:
        """AdamW's parameter groups: one per array, its rate in proportion to its size when relative."""
        found = []
        for part in self._blocks.values():
            for name in self._names:
                array = getattr(part, name)
                size = float(array.detach().square().mean().sqrt()) if schedule.relative else 1.0
                if name == "b":
                    size = max(size, 0.1) if schedule.relative else 1.0
                found.append({"params": [array], "lr": schedule.rate * size})
        return found

    def state(self) -> list[Tensor]:
        return [getattr(p, n).detach().clone() for p in self._blocks.values() for n in self._names]

    def restore(self, state: list[Tensor]) -> None:
        arrays = [getattr(p, n) for p in self._blocks.values() for n in self._names]
        with torch.no_grad():
            for array, value in zip(arrays, state, strict=True):
                array.copy_(value)

    def parts(self) -> dict[int, BlockHead]:
        """Copies of the arrays in canonical form."""
        return {
            i: BlockHead(
                *(np.array(getattr(part, n).detach().cpu().numpy()) for n in ("w", "b", "z"))
            ).canonical()
            for i, part in self._blocks.items()
        }


def _trainable(part: BlockHead, method: Method, model: LanguageModel) -> MixBlock:
    """The part's arrays as parameters, gate and direction brought to the same scale.

    ReLU is positively homogeneous: z times s with w, b over s is the same function, better conditioned. A
    constant keeps its length in z.
    """
    w, b, z = (torch.tensor(array, device=model.device) for array in (part.w, part.b, part.z))
    if "w" in method.trainable:
        s = (w.norm(dim=1) / z.norm(dim=1).clamp_min(1e-12)).clamp_min(1e-12).sqrt()
    else:
        s = b.clone()
    w, b, z = w / s[:, None], b / s, z * s[:, None]
    arrays = {n: nn.Parameter(a) if n in method.trainable else a for n, a in (("w", w), ("b", b), ("z", z))}
    floor = torch.full((part.rank,), floor_of(method.gate), device=model.device)
    return MixBlock(arrays["w"], arrays["b"], arrays["z"], floor)


def _dead_gates(coefficients: Sequence[Tensor], rows: Rows) -> Tensor:
    """sum_l mean_seq max(0, 1 - sum_i lambda[l, i]): pulls back gates that never open."""
    valid = rows.valid
    after = [c[:, rows.first :].to(valid.device) for c in coefficients]
    opened = [c.clamp_min(0).sum(-1).mul(valid).sum(1) for c in after]
    return torch.stack([(1 - total).clamp_min(0).mean() for total in opened]).sum()


def _batches(index: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    shuffled = index[torch.randperm(len(index), generator=generator)]
    yield from shuffled.split(size)
