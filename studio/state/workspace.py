"""The state of the studio: what the panels show and change. Holds no widget and no tensor."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

from PySide6.QtCore import QObject, Signal

from studio.state.color_scale import ACTIVATION, FIRST, ColorScale
from studio.state.compare_columns import ColumnChoice, Comparison
from studio.state.compare_round import CompareRound
from studio.state.conversation import Answer, Selection, Turn
from studio.state.mixer import (
    STRENGTH_LIMIT,
    Blocks,
    HeadSlot,
    Misfit,
    MixerChannel,
    Preset,
    active_rows,
    preset_of,
    title_beside,
    with_preset,
)
from studio.state.progress import Faithfulness, Fit, Loading
from studio.state.requests import FitOptions, MethodFacts
from studio.state.sampling_settings import SamplingSettings
from studio.state.undo import Change, Values, make_stack

UNDO_DEPTH = 500


class Workspace(QObject):
    """Every change is announced by one signal; what the person changes is a step of the one undo stack."""

    channelsChanged = Signal()  # rows added, removed, replaced, renamed
    strengthsChanged = Signal()  # strength, on/off, solo, blocks or bypass of existing rows
    bypassChanged = Signal(bool)
    presetsChanged = Signal()
    leaving = Signal()  # another conversation, or round, is about to take the place of the present one
    turnsChanged = Signal()  # turns or answers added or removed
    answerGrew = Signal(object, int)  # Answer, index of the first new token
    answerChanged = Signal(object)  # its state or figures
    selectionChanged = Signal()
    shownChanged = Signal()  # another answer is in the heatmap
    scaleChanged = Signal()
    modelChanged = Signal()  # another one can be used, or none
    loadingChanged = Signal()  # how far the next one is
    sourceChanged = Signal()  # another model is wanted
    promptChanged = Signal()
    questionChanged = Signal()
    settingsChanged = Signal()
    fitOptionsChanged = Signal()
    fitChanged = Signal()
    lossAdded = Signal()
    compareChanged = Signal(bool)
    truthChanged = Signal(bool)
    travelling = Signal()  # a step is about to be taken back or made again
    comparisonChanged = Signal()  # of the Compare page: columns, blind
    roundChanged = Signal()  # other answers on the Compare page, or a vote on them

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        # Steps of the undo stack.
        self.channels: tuple[MixerChannel, ...] = ()
        self.presets: tuple[Preset, ...] = ()
        self.conversation = uuid4().hex  # under which the library keeps the turns
        self.turns: tuple[Turn, ...] = ()
        self.bypass = False
        self.compare = False
        self.truth = False  # what the prompt would have done is measured with the next answers
        self.comparison = Comparison()
        self.round: CompareRound | None = None  # the answers on the Compare page
        self.prompt = ""
        self.question = ""
        self.settings = SamplingSettings()
        self.fit_options = FitOptions()
        self.source = "pocket"
        self.has_edits = False  # whether anything was ever changed in it, undone or not
        # Where one looks, and what the jobs tell.
        self.selection: Selection | None = None
        self.shown: Answer | None = None
        self.hidden_until_vote = (
            False  # nothing is shown, because it would tell who speaks in a blind comparison
        )
        self.chosen: int | None = None  # key of the channel that the plots and Save refer to
        self.scales: Mapping[str, ColorScale] = FIRST  # by unit
        self.loading = Loading()
        self.methods: tuple[MethodFacts, ...] = ()
        self.fit = Fit()
        self.faithfulness: dict[str, Faithfulness] = {}  # by head digest
        self.stack = make_stack(self, UNDO_DEPTH)
        self._live: list[tuple[tuple[int, ...], Any]] = []
        self._misfit_of: Callable[[Any], Misfit | None] = lambda head: None
        self._keys = itertools.count(1)
        self.just_navigated_undo = (
            True  # through the history, or at its beginning: the next change begins a step
        )
        self._told: dict[str, Callable[[Any], None]] = {
            "channels": self._tell_channels,
            "presets": lambda _: self.presetsChanged.emit(),
            "conversation": lambda _: None,  # never changes without its turns
            "has_edits": lambda _: None,
            "chosen": lambda _: None,  # put only together with the channels
            "turns": self._tell_turns,
            "bypass": self._tell_bypass,
            "compare": lambda _: self.compareChanged.emit(self.compare),
            "truth": lambda _: self.truthChanged.emit(self.truth),
            "comparison": lambda _: self.comparisonChanged.emit(),
            "round": lambda _: self.roundChanged.emit(),
            "prompt": lambda _: self.promptChanged.emit(),
            "question": lambda _: self.questionChanged.emit(),
            "settings": lambda _: self.settingsChanged.emit(),
            "fit_options": lambda _: self.fitOptionsChanged.emit(),
            "source": lambda _: self.sourceChanged.emit(),
        }

    # The mixer.

    def channel(self, key: int | None) -> MixerChannel | None:
        return next((c for c in self.channels if c.key == key), None)

    def add_head(
        self,
        head: Any,
        *,
        strength: float = 1.0,
        enabled: bool = True,
        alone: bool = False,
        draft: bool = False,
    ) -> int:
        """A new row at the end, the only one that is heard if `alone`; the key of the row."""
        key = next(self._keys)
        # Heads of another model are silent anyway, and are to be on again when that one comes back.
        others = tuple(replace(c, enabled=c.enabled and not (alone and not c.note)) for c in self.channels)
        # What follows the typing has another name with the next words.
        title = "" if draft else title_beside(others, head.info.name, self.method_of(head))
        row = MixerChannel(key, HeadSlot(head, draft=draft), strength, enabled, title=title)
        self.change(self.tr("add head"), channels=(*others, row), chosen=key)
        return key

    def method_of(self, head: Any) -> str:
        """The title of the method that the head was made with."""
        titles = {method.key: method.title for method in self.methods}
        return titles.get(head.info.method, str(head.info.method))

    def lay_out(self, heads: Sequence[Any]) -> None:
        """The heads that come with a model, the first one on and chosen: nobody's change, and no step."""
        rows = [
            MixerChannel(next(self._keys), HeadSlot(h), enabled=not place) for place, h in enumerate(heads)
        ]
        self._put({"channels": tuple(rows)})
        self.choose(rows[0].key)

    def swap_head(self, slot: HeadSlot, head: Any, *, draft: bool = False) -> None:
        """The same row with a better head, wherever in the history it is; strength and switch stay, and no
        undo brings the old one back."""
        slot.head, slot.draft = head, draft
        self._note_misfits()
        self.channelsChanged.emit()

    def way_to(self, slot: HeadSlot) -> Literal["here", "undo", "redo", ""]:
        """Where the row with this slot is: in the mixer, in steps that undo or redo bring, or nowhere."""
        if any(c.slot is slot for c in self.channels):
            return "here"
        for place in range(self.stack.count()):
            step, taken = self.stack.command(place), place < self.stack.index()
            rows = step.holds("channels")[0 if taken else 1] if isinstance(step, Change) else None
            if any(c.slot is slot for c in rows or ()):
                return "undo" if taken else "redo"
        return ""

    def set_misfit_check(self, misfit_of: Callable[[Any], Misfit | None]) -> None:
        """Another model is there: `misfit_of` says of a head why it is none of its. All rows are judged now,
        and those that come later, by undo and redo too, as they come."""
        self._misfit_of = misfit_of
        self._note_misfits()
        self.channelsChanged.emit()
        self._push()

    def _note_misfits(self) -> None:
        for channel in self.channels:
            channel.slot.misfit = self._misfit_of(channel.head)

    def remove_head(self, key: int | None) -> None:
        row = self.channel(key)
        if key is not None and row is not None:
            place, rest = self.channels.index(row), tuple(c for c in self.channels if c is not row)
            values: dict[str, Any] = {"channels": rest}
            if self.chosen == key:
                values["chosen"] = rest[min(place, len(rest) - 1)].key if rest else None
            if self.comparison.without_head(key) != self.comparison:
                values["comparison"] = self.comparison.without_head(key)
            self.change(self.tr("remove head"), **values)

    def rename_head(self, key: int, name: str) -> None:
        if name.strip():
            self._edit(key, self.tr("rename head"), title=name.strip())

    def choose(self, key: int | None) -> None:
        if key != self.chosen:
            self.chosen = key
            self.channelsChanged.emit()

    def set_strength(self, key: int, strength: float) -> None:
        limited = max(-STRENGTH_LIMIT, min(STRENGTH_LIMIT, strength))
        self._edit(key, self.tr("strength"), f"strength {key}", strength=limited)

    def set_enabled(self, key: int, enabled: bool) -> None:
        self._edit(key, self.tr("on or off"), enabled=enabled)

    def hear_instead(self, key: int, other: int) -> None:
        """The row `key` is on and the other off."""
        on = {key: True, other: False}
        rows = tuple(replace(c, enabled=on.get(c.key, c.enabled)) for c in self.channels)
        self.change(self.tr("on or off"), channels=rows)

    def set_solo(self, key: int, solo: bool) -> None:
        self._edit(key, self.tr("solo"), solo=solo)

    def toggle_chosen(self) -> None:
        """The chosen row on or off."""
        row = self.channel(self.chosen)
        if row is not None:
            self.set_enabled(row.key, not row.enabled)

    def solo_chosen(self) -> None:
        """The chosen row solo or not."""
        row = self.channel(self.chosen)
        if row is not None:
            self.set_solo(row.key, not row.solo)

    def accept(self, key: int) -> None:
        """The row is used with the loaded model, though its head was made for another of the same shape."""
        row = self.channel(key)
        if row is not None and row.acceptable and row.slot.misfit:
            self._edit(key, self.tr("use another model's head"), accepted=row.slot.misfit.model)

    def set_blocks(self, key: int, blocks: Blocks | None) -> None:
        """The row steers only blocks first..last, both included; None: all of its head's."""
        self._edit(key, self.tr("block range"), f"blocks {key}", blocks=blocks)

    def set_bypass(self, bypass: bool) -> None:
        self._put_one(self.tr("bypass"), "bypass", bypass)

    def keep_preset(self, name: str) -> None:
        """The strengths as they are, under `name`; an older preset of that name is replaced."""
        others = tuple(p for p in self.presets if p.name != name)
        self.change(self.tr("keep preset"), presets=(*others, preset_of(name, self.channels)))

    def drop_preset(self, name: str) -> None:
        self.change(self.tr("remove preset"), presets=tuple(p for p in self.presets if p.name != name))

    def apply_preset(self, preset: Preset) -> int:
        """How many of the heads that it names are not in the mixer."""
        rows, lacking = with_preset(preset, self.channels)
        self._put_one(self.tr("preset"), "channels", rows)
        return lacking

    def usable(self) -> tuple[MixerChannel, ...]:
        """The rows that fit the loaded model, on or off."""
        return tuple(c for c in self.channels if not c.note)

    def active_rows(self) -> tuple[MixerChannel, ...]:
        """The rows that are heard: the mix of the next answer."""
        return active_rows(self.channels)

    def strength_of(self, key: int) -> float:
        """What the row counts right now: 0 when off, silenced by a solo, removed or bypassed."""
        heard = next((c for c in self.active_rows() if c.key == key), None)
        return heard.strength if heard and not self.bypass else 0.0

    def go_live(self, keys: Iterable[int], strengths: Any) -> None:
        """Every later move of these rows is written into `strengths`, the run's live Strengths."""
        self._live.append((tuple(keys), strengths))
        self._push()

    def end_live(self, strengths: Any) -> None:
        """The run is over: its strengths stay as they are."""
        self._live = [run for run in self._live if run[1] is not strengths]

    def late(self) -> tuple[MixerChannel, ...]:
        """The rows that are heard by now, and that a running answer was begun without."""
        lacking = [c for c in self.active_rows() if not all(c.key in keys for keys, _ in self._live)]
        return () if self.bypass else tuple(lacking)

    # The conversation.

    def set_turns(self, turns: tuple[Turn, ...], label: str, **also: Any) -> None:
        """The turns instead of those that are there; `also`: other values of the same step."""
        self.change(label, turns=turns, **also)

    def begin_conversation(self, turns: tuple[Turn, ...] = (), key: str = "") -> None:
        """An empty page, or a conversation of the library; the present one stays in the library."""
        label = self.tr("open conversation") if key else self.tr("new conversation")
        self.change(label, turns=turns, conversation=key or uuid4().hex)

    def show(self, answer: Answer | None, *, hidden_until_vote: bool = False) -> None:
        """veiled: there are answers, of which no figure may be seen before the vote."""
        if answer is not self.shown or hidden_until_vote != self.hidden_until_vote:
            self.shown, self.hidden_until_vote = answer, hidden_until_vote
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

    @property
    def scale(self) -> ColorScale:
        """That of applied coefficients, and of all that is measured in the same unit."""
        return self.scales[ACTIVATION]

    def widen_scales(self, answer: Answer, first: int = 0) -> None:
        """The scales hold the answer's tokens from `first` on as well."""
        if not len(answer):
            return
        from studio.state.heatmap_quantities import (  # bring numpy: not before the first paint
            holding,
            scales_of,
        )

        if answer.over:
            own = scales_of(answer)
            self._rescale({unit: scale.joined(own[unit]) for unit, scale in self.scales.items()})
        else:
            self._rescale(holding(self.scales, answer.trace, first))

    def _rescale(self, scales: Mapping[str, ColorScale]) -> None:
        if scales != self.scales:
            self.scales = scales
            self.scaleChanged.emit()

    # The Compare page.

    def set_blind(self, blind: bool) -> None:
        self._compare(self.tr("blind comparison"), replace(self.comparison, blind=blind))

    def add_column(self, column: ColumnChoice) -> None:
        self._compare(self.tr("add column"), self.comparison.added(column))

    def remove_column(self, place: int) -> None:
        self._compare(self.tr("remove column"), self.comparison.without(place))

    def set_column(self, place: int, column: ColumnChoice) -> None:
        same = self.comparison.columns[place].kind == column.kind == "head"
        merge = f"column {place}" if same else ""
        self._compare(self.tr("column"), self.comparison.changed(place, column), merge)

    def show_round(self, at: CompareRound | None) -> None:
        """A part of a step that knows more of it than the workspace does."""
        self._put({"round": at})

    def _compare(self, label: str, comparison: Comparison, merge: str = "") -> None:
        self._put_one(label, "comparison", comparison, merge)

    # Small settings.

    def set_prompt(self, prompt: str) -> None:
        self._put_one(self.tr("typing"), "prompt", prompt, "prompt")

    def set_question(self, question: str) -> None:
        self._put_one(self.tr("typing"), "question", question, "question")

    def set_settings(self, settings: SamplingSettings) -> None:
        self._put_one(self.tr("sampling"), "settings", settings, "settings")

    def set_fit_options(self, options: FitOptions, merge: str = "") -> None:
        """merge: the option that is being turned, whose values in a row become one step."""
        self._put_one(self.tr("way of distilling"), "fit_options", options, merge)

    def set_compare(self, compare: bool) -> None:
        self._put_one(self.tr("compare"), "compare", compare)

    def set_truth(self, truth: bool) -> None:
        self._put_one(self.tr("truth"), "truth", truth)

    def set_source(self, source: str) -> None:
        """Another model is wanted: its folder, hub id, or "pocket"."""
        self._put_one(self.tr("model"), "source", source)

    def settle_source(self, source: str) -> None:
        """What came of a source that was put here before: this one is there. No step, and none is lost."""
        if source != self.source:
            self._put({"source": source})

    def set_loading(self, loading: Loading) -> None:
        before, self.loading = self.loading, loading
        self.loadingChanged.emit()
        if loading.facts is not before.facts:
            self.modelChanged.emit()

    # Changes and their undoing.

    def change(self, label: str, merge: str = "", **values: Any) -> None:
        """Sets attributes in one step that can be taken back."""
        before = {name: getattr(self, name) for name in values}
        self.step(label, self._put, before, values, merge)

    def step(
        self,
        label: str,
        put: Callable[[Values], None],
        before: Values,
        after: Values,
        merge: str = "",
    ) -> None:
        """One step of the history; `put`, a method, puts the values, which may be kept elsewhere."""
        begins, self.just_navigated_undo = self.just_navigated_undo, False
        self.has_edits = True
        self.stack.push(Change(put, before, after, label, merge, begins))

    def restore(self, **values: Any) -> None:
        """Sets attributes as the beginning of the history: nothing to undo."""
        self._put(values)
        self.forget()

    def undo(self) -> None:
        self.just_navigated_undo = True
        self.travelling.emit()
        self.stack.undo()

    def redo(self) -> None:
        self.just_navigated_undo = True
        self.travelling.emit()
        self.stack.redo()

    def forget(self) -> None:
        """What is now is the beginning: nothing to undo."""
        self.stack.clear()
        self.just_navigated_undo = True

    def _put_one(self, label: str, name: str, value: Any, merge: str = "") -> None:
        if value != getattr(self, name):
            self.change(label, merge, **{name: value})

    def _edit(self, key: int, label: str, merge: str = "", **fields: Any) -> None:
        row = self.channel(key)
        if row is not None and any(getattr(row, name) != value for name, value in fields.items()):
            rows = tuple(replace(c, **fields) if c.key == key else c for c in self.channels)
            self.change(label, merge, channels=rows)

    def _put(self, values: Mapping[str, Any]) -> None:
        """Sets all of them, then tells: nobody who listens sees half a step."""
        before = {name: getattr(self, name) for name in values}
        conversation, at = values.get("conversation", self.conversation), values.get("round", self.round)
        if conversation != self.conversation or at is not self.round:
            self.leaving.emit()
        for name, value in values.items():
            setattr(self, name, value)
        if "channels" in values:
            self._note_misfits()
        for name in values:
            self._told[name](before[name])
        self._push()

    def _tell_channels(self, before: tuple[MixerChannel, ...]) -> None:
        if self.chosen not in [c.key for c in self.channels]:
            self.chosen = self.channels[-1].key if self.channels else None
        after, was = ([(c.key, c.slot, c.title, c.note) for c in rows] for rows in (self.channels, before))
        (self.strengthsChanged if after == was else self.channelsChanged).emit()

    def _tell_bypass(self, _: bool) -> None:
        self.bypassChanged.emit(self.bypass)
        self.strengthsChanged.emit()

    def _tell_turns(self, before: tuple[Turn, ...]) -> None:
        """What is gone has no say in the scales any more."""
        known = set(before)
        if known - set(self.turns):
            self._rescale(FIRST)
            known.clear()
        for answer in (answer for turn in self.turns if turn not in known for answer in turn.answers):
            self.widen_scales(answer)
        if self.selection and self.selection.answer.turn not in self.turns:
            self.clear_selection()
        self.turnsChanged.emit()

    def _push(self) -> None:
        """The live run hears of it: plain floats, no lock held over a forward pass."""
        for keys, strengths in self._live:
            for index, key in enumerate(keys):
                strengths.set(index, self.strength_of(key))
