"""The paper's claims, measured again on the bundled model with exact rules as the judge.

What is measured lies in the store piece by piece, so that a run that was stopped goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from engine.distill import distill
from engine.distill.model_kind import kind_of
from engine.distill.questions import evaluation_questions
from engine.errors import InputError
from engine.events import Cancel, Emit, Meter, ignore
from engine.generation.decode import generate
from engine.generation.lanes import Lane
from engine.generation.sampling import Sampling
from engine.lab.cached_answers import CachedGenerator, judged
from engine.lab.fingerprint import weights_digest
from engine.lab.judges import open_judge
from engine.lab.matching import MatchSetup, measure_method, prompt_coherence
from engine.lab.method_specs import parse_method_spec
from engine.lab.result_cache import ResultCache, content_key
from engine.model.chat_template import Message
from engine.model.language_model import LanguageModel
from engine.pocket.wordings import EXAMPLES, styles_of

STYLES = ("pirate", "formal", "terse", "asks_back", "gloomy")
METHODS = (
    "none", "prompt", "caa", "pca", "projection", "reft-r1", "s-const:mse", "s-const:ll", "a-const",
    "s-psr:mse", "s-psr:ll", "a-psr", "a-psr:mse", "a-psr:ll", "a-psr:rank2", "a-psr+prompt",
)  # fmt: skip
# The published settings, too slow for every seed; on as many responses as refine, where the paper has 1000.
ONCE = ("a-psr:paper:responses48",)
RESPONSES = (4, 12, 48, 200)
RIDGES = (0.0001, 0.001, 0.01, 0.1, 1.0)
_C80 = 0.8
_HISTOGRAM = ("s-psr:ll", "s-const:mse")  # whose coefficients are shown beside the prompt's effect


@dataclass(frozen=True)
class PaperPlan:
    """How much is measured.

    Attributes:
        styles: of Pocket.
        methods: at every seed.
        once: methods that are measured at the first seed only.
        seeds: how many.
        questions: half to choose strengths on, half to report on.
        sampling: of the answers.

    Raises:
        InputError: for an unknown style, or nothing to measure.
    """

    styles: tuple[str, ...] = STYLES
    methods: tuple[str, ...] = METHODS
    once: tuple[str, ...] = ONCE
    seeds: int = 3
    questions: int = 24
    sampling: Sampling = field(default_factory=lambda: Sampling(temperature=1.0, max_tokens=160))

    def __post_init__(self) -> None:
        unknown = [style for style in self.styles if style not in _prompts()]
        if unknown or not self.styles or self.seeds < 1:
            raise InputError(
                "The paper cannot be run",
                f"There is no style {', '.join(unknown)}." if unknown else "There is nothing to measure.",
                f"Use styles among {', '.join(_prompts())}, and a seed or more.",
            )


@dataclass(frozen=True)
class PaperResults:
    """Everything measured, as plain data.

    Attributes:
        plan: how much was measured.
        rows: {style, method, seed, target ("C80" or "Cp"), and the fields of a MatchRow}.
        instant: {style, variant, trait, coherence, seconds} of instant heads at strength 1.
        spread: {style, p10, p50, p90} of the prompt's effect per token, per block, in activation units.
        effects: per token of the first style at one block, the prompt's effect and the heads' coefficients.
        seconds: of all of it, in however many runs.
    """

    plan: PaperPlan
    rows: tuple[dict[str, Any], ...]
    instant: tuple[dict[str, Any], ...]
    spread: tuple[dict[str, Any], ...]
    effects: dict[str, Any]
    seconds: float


def measure(
    model: LanguageModel,
    plan: PaperPlan,
    store: ResultCache,
    *,
    emit: Emit = ignore,
    cancel: Cancel | None = None,
) -> PaperResults:
    """Measures what the plan asks for.

    Args:
        model: the bundled model.
        plan: how much.
        store: where parts are kept; a run that was stopped continues.
        emit: is given Progress.
        cancel: stops it.

    Raises:
        InputError: for another model than the bundled one.
        Cancelled: when asked to stop.
    """
    if not kind_of(model).exact_rules:
        raise InputError(
            "The paper cannot be run", "Its rules judge the bundled model only.", "Use steer lab match."
        )
    return _PaperRun(model, plan, store, emit, Cancel() if cancel is None else cancel).all()


class _PaperRun:
    def __init__(
        self, model: LanguageModel, plan: PaperPlan, store: ResultCache, emit: Emit, cancel: Cancel
    ) -> None:
        self._model, self._plan, self._store, self._cancel = model, plan, store, cancel
        self._asked = tuple(evaluation_questions(model, plan.questions))
        generator = CachedGenerator(model, store, plan.sampling)
        judge = open_judge("pocket", model, store)
        self._setups = {
            (style, seed): MatchSetup(generator, judge, _prompts()[style], self._asked, (seed,))
            for style in plan.styles
            for seed in range(plan.seeds)
        }
        self._emit = emit

    def all(self) -> PaperResults:
        plan = self._plan
        # Seed by seed: what was stopped half-way has whole seeds.
        matched = [
            (style, seed, method)
            for seed in range(plan.seeds)
            for style in plan.styles
            for method in (*plan.methods, *(plan.once if seed == 0 else ()))
        ]
        variants = [f"a-psr:responses{n}" for n in RESPONSES] + [f"a-psr:ridge{r:g}" for r in RIDGES]
        instant = [(style, variant) for style in plan.styles for variant in variants]
        times: list[float] = []

        def kept(meter: Meter, make: Callable[..., Any], *what: Any) -> Any:
            self._cancel.check()
            facts = asdict(plan.sampling), self._asked, _C80
            key = content_key(weights_digest(self._model), make.__name__, what, facts)
            found = self._store.get("paper cells", [key])
            if key not in found:
                began = time.perf_counter()
                made = {"value": make(*what), "seconds": time.perf_counter() - began}
                self._store.put("paper cells", {key: made})
                # Through JSON in any case: the first run and a resumed one see the same.
                found = self._store.get("paper cells", [key])
            meter.step()
            times.append(found[key]["seconds"])
            return found[key]["value"]

        effect = Meter(self._emit, "effect per token", len(plan.styles) + 1)
        spread = [kept(effect, self._spread, style) for style in plan.styles]
        effects = kept(effect, self._effects, plan.styles[0])
        quick = Meter(self._emit, "instant heads", len(instant))
        learned = [kept(quick, self._instant, *what) for what in instant]
        slow = Meter(self._emit, "matching", len(matched))
        rows = [row for what in matched for row in kept(slow, self._match, *what)]
        return PaperResults(plan, tuple(rows), tuple(learned), tuple(spread), effects, sum(times))

    def _match(self, style: str, seed: int, method: str) -> list[dict[str, Any]]:
        setup = self._setups[style, seed]
        spec = parse_method_spec(method, setup.prompt).seeded(seed)
        targets = {"C80": _C80, "Cp": prompt_coherence(setup, self._cancel)}
        rows = measure_method(setup, spec, list(targets.values()), cancel=self._cancel)
        return [
            {**asdict(row), "style": style, "seed": seed, "target": name}
            for name, row in zip(targets, rows, strict=True)
        ]

    def _instant(self, style: str, variant: str) -> dict[str, Any]:
        setup = self._setups[style, 0]
        request = parse_method_spec(variant, setup.prompt).request
        assert request is not None
        made = distill(self._model, request, cancel=self._cancel)
        found = judged(
            setup.generator,
            setup.judge,
            setup.prompt,
            questions=setup.questions,
            seeds=(0, 1),
            system=None,
            heads=[(made.head, 1.0)],
            cancel=self._cancel,
        )
        return {
            "style": style, "variant": variant, "trait": found.trait, "coherence": found.coherence,
            "seconds": made.seconds["total"],
        }  # fmt: skip

    def _spread(self, style: str) -> dict[str, Any]:
        """What the prompt does at tokens that show its style, block by block."""
        truth = self._truths(style, "a-psr")[0]
        low, middle, high = np.quantile(truth, (0.1, 0.5, 0.9), axis=0)
        return {"style": style, "p10": low.tolist(), "p50": middle.tolist(), "p90": high.tolist()}

    def _effects(self, style: str) -> dict[str, Any]:
        """Per token at one block: what the prompt does there, and what each head adds."""
        found: dict[str, Any] = {}
        for method in _HISTOGRAM:
            truth, added, blocks = self._truths(style, method)
            found.setdefault("block", blocks[0])
            found.setdefault("prompt", truth[:, blocks[0]].tolist())
            found[method] = added[:, blocks[0]].tolist()
        return found

    def _truths(self, style: str, method: str) -> tuple[np.ndarray, np.ndarray, list[int]]:
        """[tokens, L] each of what the prompt would do and what the head does, and the head's blocks."""
        prompt = _prompts()[style]
        request = parse_method_spec(method, prompt).request
        assert request is not None
        head = distill(self._model, request, cancel=self._cancel).head
        lanes = [
            Lane([Message("user", question)], heads=[head], seed=i, reference_prompt=prompt)
            for i, question in enumerate(self._asked[:16])
        ]
        answers = generate(self._model, lanes, self._plan.sampling, cancel=self._cancel)
        self._cancel.check()
        truth, added = (
            np.concatenate([getattr(answer.trace, name) for answer in answers])
            for name in ("prompt_effect", "coefficients")
        )
        return truth, added, sorted(head.blocks)


