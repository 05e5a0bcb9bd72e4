"""What was measured as files for others: every point in a CSV, every picture as SVG and PNG."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.durable import write_whole
from engine.errors import LabError
from engine.lab.pictures import save

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
    """Every figure by its name, and points.csv. Raises LabError when that fails."""
    make_folder(folder)
    written = [folder / "points.csv"]
    write_whole(written[0], as_csv(rows, facts).encode(), "table", LabError)
    for name, figure in figures.items():
        for suffix in _SUFFIXES:
            written.append(folder / f"{name}{suffix}")
            save(figure, written[-1])
    return written


def make_folder(folder: Path) -> None:
    """Raises LabError where it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"The folder {folder} cannot be used", f"{error.strerror or error}.", "Name another."
        ) from None


def as_csv(rows: Iterable[Mapping[str, Any]], facts: Mapping[str, object]) -> str:
    """One line per row; facts, what all were measured with, stand in every line."""
    whole = [{**row, **facts} for row in rows]
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in whole for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(whole)
    return text.getvalue()


def match_points(found: Match) -> list[dict[str, Any]]:
    """The figure of every method, behind it the strengths that were tried for it, and what is known per
    block."""
    rows: list[dict[str, Any]] = []
    for row in found.rows:
        low, high = row.trait_ci or (None, None)
        rows.append(
            {
                "method": row.method, "point": "reported", "strength": row.strength, "trait": row.trait,
                "trait_low": low, "trait_high": high, "coherence": row.coherence, "n": row.n,
                "missing": row.missing, "target": found.coherence, "kl": row.kl, "iso_kl": row.iso_kl,
                "note": row.note,
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
                    one |= dict(zip((f"{name}_p{p}" for p in (10, 25, 50, 75, 90)), spread[block]))
            rows.append(one)
    return rows
