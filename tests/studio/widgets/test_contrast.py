"""Text can be read: at least 4.5 : 1 in both themes, over every colour that a token can have; what is
disabled at least 3 : 1, and dimmer than the rest."""

from __future__ import annotations

import re

import numpy as np
import pytest

from studio.widgets import theme

LEAST = 4.5
THEMES = pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])


def rgb(name: str) -> np.ndarray:
    return np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def luminance(colour: np.ndarray) -> np.ndarray:
    """Of one colour or of many, [..., 3]."""
    linear = np.where(colour <= 0.04045, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return linear @ np.array([0.2126, 0.7152, 0.0722])


def contrast(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """WCAG 2.1, from 1 to 21."""
    one, other = luminance(one), luminance(other)
    return (np.maximum(one, other) + 0.05) / (np.minimum(one, other) + 0.05)


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


@THEMES
def test_what_is_disabled_can_be_read_and_is_dimmer(colours):
    for ground in ("window", "surface", "field", "line"):
        paper = rgb(getattr(colours, ground))
        dim = contrast(rgb(colours.disabled), paper)
        assert dim >= 3 and contrast(rgb(colours.muted), paper) > 1.3 * dim
    written = re.findall(r":disabled {[^}]*?(?<!-)color: (#\w+)", theme._sheet(colours, 1.0))
    assert len(written) == 3 and set(written) == {colours.disabled}
