"""Coherence without a judge of content: by the likelihood of the answer under the unsteered model."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

import torch

from engine.distill.repetition import distinct_trigrams
from engine.events import Cancel
from engine.lab.fingerprint import weights_digest
from engine.lab.judges.judge import JudgedItem, Score
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel

_BATCH = 16


class LikelihoodJudge:
    """exp(-surprise), lowered for loops; no trait (engine/README.md, Eq. 20).

    surprise: by how many nats per token the answer is less likely, to the model without prompt and heads,
    than what it would say itself at the same places (its entropy there); 0 where it is likelier. Its own
    samples are at about 1. An answer with fewer than half of its three-token sequences distinct loses in
    proportion. A style that the model would not take by itself costs something too: compare at equal
    coherence, not with another judge's figures.

    Args:
        model: the loaded model.
    """

    steady = True

    def __init__(self, model: LanguageModel) -> None:
        self._model = model
        self.name = f"likelihood by {model.identity.id} ({weights_digest(model)[:8]})"

    @torch.inference_mode()
    def judge(self, items: Sequence[JudgedItem], cancel: Cancel) -> list[Score]:
        """Coherence of every answer; no trait."""
        scores: list[Score] = []
        for start in range(0, len(items), _BATCH):
            cancel.check()
            scores += self._some(items[start : start + _BATCH])
        return scores

    def _some(self, items: Sequence[JudgedItem]) -> list[Score]:
        model = self._model
        prompts = [encode(model, [Message("user", item.questions[-1])], None).ids for item in items]
        answers = [model.tokenizer.encode(item.answer, add_special_tokens=False) for item in items]
        limit = model.context or max(len(p) + len(a) for p, a in zip(prompts, answers))
        rows = [[*p, *a][:limit] for p, a in zip(prompts, answers)]
        width = max(map(len, rows))
        # Padded on the right: a causal model does not see what comes after.
        ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=model.device)
        logprobs = model.network(input_ids=ids, use_cache=False).logits.float().log_softmax(-1)
        scores = []
        for index, (prompt, row) in enumerate(zip(prompts, rows)):
            said = ids[index, len(prompt) : len(row)]
            if not len(said):
                scores.append(Score(None, 0.0))
                continue
            at = logprobs[index, len(prompt) - 1 : len(row) - 1]
            entropy = -(at.exp() * at).sum(-1)
            surprise = float((-at.gather(-1, said.unsqueeze(-1)).squeeze(-1) - entropy).mean())
            scores.append(
                Score(None, exp(-max(0.0, surprise)) * min(1.0, 2 * distinct_trigrams(said.tolist())))
            )
        return scores
