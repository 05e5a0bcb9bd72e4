"""Sweeps on Ray: each worker loads the model once and computes whole groups of cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from engine.distill.request import PlaceOption
from engine.errors import EngineError, InputError, LabError
from engine.events import Cancel
from engine.generation.sampling import Sampling
from engine.lab.sweep import Cell, Outcome, Runner, SweepSetup, compute

_LOOK_S = 0.5  # how often a stop is looked for


@dataclass(frozen=True)
class Recipe:
    """What a worker needs to set up the same sweep.

    Attributes:
        model: its source.
        dtype: as of `--dtype`.
        judge: in the words of `open_judge`, None for the default.
        prompt: the steering prompt.
        questions: the questions.
        sampling: of the answers.
        place: where the prompt goes.
    """

    model: str
    dtype: str
    judge: str | None
    prompt: str
    questions: tuple[str, ...]
    sampling: Sampling
    place: PlaceOption

    def setup(self) -> SweepSetup:
        """Loads the model and opens the judge."""
        from engine.lab.cached_answers import CachedGenerator
        from engine.lab.judges import open_judge
        from engine.lab.result_cache import ResultCache
        from engine.model.loading import load

        store, model = ResultCache(), load(self.model, dtype=self.dtype)
        judge = open_judge(self.judge, model, store)
        generator = CachedGenerator(model, store, self.sampling, self.place)
        return SweepSetup(generator, judge, self.prompt, self.questions)


class RayWorker:
    """A Ray actor: one model, any number of groups."""

    def __init__(self, recipe: Recipe, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._setup = recipe.setup()

    def compute(self, group: Sequence[Cell]) -> tuple[list[Outcome], str | None]:
        """The outcomes of a group, and in words what stopped it, None if nothing did."""
        found: list[Outcome] = []
        try:
            for outcome in compute(self._setup, group, Cancel()):
                found.append(outcome)
        except EngineError as error:
            return found, str(error)
        return found, None


def on_ray(address: str, recipe: Recipe, *, workers: int | None = None, threads: int = 1) -> Runner:
    """A runner on a Ray cluster.

    Results are those of the runner in one process: answers and heads depend on their seeds alone.

    Args:
        address: of the cluster, or "local" for this machine.
        recipe: what each worker sets up.
        workers: by default as many as the cluster has processors for `threads` each.
        threads: of each worker.

    Raises:
        InputError: where Ray is missing or cannot be reached.
        LabError: from the runner, when a worker dies.
    """
    try:
        import ray
    except ImportError:
        raise InputError(
            "The sweep cannot run on Ray",
            "Ray is not installed.",
            'Install it with pip install -e ".[ray]", or leave --ray out.',
        ) from None

    def run(setup: SweepSetup, groups: Sequence[Sequence[Cell]], cancel: Cancel) -> Iterator[Outcome]:
        if not groups:
            return
        _connect(ray, address)
        actors: list[Any] = []
        try:
            count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
            remote: Any = ray.remote(num_cpus=threads)(RayWorker)
            actors += [remote.remote(recipe, threads) for _ in range(min(count, len(groups)))]
            yield from _work(ray, actors, groups, cancel)
        except ray.exceptions.RayError as error:
            why = str(error).strip().splitlines()[-1]
            raise LabError(
                "The sweep stopped", f"A Ray worker failed: {why}", "Run it again; finished cells are kept."
            ) from None
        finally:
            for actor in actors:
                with suppress(ray.exceptions.RayError):
                    ray.kill(actor)
            ray.shutdown()

    return run


def _work(
    ray: Any, actors: Sequence[Any], groups: Sequence[Sequence[Cell]], cancel: Cancel
) -> Iterator[Outcome]:
    waiting = [list(group) for group in groups]
    running: dict[Any, Any] = {actor.compute.remote(waiting.pop(0)): actor for actor in actors}
    while running:
        cancel.check()
        ready, _ = ray.wait(list(running), num_returns=1, timeout=_LOOK_S)
        for done in ready:
            actor = running.pop(done)
            outcomes, stopped = ray.get(done)
            yield from outcomes
            if stopped is not None:
                raise LabError("The sweep stopped", stopped, "Run it again; finished cells are kept.")
            if waiting:
                running[actor.compute.remote(waiting.pop(0))] = actor


def _connect(ray: Any, address: str) -> None:
    try:
        ray.init(
            address=None if address == "local" else address,
            include_dashboard=False if address == "local" else None,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, OSError, RuntimeError, ValueError) as error:
        why = str(error).strip().splitlines()[0].rstrip(".")
        raise InputError(
            "The sweep cannot run on Ray", f"{why}.", "Check the address, or use --ray local."
        ) from None
