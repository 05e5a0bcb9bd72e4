"""How the Lab's commands keep their results and print or write them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.model import load_model
from engine.errors import LabError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.cached_answers import CachedGenerator
    from engine.lab.judges import Disagreement, Judge
    from engine.lab.report import Table
    from engine.lab.result_cache import ResultCache
    from engine.model.language_model import LanguageModel

DISAGREEMENT = "judge self-disagreement"


@contextmanager
def open_generator_and_judge(options: argparse.Namespace) -> Iterator[tuple[CachedGenerator, Judge]]:
    """A context with the model, the judge and their cache, once all outputs are known to be writable."""
    require_outputs(options)
    model = load_model(options)
    with open_store(options) as store:
        yield generator_and_judge(options, model, store)


@contextmanager
def open_store(options: argparse.Namespace) -> Iterator[ResultCache]:
    """A context with the result cache that the options name, else the user's own."""
    from engine.lab.result_cache import ResultCache

    path = options.store
    if path is None:
        import platformdirs

        path = Path(platformdirs.user_cache_dir("steering-studio", ensure_exists=True)) / "lab.sqlite"
    store = ResultCache(path)
    try:
        yield store
    finally:
        store.close()


def generator_and_judge(
    options: argparse.Namespace, model: LanguageModel, store: ResultCache
) -> tuple[CachedGenerator, Judge]:
    """The model with its cache, and the judge that the options name."""
    from engine.generation.sampling import Sampling
    from engine.lab.cached_answers import CachedGenerator
    from engine.lab.judges import open_judge

    sampling = Sampling(temperature=options.temperature, max_tokens=options.max_tokens)
    return CachedGenerator(model, store, sampling, options.place), open_judge(options.judge, model, store)


def require_outputs(options: argparse.Namespace) -> None:
    """Raises LabError, before the work, where a report or figures could not be written."""
    from engine.atomic_write import require_writable

    if options.report is not None:
        require_writable(options.report, "report", LabError)
    if options.figures is not None:
        from engine.lab.figure_export import make_folder

        make_folder(options.figures)


def write_results(
    options: argparse.Namespace,
    *,
    record: dict[str, Any],
    text: str,
    page: Callable[[], str],
    figures: Callable[[], Mapping[str, Figure]],
    points: Sequence[Mapping[str, Any]],
    facts: Mapping[str, object],
) -> None:
    """Writes report and figures if they were asked for, and prints JSON or text.

    Args:
        options: of the command.
        record: for --json.
        text: else.
        page: makes the report's HTML.
        figures: makes the pictures, by name.
        points: rows of the CSV.
        facts: what all were measured with.
    """
    from engine.atomic_write import write_atomic
    from engine.lab.figure_export import write_figures

    if options.report is not None:
        write_atomic(options.report, page().encode(), "report", LabError)
    if options.figures is not None:
        write_figures(options.figures, figures(), points, facts)
    print(json.dumps(record, ensure_ascii=False, allow_nan=False) if options.json else text)


def write_protocol_results(
    options: argparse.Namespace,
    generator: CachedGenerator,
    judge: Judge,
    *,
    tables: Sequence[Table],
    rows: Sequence[Mapping[str, Any]],
    disagreement: Disagreement,
    figures: Callable[[], Mapping[str, Figure]],
    points: Sequence[Mapping[str, Any]] | None = None,
    **more: Any,
) -> None:
    """`write_results` for a protocol.

    Args:
        options: of the command.
        generator: the model and the cache of its answers.
        judge: the judge.
        tables: for text and report.
        rows: for JSON.
        disagreement: of the judge with itself.
        figures: makes the pictures, by name.
        points: rows of the CSV, by default `rows`.
        more: further keys of the JSON.
    """
    from engine.lab.figure_style import svg
    from engine.lab.report import report

    facts: Mapping[str, Any] = {"model": generator.model.identity.id, "judge": judge.name}
    shown = {**facts, DISAGREEMENT: disagreement.words()}
    text = "\n\n".join(f"{table.title}\n{table.text()}\n{table.note}".rstrip() for table in tables)
    write_results(
        options,
        record={**facts, "disagreement": asdict(disagreement), "rows": rows, **more},
        text=f"{text}\n{DISAGREEMENT}: {disagreement.words()}",
        page=lambda: report(tables[0].title, shown, tables, [svg(figure) for figure in figures().values()]),
        figures=figures,
        points=rows if points is None else points,
        facts=facts,
    )
