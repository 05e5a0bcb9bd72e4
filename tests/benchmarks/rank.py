"""Rank 2 beside rank 1 on prompts that ask for two styles at once, and on one style for comparison."""

from __future__ import annotations

import argparse

from engine.distill import Request, distill
from engine.distill.questions import evaluation_questions
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.heads.head import Head
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from engine.pocket.rules import coherence, trait
from engine.pocket.wordings import EXAMPLES, styles_of
from tests.benchmarks.table import Bar, print_table

PAIRS = (("pirate", "numbered"), ("gloomy", "terse"), ("formal", "asks back"), ("hedging", "pirate"))
_RANKS = (1, 2, 3)
_SEEDS = 2


def measure(options: argparse.Namespace) -> list[Bar]:
    model = load()
    wordings = {styles_of(prompt)[0]: prompt for prompt in EXAMPLES}
    names = {name.replace("_", " "): name for name in wordings}
    rows = []
    faithful: dict[tuple[int, int], list[float]] = {}
    for styles in [*PAIRS, *((one,) for one, _ in PAIRS)]:
        prompt = " ".join(wordings[names[style]] for style in styles)
        for rank in _RANKS:
            heads = [
                distill(model, Request(prompt, rank=rank, responses=48, seed=seed)) for seed in range(_SEEDS)
            ]
            mean = sum(sum(h.faithfulness.values()) / len(h.faithfulness) for h in heads) / _SEEDS
            last = sum(h.faithfulness[max(h.faithfulness)] for h in heads) / _SEEDS
            shown, fluent = _judged(model, styles_of(prompt), heads[0].head, options.questions)
            faithful.setdefault((len(styles), rank), []).append(mean)
            rows.append((" + ".join(styles), rank, mean, last, shown, fluent))
            print("  ".join(map(str, rows[-1])), flush=True)
    print_table(("prompt", "rank", "distance, mean", "distance, last block", "trait", "coherence"), rows)
    means = {key: sum(found) / len(found) for key, found in faithful.items()}
    print_table(
        ("styles", *(f"rank {r}" for r in _RANKS)),
        [(str(n), *(means[n, r] for r in _RANKS)) for n in (2, 1)],
    )
    return [Bar("two styles: distance at rank 2 / at rank 1", means[2, 2] / means[2, 1], 1.0, False)]


def _judged(model: LanguageModel, styles: tuple[str, ...], head: Head, count: int) -> tuple[float, float]:
    """The mean over answers of the least trait among the styles, and of coherence."""
    asked = evaluation_questions(model, count)
    lanes = [Lane([Message("user", q)], heads=[head], seed=i) for i, q in enumerate(asked)]
    answers = generate(model, lanes, Sampling(temperature=1.0, max_tokens=160))
    least = [min(trait(s, a.text, q) for s in styles) for a, q in zip(answers, asked, strict=True)]
    fluent = [coherence(a.text, q) for a, q in zip(answers, asked, strict=True)]
    return sum(least) / count, sum(fluent) / count
