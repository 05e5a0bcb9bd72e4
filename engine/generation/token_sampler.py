"""The next token of every row of a running batch: sampled, forced, recorded, or copied from another row."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.generation.lanes import Lane
from engine.generation.replay_alignment import ReplayAlignment
from engine.generation.result import Agreement
from engine.generation.sampling import Sampling, choose_tokens, draw_uniform, penalize, seeded_generator
from engine.model.language_model import LanguageModel


class TokenSampler:
    """Called once per forward pass with its logits.

    Args:
        lanes: the lanes of the batch, one row each.
        prompts: per lane its prompt's token ids, which a repetition penalty counts as seen.
        leaders: per lane the lane whose tokens it gets, mostly itself.
        longest: the most tokens of any lane.
        sampling: how tokens are sampled.
        model: for its device, precision and end tokens.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        prompts: Sequence[Sequence[int]],
        leaders: Sequence[int],
        longest: int,
        sampling: Sampling,
        model: LanguageModel,
    ) -> None:
        self._sampling, self._device = sampling, model.device
        self._generators = [seeded_generator(lane.seed) for lane in lanes]
        self._seen = None if sampling.repetition_penalty == 1 else _seen_tokens(prompts, model)
        self._forced = _forced_ids(lanes, longest, self._device)
        self._alignments = {
            index: ReplayAlignment(lane.recorded, model)
            for index, lane in enumerate(lanes)
            if lane.recorded is not None
        }
        self._leaders = list(leaders)
        self._rows = list(range(len(lanes)))  # the lane of each row that is still in the batch
        self._index_leaders()

    def __call__(self, logits: Tensor, step: int) -> Tensor:
        """The ids of token number `step`, int64 [rows], for logits [rows, V]."""
        greedy = self._sampling.temperature == 0
        draws = None if greedy else draw_uniform([self._generators[row] for row in self._rows])
        scores = logits
        if self._seen is not None:
            scores = penalize(logits, self._seen, self._sampling.repetition_penalty)
        ids = choose_tokens(scores, self._sampling, draws)
        if self._forced is not None and step < self._forced.shape[1]:
            ids = torch.where(self._forced[:, step] >= 0, self._forced[:, step], ids)
        if self._alignments:
            ids = self._align(logits, scores, draws, ids)
        ids = ids if self._sources is None else ids[self._sources]
        if self._seen is not None:
            self._seen.scatter_(1, ids.unsqueeze(1), True)
        return ids

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Drops all other rows."""
        self._rows = [self._rows[row] for row in rows]
        self._forced = None if self._forced is None else self._forced[list(rows)]
        self._seen = None if self._seen is None else self._seen[list(rows)]
        self._index_leaders()

    def agreement(self, lane: int) -> Agreement | None:
        """How closely the lane follows its record; None where it has none."""
        alignment = self._alignments.get(lane)
        return None if alignment is None else alignment.agreement

    def _align(self, logits: Tensor, scores: Tensor, draws: Tensor | None, ids: Tensor) -> Tensor:
        """The ids with the recorded token in place of one that rounding alone made different."""
        chosen = ids.tolist()
        for row, lane in enumerate(self._rows):
            if lane in self._alignments:
                draw = None if draws is None else float(draws[row])
                chosen[row] = self._alignments[lane](
                    logits[row], scores[row], self._sampling, draw, chosen[row]
                )
        return torch.tensor(chosen, device=ids.device)

    def _index_leaders(self) -> None:
        """Sets which row each row copies; None when all rows have tokens of their own."""
        row_of = {lane: row for row, lane in enumerate(self._rows)}
        sources = [row_of[self._leaders[lane]] for lane in self._rows]
        copies = sources != list(range(len(sources)))
        self._sources = torch.tensor(sources, device=self._device) if copies else None


def _seen_tokens(prompts: Sequence[Sequence[int]], model: LanguageModel) -> Tensor:
    """Which tokens each prompt has, bool [rows, V]."""
    seen = torch.zeros(len(prompts), model.vocabulary, dtype=torch.bool)
    for row, ids in enumerate(prompts):
        seen[row, list(ids)] = True
    return seen.to(model.device)


def _forced_ids(lanes: Sequence[Lane], longest: int, device: torch.device) -> Tensor | None:
    """Forced and opening ids, int64 [rows, longest], -1 where a lane samples; None when all lanes do."""
    if all(lane.forced is None and not lane.opening for lane in lanes):
        return None
    rows = [[*(lane.opening if lane.forced is None else lane.forced)][:longest] for lane in lanes]
    return torch.tensor([[*row, *[-1] * (longest - len(row))] for row in rows], device=device)
