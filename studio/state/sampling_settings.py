"""How answers are sampled, and what of it is the loaded model's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

SEEDS = 2**31  # from 0 on


@dataclass(frozen=True)
class SamplingSettings:
    """How the next answer is sampled; temperature 0 takes the most probable token.

    repetition_penalty: 1 is off; keep_seed: whether the next answer has the same seed; edited: whether a
    person chose temperature, top-k, top-p or penalty, which are the loaded model's defaults otherwise.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    max_tokens: int = 256
    seed: int = 0
    repetition_penalty: float = 1.0
    keep_seed: bool = False
    edited: bool = False

    def with_rules(self, other: SamplingSettings) -> SamplingSettings:
        """With the other's temperature, top-k, top-p and penalty."""
        return replace(
            self,
            temperature=other.temperature,
            top_k=other.top_k,
            top_p=other.top_p,
            repetition_penalty=other.repetition_penalty,
        )

    def with_new_seed(self, used: Collection[int | None]) -> SamplingSettings:
        """With the next seed that is not in `used`; as they are where the seed is kept or changes nothing."""
        if self.keep_seed or not self.temperature:
            return self
        seed = self.seed
        while seed in used:
            seed = (seed + 1) % SEEDS
        return replace(self, seed=seed)

    @property
    def changed(self) -> bool:
        """Whether a person would miss anything of them."""
        fresh, chosen = SamplingSettings(), self.with_rules(SamplingSettings())
        if self.temperature and not self.keep_seed:  # it counted on by itself
            chosen = replace(chosen, seed=fresh.seed)
        return chosen != fresh
