"""CAA (Rimsky et al. 2024), DiffMean: the mean difference between prompted and plain states, as it is."""

from __future__ import annotations

from engine.distill.methods import constant
from engine.distill.methods.method import Method

CAA = Method(
    "caa",
    "CAA",
    "One block, the mean difference that the prompt makes; nothing is trained",
    False,
    constant.solve,
    (),
    "instant",
    None,
    calibrated=False,
)
