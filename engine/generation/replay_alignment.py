"""Keeps a replay on its record where only rounding differs, and measures how closely both agree."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from engine.generation.result import Agreement, Generation
from engine.generation.sampling import Sampling, may_choose
from engine.model.language_model import LanguageModel

# In units of the last place of the largest logit, see ReplayAlignment.
_LARGEST_ROUNDING = 32  # seen in a mixture of experts, where rounding can select another expert
_USUAL_ROUNDING = 4  # nine of ten tokens; most models stay within 1


class ReplayAlignment:
    """Called once per token of a lane that has a record, until the two part.

    The same computation done in two ways (in a batch of other rows, or from cached keys and values) gives
    logits that differ by about a unit in the last place of the largest one. How much they do differ is
    measured at every token, from the log probabilities in the record.

    Args:
        answer: the recorded answer.
        model: the model that replays it.
    """

    def __init__(self, answer: Generation, model: LanguageModel) -> None:
        self._trace = answer.trace
        self._end_ids = list(model.eos_ids) if answer.stopped == "eos" else []
        # In float32 the error of a sum is larger than the last place of its result.
        self._epsilon = max(torch.finfo(model.dtype).eps, 1e-5)
        self._ties = 0
        self._differences: list[float] = []  # per token the greatest difference of a log probability, in nats
        self._units: list[float] = []  # the same in units
        self._parted = False

    def __call__(
        self, logits: Tensor, scores: Tensor, sampling: Sampling, draw: float | None, chosen: int
    ) -> int:
        """The token to take.

        Args:
            logits: [V] of this lane's row.
            scores: [V], the logits after the repetition penalty; the same without one.
            sampling: how it was sampled.
            draw: the uniform draw; None at temperature 0.
            chosen: the token that came out.

        Returns:
            The recorded token where rounding can account for the difference, else `chosen`; then the record
            is no longer followed.
        """
        place = len(self._differences)
        if self._parted or place > len(self._trace):
            return chosen
        unit = self._epsilon * float(logits.abs().max())
        if place < len(self._trace):
            recorded, difference = [int(self._trace.ids[place])], self._difference(logits, place)
        else:
            recorded, difference = self._end_ids, max(self._differences, default=0.0)
        self._differences.append(difference)
        self._units.append(difference / unit if unit else 0.0)
        if chosen not in recorded:
            penalty = sampling.repetition_penalty  # it stretches the differences of logits, too
            slack = (2 * difference + unit / 2) * max(penalty, 1 / penalty)
            possible = [token for token in recorded if may_choose(scores, sampling, draw, token, slack)]
            if not possible or difference > _LARGEST_ROUNDING * unit:
                self._parted = True
                return chosen
            chosen = possible[0]
            self._ties += 1
        return chosen

    @property
    def agreement(self) -> Agreement:
        """How closely both computed the same, over the tokens so far."""
        if not self._differences:
            return Agreement(0, 0.0, True)
        within, units = (float(np.quantile(values, 0.9)) for values in (self._differences, self._units))
        return Agreement(self._ties, within, units <= _USUAL_ROUNDING)

    def _difference(self, logits: Tensor, place: int) -> float:
        """The greatest difference, in nats, from the log probabilities that the record has of this place."""
        recorded = {int(self._trace.ids[place]): float(self._trace.logprobs[place])}
        recorded |= {i: math.log(p) for i, _, p in self._trace.alternatives[place] if p > 0}
        now = logits.float().log_softmax(-1)[list(recorded)]
        return float((now - torch.tensor(list(recorded.values()), device=now.device)).abs().max())
