"""`steer pocket train`: Pocket from scratch, seeded, checkpointed, resumable."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from engine.errors import InputError
from engine.events import Cancel, Emit, LossPoint, Progress, ignore
from engine.pocket.architecture import BEGIN, END, build_network, build_tokenizer, save
from engine.pocket.dialogues import dialogue

# Batches are drawn in groups and cut from the group sorted by length, so that little is padding.
_GROUP = 16
_IGNORED = -100


@dataclass(frozen=True)
class TrainingPlan:
    """Everything that decides the weights, but for the rounding of the machine's kernels.

    Attributes:
        steps: optimiser steps.
        batch: dialogues per step.
        matrix_rate: Muon's learning rate, for the blocks' matrices.
        other_rate: AdamW's, for embeddings and norms.
        warm_up: steps.
        seed: of weights, tokenizer and data.

    Raises:
        InputError: for less than one step or dialogue.
    """

    steps: int = 2500
    batch: int = 64
    matrix_rate: float = 0.02
    other_rate: float = 3e-3
    warm_up: int = 100
    seed: int = 1

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise InputError(
                "The training cannot begin",
                f"{self.steps} steps of {self.batch} dialogues train nothing.",
                "Give at least 1.",
            )


def train(
    folder: Path,
    work: Path,
    plan: TrainingPlan | None = None,
    *,
    save_every: float = 120.0,
    cancel: Cancel | None = None,
    emit: Emit = ignore,
) -> None:
    """Trains Pocket and writes the model folder; continues from a checkpoint.

    Blocks' matrices by Muon, embeddings and norms by AdamW; linear decay to 0; cross-entropy on the
    assistant's tokens; bfloat16 autocast; a GPU when there is one.

    Args:
        folder: where the model is written.
        work: where checkpoints are.
        plan: what decides the weights.
        save_every: seconds between checkpoints.
        cancel: writes a checkpoint and stops.
        emit: is given Progress and LossPoint.

    Raises:
        InputError: when the checkpoint was made with another plan.
        Cancelled: when asked to stop.
    """
    plan = plan or TrainingPlan()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tokenizer = build_tokenizer(plan.seed)
    torch.manual_seed(plan.seed)
    network = build_network(tokenizer).to(device)
    optimizers = _optimizers(network, plan)
    checkpoint = work / "checkpoint.pt"
    first = _resume(checkpoint, plan, network, optimizers, device) if checkpoint.exists() else 0
    work.mkdir(parents=True, exist_ok=True)
    start = saved = time.monotonic()
    mean = torch.zeros(())
    for step, (ids, labels) in enumerate(_batches(tokenizer, plan, first), first):
        for optimizer, rate in zip(optimizers, (plan.matrix_rate, plan.other_rate), strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * _schedule(step, plan)
        with torch.autocast(device, torch.bfloat16):
            loss = network(input_ids=ids.to(device), labels=labels.to(device)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        mean = mean + loss.detach().cpu()
        done = step + 1
        if done % 20 == 0:
            pace = (time.monotonic() - start) / (done - first)
            emit(LossPoint(done, float(mean) / 20))
            emit(Progress("training", done, plan.steps, pace * (plan.steps - done)))
            mean = torch.zeros(())
        stopping = cancel is not None and bool(cancel)
        if stopping or time.monotonic() - saved > save_every or done == plan.steps:
            _save_checkpoint(checkpoint, plan, network, optimizers, done)
            saved = time.monotonic()
        if stopping and cancel is not None:
            cancel.check()
    save(folder, network, tokenizer)


def _schedule(step: int, plan: TrainingPlan) -> float:
    return min(1.0, (step + 1) / plan.warm_up) * (1 - step / plan.steps)


def _optimizers(network: Any, plan: TrainingPlan) -> list[torch.optim.Optimizer]:
    matrices = [p for n, p in network.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in network.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        torch.optim.Muon(matrices, lr=plan.matrix_rate, weight_decay=0.01, adjust_lr_fn="original"),
        torch.optim.AdamW(others, lr=plan.other_rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def _batches(tokenizer: Any, plan: TrainingPlan, first: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(ids, labels), both [batch, T], right padded, from step `first` on; any step is reproducible alone."""
    for group in range(first // _GROUP, -(-plan.steps // _GROUP)):
        rng = random.Random(f"{plan.seed} {group}")
        rows = [_encode(tokenizer, dialogue(rng)) for _ in range(_GROUP * plan.batch)]
        rows.sort(key=lambda row: len(row[0]))
        batches = [rows[i : i + plan.batch] for i in range(0, len(rows), plan.batch)]
        rng.shuffle(batches)
        for i, batch in enumerate(batches):
            if first <= group * _GROUP + i < plan.steps:
                yield _pad(batch, tokenizer.pad_token_id)


def _encode(tokenizer: Any, example: Any) -> tuple[list[int], list[int]]:
    """Token ids as the chat template gives them, and labels: the assistant's tokens and their end."""
    special = tokenizer.convert_tokens_to_ids
    parts: list[tuple[str, str]] = [("system", example.system)] if example.system is not None else []
    for user, assistant in example.turns:
        parts += [("user", user), ("assistant", assistant)]
    ids = [special(BEGIN)]
    labels = [_IGNORED]
    for (role, _), encoding in zip(parts, tokenizer.backend_tokenizer.encode_batch([t for _, t in parts])):
        content = [*encoding.ids, special(END)]
        ids += [special(f"<|{role}|>"), *content]
        labels += [_IGNORED, *(content if role == "assistant" else [_IGNORED] * len(content))]
    return ids, labels


def _pad(rows: list[tuple[list[int], list[int]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    width = max(len(ids) for ids, _ in rows)
    ids = torch.tensor([i + [pad] * (width - len(i)) for i, _ in rows])
    labels = torch.tensor([x + [_IGNORED] * (width - len(x)) for _, x in rows])
    return ids, labels


def _save_checkpoint(
    path: Path, plan: TrainingPlan, network: Any, optimizers: list[torch.optim.Optimizer], done: int
) -> None:
    state = {
        "plan": vars(plan),
        "done": done,
        "network": network.state_dict(),
        "optimizers": [o.state_dict() for o in optimizers],
    }
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def _resume(
    path: Path, plan: TrainingPlan, network: Any, optimizers: list[torch.optim.Optimizer], device: str
) -> int:
    state = torch.load(path, map_location=device, weights_only=True)
    if state["plan"] != vars(plan):
        raise InputError(
            "The training cannot go on",
            f"the checkpoint {path} was made with other settings ({state['plan']}).",
            "Use the same settings, or name another --work folder to start anew.",
        )
    network.load_state_dict(state["network"])
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(saved)
    return int(state["done"])
