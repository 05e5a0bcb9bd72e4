"""`steer generate`: a steered answer, streamed."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.atomic_write import require_writable
from engine.cli.lane_arguments import LaneWords, head_and_strength, lanes, parse
from engine.cli.model import add_model_options, load_model
from engine.cli.terminal_progress import announce
from engine.errors import InputError, RunError

if TYPE_CHECKING:
    from engine.generation.lanes import Lane
    from engine.generation.result import Generation
    from engine.generation.sampling import Sampling
    from engine.generation.trace import Token
    from engine.model.language_model import LanguageModel


def add(commands: Any) -> None:
    """Adds `steer generate`."""
    parser = commands.add_parser("generate", help="answer a text, steered by heads or by a prompt")
    parser.add_argument("text", help="what to say to the model")
    add_model_options(parser)
    parser.add_argument("--prompt", metavar="STEERING", help="a steering prompt")
    parser.add_argument(
        "--place",
        choices=("system", "before"),
        help="where the prompt goes: a system message, or before the question (default: where the first "
        "head's prompt stood, else system)",
    )
    parser.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="FILE[:STRENGTH]",
        help="a head file and its strength (default: 1); may be given several times",
    )
    parser.add_argument(
        "--lane",
        action="append",
        default=[],
        metavar="WORDS",
        help="one of several answers side by side: none, prompt, FILE[:STRENGTH], or some joined by +; "
        "prompt means --prompt, or else that of the first head",
    )
    parser.add_argument(
        "--truth",
        action="store_true",
        help="with --json: per token and block also what the prompt would have done at the same tokens "
        "(truth), and what the heads leave of it (gap)",
    )
    parser.add_argument(
        "--compile", action="store_true", help="compile the decode step first; pays for long answers"
    )
    parser.add_argument("--max-tokens", type=int, default=256, help="default: 256")
    parser.add_argument(
        "--sampling",
        choices=("greedy", "model"),
        default="greedy",
        help="what the options below default to: the most probable token (default), or what the model's "
        "generation_config recommends",
    )
    parser.add_argument("--temperature", type=float, help="0 is greedy")
    parser.add_argument("--top-p", type=float, help="1 is off")
    parser.add_argument("--top-k", type=int, help="0 is off")
    parser.add_argument(
        "--repetition-penalty",
        type=float,
        help="above 1, tokens of the prompt and the answer so far become less probable; 1 is off",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="record it all (*.run.safetensors), for `steer replay`"
    )
    parser.add_argument(
        "--json", action="store_true", help="one JSON line per token and a last one in summary"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> None:
    if not options.text.strip():
        raise InputError("There is nothing to answer", "The text is empty.", "Give a question.")
    if options.prompt is not None and not options.prompt.strip():
        raise InputError(
            "The steering prompt cannot be used", "It is empty.", "Give one, or leave --prompt out."
        )
    if options.lane and options.head:
        raise InputError(
            "The lanes cannot be answered", "Heads were given beside them.", "Name the heads in --lane."
        )
    only = LaneWords("", options.prompt is not None, tuple(head_and_strength(text) for text in options.head))
    wanted = [parse(words) for words in options.lane] or [only]

    from engine.generation.compiled_step import CompiledStep
    from engine.generation.decode import generate
    from engine.generation.model_sampling import recommended_sampling
    from engine.generation.prefix_cache import PrefixCache
    from engine.generation.recorded_run import record_run
    from engine.generation.run_file import save_run
    from engine.generation.sampling import Sampling
    from engine.model.chat_template import Message

    if options.save is not None:
        require_writable(options.save, "run", RunError)
    sampling = replace(Sampling(max_tokens=options.max_tokens), **_given(options))
    model = load_model(options)
    if options.sampling == "model":
        sampling = replace(recommended_sampling(model), max_tokens=options.max_tokens, **_given(options))
    message = Message("user", options.text)
    made = lanes(
        wanted,
        message,
        model,
        prompt=options.prompt,
        place=options.place,
        seed=options.seed,
        truth=options.truth,
    )
    steps = []
    if options.compile:
        announce("Compiling the decode step ...")
        rows = len(made) + 2 * sum(lane.reference_prompt is not None for lane in made)
        columns = sum(head.rank for lane in made for head in lane.heads)
        steps = [CompiledStep(model, rows=rows, columns=max(columns, 1)).prepare()]

    gone: list[BrokenPipeError] = []

    def show(token: Token) -> None:
        try:
            if options.json and not gone:
                print(json.dumps(_line(token, named=bool(options.lane))), flush=True)
            elif len(made) == 1 and not gone:
                print(token.text, end="", flush=True)
        except BrokenPipeError as error:
            if options.save is None:
                raise
            gone.append(error)  # nobody reads any more, but the run is still to be saved

    # Lanes share what they have in common of their prompts by way of a memory.
    answers = generate(model, made, sampling, prefix_cache=PrefixCache(), compiled=steps, on_token=show)
    if options.save is not None:
        save_run(options.save, record_run(model, made, sampling, answers))
    if gone:
        raise gone[0]
    summaries = [
        _summary(answer, lane, words, model, sampling, options)
        for answer, lane, words in zip(answers, made, wanted, strict=True)
    ]
    if options.json:
        print(json.dumps({"summary": {"lanes": summaries} if options.lane else summaries[0]}))
    elif len(made) == 1:
        print()
    else:
        for words, answer in zip(wanted, answers, strict=True):
            print(f"[{words.name}]\n{answer.text}\n")


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """The values of a Sampling that were given one by one."""
    names = ("temperature", "top_p", "top_k", "repetition_penalty")
    return {name: value for name in names if (value := getattr(options, name)) is not None}


def _line(token: Token, *, named: bool) -> dict[str, Any]:
    line: dict[str, Any] = {
        **({"lane": token.lane} if named else {}),
        "index": token.index,
        "id": token.id,
        "text": token.text,
        "logprob": token.logprob,
        "coefficients": [float(c) for c in token.coefficients],
    }
    if token.prompt_effect is not None and token.distance_to_prompt is not None:
        line |= {"truth": token.prompt_effect.tolist(), "gap": token.distance_to_prompt.tolist()}
    return line


def _summary(
    answer: Generation,
    lane: Lane,
    words: LaneWords,
    model: LanguageModel,
    sampling: Sampling,
    options: argparse.Namespace,
) -> dict[str, Any]:
    return {
        **({"lane": words.name} if options.lane else {}),
        "text": answer.text,
        "tokens": len(answer.trace),
        "tokens_per_second": answer.tokens_per_second,
        "first_token_seconds": answer.first_token_seconds,
        "seconds": answer.seconds,
        "stopped": answer.stopped,
        "compiled": answer.compiled,
        "prompt_tokens": answer.prompt_tokens,
        "prompt_coefficients": [float(c) for c in answer.prompt_coefficients],
        "model": model.identity.id,
        "prompt": lane.system or lane.lead,
        "place": "before" if lane.lead else "system",
        "truth": lane.reference_prompt,
        "seed": options.seed,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k,
        "repetition_penalty": sampling.repetition_penalty,
        "heads": [
            {"file": str(path), "hash": head.digest, "strength": strength}
            for (path, strength), head in zip(words.files, lane.heads, strict=True)
        ],
    }
