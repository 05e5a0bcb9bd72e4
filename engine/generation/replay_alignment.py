"""A recorded answer held against the run that gives it again: what rounding decides, and how both agree."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from engine.generation.result import Agreement, Generation
from engine.generation.sampling import Sampling, near
from engine.model.language_model import LanguageModel

_MOST = 32  # units: a mixture of experts that takes another expert by rounding was seen to go that far
_ALIKE = 4  # units that nine of ten tokens stay within; those of most models were seen within 1


class ReplayAlignment:
    """Called once per token while the lane keeps to its record.

    Two ways of computing the same (in a batch of other rows, or with states that were kept instead of made
    again) give logits that differ by about a unit in the last place of the largest one. How far they do
    differ is seen at every token, from the logprobs that the record holds.
    """

    def __init__(self, answer: Generation, model: LanguageModel) -> None:
        self._trace = answer.trace
        self._ends = list(model.eos_ids) if answer.stopped == "eos" else []
        # In single precision sums go wrong by more than the last place of what they come to.
        self._epsilon = max(torch.finfo(model.dtype).eps, 1e-5)
        self._ties = 0
        self._off: list[float] = []  # per token the greatest difference of a logprob
        self._units: list[float] = []  # and the same in units
        self._left = False

    def __call__(self, logits: Tensor, sampling: Sampling, drawn: float | None, chosen: int) -> int:
        """The token to take for logits [V] by which `chosen` came out of `drawn`: the recorded one where
        rounding alone made the difference, else the chosen one, and the record is left."""
        place = len(self._off)
        if self._left or place > len(self._trace):
            return chosen
        unit = self._epsilon * float(logits.abs().max())
        if place < len(self._trace):
            recorded, off = [int(self._trace.ids[place])], self._difference(logits, place)
        else:
            recorded, off = self._ends, max(self._off, default=0.0)
        self._off.append(off)
        self._units.append(off / unit if unit else 0.0)
        if chosen not in recorded:
            found = [t for t in recorded if near(logits, sampling, drawn, t, 2 * off + unit / 2)]
            if not found or off > _MOST * unit:
                self._left = True
                return chosen
            chosen = found[0]
            self._ties += 1
        return chosen

    @property
    def agreement(self) -> Agreement:
        if not self._off:
            return Agreement(0, 0.0, True)
        within, units = (float(np.quantile(values, 0.9)) for values in (self._off, self._units))
        return Agreement(self._ties, within, units <= _ALIKE)

    def _difference(self, logits: Tensor, place: int) -> float:
        """By how much the recorded logprobs of this place are others now, at most."""
        known = {int(self._trace.ids[place]): float(self._trace.logprobs[place])}
        known |= {i: math.log(p) for i, _, p in self._trace.alternatives[place] if p > 0}
        now = logits.float().log_softmax(-1)[list(known)]
        return float((now - torch.tensor(list(known.values()), device=now.device)).abs().max())
