"""The decode loop: lanes in, tokens with their applied coefficients out, one at a time."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack

import torch
from torch import Tensor

from engine.errors import Cancelled, InputError, ModelError
from engine.events import Cancel, ignore
from engine.generation.answer import Answer, Generation
from engine.generation.applied import Applied
from engine.generation.batch import Batch, interruptible
from engine.generation.lanes import Lane, require_fit
from engine.generation.sampling import Sampling, choose
from engine.generation.trace import ALTERNATIVES, Token, Trace
from engine.heads.mix import Mix
from engine.model.chat import Prompt, encode
from engine.model.language_model import LanguageModel
from engine.model.text import PieceDecoder, TokenTexts


def generate(
    model: LanguageModel,
    lanes: Sequence[Lane],
    sampling: Sampling,
    *,
    mix: Mix | None = None,
    cancel: Cancel | None = None,
    on_token: Callable[[Token], object] = ignore,
) -> list[Generation]:
    """Answers all lanes in one batch; one Generation per lane, in order.

    A token's coefficients are those applied at its own position, when it is fed back, so its event comes
    one forward after it was chosen; the last token is fed for that alone. Strengths are read before every
    forward. A stopped run returns what it has, marked "cancelled".
    Raises InputError (no lanes, strengths that do not match, a prompt that is too long), ModelError (the
    chat template refuses, not a number in the logits, out of memory). Hooks are gone afterwards in any case.
    """
    started = time.perf_counter()
    if not lanes:
        return []
    require_fit(lanes, len(mix.columns) if mix else 0)
    prompts = [encode(model, lane.messages, lane.system) for lane in lanes]
    limits = [_limit(model, prompt, lane, sampling) for prompt, lane in zip(prompts, lanes, strict=True)]
    heads = len(mix.columns) if mix else 0
    answers = [
        Answer(
            index,
            decoder=PieceDecoder(model.tokenizer),
            started=started,
            limit=limit,
            ends=frozenset() if lane.forced is not None else model.eos_ids,
            stops=() if lane.forced is not None else sampling.stop,
            trace=Trace(heads, len(model.blocks)),
            on_token=on_token,
        )
        for index, (lane, limit) in enumerate(zip(lanes, limits, strict=True))
    ]
    exhausted = False
    try:
        with torch.inference_mode():
            _run(model, lanes, prompts, answers, max(limits), sampling, mix, cancel)
    except Cancelled:
        pass
    except torch.OutOfMemoryError:
        exhausted = True
    except RuntimeError as error:
        if "not enough memory" not in str(error):
            raise
        exhausted = True
    if exhausted:  # outside the handler, whose traceback would keep the tensors alive
        gc.collect()
        if model.device.type == "cuda":
            torch.cuda.empty_cache()
        raise ModelError(
            "The answer was not generated",
            f"Memory ran out with {len(lanes)} lanes.",
            "Use fewer lanes, a shorter conversation, or a smaller model.",
        )
    for answer in answers:
        answer.cancel()
    return [
        answer.result(len(prompt.ids), lane.seed)
        for answer, prompt, lane in zip(answers, prompts, lanes, strict=True)
    ]


def _limit(model: LanguageModel, prompt: Prompt, lane: Lane, sampling: Sampling) -> int:
    """The most tokens that a lane may say."""
    wanted = sampling.max_tokens if lane.forced is None else len(lane.forced)
    if model.context is None:
        return wanted
    room = model.context - len(prompt.ids)
    if room < 1:
        raise InputError(
            "The conversation is too long",
            f"It has {len(prompt.ids)} tokens and the model can take {model.context}.",
            "Begin a new conversation or shorten this one.",
        )
    return min(wanted, room)


def _run(
    model: LanguageModel,
    lanes: Sequence[Lane],
    prompts: Sequence[Prompt],
    answers: Sequence[Answer],
    room: int,
    sampling: Sampling,
    mix: Mix | None,
    cancel: Cancel | None,
) -> None:
    batch = Batch(model, [prompt.ids for prompt in prompts], room)
    texts = TokenTexts(model.tokenizer)
    forced = _forced(lanes, room, model.device)
    generators = [torch.Generator().manual_seed(lane.seed) for lane in lanes]
    rows = list(range(len(lanes)))  # the lane of each row that is still in the batch
    with ExitStack() as stack:
        applied = stack.enter_context(Applied(model, mix, lanes))
        applied.prepare_prompt(batch, prompts)
        with interruptible(model, cancel):
            logits = batch.prefill()
        for row, coefficients in zip(rows, applied.coefficients(), strict=True):
            answers[row].prompt_coefficients = coefficients
        for step in range(room + 1):
            ids = choose(logits, sampling, [generators[row] for row in rows])
            if forced is not None and step < room:
                ids = torch.where(forced[:, step] >= 0, forced[:, step], ids)
            for row, (chosen, own, rank, best, values) in zip(rows, _figures(logits, ids), strict=True):
                if answers[row].stopped is None:
                    named = tuple([(i, texts[i], math.exp(v)) for i, v in zip(best, values, strict=True)])
                    answers[row].take(chosen, own, rank, named)
                answers[row].release()
            live = [index for index, row in enumerate(rows) if answers[row].live]
            if not live:
                return
            if len(live) < len(rows) and batch.droppable:
                kept = torch.tensor(live, device=model.device)
                rows, ids = [rows[index] for index in live], ids[kept]
                forced = None if forced is None else forced[kept]
                batch.keep(kept)
                applied.keep(live)
            if cancel is not None:
                cancel.check()
            strengths = applied.prepare_step()
            logits = batch.step(ids)
            for row, used, coefficients in zip(rows, strengths, applied.coefficients(), strict=True):
                if answers[row].live:
                    answers[row].feed(used, coefficients)


def _forced(lanes: Sequence[Lane], room: int, device: torch.device) -> Tensor | None:
    """The ids [rows, room] that lanes are made to say, -1 where they choose; None when all choose."""
    if all(lane.forced is None for lane in lanes):
        return None
    rows = [[*(lane.forced or ())][:room] for lane in lanes]
    return torch.tensor([[*row, *[-1] * (room - len(row))] for row in rows], device=device)


def _figures(logits: Tensor, ids: Tensor) -> list[tuple[int, float, int, list[int], list[float]]]:
    """Per row the chosen id, its logprob and rank, the likeliest ids and their logprobs.

    Few and plain tensor operations: on a small model each costs a noticeable share of a step.
    Raises ModelError when the logits are no numbers.
    """
    scores = logits.float().log_softmax(-1)
    best, names = scores.topk(min(ALTERNATIVES, scores.shape[-1]))
    rows = []
    for row, (chosen, likeliest, values) in enumerate(
        zip(ids.tolist(), names.tolist(), best.tolist(), strict=True)
    ):
        if not math.isfinite(values[0]):
            raise ModelError(
                "The answer broke off",
                "The model computed values that are no numbers.",
                "Lower the strengths; if they are low already, load the model in float32.",
            )
        if chosen in likeliest:
            place = likeliest.index(chosen)
            own, rank = values[place], place + 1
        else:
            own = float(scores[row, chosen])
            rank = int((scores[row] > own).sum()) + 1
        rows.append((chosen, own, rank, likeliest, values))
    return rows
