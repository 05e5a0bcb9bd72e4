"""What a person does to the mixer: each edit is one step of the undo history."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, Protocol

from studio.state.compare_columns import Comparison
from studio.state.mixer import (
    STRENGTH_LIMIT,
    Blocks,
    HeadSlot,
    MixerChannel,
    Preset,
    new_key,
    preset_of,
    title_beside,
    with_preset,
)
from studio.widgets.translation import tr


class MixerState(Protocol):
    """What the edits change: see studio.state.workspace.Workspace."""

    channels: tuple[MixerChannel, ...]
    presets: tuple[Preset, ...]
    comparison: Comparison
    bypass: bool
    selected_key: int | None

    def channel(self, key: int | None) -> MixerChannel | None: ...
    def method_of(self, head: Any) -> str: ...
    def select_channel(self, key: int | None) -> None: ...
    def change(self, label: str, merge: str = "", **values: Any) -> None: ...
    def set_without_step(self, **values: Any) -> None: ...


class MixerEdits:
    """Edits of `state`; a key names a row."""

    def __init__(self, state: MixerState) -> None:
        self._state = state

    def add_head(
        self,
        head: Any,
        *,
        strength: float = 1.0,
        enabled: bool = True,
        alone: bool = False,
        draft: bool = False,
    ) -> int:
        """A new row at the end; the other rows go off if `alone`. Returns the key of the row."""
        state, key = self._state, new_key()
        # Heads of another model steer nothing anyway, and are to be on again when that one comes back.
        others = tuple(replace(c, enabled=c.enabled and not (alone and not c.note)) for c in state.channels)
        # What follows the typing has another name with the next words.
        title = "" if draft else title_beside(others, head.info.name, state.method_of(head))
        row = MixerChannel(key, HeadSlot(head, draft=draft), strength, enabled, title=title)
        state.change(tr("add head"), channels=(*others, row), selected_key=key)
        return key

    def add_bundled_heads(self, heads: Sequence[Any]) -> None:
        """The heads that come with a model, the first one on and selected: nobody's edit, and no step."""
        rows = [MixerChannel(new_key(), HeadSlot(h), enabled=not place) for place, h in enumerate(heads)]
        self._state.set_without_step(channels=tuple(rows))
        self._state.select_channel(rows[0].key)

    def remove_head(self, key: int | None, *, on_again: Collection[int] = ()) -> None:
        """Columns of the Compare page with that head become unsteered. on_again: rows that were switched off
        for it."""
        state, row = self._state, self._state.channel(key)
        if key is not None and row is not None:
            place = state.channels.index(row)
            rest = tuple(
                replace(c, enabled=c.enabled or c.key in on_again) for c in state.channels if c is not row
            )
            values: dict[str, Any] = {"channels": rest}
            if state.selected_key == key:
                values["selected_key"] = rest[min(place, len(rest) - 1)].key if rest else None
            if state.comparison.without_head(key) != state.comparison:
                values["comparison"] = state.comparison.without_head(key)
            state.change(tr("remove head"), **values)

    def rename_head(self, key: int, name: str) -> None:
        if name.strip():
            self._edit(key, tr("rename head"), title=name.strip())

    def set_strength(self, key: int, strength: float) -> None:
        limited = max(-STRENGTH_LIMIT, min(STRENGTH_LIMIT, strength))
        self._edit(key, tr("change strength"), f"strength {key}", strength=limited)

    def set_enabled(self, key: int, enabled: bool) -> None:
        self._edit(key, tr("switch head"), enabled=enabled)

    def switch_to(self, key: int, instead_of: int) -> None:
        """The row `key` is on and the other off, in one step."""
        on = {key: True, instead_of: False}
        rows = tuple(replace(c, enabled=on.get(c.key, c.enabled)) for c in self._state.channels)
        self._state.change(tr("switch head"), channels=rows)

    def set_solo(self, key: int, solo: bool) -> None:
        self._edit(key, tr("solo"), solo=solo)

    def toggle_selected(self) -> None:
        """The selected row on or off."""
        row = self._state.channel(self._state.selected_key)
        if row is not None:
            self.set_enabled(row.key, not row.enabled)

    def solo_selected(self) -> None:
        """The selected row solo or not."""
        row = self._state.channel(self._state.selected_key)
        if row is not None:
            self.set_solo(row.key, not row.solo)

    def accept(self, key: int) -> None:
        """The row is used with the loaded model, though its head was made for another of the same shape."""
        row = self._state.channel(key)
        if row is not None and row.acceptable and row.slot.misfit:
            self._edit(key, tr("use anyway"), accepted=row.slot.misfit.model)

    def set_blocks(self, key: int, blocks: Blocks | None) -> None:
        """The row steers only blocks first..last, both included; None: all of its head's."""
        self._edit(key, tr("block range"), f"blocks {key}", blocks=blocks)

    def set_bypass(self, bypass: bool) -> None:
        if bypass != self._state.bypass:
            self._state.change(tr("bypass"), bypass=bypass)

    def keep_preset(self, name: str) -> None:
        """The strengths as they are, under `name`; an older preset of that name is replaced."""
        others = tuple(p for p in self._state.presets if p.name != name)
        self._state.change(tr("save preset"), presets=(*others, preset_of(name, self._state.channels)))

    def remove_preset(self, name: str) -> None:
        presets = tuple(p for p in self._state.presets if p.name != name)
        self._state.change(tr("remove preset"), presets=presets)

    def apply_preset(self, preset: Preset) -> int:
        """How many of the heads that it names are not in the mixer."""
        rows, lacking = with_preset(preset, self._state.channels)
        if rows != self._state.channels:
            self._state.change(tr("apply preset"), channels=rows)
        return lacking

    def _edit(self, key: int, label: str, merge: str = "", **fields: Any) -> None:
        row = self._state.channel(key)
        if row is not None and any(getattr(row, name) != value for name, value in fields.items()):
            rows = tuple(replace(c, **fields) if c.key == key else c for c in self._state.channels)
            self._state.change(label, merge, channels=rows)
