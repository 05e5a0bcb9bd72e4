"""Estimates how long a distillation will take, before it starts: from the model's speed and the request."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from weakref import WeakKeyDictionary

import torch

from engine.distill import gradient
from engine.distill.hooked_forward import output_hooks
from engine.distill.methods import BlockData, Method, method_named
from engine.distill.model_kind import kind_of
from engine.distill.pipeline import UNSEEN, UNSEEN_TOKENS, candidates
from engine.distill.questions import questions
from engine.distill.request import Recipe, Request
from engine.distill.token_losses import losses
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.heads.mix import MixBlock
from engine.heads.steering import steer
from engine.model.chat_template import Message, encode
from engine.model.language_model import LanguageModel

_PROBES = 4  # responses sampled to see how long they are,
_PATIENCE = 2.0  # where that takes no longer than so many seconds
_WIDE = 16  # lanes of the wider timing
_ROWS, _LENGTH = 8, 48  # of the timed batch, which is a training step's
_LONG = 0.5  # seconds; what takes longer is timed once, or less of it
_POSITIONS = 1024  # of the timed closed form, at most
_FITS = 3.0  # closed forms until an automatic rank is found
_EPOCHS = 13  # before a refinement stops by itself, typically


@dataclass(frozen=True)
class ModelSpeed:
    """A model's speed, in seconds.

    Attributes:
        step: a decoding step.
        lane: more for each lane in it.
        forward: a forward pass.
        token: more for each token in it, logits included.
    """

    step: float
    lane: float
    forward: float
    token: float

    def forwards(self, tokens: float, count: float = 1.0) -> float:
        """Seconds of `count` forward passes over so many tokens each."""
        return count * (self.forward + self.token * tokens)


_speeds: WeakKeyDictionary[LanguageModel, ModelSpeed] = WeakKeyDictionary()
_trained: WeakKeyDictionary[LanguageModel, float] = WeakKeyDictionary()  # seconds of training per token


def estimate(model: LanguageModel, request: Request) -> float:
    """Seconds until the distillation is finished.

    The first call for a model times it (a second on the bundled one). What cannot be known is guessed: that
    responses are as long as a few that are sampled, or as they may be where that takes long.

    Args:
        model: the model.
        request: the distillation.
    """
    method = method_named(request.method)
    recipe: Recipe = request.recipe or method.recipe
    speed = measure_speed(model)
    count = request.count(recipe, kind_of(model).instant_responses) + request.negatives
    asked = questions(model, _PROBES, request.seed)
    prompted = max(len(encode(model, [Message("user", q)], lead=request.prompt).ids) for q in asked)
    question = max(len(encode(model, [Message("user", q)]).ids) for q in asked)
    mean, longest = _lengths(model, request, asked, speed)
    seconds = speed.forwards(count * prompted) + speed.step * longest + speed.lane * mean * count
    run = longest if request.positions == "response" else longest + question  # what a steered pass runs
    seconds += speed.forwards(count * (question + longest))
    seconds += _closed_form(model, method, request, speed, count, run, mean)
    seconds += speed.forwards(count / 8 * (prompted + longest)) + speed.forwards(count / 4 * run, 1.5)
    seconds += speed.forwards(UNSEEN * (prompted + question + 2 * UNSEEN_TOKENS))
    seconds += UNSEEN_TOKENS * (speed.step + UNSEEN * speed.lane)
    if recipe == "instant" and not method.polished:
        return seconds
    schedule = gradient.PAPER[request.objective or "mse"]
    if recipe != "paper":
        schedule = gradient.REFINE if recipe == "refine" else gradient.POLISH
    epochs = min(schedule.epochs, _EPOCHS) if schedule.patience is not None else schedule.epochs
    learned = count if schedule.patience is None else count * 0.75
    return seconds + epochs * _trained_share(model, method, request) * (
        learned * _training(model, speed) * run + speed.forwards((count - learned) * run)
    )


def measure_speed(model: LanguageModel) -> ModelSpeed:
    """The model's speed, measured once per model."""
    if model not in _speeds:
        _speeds[model] = _measured(model)
    return _speeds[model]


def _trained_share(model: LanguageModel, method: Method, request: Request) -> float:
    """Of the blocks, those from the first steered one on: training runs no others. Which one block it will be
    is not known before; the middle of those that are tried."""
    tried = candidates(len(model.blocks)) if request.block is None else [request.block]
    return 1.0 if method.every_block else 1 - sum(tried) / len(tried) / len(model.blocks)


