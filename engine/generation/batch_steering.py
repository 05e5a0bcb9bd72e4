"""Steers a running batch with its lanes' live strengths and reads back what was done to every row."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType

import numpy as np
import torch
from torch import Tensor
from torch.linalg import vector_norm

from engine.generation.compiled_step import CompiledStep
from engine.generation.lanes import Lane
from engine.generation.output_recorder import OutputRecorder, prompt_effect_and_distance
from engine.generation.result import SpokenTurn
from engine.generation.steered_positions import plan
from engine.heads.head import Head
from engine.heads.mix import Mix
from engine.heads.steering import Steering, applied_length
from engine.model.chat_template import Prompt
from engine.model.language_model import LanguageModel


@dataclass(frozen=True, slots=True, eq=False)
class StepReadout:
    """What one forward did to one row at its last position; arrays are float32 [L].

    strengths: one per head of the lane; coefficients: the signed length of the addition per block, see
    engine.heads.steering.applied_length; lengths: of the activation that it was added to, 0 in a block that
    no head of the batch steers; truth, gap: see engine.generation.output_recorder, None unless asked for.
    """

    strengths: tuple[float, ...]
    coefficients: np.ndarray
    lengths: np.ndarray
    truth: np.ndarray | None = None
    gap: np.ndarray | None = None


class BatchSteering:
    """A context in which the batch is steered; nothing is attached where there is nothing to do.

    The heads of all lanes are one mix, a lane having strength 0 in the columns of the others. truths: the
    rows (steered, bare, prompted) of every lane whose truth is wanted.
    """

    def __init__(
        self,
        model: LanguageModel,
        lanes: Sequence[Lane],
        prompts: Sequence[Prompt],
        truths: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        self.mix = Mix(_heads(lanes, prompts), model)
        self._lanes = list(lanes)
        self._rows = list(range(len(lanes)))  # the lane of each row that is still in the batch
        self._truths = list(truths)
        self._device, self._blocks = model.device, len(model.blocks)
        self._spread = len(set(model.devices)) > 1
        self._where = list(self.mix.blocks)
        self._steering: Steering | CompiledStep | None = Steering(model, self.mix) if self._where else None
        self._watch: OutputRecorder | CompiledStep | None = OutputRecorder(model) if truths else None
        self._attached = [part for part in (self._steering, self._watch) if part is not None]
        self._stack = ExitStack()
        if self._where:
            self._gram = torch.stack([part.gram.to(self._device) for part in self.mix.blocks.values()])
        self._used: list[tuple[float, ...]] | None = None
        self._select()

    def __enter__(self) -> BatchSteering:
        with ExitStack() as stack:
            for part in self._attached:
                stack.enter_context(part)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def plan(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """Per lane the strengths of every prompt token, [T, K], as they are now."""
        self._now = [lane.values() for lane in self._lanes]
        return [
            plan(prompt, lane.heads, now, self.mix)
            for prompt, lane, now in zip(prompts, self._lanes, self._now, strict=True)
        ]

    def prepare_prompt(self, table: Tensor) -> None:
        """Sets the strengths [rows, T, K] of the next forward."""
        if self._steering is not None:
            self._steering.strengths = table.to(self._device)

    def hand_over(self, step: CompiledStep) -> None:
        """From now on `step` does what the hooks did for the eager network."""
        self._steering = step if self._where else None
        self._watch = step if self._watch is not None else None
        self._used = None

    def prepare_step(self) -> None:
        """Sets the strengths of the next single-token forward to what they are now."""
        self._now = [lane.values() for lane in self._lanes]
        if self._steering is not None and self._now != self._used:
            rows = [self.mix.spread(self._lanes[row].heads, self._now[row]) for row in self._rows]
            self._steering.strengths = torch.from_numpy(np.stack(rows)).unsqueeze(1).to(self._device)
            self._used = self._now

    def read(self) -> list[StepReadout]:
        """What the last forward did at its last position, per row."""
        coefficients, lengths = self._figures()
        used = [self._now[row] for row in self._rows]
        truth: list[np.ndarray | None] = [None] * len(self._rows)
        gap = list(truth)
        if self._watch is not None and self._places:
            effects = prompt_effect_and_distance(self._watch.outputs(), self._triples)
            for (row, *_), one, other in zip(self._places, *(e.cpu().numpy() for e in effects), strict=True):
                truth[row], gap[row] = one, other
        return [StepReadout(*row) for row in zip(used, coefficients, lengths, truth, gap, strict=True)]

    def select(self, lanes: Sequence[int]) -> None:
        """From now on the batch has the rows of these lanes only, in this order."""
        self._rows, self._used = list(lanes), None
        self._select()

    def _figures(self) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients and lengths, float32 [rows, L] each."""
        if self._steering is None:
            nothing = np.zeros((len(self._rows), self._blocks), np.float32)
            return nothing, nothing
        each = torch.cat(self._last(self._steering.coefficients()), 1)
        applied = each[..., 0] if each.shape[-1] == 1 else self._lengths(each)
        lengths = vector_norm(torch.cat(self._last(self._steering.before()), 1), dim=-1, dtype=torch.float32)
        return self._wide(applied.cpu().numpy()), self._wide(lengths.cpu().numpy())

    def _wide(self, values: np.ndarray) -> np.ndarray:
        """[rows, L] of [rows, steered blocks], 0 in the others."""
        if len(self._where) == self._blocks:
            return values
        table = np.zeros((len(self._rows), self._blocks), np.float32)
        table[:, self._where] = values
        return table

    def _last(self, parts: list[Tensor]) -> list[Tensor]:
        """[rows, 1, ...] of each [rows, T, ...], where the ids go in."""
        if parts[0].shape[1] > 1:
            parts = [part[:, -1:] for part in parts]
        return [part.to(self._device) for part in parts] if self._spread else parts

    def _lengths(self, each: Tensor) -> Tensor:
        """[rows, L] from coefficients [rows, L, K]; of one vector it is the very coefficient."""
        return torch.where(self._single, each.sum(-1), applied_length(each, self._gram))

    def _select(self) -> None:
        """What depends on which rows are in the batch."""
        ranks = [sum(head.rank for head in self._lanes[row].heads) for row in self._rows]
        self._single = torch.tensor([[rank <= 1] for rank in ranks], device=self._device)
        place = {lane: row for row, lane in enumerate(self._rows)}
        self._places = [
            tuple(place[lane] for lane in lanes) for lanes in self._truths if place.keys() >= {*lanes}
        ]
        self._triples = torch.tensor(self._places, device=self._device)


def _heads(lanes: Sequence[Lane], prompts: Sequence[Prompt]) -> list[Head]:
    """Every head that steers a lane now or steered an answer in its conversation, once."""
    told = [span.said for prompt in prompts for span in prompt.spans if isinstance(span.said, SpokenTurn)]
    groups = [*(lane.heads for lane in lanes), *(said.heads for said in told)]
    return list({head.digest: head for group in groups for head in group}.values())
