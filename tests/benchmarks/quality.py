"""Every method on every style: trait and coherence by the exact rules, on topics no distillation saw."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence

from engine.distill import Request, distill
from engine.distill.questions import evaluation_questions
from engine.events import HeadReady
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.heads.head import Head
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.model.loading import load
from engine.pocket.rules import judge
from engine.pocket.wordings import EXAMPLES, styles_of
from tests.benchmarks.table import Bar, print_table

METHODS: dict[str, dict[str, str]] = {
    "a-psr instant": {"method": "a-psr", "recipe": "instant"},
    "a-psr refined": {"method": "a-psr", "recipe": "refine"},
    "s-psr refined": {"method": "s-psr", "recipe": "refine"},
    "a-const refined": {"method": "a-const", "recipe": "refine"},
    "s-const refined": {"method": "s-const", "recipe": "refine"},
    "caa": {"method": "caa", "recipe": "instant"},
}


def measure(options: argparse.Namespace) -> list[Bar]:
    """Prints trait / coherence / seconds to a usable head per style and method; returns the bars."""
    model = load()
    prompts = {styles_of(prompt)[0]: prompt for prompt in EXAMPLES}
    asked = evaluation_questions(model, options.questions)
    scores: dict[str, list[tuple[float, float, float]]] = {name: [] for name in ("prompt", *METHODS)}
    rows = []
    for style in options.styles.split(","):
        prompt = prompts[style]
        row: list[str] = [style]
        for name in scores:
            head, seconds = None, 0.0
            if name != "prompt":
                head, seconds = _head(model, Request(prompt, **METHODS[name]))  # type: ignore[arg-type]
            trait, coherence = judged(model, style, asked, prompt if head is None else None, head)
            scores[name].append((trait, coherence, seconds))
            row.append(f"{trait:.2f}/{coherence:.2f}" + (f" {seconds:.1f}s" if head else ""))
        rows.append(row)
        print("  ".join(row), flush=True)
    print()
    print_table(("trait/coherence", *scores), rows)
    print()
    print_table(
        ("mean over styles", "trait", "coherence", "of the prompt's trait", "median s to the head"),
        [
            (name, *(_mean([s[i] for s in found]) for i in (0, 1)),
             _mean([s[0] for s in found]) / _mean([s[0] for s in scores["prompt"]]),
             statistics.median(s[2] for s in found))
            for name, found in scores.items()
        ],
    )  # fmt: skip
    return _bars(scores)


def _bars(scores: dict[str, list[tuple[float, float, float]]]) -> list[Bar]:
    prompt_trait, prompt_coherence = (_mean([s[i] for s in scores["prompt"]]) for i in (0, 1))

    def share(name: str) -> float:
        return _mean([s[0] for s in scores[name]]) / prompt_trait

    instant, refined = "a-psr instant", "a-psr refined"
    coherence = _mean([s[1] for s in scores[instant]])
    seconds = {name: statistics.median(s[2] for s in scores[name]) for name in (instant, refined)}
    return [
        Bar("instant a-psr, median to a usable head", seconds[instant], 3.0, False, " s"),
        Bar("instant a-psr, share of the prompt's trait", share(instant), 0.95),
        Bar("instant a-psr, coherence", coherence, min(0.90, prompt_coherence)),
        Bar("refined a-psr, median seconds", seconds[refined], 15.0, False, " s"),
        Bar("refined a-psr, share of the prompt's trait", share(refined), min(0.95, share(instant))),
        Bar("refined s-psr, share of the prompt's trait", share("s-psr refined"), 0.85),
    ]  # fmt: skip


def _head(model: LanguageModel, request: Request) -> tuple[Head, float]:
    """The head and the seconds until it was there: the first one for instant, the final one else."""
    start = time.perf_counter()
    seen: list[float] = []

    def watch(event: object) -> None:
        if isinstance(event, HeadReady):
            seen.append(time.perf_counter() - start)

    head = distill(model, request, emit=watch).head
    return head, seen[0] if request.recipe == "instant" else seen[-1]


def judged(
    model: LanguageModel, style: str, asked: Sequence[str], system: str | None, head: Head | None
) -> tuple[float, float]:
    lanes = [Lane([Message("user", q)], system, [head] if head else [], seed=i) for i, q in enumerate(asked)]
    answers = generate(model, lanes, Sampling(temperature=1.0, max_tokens=160))
    found = [judge(style, a.text, q) for a, q in zip(answers, asked, strict=True)]
    return _mean([j.trait for j in found]), _mean([j.coherence for j in found])


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
