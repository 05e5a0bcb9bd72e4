"""How far an answer has come, in words: below every answer, wherever it is shown."""

from __future__ import annotations

from studio.state.conversation import Answer, used_heads
from studio.widgets.translation import tr


def ending(answer: Answer) -> str:
    """How many tokens it has and why it ended; or that it goes on."""
    ends = {
        "waiting": tr("Waiting…"),
        "running": tr("Answering…"),
        "eos": tr("finished"),
        "stop": tr("finished"),
        "length": tr("stopped at the length limit"),
        "cancelled": tr("stopped"),
        "failed": tr("failed"),
    }
    if answer.state in ("eos", "stop") and not len(answer):
        return tr("Empty answer – try a lower strength") if used_heads(answer) else tr("Empty answer")
    end = ends.get(answer.state, answer.state)
    return tr("%n token(s), {0}", "", len(answer)).format(end) if answer.over else end
