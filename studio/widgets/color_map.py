"""The colours of numbers, the same in the window and in every exported picture."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg

from studio.widgets.theme import Theme

STEPS = 254  # colours within a scale; one more on either side is for what lies beyond


def table(colours: Theme, signed: bool) -> np.ndarray:
    """uint8 [STEPS, 3] from a scale's low end to its high one."""
    name = colours.signed_map if signed else colours.color_map
    return pg.colormap.get(name).getLookupTable(nPts=STEPS)
