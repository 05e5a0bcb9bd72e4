"""What the worker thread does, as plain calls into the engine.

The engine is imported inside the functions: this module is loaded before the first paint, torch is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import Cancelled, ChoiceError, EngineError, HeadError, ModelError, WeakPromptError
from engine.events import Cancel, Emit, Progress
from engine.heads import HEAD_SUFFIX
from studio.runtime.frozen_imports import set_apart
from studio.runtime.head_files import heads_folder
from studio.runtime.lane_builder import ids_of, lanes_of, sampling_of, settings_of
from studio.runtime.model_sources import from_anywhere
from studio.state.conversation import turns_in
from studio.state.requests import (
    ContextForecast,
    FitRequest,
    Imported,
    LaneRequest,
    Loaded,
    MethodFacts,
    ModelFacts,
    WeakPrompt,
)
from studio.state.sampling_settings import SamplingSettings
from studio.widgets.translation import tr

if TYPE_CHECKING:
    from engine.distill import Distillation

STEP_COLUMNS = 8  # ranks of all heads together that a compiled step has room for
SMALL_MODEL = 64 << 20  # bytes of weights; an instant head of such a model takes about a second


class ModelHost:
    """The model on the worker's bench. Every method runs in the worker thread unless it says otherwise."""

    def __init__(self) -> None:
        self._model: Any = None
        self._found: Any = None  # where it came from: engine.model.loading's Found
        self._memory: Any = None  # what the last answers left in the cache (PrefixCache)
        self._pace: float | None = None  # seconds per answer of the last instant head on this model
        self._steps: list[Any] = []  # compiled for this model (CompiledStep)
        self._laid: Any = None  # the step that is being compiled
        self.lanes = 0  # of the last run that no compiled step was there for, those of the truth included
        self.columns = 0  # of the last run's mix, the ranks of all its heads together

    def may_pause(self) -> bool:
        """Whether nothing is attached to the model, so that another job may use it for a moment."""
        if self._model is None:
            return False
        from engine.model.blocks import attached

        return not any(attached(block) for block in self._model.blocks)

    def find(self, source: str, dtype: str | None, device: str | None, emit: Emit, cancel: Cancel) -> Any:
        """Fetches a model, looks at it and makes sure that it fits in place of the present one, which can be
        used meanwhile: this runs in any thread. An engine.model.loading Found."""
        if self._model is None:
            emit(Progress(tr("Starting the engine"), 0, 0))
        from engine.model.loading import find

        return find(source, dtype=dtype, device=device, instead_of=self._model, emit=emit, cancel=cancel)

    def room(self, device: str | None = None) -> int:
        """Bytes that the next model may take on `device`, by default where it would go unless told otherwise;
        those of the present one count as free. In any thread."""
        from engine.model.placement import room

        return room(self._model, device)

    def load(self, source: str, found: Any, with_heads: bool, emit: Emit, cancel: Cancel) -> Loaded:
        """Reads a found model in place of the old one, whose memory is given back before.

        When it fails or is stopped, the old one is read again: in any case the bench is left as it was.
        """
        former, self._found = self._found, None
        if self._model is not None:
            self._model.unload()
            self._model = self._memory = self._laid = None
            self._steps, self.lanes = [], 0
        try:
            self._model = found.load(emit, cancel)
        except Exception:
            if former is not None:
                self._model, self._found = former.load(), former
            raise
        self._found, self._pace = found, None
        heads, unread = self._ready_heads() if with_heads and self._model.is_pocket else ((), ())
        return Loaded(self._facts(source), self._methods(), heads, unread)

    def warm(self, emit: Emit, cancel: Cancel) -> None:
        """Imports the engine, so that the first model waits for that no more."""
        with set_apart():
            import engine.distill
            import engine.generation.decode
            from engine.model.loading import import_ahead

            import_ahead()
        assert engine

    def distill(
        self, request: FitRequest, limit: float | None, emit: Emit, cancel: Cancel
    ) -> Distillation | WeakPrompt | float:
        """The heads come earlier, as HeadReady events. The seconds that it would take, at once, when these
        are more than `limit`; WeakPrompt when the prompt changes next to nothing and is not wanted anyway."""
        from engine.distill import Request, distill

        if limit is not None and (expected := self._expected(request.responses)) > limit:
            if self._pace is not None:
                self._pace *= 0.5  # the last one may have been slow for once: later it is tried again
            return expected
        asked = Request(
            request.prompt,
            method=request.method,
            objective=request.objective,
            weight=request.weight,
            negatives=request.negatives,
            recipe=request.recipe,
            block=request.block,
            responses=request.responses,
            seed=request.seed,
            rank=request.rank,
            positions=request.positions,
            place=request.place,
            anyway=request.anyway,
        )
        try:
            found = distill(self.need_model(), asked, cancel=cancel, emit=emit)
        except WeakPromptError as error:
            return WeakPrompt(error.kl)
        if request.recipe == "instant":
            self._pace = found.seconds["total"] / found.responses
        return found

    def _expected(self, responses: int | None) -> float:
        """Seconds for an instant head: by the last one; before that, known for small models only."""
        if self._pace is not None:
            assert responses is not None, "who sets a limit says how many responses it is for"
            return self._pace * responses
        return 0.0 if self.need_model().bytes < SMALL_MODEL else math.inf

    def generate(
        self,
        lanes: Sequence[LaneRequest],
        settings: SamplingSettings,
        emit: Emit,
        cancel: Cancel,
    ) -> list[Any]:
        """One engine.generation Generation per lane, all in one batch."""
        from engine.generation.decode import generate
        from engine.generation.prefix_cache import PrefixCache

        model = self.need_model()
        self._memory = self._memory or PrefixCache()
        rows = lanes_of(model, lanes, settings.seed)
        found = generate(
            model,
            rows,
            sampling_of(settings),
            prefix_cache=self._memory,
            compiled=self._steps,
            cancel=cancel,
            on_prefill=emit,
            on_token=emit,
        )
        self.columns = found[0].columns
        self.lanes = (
            0 if found[0].compiled else len(rows) + 2 * sum(row.reference_prompt is not None for row in rows)
        )
        return found

    def predict_usage(
        self,
        lanes: Sequence[LaneRequest],
        question: str,
        settings: SamplingSettings,
        emit: Emit,
        cancel: Cancel,
    ) -> ContextForecast:
        """What answering these lanes would take of the context: of the lane that it is hardest for."""
        from engine.generation.context_window import predict_usage

        model = self.need_model()
        try:
            uses = predict_usage(model, lanes_of(model, lanes, settings.seed), settings.max_tokens)
        except (TypeError, AttributeError):
            if model.loaded:
                raise
            raise Cancelled from None  # the loader's thread unloaded it meanwhile
        use = max(uses, key=lambda use: (use.cut, -use.remaining))
        return ContextForecast(
            len(ids_of(model, question)),
            use.prompt_tokens,
            turns_in(use.cut),
            use.remaining,
            use.requested,
            use.context,
        )

    @property
    def ready(self) -> bool:
        """Whether a model is there; asked on the GUI thread."""
        return self._model is not None

    def lay_out_step(self, rows: int) -> Any:
        """A CompiledStep for `rows` lanes, to be prepared elsewhere."""
        from engine.generation.compiled_step import CompiledStep

        self._laid = CompiledStep(self.need_model(), rows=rows, columns=STEP_COLUMNS)
        return self._laid

    def take_step(self, step: Any) -> bool:
        """Uses a prepared step from now on, if it was laid out for the model that is still there."""
        if step is not self._laid:
            return False
        self._steps.append(step)
        self._laid = None
        return True

    def drop_steps(self) -> None:
        """Gives the compiled steps back."""
        self._steps, self._laid, self.lanes = [], None, 0

    def load_head(self, path: Path, emit: Emit, cancel: Cancel) -> Any:
        """The head in the file, whichever model of this shape it was made for, or an Imported one."""
        from engine.heads.formats import ImportOptions, detect
        from engine.heads.head_file import load_head

        identity = self.need_model().identity
        foreign = [f for f in detect(path) if f.name != "head"]
        if foreign and not path.name.endswith(HEAD_SUFFIX):
            try:
                found = foreign[0].read(path, lambda: identity, ImportOptions())
            except ChoiceError as error:  # its remedy is an option of the command line
                remedy = tr("Convert it to a head file first, with the command steer convert.")
                raise HeadError(error.what, error.why, remedy) from error
            return Imported(found.head, foreign[0].name, tuple(found.losses))
        return load_head(path, identity, allow_other_model=True)

    def save_head(self, head: Any, path: Path) -> Path:
        from engine.heads.head_file import save_head

        save_head(head, path)
        return path

    def _facts(self, source: str) -> ModelFacts:
        """What came of the hub is named by its commit, a folder by its whole path: so a session gets the very
        same model again."""
        from engine.distill.model_kind import kind_of
        from engine.generation.model_sampling import recommended_sampling

        model, source = self._model, from_anywhere(source)
        if model.identity.revision:
            source = f"{model.identity.id}@{model.identity.revision}"
        return ModelFacts(
            model.name,
            source,
            str(model.device),
            str(model.dtype).removeprefix("torch."),
            model.precision,
            len(model.blocks),
            model.width,
            model.bytes,
            model.is_pocket,
            model.identity,
            kind_of(model).examples,
            settings_of(recommended_sampling(model)),
        )

    def _methods(self) -> tuple[MethodFacts, ...]:
        from engine.distill import METHODS
        from engine.distill.request import OBJECTIVES

        return tuple(
            MethodFacts(
                m.name,
                m.title,
                m.about,
                not m.every_block,
                m.recipes,
                m.ranked,
                m.objective,
                OBJECTIVES if m.objective else (),
            )
            for m in METHODS.values()
        )

    def _ready_heads(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        from engine.heads.head_file import load_head

        heads, unread = [], []
        for path in sorted(heads_folder().glob("*" + HEAD_SUFFIX)):
            try:
                heads.append(load_head(path, self._model.identity))
            except EngineError as error:  # one bad file never hides the others
                unread.append(str(error))
        return tuple(heads), tuple(unread)

    def need_model(self) -> Any:
        """The loaded model. Raises ModelError when there is none."""
        if self._model is None:
            raise ModelError(
                tr("No model is loaded"),
                tr("The last model could not be loaded."),
                tr("Choose a model (File > Choose model)."),
            )
        return self._model
