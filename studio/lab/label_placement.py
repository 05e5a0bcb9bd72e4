"""Where the name of a line stands in a picture: beside one of its points, clear of everything else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

CLEAR = 12.0  # pixels around a name that are room enough
GAP = 2.0  # pixels between a point and its name


@dataclass(frozen=True)
class LabelSpot:
    """at: which of the points; left, top: of the name, in pixels from that point."""

    at: int
    left: float
    top: float


def place(
    points: np.ndarray,
    radius: float,
    size: tuple[float, float],
    taken: np.ndarray,
    frame: tuple[float, float],
) -> LabelSpot:
    """The first of `points` (k, 2), and the first place beside it from the right on, that leave most room.

    All in pixels from the upper left. radius: of the points, 0 where none are drawn; size: of the name;
    taken: (n, 4) left, top, right, bottom of what else there is; frame: size of the picture, which no name
    leaves if it can help.
    """
    wide, high = size
    away = radius + GAP
    middle = (-wide / 2, -high / 2)
    around_it = [(x, y) for y in (middle[1], -away - high, away) for x in (away, -away - wide, middle[0])]
    sides = np.array([side for side in around_it if side != middle])
    corners = (points[:, None, :] + sides[None, :, :]).reshape(-1, 2)
    boxes = np.hstack([corners, corners + np.array(size)])
    outside = (boxes[:, :2] < 0).any(1) | (boxes[:, 2] > frame[0]) | (boxes[:, 3] > frame[1])
    room = _gaps(boxes, taken).min(axis=1, initial=CLEAR)
    if radius:
        own = _gaps(boxes, around(points, radius))
        own[np.arange(len(boxes)), np.arange(len(boxes)) // len(sides)] = CLEAR  # beside it is meant to be
        room = np.minimum(room, own.min(axis=1))
    room -= outside * 2 * CLEAR
    best = int(room.argmax())
    return LabelSpot(best // len(sides), *(float(x) for x in sides[best % len(sides)]))


def around(points: np.ndarray, radius: float) -> np.ndarray:
    """What points of that radius take: a box each."""
    return np.hstack([points - radius, points + radius])


def _gaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(k, n) distances; below 0 where they overlap."""
    over = np.maximum(boxes[:, None, :2] - others[None, :, 2:], others[None, :, :2] - boxes[:, None, 2:])
    apart = np.hypot(*np.maximum(over, 0).transpose(2, 0, 1))
    return np.where(apart > 0, apart, over.max(axis=2))
