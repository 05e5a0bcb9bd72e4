"""The data that fits learn from: the responses, with the model's states with and without the prompt."""

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
_LEFT_OUT = 4  # one response in so many is left out of a fit


@dataclass(frozen=True, eq=False)
class BatchSlice:
    """The first of the responses.

    Attributes:
        rows: the batch.
        prefix: the KV before the response, None where there is none.
        count: how many learned positions they have.
    """

    rows: TeacherForcedBatch
    prefix: PrefixKV | None
    count: int

    @property
    def marks(self) -> Tensor:
        """1 where a head is applied in the columns that are run, else 0, [N, t, 1]."""
        start = 0 if self.prefix is None else self.rows.first
        return self.rows.steered[:, start:].unsqueeze(-1)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """All responses, the negative ones last; flat over their M learned positions.

    Attributes:
        whole: all of them.
        targets: the prompted states per block, in the model's dtype, [M, d].
        prompted: the trunk's output with the prompt, [M, d].
        plain: the trunk's output without the prompt, [M, d].
        moved: per block |plain - prompted|^2, [M].
        divergences: KL(prompted || plain) in nats, [M].
        traits: of each response, in [0, 1], [N].
        negative: of each response, bool [N].
    """

    whole: BatchSlice
    targets: list[Tensor]
    prompted: Tensor
    plain: Tensor
    moved: list[Tensor]
    divergences: Tensor
    traits: Tensor
    negative: Tensor

    @property
    def weights(self) -> Tensor:
        """How much each position counts in a closed form, [M] (engine/README.md, Eq. 6).

        Ours, beyond the paper: most of a response's tokens are the same with and without the prompt.
        Unweighted they pull direction, gate and strength towards doing too little on the few that carry the
        behaviour; weighted by the KL itself, towards doing too much everywhere else. The floor keeps teaching
        the head to do nothing.
        """
        return (self.divergences.clamp_min(0) + _FLOOR).sqrt()

    @property
    def labels(self) -> Tensor:
        """The token that each position predicts, -100 for none, [M]."""
        return self.whole.rows.targets

    @property
    def positives(self) -> int:
        """How many responses show what the prompt asks for."""
        return int((~self.negative).sum())

    @property
    def shown(self) -> int:
        """How many learned positions those have."""
        return int(self.whole.rows.learned[: self.positives].sum())

    def split(self) -> tuple[Tensor, Tensor]:
        """The responses [n] that a fit learns from, and those [m] that it is judged by, as indices.

        Every fourth one that shows what the prompt asks for is left out. Of fewer than four none is.
        """
        index = torch.arange(len(self.whole.rows))
        out = (index < self.positives) & (index % _LEFT_OUT == _LEFT_OUT - 1)
        return index[~out], index[out]

    def select(self, index: Tensor) -> TrainingData:
        """Some of the responses only."""
        whole = self.whole
        index = index.to(whole.rows.ids.device)
        rows, places = whole.rows.select(index), whole.rows.places(index)

        def picked(flat: Tensor) -> Tensor:
            return flat[places.to(flat.device)]

        return TrainingData(
            whole=BatchSlice(
                rows, None if whole.prefix is None else whole.prefix.select(index), len(rows.groups)
            ),
            targets=[picked(target) for target in self.targets],
            prompted=picked(self.prompted),
            plain=picked(self.plain),
            moved=[picked(moved) for moved in self.moved],
            divergences=picked(self.divergences),
            traits=self.traits[index],
            negative=self.negative[index],
        )

    def first(self, share: int, least: int) -> BatchSlice:
        """The first of the responses that show what the prompt asks for.

        Args:
            share: 1 / share of them,
            least: but at least so many.
        """
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
        rows = response_rows(model, request, kept, None)

        def compare(block: int, hidden: Tensor) -> None:
            cancel.check()
            moved.append(squares(rows.at(hidden), recorded.blocks[block]))

        prefix = PrefixKV.of(model, rows, request.positions)
        with output_hooks(model, compare):
            plain = run(model, rows, prefix)
        return TrainingData(
            whole=BatchSlice(rows, prefix, len(rows.groups)),
            targets=recorded.blocks,
            prompted=recorded.last,
            plain=plain,
            moved=moved,
            divergences=divergences(model, recorded.last.unsqueeze(1), plain)[:, 0],
            traits=torch.tensor([1.0 if r.negative else r.trait for r in kept], device=model.device),
            negative=torch.tensor([r.negative for r in kept], device=model.device),
        )


def response_rows(
    model: LanguageModel,
    request: Request,
    kept: Sequence[Response],
    prompt: str | None,
    place: Place = "system",
) -> TeacherForcedBatch:
    """The responses after their questions, as a batch.

    Args:
        model: the model.
        request: what is distilled, for its positions.
        kept: the responses.
        prompt: the steering prompt, None for none.
        place: where it goes.
    """
    texts = placed(prompt, place)
    prompts = [encode(model, [Message("user", response.question)], **texts) for response in kept]
    return collate(model, prompts, kept, request.positions)


def distance(errors: Sequence[Tensor], moved: Sequence[Tensor]) -> dict[int, float]:
    """The distance to the prompted states per block (engine/README.md, Eq. 16).

    Args:
        errors: per block |states - prompted|^2, [m].
        moved: per block |plain - prompted|^2, [M], M >= m.

    Returns:
        Per block; 0 is the prompt itself, 1 doing nothing.
    """
    return {
        block: float((error.sum() / plain[: len(error)].sum().clamp_min(1e-12)).sqrt())
        for block, (error, plain) in enumerate(zip(errors, moved, strict=True))
    }
