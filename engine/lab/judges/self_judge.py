"""The loaded model as a judge: the probability-weighted digit of its answer."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from engine.events import Cancel
from engine.lab.fingerprint import weights_digest
from engine.lab.judges.judge import JudgedItem, Score
from engine.lab.judges.rubric import ask, expected
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel

_TOP = 9  # one digit is one token for every tokenizer; larger numbers are split differently by each
_TRIED = 20


class SelfJudge:
    """Asks the unsteered model for a digit and takes the expected value among its 20 likeliest tokens."""

    steady = True

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.name = f"self: {model.identity.id} ({weights_digest(model)[:8]})"

    @torch.inference_mode()
    def judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]:
        """The scores of every answer, two questions each."""
        return [Score(*(self._one(item, what, cancel) for what in ("trait", "coherence"))) for item in items]

    def _one(self, item: JudgedItem, what: str, cancel: Cancel) -> float | None:
        cancel.check()
        model = self._model
        ids = encode(model, [Message("user", ask(item, what, _TOP))], None).ids
        if model.context is not None and len(ids) > model.context:
            return None
        logits = model.network(input_ids=torch.tensor([ids], device=model.device), use_cache=False).logits
        likeliest = logits[0, -1].float().softmax(-1).topk(_TRIED)
        tokens = [
            (model.tokenizer.decode([int(token)]), float(p))
            for p, token in zip(likeliest.values, likeliest.indices)
        ]
        return expected(tokens, _TOP)
