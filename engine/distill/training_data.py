"""What the fits learn from: the responses, as the model is with the prompt and as it is without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.distill.activation_recorder import RecordedStates
from engine.distill.hooked_forward import PrefixKV, output_hooks, run, squares
from engine.distill.request import Request
from engine.distill.teacher_forcing import Response, TeacherForcedBatch, collate
from engine.distill.token_losses import divergences
from engine.events import Cancel
from engine.model.chat_template import Message, Place, encode, placed
from engine.model.language_model import LanguageModel

_FLOOR = 0.02  # nats


@dataclass(frozen=True, eq=False)
class BatchSlice:
    """The first of the responses: their rows and prefix; count: how many learned positions they have."""

    rows: TeacherForcedBatch
    prefix: PrefixKV | None
    count: int

    @property
    def marks(self) -> Tensor:
        """[N, t, 1]: 1 where a head is applied in the columns that are run, else 0."""
        start = 0 if self.prefix is None else self.rows.first
        return self.rows.steered[:, start:].unsqueeze(-1)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Flat over the M learned positions of all responses, the negative ones last.

    targets: the prompted states per block [M, d], in the model's dtype; plain: the trunk's output without
    the prompt [M, d]; moved: per block |plain - prompted|^2 [M]; divergences [M]: KL(prompted || plain) in
    nats; traits [N], negative [N]: of each response.
    """

    whole: BatchSlice
    targets: list[Tensor]
    plain: Tensor
    moved: list[Tensor]
    divergences: Tensor
    traits: Tensor
    negative: Tensor

    @property
    def weights(self) -> Tensor:
        """How much each position counts in a closed form: sqrt(KL + 0.02 nats), [M].

        *Ours*, beyond the paper: most of a response's tokens are the same with and without the prompt.
        Unweighted they pull direction, gate and strength towards doing too little on the few that carry the
        behaviour; by the KL itself, towards doing too much everywhere else. The floor keeps teaching the
        head to do nothing.
        """
        return (self.divergences.clamp_min(0) + _FLOOR).sqrt()

    @property
    def labels(self) -> Tensor:
        return self.whole.rows.targets

    @property
    def positives(self) -> int:
        """How many responses show what the prompt asks for."""
        return int((~self.negative).sum())

    @property
    def shown(self) -> int:
        """How many learned positions those have."""
        return int(self.whole.rows.learned[: self.positives].sum())

    def first(self, share: int, least: int) -> BatchSlice:
        """The first 1/share of the responses that show it, at least so many."""
        count = min(self.positives, max(least, self.positives // share))
        if count == len(self.whole.rows):
            return self.whole
        index = torch.arange(count, device=self.whole.rows.ids.device)
        rows, prefix = self.whole.rows.select(index), self.whole.prefix
        return BatchSlice(rows, None if prefix is None else prefix.select(index), int(rows.learned.sum()))


def gather(
    model: LanguageModel, request: Request, kept: Sequence[Response], recorded: RecordedStates, cancel: Cancel
) -> TrainingData:
    """The training data: one pass over the responses without the prompt, beside what was recorded under it.

    Args:
        model: the model.
        request: what is distilled.
        kept: the responses, the negative ones last.
        recorded: the states under the prompt, in the same order.
        cancel: checked at every block.

    Raises:
        Cancelled: when asked to stop.
        ModelError: when the model computes values that are not finite.
    """
    moved: list[Tensor] = []
    with torch.no_grad():  # not inference mode: a gradient fit saves these tensors for its backward pass
        rows = lay_rows(model, request, kept, None)

        def compare(block: int, hidden: Tensor) -> None:
            cancel.check()
            moved.append(squares(rows.at(hidden), recorded.blocks[block]))

        prefix = PrefixKV.of(model, rows, request.positions)
        with output_hooks(model, compare):
            plain = run(model, rows, prefix)
        return TrainingData(
            whole=BatchSlice(rows, prefix, len(rows.groups)),
            targets=recorded.blocks,
            plain=plain,
            moved=moved,
            divergences=divergences(model, recorded.last.unsqueeze(1), plain)[:, 0],
            traits=torch.tensor([1.0 if r.negative else r.trait for r in kept], device=model.device),
            negative=torch.tensor([r.negative for r in kept], device=model.device),
        )


def lay_rows(
    model: LanguageModel,
    request: Request,
    kept: Sequence[Response],
    prompt: str | None,
    place: Place = "system",
) -> TeacherForcedBatch:
    """The responses behind their questions, with the prompt in its place, or without one."""
    texts = placed(prompt, place)
    prompts = [encode(model, [Message("user", response.question)], **texts) for response in kept]
    return collate(model, prompts, kept, request.positions)


def distance(errors: Sequence[Tensor], moved: Sequence[Tensor]) -> dict[int, float]:
    """Per block |states - prompted| / |plain - prompted| from squares [m], [M >= m]: 0 is the prompt itself,
    1 doing nothing (METHOD.md section 5, faithfulness, accumulated)."""
    return {
        block: float((error.sum() / plain[: len(error)].sum().clamp_min(1e-12)).sqrt())
        for block, (error, plain) in enumerate(zip(errors, moved, strict=True))
    }
