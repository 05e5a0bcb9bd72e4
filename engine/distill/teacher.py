"""Teacher forcing: responses laid behind prompts, and the hidden states of the steered positions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from engine.errors import ModelError
from engine.generation.plan import steered
from engine.heads.head import Positions
from engine.model.blocks import hidden_of, replace_hidden
from engine.model.chat import Prompt
from engine.model.language_model import LanguageModel

_IGNORED = -100


@dataclass(frozen=True, eq=False)
class Rows:
    """Prompt and response pairs as one batch of N rows.

    Prompts are padded on the left and responses on the right, so that all last prompt tokens share column
    `first` and position R = [first, first + n], n the longest response, is the same under any prompt.
    ids, mask, positions [N, T]; valid [N, n+1]: which positions of R exist; labels [N, n+1]: the token
    that each predicts, -100 for none; steered [N, T]: 1 where a head is applied (all of R; under QR also the
    user's tokens), else 0.
    """

    ids: Tensor
    mask: Tensor
    positions: Tensor
    valid: Tensor
    labels: Tensor
    steered: Tensor
    first: int

    @property
    def groups(self) -> Tensor:
        """[M]: for each valid position, in row order, its row."""
        return self.valid.nonzero()[:, 0]

    def at_response(self, hidden: Tensor) -> Tensor:
        """The hidden states at the valid R positions, float32 [M, d], of hidden [N, T, d]."""
        return hidden[:, self.first :].to(self.valid.device)[self.valid].float()

    def spread(self, values: Tensor) -> Tensor:
        """Values of the valid R positions, [M] or [M, d], laid out as [N, n+1] or [N, n+1, d]; else 0."""
        full = torch.zeros((*self.valid.shape, *values.shape[1:]), device=values.device)
        full[self.valid] = values
        return full

    def select(self, index: Tensor) -> Rows:
        """Some rows only, cut to the longest of them."""
        valid = self.valid[index]
        longest = int(valid.sum(1).max())
        stop = self.first + longest
        return Rows(
            self.ids[index, :stop],
            self.mask[index, :stop],
            self.positions[index, :stop],
            valid[:, :longest],
            self.labels[index, :longest],
            self.steered[index, :stop],
            self.first,
        )


def lay(
    model: LanguageModel,
    prompts: Sequence[Prompt],
    responses: Sequence[Sequence[int]],
    ends: Sequence[int],
    positions: Positions = "response",
) -> Rows:
    """Rows of prompt i followed by response i; ends[i] is the token that ended it, -1 when it broke off."""
    first = max(len(prompt.ids) for prompt in prompts) - 1
    longest = max(map(len, responses))
    count = len(prompts)
    filler = model.tokenizer.pad_token_id or 0
    ids = torch.full((count, first + 1 + longest), filler)
    mask = torch.zeros_like(ids)
    marks = torch.zeros(ids.shape)
    valid = torch.zeros((count, longest + 1), dtype=torch.bool)
    labels = torch.full((count, longest + 1), _IGNORED)
    for i, (prompt, response, end) in enumerate(zip(prompts, responses, ends, strict=True)):
        start, stop = first + 1 - len(prompt.ids), first + 1 + len(response)
        ids[i, start:stop] = torch.tensor([*prompt.ids, *response])
        mask[i, start:stop] = 1
        marks[i, start : first + 1] = torch.tensor(steered(prompt, positions), dtype=torch.float32)
        marks[i, first + 1 : stop] = 1.0
        valid[i, : len(response) + 1] = True
        following = [*response, end if end >= 0 else _IGNORED]
        labels[i, : len(following)] = torch.tensor(following)
    places = (mask.cumsum(1) - 1).clamp_min(0)
    parts = [part.to(model.device) for part in (ids, mask, places, valid, labels, marks)]
    return Rows(parts[0], parts[1], parts[2], parts[3], parts[4], parts[5], first)


def run(model: LanguageModel, rows: Rows) -> Tensor:
    """The logits [N, n+1, V] of the R positions in one forward.

    Raises ModelError when they are no numbers: what is fitted to them would be none either.
    """
    logits = model.network(
        input_ids=rows.ids,
        attention_mask=rows.mask,
        position_ids=rows.positions,
        use_cache=False,
        logits_to_keep=rows.valid.shape[1],
    ).logits
    highest = logits.detach().amax(-1)[rows.valid]
    if not bool(torch.isfinite(highest).all()):
        raise ModelError(
            "The prompt was not distilled",
            "The model computed values that are no numbers.",
            "Load the model in float32, or word the prompt differently.",
        )
    return logits


@contextmanager
def tapped(model: LanguageModel, tap: Callable[[int, Tensor], Tensor | None]) -> Iterator[None]:
    """While entered, `tap(block, hidden)` sees every block's output [N, T, d].

    What it returns, if anything, takes the place of that output. Hooks attached before (a Steering) have
    done their work by then. All hooks are gone afterwards.
    """

    def hook_of(index: int) -> Any:
        def hook(block: Any, arguments: Any, output: Any) -> Any:
            changed = tap(index, hidden_of(output))
            return None if changed is None else replace_hidden(output, changed)

        return hook

    handles: list[Any] = []
    try:
        for index, block in enumerate(model.blocks):
            handles.append(block.register_forward_hook(hook_of(index)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def record(model: LanguageModel, rows: Rows) -> tuple[list[Tensor], Tensor]:
    """Every block's output at the valid R positions, float32 [M, d] each, and the logits [N, n+1, V]."""
    hidden: list[Tensor] = []

    def keep(index: int, states: Tensor) -> None:
        hidden.append(rows.at_response(states))

    with tapped(model, keep):
        logits = run(model, rows)
    return hidden, logits
