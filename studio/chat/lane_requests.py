"""The lanes of one question, from what the workspace holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from studio.state.conversation import STEERED, Turn, history
from studio.state.requests import LaneRequest
from studio.state.workspace import Workspace

NO_OPENINGS: Mapping[str, Sequence[int]] = MappingProxyType({})


def lane_requests(
    workspace: Workspace,
    before: tuple[Turn, ...],
    question: str,
    lanes: Sequence[str],
    strengths: Any = None,
    openings: Mapping[str, Sequence[int]] = NO_OPENINGS,
) -> list[LaneRequest]:
    """One request per lane, of the loaded model, after the turns `before`. strengths: live ones of the mix;
    openings: ids that the answer of a lane begins with."""
    facts = workspace.loading.facts
    model = facts.key if facts is not None else ""
    heads = tuple(c.steering_head for c in workspace.active_rows())
    truth = _truth(workspace) if workspace.truth else None
    place = place_of(workspace, truth or "")
    steered = {"heads": heads, "strengths": strengths, "truth": truth, "place": place}
    return [
        LaneRequest(
            (*history(before, lane, model), ("user", question, None)),
            opening=tuple(openings.get(lane, ())),
            **(steered if lane == STEERED else {}),
        )
        for lane in lanes
    ]


def place_of(workspace: Workspace, prompt: str) -> Literal["system", "before"]:
    """Where a steering prompt goes: where the head of the same prompt was distilled from, else any head that
    steers; a system message without one."""
    heads = [c.head for c in workspace.usable() if c.head.info.prompt.strip() == prompt.strip()]
    heads += [c.head for c in workspace.active_rows()]
    return heads[0].info.place if heads else "system"


def _truth(workspace: Workspace) -> str | None:
    """The prompt whose effect is measured beside: that of the heads in the mix, else the typed one."""
    prompts = dict.fromkeys(c.head.info.prompt.strip() for c in workspace.active_rows())
    told = " ".join(prompt for prompt in prompts if prompt) or workspace.prompt.strip()
    return told or None
