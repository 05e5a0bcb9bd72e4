"""The bundled model's exact rules as a judge."""

from __future__ import annotations

from collections.abc import Sequence

from engine.errors import InputError
from engine.events import Cancel
from engine.lab.judges.judge import ON_TOPIC, JudgedItem, Score
from engine.pocket.rules import coherence, trait
from engine.pocket.wordings import styles_of


class PocketJudge:
    """The least trait among the styles that the prompt names, and coherence, both by rule."""

    name = "pocket"
    steady = True

    def judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]:
        """Scores by rule.

        Raises:
            InputError: for a prompt that names no style that the rules know.
        """
        scores = []
        for item in items:
            cancel.check()
            if item.prompt == ON_TOPIC:  # exactly what the rules' coherence looks at
                on_topic = coherence(item.answer, item.questions)
                scores.append(Score(on_topic, on_topic))
                continue
            styles = styles_of(item.prompt)
            if not styles:
                raise InputError(
                    "The answers cannot be judged",
                    f'"{item.prompt}" names no style that the bundled rules know.',
                    "Name one of them (pirate, formal, ...), or another judge.",
                )
            shown = min(trait(style, item.answer, item.questions) for style in styles)
            scores.append(Score(shown, coherence(item.answer, item.questions)))
        return scores
