"""Results as files for others: every point in a CSV, every picture as SVG and PNG."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.atomic_write import write_atomic
from engine.errors import LabError
from engine.lab.effect_distribution import PERCENTILES
from engine.lab.figure_style import save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from engine.lab.matching import Match

_SUFFIXES = (".svg", ".png")


def write_figures(
    folder: Path,
    figures: Mapping[str, Figure],
    rows: Iterable[Mapping[str, Any]],
    facts: Mapping[str, object],
) -> list[Path]:
    """Writes every figure by its name, and points.csv.

    Args:
        folder: where; made if it is not there.
        figures: by name.
        rows: the points.
        facts: what they were measured with.

    Returns:
        The files written.

    Raises:
        LabError: when that fails.
    """
    make_folder(folder)
    written = [folder / "points.csv"]
    write_atomic(written[0], as_csv(rows, facts).encode(), "table", LabError)
    for name, figure in figures.items():
        for suffix in _SUFFIXES:
            written.append(folder / f"{name}{suffix}")
            save(figure, written[-1], facts)
    return written


def make_folder(folder: Path) -> None:
    """Makes the folder if it is not there.

    Raises:
        LabError: where it cannot be.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"The folder {folder} cannot be used", f"{error.strerror or error}.", "Name another."
        ) from None


def as_csv(rows: Iterable[Mapping[str, Any]], facts: Mapping[str, object]) -> str:
    """The rows as CSV text; intervals become two columns, lists and tables are left out.

    Args:
        rows: the rows.
        facts: what all were measured with; repeated in every line.
    """
    whole = [{**_flat(row), **facts} for row in rows]
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in whole for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(whole)
    return text.getvalue()


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        stem = name.removesuffix("_ci")
        if stem != name:
            found[f"{stem}_low"], found[f"{stem}_high"] = value or (None, None)
        elif not isinstance(value, Mapping | list | tuple):
            found[name] = value
    return found


def match_points(found: Match) -> list[dict[str, Any]]:
    """The points of a comparison: per method its figure, strengths tried, blocks and bins."""
    rows: list[dict[str, Any]] = []
    for row in found.rows:
        rows.append(
            {
                "method": row.method, "point": "reported", "strength": row.strength, "trait": row.trait,
                "trait_ci": row.trait_ci, "coherence": row.coherence, "coherence_ci": row.coherence_ci,
                "n": row.n, "missing": row.missing, "target": found.coherence, "kl": row.kl,
                "iso_kl": row.iso_kl, "head": row.head, "note": row.note,
            }
        )  # fmt: skip
        rows += [
            {
                "method": row.method, "point": "tried", "strength": p.strength, "trait": p.trait,
                "coherence": p.coherence, "missing": p.missing, "target": found.coherence,
            }
            for p in row.curve
        ]  # fmt: skip
        for block, value in row.faithfulness.items():
            one: dict[str, Any] = {
                "method": row.method, "point": "block", "block": block, "faithfulness": value,
                "paraphrase": row.paraphrase.get(block),
            }  # fmt: skip
            for name, spread in (("effect", row.effects), ("prompted", row.prompted)):
                if block in spread:
                    names = (f"{name}_p{level * 100:g}" for level in PERCENTILES)
                    one |= dict(zip(names, spread[block].percentiles))
            rows.append(one)
        for block, own in row.effects.items():
            bins = zip(own.edges, own.edges[1:], own.shares, row.prompted[block].shares)
            rows += [
                {
                    "method": row.method, "point": "bin", "block": block, "length_from": low,
                    "length_to": high, "effect_share": share, "prompted_share": prompted,
                }
                for low, high, share, prompted in bins
            ]  # fmt: skip
    return rows
