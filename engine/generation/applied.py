"""Steers a running batch with its lanes' live strengths and reads back what was applied."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from engine.generation.batch import Batch
from engine.generation.lanes import Lane, steered
from engine.heads.mix import Mix
from engine.heads.steering import Steering, applied_length
from engine.model.chat import Prompt
from engine.model.language_model import LanguageModel


class Applied:
    """A context in which the batch is steered; nothing is attached when no lane has strengths."""

    def __init__(self, model: LanguageModel, mix: Mix | None, lanes: Sequence[Lane]) -> None:
        self._lanes = list(lanes)
        self._device, self._blocks = model.device, len(model.blocks)
        self._mix = mix
        self._steering: Steering | None = None
        if mix is not None and mix.blocks and any(lane.strengths is not None for lane in lanes):
            self._steering = Steering(model, mix)
            self._where = list(mix.blocks)
            self._gram = torch.stack([part.gram for part in mix.blocks.values()])
        self._used: list[tuple[float, ...]] | None = None

    def __enter__(self) -> Applied:
        if self._steering is not None:
            self._steering.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._steering is not None:
            self._steering.__exit__(kind, error, trace)

    def prepare_prompt(self, batch: Batch, prompts: Sequence[Prompt]) -> None:
        """Sets the strengths of every prompt position for the next forward."""
        if self._steering is not None:
            marks = [
                steered(prompt, lane.positions) for prompt, lane in zip(prompts, self._lanes, strict=True)
            ]
            rows = self._rows(self._values())
            self._steering.strengths = batch.padded(marks).to(self._device) * rows

    def prepare_step(self) -> list[tuple[float, ...]]:
        """Sets the strengths of the next single-token forward to what they are now; returns them per row."""
        values = self._values()
        if self._steering is not None and values != self._used:
            self._steering.strengths = self._rows(values)
            self._used = values
        return values

    def coefficients(self) -> np.ndarray:
        """float32 [rows, L]: the length of what the last forward added at its last position, per block."""
        if self._steering is None:
            return np.zeros((len(self._lanes), self._blocks), np.float32)
        parts = self._steering.coefficients()
        if parts[0].shape[1] > 1:
            parts = [part[:, -1:] for part in parts]
        lengths = applied_length(torch.cat(parts, 1), self._gram).cpu().numpy()
        if len(self._where) == self._blocks:
            return lengths
        table = np.zeros((len(self._lanes), self._blocks), np.float32)
        table[:, self._where] = lengths
        return table

    def keep(self, rows: Sequence[int]) -> None:
        """Drops all other rows."""
        self._lanes = [self._lanes[row] for row in rows]
        self._used = None

    def _values(self) -> list[tuple[float, ...]]:
        none = (0.0,) * (len(self._mix.columns) if self._mix else 0)
        return [none if lane.strengths is None else lane.strengths.values() for lane in self._lanes]

    def _rows(self, values: Sequence[tuple[float, ...]]) -> Tensor:
        """[rows, 1, K] on the device."""
        assert self._mix is not None
        return torch.stack([self._mix.expand(row) for row in values]).unsqueeze(1).to(self._device)
