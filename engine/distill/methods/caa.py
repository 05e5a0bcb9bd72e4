"""CAA, also DiffMean: the mean difference between prompted and plain states, as it is.

Source: Rimsky et al. 2024, arXiv 2312.06681.
"""

from __future__ import annotations

from engine.distill.methods import constant
from engine.distill.methods.method import Method

CAA = Method(
    name="caa",
    title="CAA",
    about="One block; the mean activation difference made by the prompt; no training",
    every_block=False,
    solve=constant.solve,
    calibrated=False,
)