def select(rows: Iterable[Mapping[str, Any]], **facts: Any) -> list[Mapping[str, Any]]:
    """The rows that agree with all facts."""
    return [row for row in rows if all(row[name] == value for name, value in facts.items())]


def grid(measured: PaperResults, method: str, target: str, figure: str = "trait") -> np.ndarray:
    """One figure over styles and seeds.

    Returns:
        [styles, seeds], NaN where it was not measured.
    """
    found = np.full((len(measured.plan.styles), measured.plan.seeds), np.nan)
    for row in select(measured.rows, method=method, target=target):
        found[measured.plan.styles.index(row["style"]), row["seed"]] = row[figure]
    return found


def faithfulness(measured: PaperResults, methods: Sequence[str]) -> dict[str, dict[int, float]]:
    """Faithfulness per method and block, means over styles and seeds, with "paraphrase" beside."""
    found: dict[str, dict[int, float]] = {}
    every: list[Mapping[str, Any]] = []
    for method in methods:
        rows = [row for row in select(measured.rows, method=method, target="C80") if row["faithfulness"]]
        every += rows
        if rows:
            found[method] = _per_block([row["faithfulness"] for row in rows])
    if every:
        found["paraphrase"] = _per_block([row["paraphrase"] for row in every])
    return found


def _per_block(values: Sequence[Mapping[str, float]]) -> dict[int, float]:
    return {int(block): float(np.mean([v[block] for v in values])) for block in values[0]}


def _prompts() -> dict[str, str]:
    return {styles_of(prompt)[0]: prompt for prompt in EXAMPLES}
