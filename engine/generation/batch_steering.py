"""Steers a running batch with its lanes' live strengths and reads back what was applied to every row."""

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
from engine.generation.result import SteeredTokens
from engine.generation.steered_positions import prompt_strengths
from engine.heads.head import Head
from engine.heads.mix import Mix
from engine.heads.steering import Steering, applied_length
from engine.model.chat_template import Prompt
from engine.model.language_model import LanguageModel


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class StepReadout:
    """What one forward pass did to one row at its last position.

    Attributes:
        strengths: one per head of the lane.
        coefficients: float32 [blocks], signed length of the addition, see heads.steering.applied_length.
        lengths: float32 [blocks], of the activation that it was added to; 0 in a block that no head of the
            batch steers.
        prompt_effect, distance_to_prompt: float32 [blocks], see
            output_recorder.prompt_effect_and_distance; None without a reference prompt.
    """

    strengths: tuple[float, ...]
    coefficients: np.ndarray
    lengths: np.ndarray
    prompt_effect: np.ndarray | None = None
    distance_to_prompt: np.ndarray | None = None


class BatchSteering:
    """A context in which the batch is steered; nothing is attached where no lane has heads.

    The heads of all lanes form one mix; a lane has strength 0 in the columns of heads that are not its own.

    Args:
        model: the model that runs the batch.
        lanes: all lanes of the batch.
        prompts: their prompts; heads that steered earlier answers in them join the mix.
        references: the rows (steered, base, prompted) of every lane with a reference prompt.

    Attributes:
        mix: the heads of all lanes, each once.

    Raises:
        HeadError: a head does not fit the model.
    """

    def __init__(
        self,
        model: LanguageModel,
        lanes: Sequence[Lane],
        prompts: Sequence[Prompt],
        references: Sequence[tuple[int, int, int]] = (),
    ) -> None:
        self.mix = Mix(_distinct_heads(lanes, prompts), model)
        self._lanes = list(lanes)
        self._rows = list(range(len(lanes)))  # the lane of each row that is still in the batch
        self._references = list(references)
        self._device, self._blocks = model.device, len(model.blocks)
        self._several_devices = len(set(model.devices)) > 1
        self._steered_blocks = list(self.mix.blocks)
        self._steering: Steering | CompiledStep | None = (
            Steering(model, self.mix) if self._steered_blocks else None
        )
        self._recorder: OutputRecorder | CompiledStep | None = OutputRecorder(model) if references else None
        self._contexts = [part for part in (self._steering, self._recorder) if part is not None]
        self._stack = ExitStack()
        if self._steered_blocks:
            self._gram = torch.stack([part.gram.to(self._device) for part in self.mix.blocks.values()])
        self._written: list[tuple[float, ...]] | None = None  # the strengths that the network has now
        self._index_rows()

    def __enter__(self) -> BatchSteering:
        with ExitStack() as stack:
            for part in self._contexts:
                stack.enter_context(part)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def prompt_strengths(self, prompts: Sequence[Prompt]) -> list[np.ndarray]:
        """Per lane the strengths of every prompt token, float32 [T, K], live ones as they are now."""
        self._current = [lane.current_strengths() for lane in self._lanes]
        return [
            prompt_strengths(prompt, lane.heads, strengths, self.mix)
            for prompt, lane, strengths in zip(prompts, self._lanes, self._current, strict=True)
        ]

    def prepare_prompt(self, strengths: Tensor) -> None:
        """Sets the strengths of the next forward pass, float32 [rows, T, K]."""
        if self._steering is not None:
            self._steering.strengths = strengths.to(self._device)

    def use_compiled(self, step: CompiledStep) -> None:
        """From now on `step` steers and records instead of the hooks."""
        self._steering = step if self._steered_blocks else None
        self._recorder = step if self._recorder is not None else None
        self._written = None

    def prepare_step(self) -> None:
        """Sets the strengths of the next single-token forward pass to the live ones."""
        self._current = [lane.current_strengths() for lane in self._lanes]
        if self._steering is not None and self._current != self._written:
            rows = [
                self.mix.column_strengths(self._lanes[row].heads, self._current[row]) for row in self._rows
            ]
            self._steering.strengths = torch.from_numpy(np.stack(rows)).unsqueeze(1).to(self._device)
            self._written = self._current

    def read(self) -> list[StepReadout]:
        """What the last forward pass did at its last position, one per row."""
        coefficients, lengths = self._coefficients_and_lengths()
        effects: list[np.ndarray | None] = [None] * len(self._rows)
        distances = list(effects)
        if self._recorder is not None and self._triples:
            measured = prompt_effect_and_distance(self._recorder.outputs(), self._triple_rows)
            arrays = (values.cpu().numpy() for values in measured)
            for (row, *_), effect, distance in zip(self._triples, *arrays, strict=True):
                effects[row], distances[row] = effect, distance
        return [
            StepReadout(
                strengths=self._current[lane],
                coefficients=coefficients[row],
                lengths=lengths[row],
                prompt_effect=effects[row],
                distance_to_prompt=distances[row],
            )
            for row, lane in enumerate(self._rows)
        ]

    def keep_lanes(self, lanes: Sequence[int]) -> None:
        """From now on the batch has the rows of these lanes only, in this order."""
        self._rows, self._written = list(lanes), None
        self._index_rows()

    def _coefficients_and_lengths(self) -> tuple[np.ndarray, np.ndarray]:
        """Float32 [rows, blocks] each, of the last position."""
        if self._steering is None:
            zeros = np.zeros((len(self._rows), self._blocks), np.float32)
            return zeros, zeros
        applied = torch.cat(self._last_position(self._steering.coefficients()), 1)
        signed = applied[..., 0] if applied.shape[-1] == 1 else self._signed_lengths(applied)
        hidden = torch.cat(self._last_position(self._steering.before()), 1)
        lengths = vector_norm(hidden, dim=-1, dtype=torch.float32)
        return self._over_all_blocks(signed.cpu().numpy()), self._over_all_blocks(lengths.cpu().numpy())

    def _over_all_blocks(self, values: np.ndarray) -> np.ndarray:
        """[rows, blocks] of [rows, steered blocks], 0 in the others."""
        if len(self._steered_blocks) == self._blocks:
            return values
        table = np.zeros((len(self._rows), self._blocks), np.float32)
        table[:, self._steered_blocks] = values
        return table

    def _last_position(self, parts: list[Tensor]) -> list[Tensor]:
        """[rows, 1, ...] of each [rows, T, ...], on the device of the logits."""
        if parts[0].shape[1] > 1:
            parts = [part[:, -1:] for part in parts]
        return [part.to(self._device) for part in parts] if self._several_devices else parts

    def _signed_lengths(self, applied: Tensor) -> Tensor:
        """[rows, steered blocks] of [rows, steered blocks, K].

        A lane with one direction gets its coefficient itself, free of the rounding in Eq. 5.
        """
        return torch.where(self._one_direction, applied.sum(-1), applied_length(applied, self._gram))

    def _index_rows(self) -> None:
        """Sets what depends on which rows are in the batch."""
        ranks = [sum(head.rank for head in self._lanes[row].heads) for row in self._rows]
        self._one_direction = torch.tensor([[rank <= 1] for rank in ranks], device=self._device)
        row_of = {lane: row for row, lane in enumerate(self._rows)}
        self._triples = [
            tuple(row_of[lane] for lane in lanes) for lanes in self._references if row_of.keys() >= {*lanes}
        ]
        self._triple_rows = torch.tensor(self._triples, device=self._device)


def _distinct_heads(lanes: Sequence[Lane], prompts: Sequence[Prompt]) -> list[Head]:
    """Every head that steers a lane now or steered an answer in its conversation, once."""
    turns = [span.tokens for prompt in prompts for span in prompt.spans]
    groups = [lane.heads for lane in lanes]
    groups += [turn.heads for turn in turns if isinstance(turn, SteeredTokens)]
    return list({head.digest: head for group in groups for head in group}.values())
