"""What the commands of the Lab do with what they found: where it is kept, and how it is given."""

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
    """Who speaks and who judges, when all that is to be written can be."""
    require_outputs(options)
    model = load_model(options)
    with open_store(options) as store:
        yield generator_and_judge(options, model, store)


@contextmanager
def open_store(options: argparse.Namespace) -> Iterator[ResultCache]:
    """The store that the options name, else the user's own."""
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
    from engine.generation.sampling import Sampling
    from engine.lab.cached_answers import CachedGenerator
    from engine.lab.judges import open_judge

    sampling = Sampling(temperature=options.temperature, max_tokens=options.max_tokens)
    return CachedGenerator(model, store, sampling), open_judge(options.judge, model, store)


def require_outputs(options: argparse.Namespace) -> None:
    """Before the work, not after it."""
    from engine.atomic_write import require_writable

    if options.report is not None:
        require_writable(options.report, "report", LabError)
    if options.figures is not None:
        from engine.lab.figure_export import make_folder

        make_folder(options.figures)


def write_results(
    options: argparse.Namespace,
    told: dict[str, Any],
    text: str,
    page: Callable[[], str],
    figures: Callable[[], Mapping[str, Figure]],
    points: Sequence[Mapping[str, Any]],
    facts: Mapping[str, object],
) -> None:
    """Writes report and figures if they were asked for, and prints JSON or the text."""
    from engine.atomic_write import write_atomic
    from engine.lab.figure_export import write_figures

    if options.report is not None:
        write_atomic(options.report, page().encode(), "report", LabError)
    if options.figures is not None:
        write_figures(options.figures, figures(), points, facts)
    print(json.dumps(told, ensure_ascii=False, allow_nan=False) if options.json else text)


def write_protocol_results(
    options: argparse.Namespace,
    generator: CachedGenerator,
    judge: Judge,
    tables: Sequence[Table],
    rows: Sequence[Mapping[str, Any]],
    itself: Disagreement,
    figures: Callable[[], Mapping[str, Figure]],
    *,
    points: Sequence[Mapping[str, Any]] | None = None,
    **more: Any,
) -> None:
    """Gives a protocol's results. rows: as JSON says them; points: as the CSV does, by default the same;
    more: what else JSON says."""
    from engine.lab.figure_style import svg
    from engine.lab.report import report

    facts: Mapping[str, Any] = {"model": generator.model.identity.id, "judge": judge.name}
    shown = {**facts, DISAGREEMENT: itself.words()}
    text = "\n\n".join(f"{table.title}\n{table.text()}\n{table.note}".rstrip() for table in tables)
    write_results(
        options,
        {**facts, "disagreement": asdict(itself), "rows": rows, **more},
        f"{text}\n{DISAGREEMENT}: {itself.words()}",
        lambda: report(tables[0].title, shown, tables, [svg(figure) for figure in figures().values()]),
        figures,
        rows if points is None else points,
        facts,
    )
