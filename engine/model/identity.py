"""Which model something belongs to, in facts that can be stored and compared."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

POCKET = "pocket"  # the id of the bundled model


@dataclass(frozen=True)
class ModelIdentity:
    """Which model a head belongs to; a head fits any model of the same fingerprint."""

    id: str
    revision: str | None
    architecture: str
    width: int
    blocks: int
    vocabulary: int
    template: str

    @property
    def fingerprint(self) -> str:
        facts = (self.architecture, self.width, self.blocks, self.vocabulary, self.template)
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def is_of(self, other: ModelIdentity) -> bool:
        """Whether a head of one is a head of the other."""
        return self.fingerprint == other.fingerprint

    def same_shape(self, other: ModelIdentity) -> bool:
        """Whether a head of one can be applied to the other at all."""
        return (self.width, self.blocks) == (other.width, other.blocks)


def template_hash(template: str | None) -> str:
    """A short hash of a chat template; empty where the model has none."""
    return hashlib.sha256(template.encode()).hexdigest()[:16] if template else ""
