"""Options that the Lab's commands share: questions, judge, and where results go."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.model import add_model_options
from engine.decoding import read_bytes, refusing
from engine.errors import InputError

if TYPE_CHECKING:
    from engine.model.language_model import LanguageModel


METHODS = "none,prompt,s-psr,a-psr"

_LARGEST = 16 << 20  # bytes, of a file of questions


def add_lab_options(parser: argparse.ArgumentParser, *, count: int = 40, asks: bool = True) -> None:
    """Adds the options of a command that judges answers.

    Args:
        parser: the command's.
        count: questions by default.
        asks: the questions are the command's own, not those of a protocol's files.
    """
    add_model_options(parser)
    group = parser.add_argument_group("measuring")
    group.add_argument(
        "--judge",
        metavar="JUDGE",
        help="pocket, self, likelihood, rules:FILE.toml, or URL#MODEL of an OpenAI-compatible endpoint; two "
        "joined by + for trait and coherence (default: pocket on pocket, else self+likelihood)",
    )
    if asks:
        group.add_argument(
            "--questions",
            type=Path,
            metavar="FILE",
            help="one question per line (default: the built-in ones)",
        )
        group.add_argument(
            "--count", type=int, help=f"how many of the built-in questions (default: up to {count})"
        )
    group.add_argument(
        "--place",
        choices=("automatic", "system", "before"),
        default="automatic",
        help="where prompts go: a system message, before the question, or where they do more (default)",
    )
    group.add_argument("--seeds", type=int, default=1, help="answers to each question (default: 1)")
    group.add_argument("--temperature", type=float, default=1.0, help="default: 1")
    group.add_argument("--max-tokens", type=int, default=160, help="of an answer (default: 160)")
    group.add_argument(
        "--store", type=Path, metavar="FILE", help="where answers and scores are kept and found again"
    )
    add_output_options(parser)
    parser.set_defaults(most=count)


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Adds --json, --report and --figures."""
    group = parser.add_argument_group("results")
    group.add_argument("--json", action="store_true", help="print one JSON object")
    group.add_argument("--report", type=Path, metavar="FILE.html", help="write a page with the pictures")
    group.add_argument(
        "--figures", type=Path, metavar="FOLDER", help="write every picture (SVG, PNG) and all points (CSV)"
    )


def seeds(options: argparse.Namespace) -> tuple[int, ...]:
    """The seeds that the options ask for.

    Raises:
        InputError: for fewer than one.
    """
    if options.seeds < 1:
        raise InputError(
            "The answers cannot be drawn", f"{options.seeds} seeds are too few.", "Give 1 or more."
        )
    return tuple(range(options.seeds))


def chosen_questions(options: argparse.Namespace, model: LanguageModel) -> tuple[str, ...]:
    """The questions that the options ask for.

    Raises:
        InputError: for a file that cannot be read or holds none.
    """
    if options.questions is None:
        from engine.distill.model_kind import kind_of
        from engine.distill.questions import evaluation_questions

        count = options.count
        if count is None:
            count = min(options.most, len(kind_of(model).evaluation_questions()))
        return tuple(evaluation_questions(model, count))
    what = f"The questions in {options.questions} cannot be asked"
    with refusing(InputError, what, "Name a text file.", "It is no text."):
        lines = read_bytes(options.questions, _LARGEST).decode("utf-8-sig").split("\n")
    found = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not found:
        raise InputError(what, "The file holds no question.", "Write one per line.")
    if options.count is not None and options.count < 1:
        raise InputError(what, f"{options.count} is too few.", "Ask for 1 or more.")
    return found[: options.count]
