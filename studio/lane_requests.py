"""The lanes of one question, from what the workspace holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from studio.requests import LaneRequest
from studio.turns import STEERED, Turn, history
from studio.workspace import Workspace


def lane_requests(
    workspace: Workspace,
    before: tuple[Turn, ...],
    question: str,
    lanes: Sequence[str],
    strengths: Any = None,
    opening: Sequence[int] = (),
) -> list[LaneRequest]:
    """One request per lane, of the loaded model, after the turns `before`. strengths: live ones of the mix;
    opening: ids that the steered answer begins with."""
    facts = workspace.loading.facts
    model = facts.key if facts is not None else ""
    heads = tuple(c.steering_head for c in workspace.sounding())
    truth = _truth(workspace) if workspace.truth else None
    steered = {"heads": heads, "strengths": strengths, "truth": truth, "opening": tuple(opening)}
    return [
        LaneRequest(
            (*history(before, lane, model), ("user", question, None)), **(steered if lane == STEERED else {})
        )
        for lane in lanes
    ]


def _truth(workspace: Workspace) -> str | None:
    """The prompt whose effect is measured beside: that of the heads in the mix, else the typed one."""
    prompts = dict.fromkeys(c.head.info.prompt.strip() for c in workspace.sounding())
    told = " ".join(prompt for prompt in prompts if prompt) or workspace.prompt.strip()
    return told or None
