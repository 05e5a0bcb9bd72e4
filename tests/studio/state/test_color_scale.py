from __future__ import annotations

import pytest

from studio.state.color_scale import ColorScale, round_up


@pytest.mark.parametrize(
    ("value", "above"), [(0.0, 0.0), (1.0, 1.0), (1.01, 1.5), (7.2, 8.0), (99.0, 100.0), (0.013, 0.015)]
)
def test_the_limit_is_the_next_round_number(value, above):
    assert round_up(value) == pytest.approx(above)


def test_the_scale_only_grows_and_learns_the_sign():
    scale = ColorScale().widened(7.2, 0.0)
    assert (scale.limit, scale.signed) == (8.0, False)
    assert scale.widened(2.0, -0.01) == scale
    signed = scale.widened(3.0, -3.0)
    assert signed.signed and signed.levels == (-8.0, 8.0)


def test_the_weight_is_a_share_of_the_limit():
    scale = ColorScale(8.0)
    assert scale.weight(-4.0) == 0.5
    assert scale.weight(80.0) == 1.0
    assert scale.exceeded_by(-8.1) and not scale.exceeded_by(8.0)
