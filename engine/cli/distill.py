"""`steer distill`: from a steering prompt to a head file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from engine.cli.model import add_model_options, load_model
from engine.cli.terminal_progress import announce, progress_bar
from engine.errors import InputError, WeakPromptError
from engine.events import duration


def add(commands: Any) -> None:
    """Adds `steer distill`."""
    parser = commands.add_parser("distill", help="make a head that does what a steering prompt does")
    parser.add_argument("prompt", help='the steering prompt, for instance "Talk like a pirate."')
    parser.add_argument("--out", required=True, type=Path, help="the head file to write (*.head.safetensors)")
    add_model_options(parser)
    parser.add_argument(
        "--method",
        default="a-psr",
        help="a-psr, s-psr, a-const, s-const, reft-r1, projection, caa, pca or ablation (default: a-psr)",
    )
    parser.add_argument("--objective", help="mse, ll, kl or mse+ll; the method's own by default")
    parser.add_argument(
        "--weight",
        type=float,
        default=0.5,
        help="the share of mse in mse+ll, the rest is ll's (default: 0.5)",
    )
    parser.add_argument("--block", type=int, help="the block of a single-block method; the best by default")
    parser.add_argument("--recipe", help="instant, refine or paper; the method's own by default")
    parser.add_argument("--responses", type=int, help="how many responses to learn from")
    parser.add_argument(
        "--negatives",
        type=int,
        default=0,
        help="how many responses without the prompt to learn to leave alone (default: 0)",
    )
    parser.add_argument("--max-tokens", type=int, help="of each response (default: 160 for pocket, else 32)")
    parser.add_argument(
        "--rank",
        type=_rank,
        default="automatic",
        help="directions per block, or automatic: the least of 1, 2 and 4 that captures as much as the best "
        "of them (default)",
    )
    parser.add_argument(
        "--positions",
        default="response",
        help="what the head steers: response, or question_and_response (default: response)",
    )
    parser.add_argument(
        "--place",
        default="automatic",
        help="where the prompt goes: system (message), before (the question), or automatic, which measures "
        "both on a few short responses (default)",
    )
    parser.add_argument(
        "--anyway", action="store_true", help="distill it even if the prompt changes next to nothing"
    )
    parser.add_argument("--name", help="the head's name; the prompt's first words by default")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument("--json", action="store_true", help="print one JSON object about the result")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    from engine.heads.head_file import require_writable, save_head

    require_writable(options.out)
    from engine.distill import Request, distill
    from engine.distill.time_estimate import estimate

    request = Request(
        options.prompt,
        method=options.method,
        objective=options.objective,
        weight=options.weight,
        recipe=options.recipe,
        block=options.block,
        responses=options.responses,
        negatives=options.negatives,
        max_tokens=options.max_tokens,
        rank=options.rank,
        positions=options.positions,
        seed=options.seed,
        name=options.name,
        place=options.place,
        anyway=options.anyway,
    )
    model = load_model(options)
    expected = estimate(model, request)
    announce(f"about {duration(expected)}")
    try:
        with progress_bar() as emit:
            result = distill(model, request, emit=emit)
    except WeakPromptError as error:
        raise InputError(error.what, error.why, "Rephrase it, or distill it anyway with --anyway.") from None
    if not result.effect.enough:
        print(f"steer: The prompt barely changes the model: {result.effect.verdict}.", file=sys.stderr)
    save_head(result.head, options.out)
    info = result.head.info
    if not options.json:
        print(f"{options.out}: {info.method} on {len(result.blocks)} blocks, {result.effect.verdict}")
        print(f"{result.kept} of {result.responses} responses kept, {result.seconds['total']:.1f} s in all")
        if result.captured is not None:
            print(f"captures {result.captured:.0%} of the prompt's effect at rank {result.head.rank}")
        print(f"suggested strength up to {result.strength_range[1]:g}")
        return
    report = {
        "method": info.method,
        "objective": info.objective,
        "recipe": info.recipe["name"],
        "positions": info.positions,
        "place": result.place,
        "blocks": list(result.blocks),
        "responses": result.responses,
        "kept": result.kept,
        "rank": result.head.rank,
        "captured": None if result.captured is None else round(result.captured, 4),
        "prompt_effect": result.effect.kl,
        "prompt_effect_verdict": result.effect.verdict,
        "estimated_seconds": round(expected, 2),
        "seconds": result.seconds,
        "loss": result.loss,
        "faithfulness": {str(block): value for block, value in result.faithfulness.items()},
        "paraphrase": {str(block): value for block, value in result.paraphrase.items()},
        "gate_r2": {str(block): value for block, value in result.gate_r2.items()},
        "strength_range": list(result.strength_range),
        "file": str(options.out),
        "hash": result.head.digest,
    }
    print(json.dumps(report))


def _rank(word: str) -> int | str:
    return word if word == "automatic" else int(word)
