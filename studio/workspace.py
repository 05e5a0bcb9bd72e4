"""The state of the studio: what the panels show and change. Holds no widget and no tensor."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from studio.jobs import MethodFacts
from studio.scale import Scale
from studio.turns import Answer, Selection, Settings, Turn

STRENGTH_LIMIT = 3.0
UNDO_DEPTH = 200


@dataclass(frozen=True, eq=False)
class Channel:
    """One row of the mixer. head: engine.heads.head.Head; note: why it cannot be used, empty if it can."""

    key: int
    head: Any
    strength: float = 1.0
    enabled: bool = True
    note: str = ""

    @property
    def name(self) -> str:
        return self.head.info.name

    @property
    def digest(self) -> str:
        return self.head.digest


@dataclass
class Fit:
    """A distillation as it runs and as it ended; effect in nats, eta in seconds."""

    running: bool = False
    stage: str = ""
    done: int = 0
    total: int = 0
    eta: float | None = None
    effect: float | None = None
    verdict: str = ""
    enough: bool = True
    losses: list[float] = field(default_factory=list)
    outcome: str = ""


@dataclass(frozen=True)
class Faithfulness:
    """Relative RMSE per block, 1 = no better than no head; paraphrase: of another wording."""

    blocks: dict[int, float]
    paraphrase: dict[int, float] | None = None


@dataclass(frozen=True)
class Loading:
    """What the model slot is doing: `facts` (jobs.ModelFacts) when ready, a stage while not."""

    facts: Any = None
    stage: str = ""
    done: int = 0
    total: int = 0


class Workspace(QObject):
    """Every change is announced by one signal; undoable ones keep the value they replaced."""

    channelsChanged = Signal()  # rows added, removed, replaced
    strengthsChanged = Signal()  # strength, on/off or bypass of existing rows
    bypassChanged = Signal(bool)
    turnsChanged = Signal()  # turns or answers added or removed
    answerGrew = Signal(object, int)  # Answer, index of the first new token
    answerChanged = Signal(object)  # its state or figures
    selectionChanged = Signal()
    shownChanged = Signal()  # another answer is in the heatmap
    scaleChanged = Signal()
    modelChanged = Signal()
    promptChanged = Signal()
    settingsChanged = Signal()
    fitChanged = Signal()
    lossAdded = Signal()
    compareChanged = Signal(bool)
    undoChanged = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.channels: tuple[Channel, ...] = ()
        self.turns: tuple[Turn, ...] = ()
        self.bypass = False
        self.compare = False
        self.prompt = ""
        self.question = ""
        self.settings = Settings()
        self.selection: Selection | None = None
        self.shown: Answer | None = None
        self.chosen: int | None = None  # key of the channel that the plots and Save refer to
        self.scale = Scale()
        self.loading = Loading()
        self.methods: tuple[MethodFacts, ...] = ()
        self.fit = Fit()
        self.faithfulness: dict[str, Faithfulness] = {}  # by head digest
        self._live: tuple[tuple[int, ...], Any] | None = None
        self._keys = itertools.count(1)
        self._past: list[tuple[str, str, Any]] = []  # label, attribute, old value
        self._future: list[tuple[str, str, Any]] = []
        self._merge = ""

    # The mixer.

    def channel(self, key: int | None) -> Channel | None:
        return next((c for c in self.channels if c.key == key), None)

    def add_head(self, head: Any, *, strength: float = 1.0, enabled: bool = True, alone: bool = False) -> int:
        """A new row at the end, the only one that is on if `alone`; the key of the row."""
        key = next(self._keys)
        others = tuple(replace(c, enabled=c.enabled and not alone) for c in self.channels)
        self._change("channels", (*others, Channel(key, head, strength, enabled)), self.tr("add head"))
        self.choose(key)
        return key

    def swap_head(self, key: int, head: Any) -> None:
        """The same row with a better head; strength and switch stay, and no undo brings the old one back."""

        def swapped(channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
            return tuple(replace(c, head=head) if c.key == key else c for c in channels)

        self.channels = swapped(self.channels)
        for steps in (self._past, self._future):
            steps[:] = [(lb, at, swapped(old) if at == "channels" else old) for lb, at, old in steps]
        self.channelsChanged.emit()

    def note(self, notes: dict[int, str]) -> None:
        """Marks rows as unusable ({key: why}); rows not named are usable."""
        self.channels = tuple(replace(c, note=notes.get(c.key, "")) for c in self.channels)
        self.channelsChanged.emit()
        self._push()

    def remove_head(self, key: int) -> None:
        self._change("channels", tuple(c for c in self.channels if c.key != key), self.tr("remove head"))
        if self.chosen == key:
            self.choose(self.channels[-1].key if self.channels else None)

    def choose(self, key: int | None) -> None:
        if key != self.chosen:
            self.chosen = key
            self.channelsChanged.emit()

    def set_strength(self, key: int, strength: float) -> None:
        limited = max(-STRENGTH_LIMIT, min(STRENGTH_LIMIT, strength))
        self._edit(key, self.tr("strength"), f"strength {key}", strength=limited)

    def set_enabled(self, key: int, enabled: bool) -> None:
        self._edit(key, self.tr("on or off"), "", enabled=enabled)

    def set_bypass(self, bypass: bool) -> None:
        if bypass != self.bypass:
            self._change("bypass", bypass, self.tr("bypass"))

    def usable(self) -> tuple[Channel, ...]:
        """The rows that fit the loaded model, on or off."""
        return tuple(c for c in self.channels if not c.note)

    def sounding(self) -> tuple[Channel, ...]:
        """The usable rows that are on: the mix of the next answer."""
        return tuple(c for c in self.usable() if c.enabled)

    def strength_of(self, key: int) -> float:
        """What the row counts right now: 0 when off, removed or bypassed."""
        channel = self.channel(key)
        return channel.strength if channel and channel.enabled and not self.bypass else 0.0

    def go_live(self, keys: Iterable[int], strengths: Any) -> None:
        """Every later move of these rows is written into `strengths`, the run's live Strengths."""
        self._live = (tuple(keys), strengths)
        self._push()

    @property
    def live_keys(self) -> tuple[int, ...]:
        """The rows in the mix of the running answer."""
        return self._live[0] if self._live else ()

    def end_live(self) -> None:
        self._live = None

    # The conversation.

    def set_turns(self, turns: tuple[Turn, ...], label: str) -> None:
        self._change("turns", turns, label)

    def extend_turns(self, turn: Turn) -> None:
        """A new turn; not undoable, what was said was said."""
        self.turns = (*self.turns, turn)
        self.turnsChanged.emit()

    def show(self, answer: Answer | None) -> None:
        if answer is not self.shown:
            self.shown = answer
            self.shownChanged.emit()

    def select(self, answer: Answer, cursor: int, *, extend: bool = False) -> None:
        """Selects token `cursor` (clipped to the answer); extend keeps the other end where it was."""
        if not len(answer):
            return
        cursor = max(0, min(len(answer) - 1, cursor))
        old = self.selection
        anchor = old.anchor if extend and old and old.answer is answer else cursor
        self.selection = Selection(answer, anchor, cursor)
        self.show(answer)
        self.selectionChanged.emit()

    def clear_selection(self) -> None:
        if self.selection:
            self.selection = None
            self.selectionChanged.emit()

    def widen(self, lowest: float, highest: float) -> None:
        scale = self.scale.widened(lowest, highest)
        if scale != self.scale:
            self.scale = scale
            self.scaleChanged.emit()

    # Small settings.

    def set_prompt(self, prompt: str) -> None:
        if prompt != self.prompt:
            self.prompt = prompt
            self.promptChanged.emit()

    def set_settings(self, settings: Settings) -> None:
        if settings != self.settings:
            self.settings = settings
            self.settingsChanged.emit()

    def set_compare(self, compare: bool) -> None:
        if compare != self.compare:
            self.compare = compare
            self.compareChanged.emit(compare)

    def set_loading(self, loading: Loading) -> None:
        self.loading = loading
        self.modelChanged.emit()

    # Undo.

    @property
    def undo_label(self) -> str:
        return self._past[-1][0] if self._past else ""

    @property
    def redo_label(self) -> str:
        return self._future[-1][0] if self._future else ""

    def undo(self) -> None:
        self._travel(self._past, self._future)

    def redo(self) -> None:
        self._travel(self._future, self._past)

    def forget(self) -> None:
        """What is now is the beginning: nothing to undo."""
        self._past.clear()
        self._future.clear()
        self._merge = ""
        self.undoChanged.emit()

    def _travel(self, source: list[tuple[str, str, Any]], target: list[tuple[str, str, Any]]) -> None:
        if not source:
            return
        label, attribute, value = source.pop()
        target.append((label, attribute, getattr(self, attribute)))
        self._merge = ""
        self._set(attribute, value)

    def _edit(self, key: int, label: str, merge: str, **change: Any) -> None:
        changed = tuple(replace(c, **change) if c.key == key else c for c in self.channels)
        self._change("channels", changed, label, merge)

    def _change(self, attribute: str, value: Any, label: str, merge: str = "") -> None:
        if not (merge and merge == self._merge):  # one drag of a slider is one step back
            self._past.append((label, attribute, getattr(self, attribute)))
            del self._past[:-UNDO_DEPTH]
        self._merge = merge
        self._future.clear()
        self._set(attribute, value)

    def _set(self, attribute: str, value: Any) -> None:
        before = getattr(self, attribute)
        setattr(self, attribute, value)
        if attribute == "channels":
            rows = [(c.key, c.head, c.note) for c in self.channels]
            same = rows == [(c.key, c.head, c.note) for c in before]
            (self.strengthsChanged if same else self.channelsChanged).emit()
        elif attribute == "bypass":
            self.bypassChanged.emit(value)
            self.strengthsChanged.emit()
        else:
            if not self.turns:  # an empty page begins with a fresh scale
                self.scale = Scale()
                self.scaleChanged.emit()
            self.turnsChanged.emit()
        self._push()
        self.undoChanged.emit()

    def _push(self) -> None:
        """The live run hears of it: plain floats, no lock held over a forward pass."""
        if self._live:
            keys, strengths = self._live
            for index, key in enumerate(keys):
                strengths.set(index, self.strength_of(key))
