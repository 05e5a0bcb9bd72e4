"""Text can be read: at least 4.5 : 1 in both themes, over every colour that a token can have."""

from __future__ import annotations

import numpy as np
import pytest

from studio import theme

LEAST = 4.5
THEMES = pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])


def rgb(name: str) -> np.ndarray:
    return np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def luminance(colour: np.ndarray) -> float:
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(one: np.ndarray, other: np.ndarray) -> float:
    """WCAG 2.1, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_black_on_white_is_21():
    assert contrast(rgb("#000000"), rgb("#ffffff")) == pytest.approx(21)


@THEMES
@pytest.mark.parametrize("hue", ["positive", "negative"])
def test_every_shade_of_a_token(colours, hue):
    paper, ink = rgb(colours.surface), rgb(colours.text)
    for weight in np.linspace(0, 1, 51):
        shade = colours.shade * weight
        assert contrast(ink, paper * (1 - shade) + rgb(getattr(colours, hue)) * shade) >= LEAST


@THEMES
@pytest.mark.parametrize(
    ("ink", "paper"),
    [
        ("text", "window"), ("text", "surface"), ("text", "field"), ("muted", "window"), ("muted", "surface"),
        ("muted", "field"), ("on_accent", "accent"), ("on_accent", "accent_hover"),
        ("danger", "danger_surface"), ("text", "danger_surface"), ("accent", "surface"),
    ],
)  # fmt: skip
def test_every_pair_of_text_and_ground(colours, ink, paper):
    assert contrast(rgb(getattr(colours, ink)), rgb(getattr(colours, paper))) >= LEAST
