"""The state of the studio: what the panels show and change. Holds no widget and no tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal
from uuid import uuid4

from PySide6.QtCore import QObject, Signal

from studio.state.compare_columns import ColumnChoice, Comparison
from studio.state.compare_round import CompareRound
from studio.state.conversation import Answer, Selection, State, Turn
from studio.state.live_run_strengths import LiveRunStrengths
from studio.state.mixer import HeadSlot, Misfit, MixerChannel, Preset, active_rows
from studio.state.mixer_edits import MixerEdits
from studio.state.progress import Faithfulness, Fit, Loading
from studio.state.requests import FitOptions, MethodFacts
from studio.state.sampling_settings import SamplingSettings
from studio.state.shared_scales import SharedScales
from studio.state.undo import Change, Values, make_stack

UNDO_DEPTH = 500


class Workspace(QObject):
    """Every change is announced by one signal; what the person changes is a step of the one undo stack.

    mixer: the edits of its rows; live: the strengths of running answers, which follow these rows; scales: the
    color scales of all views. Nothing else emits its signals.
    """

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
    modelChanged = Signal()  # another one can be used, or none
    loadingChanged = Signal()  # how far the next one is
    sourceChanged = Signal()  # another model is wanted
    promptChanged = Signal()
    questionChanged = Signal()
    settingsChanged = Signal()
    fitOptionsChanged = Signal()
    fitChanged = Signal()
    lossAdded = Signal()
    faithfulnessChanged = Signal()
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
        self.hidden_until_vote = False  # nothing is shown: it would say which column is which
        self.selected_key: int | None = None  # of the channel that the plots and Save refer to
        self.scales = SharedScales(self)
        self.loading = Loading()
        self.methods: tuple[MethodFacts, ...] = ()
        self.fit = Fit()
        self.faithfulness: dict[str, Faithfulness] = {}  # by head digest
        self.stack = make_stack(self, UNDO_DEPTH)
        self.mixer = MixerEdits(self)
        self.live = LiveRunStrengths(self.strength_of)
        self._misfit_of: Callable[[Any], Misfit | None] = lambda head: None
        self.just_navigated_undo = True  # or at the history's beginning: the next change begins a step
        self._announce: dict[str, Callable[[Any], None]] = {
            "channels": self._announce_channels,
            "presets": lambda _: self.presetsChanged.emit(),
            "conversation": lambda _: None,  # never changes without its turns
            "has_edits": lambda _: None,
            "selected_key": lambda _: None,  # put only together with the channels
            "turns": self._announce_turns,
            "bypass": self._announce_bypass,
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

    def method_of(self, head: Any) -> str:
        """The title of the method that the head was made with."""
        titles = {method.key: method.title for method in self.methods}
        return titles.get(head.info.method, str(head.info.method))

    def swap_head(self, slot: HeadSlot, head: Any, *, draft: bool = False) -> None:
        """The same row with a better head, wherever in the history it is; strength and switch stay, and no
        undo brings the old one back."""
        slot.head, slot.draft = head, draft
        self._note_misfits()
        self.channelsChanged.emit()

    def locate_slot(self, slot: HeadSlot) -> Literal["here", "undo", "redo", ""]:
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
        self.live.update()

    def _note_misfits(self) -> None:
        for channel in self.channels:
            channel.slot.misfit = self._misfit_of(channel.head)

    def select_channel(self, key: int | None) -> None:
        if key != self.selected_key:
            self.selected_key = key
            self.channelsChanged.emit()

    def usable(self) -> tuple[MixerChannel, ...]:
        """The rows that fit the loaded model, on or off."""
        return tuple(c for c in self.channels if not c.note)

    def active_rows(self) -> tuple[MixerChannel, ...]:
        """The rows that steer: the mix of the next answer."""
        return active_rows(self.channels)

    def strength_of(self, key: int) -> float:
        """What the row counts right now: 0 when off, muted by another's solo, removed or bypassed."""
        active = next((c for c in self.active_rows() if c.key == key), None)
        return active.strength if active and not self.bypass else 0.0

    def rows_not_in_run(self) -> tuple[MixerChannel, ...]:
        """The rows that are active by now, and that a running answer was begun without."""
        return () if self.bypass else tuple(c for c in self.active_rows() if not self.live.includes(c.key))

    # The conversation.

    def set_turns(self, turns: tuple[Turn, ...], label: str, **also: Any) -> None:
        """The turns instead of those that are there; `also`: other values of the same step."""
        self.change(label, turns=turns, **also)

    def begin_conversation(self, turns: tuple[Turn, ...] = (), key: str = "") -> None:
        """An empty page, or a conversation of the library; the present one stays in the library."""
        label = self.tr("open conversation") if key else self.tr("new conversation")
        self.change(label, turns=turns, conversation=key or uuid4().hex)

    def show(self, answer: Answer | None, *, hidden_until_vote: bool = False) -> None:
        """hidden_until_vote: there are answers, of which no figure may be seen before the vote."""
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

    def update_answer(self, answer: Answer, **values: Any) -> None:
        """Sets attributes of an answer, its state or figures."""
        for name, value in values.items():
            setattr(answer, name, value)
        self.answerChanged.emit(answer)

    def end_answers(self, answers: Sequence[Answer], state: State | None = None) -> None:
        """No more comes of these; state: theirs from now on, None where each has its own."""
        for answer in answers:
            answer.state = state or answer.state
        for answer in answers:
            self.answerChanged.emit(answer)

    def add_tokens(self, answer: Answer, tokens: Sequence[Any]) -> None:
        """The next tokens (engine.generation.trace.Token) of an answer whose trace is there."""
        first = len(answer)
        for token in tokens:
            answer.trace.append(token)
        answer.text += "".join(token.text for token in tokens)
        self.scales.include(answer, first)
        self.answerGrew.emit(answer, first)

    # A distillation as it runs, and the figures of heads.

    def set_fit(self, fit: Fit) -> None:
        before, self.fit = self.fit, fit
        if fit.losses and fit.losses != before.losses:
            self.lossAdded.emit()
        self.fitChanged.emit()

    def set_faithfulness(self, digest: str, figures: Faithfulness) -> None:
        """digest: of the head that they were measured of."""
        self.faithfulness[digest] = figures
        self.faithfulnessChanged.emit()

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
        self._compare(self.tr("change column"), self.comparison.changed(place, column), merge)

    def show_round(self, at: CompareRound | None) -> None:
        """A part of a step that knows more of it than the workspace does."""
        self.set_without_step(round=at)

    def _compare(self, label: str, comparison: Comparison, merge: str = "") -> None:
        self._put_one(label, "comparison", comparison, merge)

    # Small settings.

    def set_prompt(self, prompt: str) -> None:
        self._put_one(self.tr("typing"), "prompt", prompt, "prompt")

    def set_question(self, question: str) -> None:
        self._put_one(self.tr("typing"), "question", question, "question")

    def set_settings(self, settings: SamplingSettings) -> None:
        self._put_one(self.tr("sampling settings"), "settings", settings, "settings")

    def settle_sampling(self, recommended: SamplingSettings) -> None:
        """The loaded model's sampling, unless a person chose another. No step, and none is lost."""
        settled = self.settings.with_rules(recommended)
        if not self.settings.edited and settled != self.settings:
            self.set_without_step(settings=settled)

    def set_fit_options(self, options: FitOptions, merge: str = "") -> None:
        """merge: the option that is being turned, whose values in a row become one step."""
        self._put_one(self.tr("distillation options"), "fit_options", options, merge)

    def set_compare(self, compare: bool) -> None:
        self._put_one(self.tr("show unsteered answer"), "compare", compare)

    def set_truth(self, truth: bool) -> None:
        self._put_one(self.tr("record the prompt's effect"), "truth", truth)

    def set_source(self, source: str) -> None:
        """Another model is wanted: its folder, hub id, or "pocket"."""
        self._put_one(self.tr("change model"), "source", source)

    def settle_source(self, source: str) -> None:
        """What came of a source that was put here before: this one is there. No step, and none is lost."""
        if source != self.source:
            self.set_without_step(source=source)

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

    def set_without_step(self, **values: Any) -> None:
        """Sets attributes that nobody changed: undo does not take them back."""
        self._put(values)

    def restore(self, **values: Any) -> None:
        """Sets attributes as the beginning of the history: nothing to undo."""
        self._put(values)
        self.clear_history()

    def undo(self) -> None:
        self.just_navigated_undo = True
        self.travelling.emit()
        self.stack.undo()

    def redo(self) -> None:
        self.just_navigated_undo = True
        self.travelling.emit()
        self.stack.redo()

    def retract(self, step: int) -> bool:
        """Takes the last step back as if it had never been: nothing brings it again. step: the place in the
        history right after it; False where other steps came since, or it was undone."""
        last = self.stack.command(step - 1) if step and self.stack.index() == step else None
        if not isinstance(last, Change):
            return False
        last.retract()
        self.stack.undo()
        return True

    def clear_history(self) -> None:
        """What is now is the beginning: nothing to undo."""
        self.stack.clear()
        self.just_navigated_undo = True

    def _put_one(self, label: str, name: str, value: Any, merge: str = "") -> None:
        if value != getattr(self, name):
            self.change(label, merge, **{name: value})

    def _put(self, values: Mapping[str, Any]) -> None:
        """Sets all of them, then announces them: nobody who listens sees half a step."""
        before = {name: getattr(self, name) for name in values}
        conversation, at = values.get("conversation", self.conversation), values.get("round", self.round)
        if conversation != self.conversation or at is not self.round:
            self.leaving.emit()
        for name, value in values.items():
            setattr(self, name, value)
        if "channels" in values:
            self._note_misfits()
        for name in values:
            self._announce[name](before[name])
        self.live.update()

    def _announce_channels(self, before: tuple[MixerChannel, ...]) -> None:
        if self.selected_key not in [c.key for c in self.channels]:
            self.selected_key = self.channels[-1].key if self.channels else None
        after, was = ([(c.key, c.slot, c.title, c.note) for c in rows] for rows in (self.channels, before))
        (self.strengthsChanged if after == was else self.channelsChanged).emit()

    def _announce_bypass(self, _: bool) -> None:
        self.bypassChanged.emit(self.bypass)
        self.strengthsChanged.emit()

    def _announce_turns(self, before: tuple[Turn, ...]) -> None:
        """The scales are of the turns that are there."""
        known = set(before)
        if known - set(self.turns):
            self.scales.reset()
            known.clear()
        for answer in (answer for turn in self.turns if turn not in known for answer in turn.answers):
            self.scales.include(answer)
        if self.selection and self.selection.answer.turn not in self.turns:
            self.clear_selection()
        self.turnsChanged.emit()
