"""`steer generate`: a steered answer, streamed."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from engine.errors import InputError


def add(commands: Any) -> None:
    parser = commands.add_parser("generate", help="answer a text, steered by heads or by a prompt")
    parser.add_argument("text", help="what to say to the model")
    parser.add_argument(
        "--model", default="pocket", help="pocket, a model folder, or a hub id (default: pocket)"
    )
    parser.add_argument("--prompt", metavar="STEERING", help="a steering prompt, as the system message")
    parser.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="FILE[:STRENGTH]",
        help="a head file and its strength (default: 1); may be given several times",
    )
    parser.add_argument("--max-tokens", type=int, default=256, help="default: 256")
    parser.add_argument("--temperature", type=float, default=0.0, help="0 is greedy (default)")
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--json", action="store_true", help="one JSON line per token and a last one in summary"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    wanted = [_head_and_strength(text) for text in options.head]
    if not options.text.strip():
        raise InputError("There is nothing to answer", "The text is empty.", "Give a question.")
    if options.prompt is not None and not options.prompt.strip():
        raise InputError(
            "The steering prompt cannot be used", "It is empty.", "Give one, or leave --prompt out."
        )

    from engine.generation.decode import generate
    from engine.generation.lanes import Lane
    from engine.generation.sampling import Sampling
    from engine.generation.strengths import Strengths
    from engine.generation.trace import Token
    from engine.heads.files import load_head
    from engine.model.chat import Message
    from engine.model.loading import load

    sampling = Sampling(temperature=options.temperature, max_tokens=options.max_tokens)
    model = load(options.model)
    heads = [load_head(path, model.identity) for path, _ in wanted]
    lane = Lane(
        [Message("user", options.text)],
        system=options.prompt,
        heads=heads,
        strengths=Strengths(strength for _, strength in wanted),
        seed=options.seed,
    )

    def show(token: Token) -> None:
        if not options.json:
            print(token.text, end="", flush=True)
            return
        line = {
            "index": token.index,
            "id": token.id,
            "text": token.text,
            "logprob": token.logprob,
            "coefficients": [float(c) for c in token.coefficients],
        }
        print(json.dumps(line), flush=True)

    result = generate(model, [lane], sampling, on_token=show)[0]
    if not options.json:
        print()
        return
    summary = {
        "text": result.text,
        "tokens": len(result.trace),
        "tokens_per_second": result.tokens_per_second,
        "first_token_seconds": result.first_token_seconds,
        "seconds": result.seconds,
        "stopped": result.stopped,
        "prompt_tokens": result.prompt_tokens,
        "prompt_coefficients": [float(c) for c in result.prompt_coefficients],
        "model": model.identity.id,
        "seed": options.seed,
        "temperature": options.temperature,
        "heads": [
            {"file": str(path), "hash": head.digest, "strength": strength}
            for (path, strength), head in zip(wanted, heads, strict=True)
        ],
    }
    print(json.dumps({"summary": summary}))


def _head_and_strength(text: str) -> tuple[Path, float]:
    """ "FILE" or "FILE:STRENGTH"; a file whose own name holds a colon may be given without a strength."""
    if Path(text).exists():
        return Path(text), 1.0
    path, colon, number = text.rpartition(":")
    if not colon:
        return Path(text), 1.0
    try:
        strength = float(number)
    except ValueError:
        strength = math.nan
    if not math.isfinite(strength):
        raise InputError(
            f"The head {path} cannot be applied",
            f'"{number}" is no strength.',
            "Give a number, for instance FILE:0.5.",
        )
    return Path(path), strength
