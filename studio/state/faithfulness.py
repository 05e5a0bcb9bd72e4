"""Faithfulness figures that come with a head."""

from __future__ import annotations

from typing import Any

from studio.state.progress import Faithfulness
from studio.state.workspace import Workspace


def keep_faithfulness(workspace: Workspace, head: Any) -> None:
    """A head file carries the figures of its own fit."""
    figures = head.info.figures
    if figures.get("faithfulness"):
        paraphrase = figures.get("paraphrase")
        found = Faithfulness(
            {int(block): float(x) for block, x in figures["faithfulness"].items()},
            {int(block): float(x) for block, x in paraphrase.items()} if paraphrase else None,
        )
        workspace.set_faithfulness(head.digest, found)
