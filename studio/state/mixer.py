"""The rows of the mixer as values: a head, how strong, on or off, solo, and the blocks it may steer."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from studio.state.conversation import MixEntry

SLIDER_LIMIT = 3.0  # what the slider reaches
STRENGTH_LIMIT = 100.0  # what the number box takes
EXTREME = 10.0  # beyond it every model tested speaks nonsense: marked

Blocks = tuple[int, int]


@dataclass(frozen=True)
class Misfit:
    """Why a head is not one of the loaded model's. model: that model's key where it has the head's shape, and
    the head is used as soon as the person says so; "" where no word helps."""

    why: str
    model: str = ""


@dataclass(eq=False)
class HeadSlot:
    """What lies in a row: the head, and why it is not the loaded model's (None if it is).

    Outside the undo history: a refined head takes the place of its draft in every step at once, and whether
    a head fits is the loaded model's word, told anew whenever rows are put. draft: made while typing,
    replaced with the next words.
    """

    head: Any
    misfit: Misfit | None = None
    draft: bool = False


@dataclass(frozen=True, eq=False)
class MixerChannel:
    """One row. blocks: first and last that it may steer, None for all; title: "" for the head's name;
    accepted: key of the model that it is used with by the person's word, though made for another."""

    key: int
    slot: HeadSlot
    strength: float = 1.0
    enabled: bool = True
    solo: bool = False
    blocks: Blocks | None = None
    title: str = ""
    accepted: str = ""

    @property
    def head(self) -> Any:
        return self.slot.head

    @property
    def note(self) -> str:
        """Why it is silent with the loaded model; "" if it can be used."""
        misfit = self.slot.misfit
        return misfit.why if misfit and not (misfit.model and misfit.model == self.accepted) else ""

    @property
    def acceptable(self) -> bool:
        """Whether a word of the person is all that it lacks."""
        return bool(self.note and self.slot.misfit and self.slot.misfit.model)

    @property
    def name(self) -> str:
        return self.title or self.head.info.name

    @property
    def digest(self) -> str:
        return self.head.digest

    @property
    def steering_head(self) -> Any:
        """The head as it steers: without the blocks outside the range; None when none is left."""
        return self.head if self.blocks is None else self.head.limited_to(*self.blocks)


@dataclass(frozen=True)
class PresetRow:
    """One row of a preset: the head by its hash, its strength, and whether it is on."""

    digest: str
    strength: float
    enabled: bool


@dataclass(frozen=True)
class Preset:
    """A named set of strengths."""

    name: str
    rows: tuple[PresetRow, ...] = field(default=())


_keys = itertools.count(1)


def new_key() -> int:
    """A key that no other row of this process has. Any thread may call it."""
    return next(_keys)


def title_beside(channels: Iterable[MixerChannel], name: str, method: str) -> str:
    """What a head of this name is called beside these rows: "" where its name is no other's; else with its
    method, and where there is such a one too, with a number."""
    taken = {c.name for c in channels}
    if name not in taken:
        return ""
    titles = (f"{name} ({method})", *(f"{name} ({method}, #{n})" for n in range(2, len(taken) + 3)))
    return next(title for title in titles if title not in taken)


def active_rows(channels: Iterable[MixerChannel]) -> tuple[MixerChannel, ...]:
    """The rows in the mix: usable, on, with a block left to steer, and solo where any of these is."""
    on = [c for c in channels if c.enabled and not c.note and c.steering_head is not None]
    return tuple(c for c in on if c.solo) or tuple(on)


def share_of(channel: MixerChannel, strength: float) -> MixEntry:
    """The row in a mix, this strong."""
    return MixEntry(channel.name, channel.digest, strength, channel.blocks)


def preset_of(name: str, channels: Iterable[MixerChannel]) -> Preset:
    return Preset(name, tuple(PresetRow(c.digest, c.strength, c.enabled) for c in channels))


def with_preset(preset: Preset, channels: Iterable[MixerChannel]) -> tuple[tuple[MixerChannel, ...], int]:
    """The rows as the preset has them, each setting for one row, none solo; rows that it does not name are
    off. A row that is so already stays the same object. And how many settings found no row."""
    left, rows = list(preset.rows), []
    for c in channels:
        found = next((setting for setting in left if setting.digest == c.digest), None)
        # Heads of another model are silent anyway, and are to be on again when that one comes back.
        strength, enabled = (
            (found.strength, found.enabled) if found else (c.strength, c.enabled and bool(c.note))
        )
        if found:
            left.remove(found)
        same = (c.strength, c.enabled, c.solo) == (strength, enabled, False)
        rows.append(c if same else replace(c, strength=strength, enabled=enabled, solo=False))
    return tuple(rows), len(left)


def rows_for_mix(
    mix: Sequence[MixEntry], channels: Iterable[MixerChannel]
) -> tuple[tuple[MixerChannel, ...], list[str]]:
    """The rows so that these heads are heard, each as strong and in the blocks as told, and no other; and the
    names of those that no row holds ready."""
    lacking, rows = list(mix), []
    for c in channels:
        found = next((each for each in lacking if not c.note and each.digest == c.digest), None)
        if found is not None:
            lacking.remove(found)
            rows.append(replace(c, strength=found.strength, blocks=found.blocks, enabled=True, solo=False))
        else:  # heads of another model are silent anyway, and are to be on again when that one comes back
            rows.append(replace(c, enabled=c.enabled and bool(c.note), solo=False))
    return tuple(rows), [each.name for each in lacking]
