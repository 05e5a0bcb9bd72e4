"""Teacher forcing: responses appended to prompts as one batch of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.generation.steered_positions import steered_mask
from engine.heads.head import Positions
from engine.model.chat_template import Prompt
from engine.model.language_model import LanguageModel

IGNORED = -100


@dataclass(frozen=True, eq=False)
class TeacherForcedBatch:
    """Prompt and response pairs as one batch of N rows.

    Prompts are padded on the left and responses on the right, so that all last prompt tokens are in column
    `first` and the response's columns are the same under any prompt. Values of the M learned positions are
    flat, [M] or [M, d], in row order.

    Attributes:
        ids: token ids, [N, T].
        mask: attention mask, [N, T].
        positions: position ids, [N, T].
        learned: the positions that a head learns from: the response's, and with question_and_response the
            question's, bool [N, T].
        labels: the token that each of the response's positions predicts, -100 elsewhere, [N, T].
        steered: 1 where a head is applied, else 0, [N, T].
        first: the column of the last prompt token.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    learned: Tensor
    labels: Tensor
    steered: Tensor
    first: int

    def __len__(self) -> int:
        return self.ids.shape[0]

    @property
    def groups(self) -> Tensor:
        """For each learned position its row, [M]."""
        return self.learned.nonzero()[:, 0]

    @property
    def targets(self) -> Tensor:
        """For each learned position the token that it predicts, -100 for none, [M]."""
        return self.labels[self.learned]

    def at(self, hidden: Tensor) -> Tensor:
        """The states at the learned positions.

        Args:
            hidden: [N, t, d], the last t columns, which hold all of them.

        Returns:
            [M, d].
        """
        return hidden[self.learned[:, -hidden.shape[1] :].to(hidden.device)]

    def places(self, index: Tensor) -> Tensor:
        """The indices in a flat array of the learned positions of some rows, in the order of `select`."""
        counts = self.learned.sum(1)
        starts = counts.cumsum(0) - counts
        spans = [torch.arange(int(starts[i]), int(starts[i] + counts[i])) for i in index.tolist()]
        return torch.cat(spans).to(self.ids.device)

    def select(self, index: Tensor) -> TeacherForcedBatch:
        """Some rows only, by their index [n], cut to the longest of them."""
        stop = int(self.mask[index].nonzero()[:, 1].max()) + 1
        parts = (self.ids, self.mask, self.positions, self.learned, self.labels, self.steered)
        ids, mask, positions, learned, labels, marks = (part[index, :stop] for part in parts)
        return TeacherForcedBatch(ids, mask, positions, learned, labels, marks, self.first)


@dataclass(frozen=True, kw_only=True)
class Response:
    """One response to learn from.

    Attributes:
        question: what it answers.
        ids: its n token ids, without the end token.
        end: the end token that was sampled, -1 when the length ended it.
        text: its text.
        trait: how clearly it shows what the prompt asks for, in [0, 1].
        coherence: in [0, 1].
        shared: how many of its question's tokens are learned from, counted from their end.
        negative: it was sampled without the prompt, so that only its own tokens are learned from.
    """

    question: str
    ids: tuple[int, ...]
    end: int
    text: str
    trait: float
    coherence: float
    shared: int = 0
    negative: bool = False


def collate(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    responses: Sequence[Response],
    positions: Positions = "response",
) -> TeacherForcedBatch:
    """Rows of prompt i followed by response i.

    Args:
        model: the model, for its padding token and device.
        prompts: the encoded prompts.
        responses: one for each.
        positions: where a head steers.
    """
    first = max(len(prompt.ids) for prompt in prompts) - 1
    shape = len(prompts), first + 1 + max(len(response.ids) for response in responses)
    ids = torch.full(shape, model.tokenizer.pad_token_id or 0)
    mask, labels = torch.zeros_like(ids), torch.full(shape, IGNORED)
    learned, marks = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape)
    for i, (prompt, response) in enumerate(zip(prompts, responses, strict=True)):
        start, stop = first + 1 - len(prompt.ids), first + 1 + len(response.ids)
        ids[i, start:stop] = torch.tensor([*prompt.ids, *response.ids])
        mask[i, start:stop] = 1
        following = [*response.ids, response.end if response.end >= 0 else IGNORED]
        own = first + 1 if response.negative else first
        labels[i, own:stop] = torch.tensor(following[own - first :])
        learned[i, own:stop], marks[i, own:stop] = True, 1.0
        if not response.negative:
            learned[i, start : first + 1] = torch.tensor(learned_marks(prompt, response.shared))
            marks[i, start : first + 1] = torch.tensor(steered_mask(prompt, positions), dtype=torch.float32)
    places = (mask.cumsum(1) - 1).clamp_min(0)
    parts = [part.to(model.device) for part in (ids, mask, places, learned, labels, marks)]
    return TeacherForcedBatch(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], first)


def learned_marks(prompt: Prompt, shared: int) -> list[bool]:
    """For each token of a prompt, whether it is learned from.

    Args:
        prompt: the encoded prompt.
        shared: how many of the question's last tokens are; the last prompt token always is.
    """
    marks = [False] * len(prompt.ids)
    marks[-1] = True
    for span in prompt.spans[-1:]:
        marks[span.stop - shared : span.stop] = [True] * shared
    return marks


def shared_question(prompt: Prompt, other: Prompt) -> int:
    """How many tokens of the question, counted from its end, are the same in both prompts."""
    if not prompt.spans or not other.spans:
        return 0
    one, two = (p.ids[p.spans[-1].start : p.spans[-1].stop][::-1] for p in (prompt, other))
    same = [a == b for a, b in zip(one, two)]
    return same.index(False) if False in same else len(same)