def _closed_form(
    model: LanguageModel,
    method: Method,
    request: Request,
    speed: ModelSpeed,
    count: int,
    run: float,
    mean: float,
) -> float:
    """All blocks in one pass, or one block in as many as there are candidates; each with its calibration."""
    blocks, passes, tries = len(model.blocks), 1, 2.0
    if not method.every_block:
        blocks = passes = len(candidates(len(model.blocks))) if request.block is None else 1
        tries = 4.0
    trial = speed.forwards(count / 4 * run, tries if method.calibrated else 0.0)
    whole = blocks * _solving(model, method, request, count * mean) + passes * (
        speed.forwards(count * run) + trial
    )
    ranks = _FITS if request.rank == "automatic" and method.ranked else 1.0
    return whole * ranks if method.every_block else whole * (1 + (ranks - 1) / passes)


def _solving(model: LanguageModel, method: Method, request: Request, positions: float) -> float:
    """Seconds of one block's closed form."""
    rows = int(min(positions, _POSITIONS))
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(rows, model.width, generator=generator).to(model.device)
    groups = (
        torch.arange(rows, device=model.device)
        * request.count("instant", kind_of(model).instant_responses)
        // rows
    )
    block_data = BlockData(hidden.roll(1, 0), hidden, groups, torch.ones(rows, device=model.device))
    return (
        _timed(lambda: method.solve(block_data, 1 if request.rank == "automatic" else request.rank))
        * positions
        / rows
    )


def _lengths(
    model: LanguageModel, request: Request, asked: list[str], speed: ModelSpeed
) -> tuple[float, float]:
    """The mean and the greatest number of tokens of a response."""
    most = request.max_tokens or kind_of(model).response_tokens
    if most * (speed.step + _PROBES * speed.lane) > _PATIENCE:
        return most, most
    lanes = [Lane([Message("user", q)], system=request.prompt, seed=i) for i, q in enumerate(asked)]
    found = [len(g.trace) for g in generate(model, lanes, Sampling(temperature=1.0, max_tokens=most))]
    return sum(found) / len(found), min(most, 1.2 * max(found))


@torch.no_grad()
def _measured(model: LanguageModel) -> ModelSpeed:
    one, wide = (_step(model, lanes) for lanes in (1, _WIDE))
    lane = max(0.0, (wide - one) / (_WIDE - 1))
    ids = torch.full((_ROWS, _LENGTH), model.tokenizer.pad_token_id or 0, device=model.device)

    def forward(rows: int) -> float:
        return _timed(lambda: model.network(input_ids=ids[:rows], use_cache=False))

    few = forward(1)
    rows = max(2, min(_ROWS, int(_LONG / few)))
    token = (forward(rows) - few) / ((rows - 1) * _LENGTH)
    return ModelSpeed(
        step=max(0.0, one - lane),
        lane=lane,
        forward=max(0.0, few - token * _LENGTH),
        token=max(token, 1e-9),
    )


def _training(model: LanguageModel, speed: ModelSpeed) -> float:
    """Measured once per model, when a training is asked for."""
    if model not in _trained:
        rows = max(1, min(_ROWS, int(_LONG / speed.forwards(_LENGTH))))
        ids = torch.full((rows, _LENGTH), model.tokenizer.pad_token_id or 0, device=model.device)
        _trained[model] = _timed(lambda: _training_step(model, ids)) / ids.numel()
    return _trained[model]


def _training_step(model: LanguageModel, ids: torch.Tensor) -> None:
    """A forward with a head on every block, the loss of its tokens, and the way back."""
    w, z = torch.zeros((2, 1, model.width), device=model.device)
    with torch.enable_grad():
        parts = [
            MixBlock(w.clone().requires_grad_(), w[:, 0].clone(), z.clone().requires_grad_(), w[:, 0])
            for _ in model.blocks
        ]
        once = torch.ones((), device=model.device)

        def head(block: int, hidden: torch.Tensor) -> torch.Tensor:
            return steer(hidden, parts[block].on(hidden.device), once.to(hidden.device))[0]

        with output_hooks(model, head):
            states = model.trunk(input_ids=ids, use_cache=False).last_hidden_state
        losses(model, states.flatten(0, 1), ids.flatten()).mean().backward()


def _step(model: LanguageModel, lanes: int) -> float:
    """Seconds of a decoding step with so many lanes."""
    # Unequal and of different words, as responses are: padding and tokens never seen before cost more.
    random, asked = Random(0), ("Hello", "Hello there, and how are you today?")
    rows = [
        Lane([Message("user", asked[i % 2])], forced=random.choices(range(len(model.tokenizer)), k=5))
        for i in range(lanes)
    ]
    made = generate(model, rows, Sampling(temperature=1.0))
    return 1 / made[0].tokens_per_second


def _timed(call: Callable[[], object]) -> float:
    """Seconds of the second call: the first one warms up, unless it is so long that this is no matter."""
    seconds = 0.0
    for _ in range(2):
        start = time.perf_counter()
        call()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        if seconds > _LONG:
            break
    return seconds
