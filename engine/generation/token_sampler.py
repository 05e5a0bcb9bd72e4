"""The next id of every row of a running batch: drawn, forced, recorded, or the one that another row got."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.generation.lanes import Lane
from engine.generation.replay_alignment import ReplayAlignment
from engine.generation.result import Agreement
from engine.generation.sampling import Sampling, choose, draw, seeded
from engine.model.language_model import LanguageModel


class TokenSampler:
    """Called once per forward with the logits [rows, V] and the number of the token, gives the ids [rows]."""

    def __init__(
        self,
        lanes: Sequence[Lane],
        leaders: Sequence[int],
        room: int,
        sampling: Sampling,
        model: LanguageModel,
    ) -> None:
        """leaders: per lane the one whose tokens it says, mostly its own; room: the longest answer."""
        self._sampling, self._device = sampling, model.device
        self._generators = [seeded(lane.seed) for lane in lanes]
        self._forced = _forced(lanes, room, self._device)
        self._retellings = {
            index: ReplayAlignment(lane.recorded, model)
            for index, lane in enumerate(lanes)
            if lane.recorded is not None
        }
        self._leaders = list(leaders)
        self._rows = list(range(len(lanes)))
        self._select()

    def __call__(self, logits: Tensor, step: int) -> Tensor:
        greedy = self._sampling.temperature == 0
        draws = None if greedy else draw([self._generators[row] for row in self._rows])
        ids = choose(logits, self._sampling, draws)
        if self._forced is not None and step < self._forced.shape[1]:
            ids = torch.where(self._forced[:, step] >= 0, self._forced[:, step], ids)
        if self._retellings:
            ids = self._as_recorded(logits, draws, ids)
        return ids if self._sources is None else ids[self._sources]

    def keep(self, rows: Sequence[int]) -> None:
        """Drops all other rows."""
        self._rows = [self._rows[row] for row in rows]
        self._forced = None if self._forced is None else self._forced[list(rows)]
        self._select()

    def agreement(self, lane: int) -> Agreement | None:
        """How the lane agrees with its record; None where it has none."""
        retelling = self._retellings.get(lane)
        return None if retelling is None else retelling.agreement

    def _as_recorded(self, logits: Tensor, draws: Tensor | None, ids: Tensor) -> Tensor:
        chosen = ids.tolist()
        for row, lane in enumerate(self._rows):
            if lane in self._retellings:
                drawn = None if draws is None else float(draws[row])
                chosen[row] = self._retellings[lane](logits[row], self._sampling, drawn, chosen[row])
        return torch.tensor(chosen, device=ids.device)

    def _select(self) -> None:
        places = {lane: row for row, lane in enumerate(self._rows)}
        sources = [places[self._leaders[lane]] for lane in self._rows]
        led = sources != list(range(len(sources)))
        self._sources = torch.tensor(sources, device=self._device) if led else None


def _forced(lanes: Sequence[Lane], room: int, device: torch.device) -> Tensor | None:
    """The ids [rows, room] that lanes are made to say, -1 where they choose; None when all choose."""
    if all(lane.forced is None and not lane.opening for lane in lanes):
        return None
    rows = [[*(lane.opening if lane.forced is None else lane.forced)][:room] for lane in lanes]
    return torch.tensor([[*row, *[-1] * (room - len(row))] for row in rows], device=device)
