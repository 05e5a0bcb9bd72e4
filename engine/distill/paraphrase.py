"""Another wording of a steering prompt: the reference line for how faithful a head could be."""

from __future__ import annotations

from engine.model.language_model import LanguageModel
from engine.pocket.wordings import styles_of, wordings


def paraphrase(model: LanguageModel, prompt: str) -> str:
    """On the bundled model another known wording for the same style; elsewhere the prompt in other words."""
    styles = styles_of(prompt) if model.is_pocket else ()
    if styles:
        others = (w for style in styles for w in wordings(style)[3:4])
        found = " Also, ".join(others)
        if found.lower() != prompt.strip().lower():
            return found
    return f"In all of your answers, follow this instruction: {prompt.strip()}"
