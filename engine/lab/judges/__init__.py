"""The judges, one file each. To add one, write its file and name it here."""

from __future__ import annotations

from pathlib import Path

from engine.distill.model_kind import kind_of
from engine.errors import InputError
from engine.lab.judges.endpoint import EndpointJudge
from engine.lab.judges.judge import (
    ON_TOPIC,
    CachingJudge,
    Disagreement,
    JoinedJudge,
    Judge,
    JudgedItem,
    Score,
    disagreement,
)
from engine.lab.judges.likelihood import LikelihoodJudge
from engine.lab.judges.pocket_judge import PocketJudge
from engine.lab.judges.rules_file import RulesJudge
from engine.lab.judges.self_judge import SelfJudge
from engine.lab.result_cache import ResultCache
from engine.model.language_model import LanguageModel

__all__ = ["ON_TOPIC", "Disagreement", "Judge", "JudgedItem", "Score", "disagreement", "open_judge"]


def open_judge(words: str | None, model: LanguageModel, store: ResultCache) -> Judge:
    """A judge by its words; its scores are kept.

    Args:
        words: pocket, self (the loaded model), likelihood (coherence only), rules:FILE.toml, or URL#MODEL of
            an OpenAI-compatible endpoint. Two joined by "+": the trait by the first, coherence by the second;
            self and rules alone are joined with likelihood. None: the one of the model's kind.
        model: the loaded model.
        store: where scores are kept.

    Raises:
        InputError: for words that name none.
    """
    words = words or kind_of(model).judge
    first, plus, second = words.partition("+")
    if not plus and (first == "self" or first.startswith("rules:")):
        second = "likelihood"
    judge = _one(first, model)
    return CachingJudge(JoinedJudge(judge, _one(second, model)) if second else judge, store)


def _one(words: str, model: LanguageModel) -> Judge:
    if words == "pocket":
        return PocketJudge()
    if words == "self":
        return SelfJudge(model)
    if words == "likelihood":
        return LikelihoodJudge(model)
    if words.startswith("rules:"):
        return RulesJudge(Path(words.removeprefix("rules:")))
    url, _, name = words.rpartition("#")
    if url.startswith(("http://", "https://")) and name:
        return EndpointJudge(url, name)
    raise InputError(
        "The answers cannot be judged",
        f"There is no judge {words}.",
        "Use pocket, self, likelihood, rules:FILE.toml, or URL#MODEL of an OpenAI-compatible endpoint.",
    )
