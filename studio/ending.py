"""How far an answer has come, in words: below every answer, wherever it is shown."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from studio.turns import Answer, heard


def ending(answer: Answer) -> str:
    """How many tokens it has and why it ended; or that it goes on."""
    ends = {
        "waiting": _t("waiting…"),
        "running": _t("answering…"),
        "eos": _t("complete"),
        "stop": _t("complete"),
        "length": _t("limit reached"),
        "cancelled": _t("stopped"),
        "failed": _t("failed"),
    }
    if answer.state in ("eos", "stop") and not len(answer):
        return _t("ended at once: try less strength") if heard(answer) else _t("ended at once")
    end = ends.get(answer.state, answer.state)
    return _t("{0} tokens, {1}").format(len(answer), end) if answer.over else end


def _t(text: str) -> str:
    return QCoreApplication.translate("ending", text)
