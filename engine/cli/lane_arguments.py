"""Lanes on the command line: `none`, `prompt`, `FILE[:STRENGTH]`, joined by `+`."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import InputError

if TYPE_CHECKING:
    from engine.generation.lanes import Lane
    from engine.model.chat_template import Message, Place
    from engine.model.language_model import LanguageModel


_DRIVE = re.compile("[A-Za-z]")
_MOST = 1e30  # float32, in which heads are applied, ends at 3e38


@dataclass(frozen=True)
class LaneWords:
    """One lane as it was written.

    Attributes:
        name: the words themselves.
        prompted: the steering prompt is given.
        files: its heads and their strengths.
    """

    name: str
    prompted: bool
    files: tuple[tuple[Path, float], ...]


def parse(words: str) -> LaneWords:
    """A lane from its words.

    Raises:
        InputError: for a strength that is no number, or for `none` with anything else.
    """
    if words == "none":
        return LaneWords(words, False, ())
    parts = [words] if Path(words).exists() else words.split("+")
    files = tuple(head_and_strength(part) for part in parts if part != "prompt")
    if any(str(path) == "none" for path, _ in files):
        raise InputError(
            f"The lane {words} cannot be answered",
            "none cannot be combined with anything else.",
            "Omit none.",
        )
    return LaneWords(words, "prompt" in parts, files)


def head_and_strength(text: str) -> tuple[Path, float]:
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
    if math.isnan(strength) and _DRIVE.fullmatch(path):
        return Path(text), 1.0  # the colon is that of C:\heads
    if not abs(strength) <= _MOST:
        raise InputError(
            f"The head {path} cannot be applied",
            f'"{number}" is not a strength.',
            "Give a number, for instance FILE:0.5.",
        )
    return Path(path), strength


def lanes(
    wanted: Sequence[LaneWords],
    message: Message,
    model: LanguageModel,
    *,
    prompt: str | None,
    place: Place | None,
    seed: int,
    truth: bool,
) -> list[Lane]:
    """The lanes with their heads loaded.

    Args:
        wanted: the lanes.
        message: what is answered.
        model: the model.
        prompt: the steering prompt, None for that of the first head.
        seed: of the answers.
        truth: measure in every lane with heads what the prompt would have done.

    Raises:
        InputError: when a prompt is needed and none is known.
        HeadError: for a head that cannot be read.
    """
    from engine.generation.lanes import Lane
    from engine.generation.live_strengths import LiveStrengths
    from engine.heads.head_file import load_head
    from engine.model.chat_template import placed

    heads = [[load_head(path, model.identity) for path, _ in words.files] for words in wanted]
    known = prompt or next((head.info.prompt for group in heads for head in group), None)
    if not known and (truth or any(words.prompted for words in wanted)):
        raise InputError(
            "The lanes cannot be answered",
            "No steering prompt is known.",
            "Give one with --prompt.",
        )
    first = next((head for group in heads for head in group), None)
    at: Place = place or (first.info.place if first else "system")
    return [
        Lane(
            [message],
            **placed(known if words.prompted else None, at),
            heads=group,
            strengths=LiveStrengths(strength for _, strength in words.files),
            seed=seed,
            reference_prompt=known if truth and group else None,
            reference_place=at,
        )
        for words, group in zip(wanted, heads, strict=True)
    ]
