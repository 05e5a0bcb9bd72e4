"""The arrays of a head in training, and their loss on some of the responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from engine.distill.hooked_forward import BlockInputs, output_hooks, run, squares
from engine.distill.methods import Method
from engine.distill.request import Objective
from engine.distill.teacher_forcing import TeacherForcedBatch
from engine.distill.token_losses import divergences, losses
from engine.distill.training_data import TrainingData
from engine.heads.head import BlockHead
from engine.heads.mix import MixBlock, floor_of
from engine.model.language_model import LanguageModel

_GATE_WEIGHT = 0.1  # of the regulariser against dead gates (engine/README.md, Eq. 13)


class Trainer:
    """The loss of a head in training (engine/README.md, Eq. 10a to 13).

    Args:
        model: the model.
        data: the responses.
        method: the method.
        objective: "mse", "ll", "kl" or "mse+ll".
        weight: the share of MSE in "mse+ll".
        start: the arrays to begin from, per block.
    """

    def __init__(
        self,
        model: LanguageModel,
        data: TrainingData,
        method: Method,
        *,
        objective: Objective,
        weight: float,
        start: dict[int, BlockHead],
    ) -> None:
        self._model, self._data, self._method = model, data, method
        self._share = {"mse": 1.0, "ll": 0.0, "kl": 0.0, "mse+ll": weight}[objective]
        self._soft = objective == "kl"
        self._first = min(start)
        self._scale = sum(float(m.mean()) for m in data.moved[self._first :])
        self._names: tuple[Literal["w", "b", "z"], ...] = method.trainable
        self._regularised = "w" in method.trainable and not self._soft
        self._blocks = {i: _trainable(part, method, model) for i, part in start.items()}
        whole = data.whole
        self._entry = BlockInputs.of(model, whole.rows, whole.prefix, self._first)

    def loss_of(self, index: Tensor) -> float:
        """The loss on held-out rows [n]; infinite for none, so that the first epoch counts as better."""
        if not len(index):
            return float("inf")
        with torch.no_grad():
            return float(self.loss(index))

    def loss(self, index: Tensor) -> Tensor:
        """The loss of some responses, differentiable.

        Args:
            index: their numbers, [n].
        """
        data, whole = self._data, self._data.whole
        index = index.to(whole.rows.ids.device)
        rows, places = whole.rows.select(index), whole.rows.places(index)
        prefix = None if whole.prefix is None else whole.prefix.select(index)
        start = 0 if prefix is None else rows.first
        entry = None if self._entry is None else self._entry.select(index, rows.ids.shape[1] - start)
        strengths = (rows.steered[:, start:] * data.traits[index, None]).unsqueeze(-1)
        missed: list[Tensor] = []
        coefficients: list[Tensor] = []

        def steer(block: int, hidden: Tensor) -> Tensor | None:
            changed = None
            if block in self._blocks:
                part = self._blocks[block].on(hidden.device)
                changed, applied = self._method.apply(hidden, part, strengths.to(hidden.device))
                coefficients.append(applied)
            if self._share and block >= self._first:
                target = data.targets[block]
                goal = target[places.to(target.device)]
                missed.append(squares(rows.at(hidden if changed is None else changed), goal).mean())
            return changed

        with output_hooks(self._model, steer):
            states = run(self._model, rows, prefix, entry)
        loss = torch.zeros((), device=states.device)
        if missed:
            loss = loss + self._share * sum(m.to(loss.device) for m in missed) / self._scale
        if self._soft:
            return divergences(self._model, data.prompted[places].unsqueeze(1), states).mean()
        if self._share < 1:
            wanted = rows.targets
            nll = losses(self._model, states, wanted).sum() / (wanted >= 0).sum()
            loss = loss + (1 - self._share) * nll
        if self._regularised:
            positive = ~data.negative[index]
            loss = loss + _GATE_WEIGHT * _dead_gates(coefficients, rows, positive).to(loss.device)
        return loss

    def groups(self, rate: float, relative: bool) -> list[dict[str, object]]:
        """AdamW's parameter groups, one per array.

        Args:
            rate: the learning rate.
            relative: in proportion to each array's root mean square.
        """
        found = []
        for part in self._blocks.values():
            for name in self._names:
                array = getattr(part, name)
                size = float(array.detach().square().mean().sqrt()) if relative else 1.0
                if name == "b":
                    size = max(size, 0.1) if relative else 1.0
                found.append({"params": [array], "lr": rate * size})
        return found

    def state(self) -> list[Tensor]:
        """Copies of the arrays, for `restore`."""
        return [getattr(p, n).detach().clone() for p in self._blocks.values() for n in self._names]

    def restore(self, state: list[Tensor]) -> None:
        """Sets the arrays to what `state` gave."""
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


def _dead_gates(coefficients: Sequence[Tensor], rows: TeacherForcedBatch, positive: Tensor) -> Tensor:
    """sum_l mean_seq max(0, 1 - sum_i lambda[l, i]): pulls back gates that never open where they should."""
    if not bool(positive.any()):
        return torch.zeros(())
    found = []
    for applied in coefficients:
        here = rows.learned[:, -applied.shape[1] :].to(applied.device)
        opened = applied.clamp_min(0).sum(-1).mul(here).sum(1)[positive.to(applied.device)]
        found.append((1 - opened).clamp_min(0).mean().to(coefficients[0].device))
    return torch.stack(found).sum()
