"""Tables of a comparison, and a comparison as one HTML file without dependencies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from engine.lab.bootstrap import interval
from engine.lab.figure_style import svg
from engine.lab.figures import match_figures, sweep_figures
from engine.lab.sweep import CellFailure, CellResult, Outcome

if TYPE_CHECKING:
    from engine.lab.matching import Match, MatchRow

_FEW = 10  # a bootstrap of fewer questions has not seen enough of how they differ

_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
figure { margin: 1.5rem 0; background: #fff; border-radius: 6px; padding: .5rem; }
figure svg { width: 100%; height: auto; }
.facts { color: #666; font-size: .9em; }
"""


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        title: above it.
        head: the columns' names.
        rows: their texts.
        note: what must be known to read it.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def markdown(self) -> str:
        """As Markdown."""
        lines = [f"| {' | '.join(row)} |" for row in (self.head, *self.rows)]
        marks = "|".join([" :-- ", *[" --: "] * (len(self.head) - 1)])
        body = "\n".join([lines[0], f"|{marks}|", *lines[1:]])
        return f"### {self.title}\n\n{body}\n" + (f"\n{self.note}\n" if self.note else "")

    def text(self) -> str:
        """Columns of equal width, for a terminal."""
        widths = [max(len(row[i]) for row in (self.head, *self.rows)) for i in range(len(self.head))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in (self.head, *self.rows)
        )


def report(title: str, facts: Mapping[str, object], tables: Sequence[Table], pictures: Sequence[str]) -> str:
    """An HTML page.

    Args:
        title: of the page.
        facts: what it was measured with.
        tables: the tables.
        pictures: <svg> elements.
    """
    told = "<br>".join(f"{escape(name)}: {escape(str(value))}" for name, value in facts.items())
    parts = [f"<h1>{escape(title)}</h1>", f'<p class="facts">{told}</p>']
    parts += [_html(table) for table in tables]
    parts += [f"<figure>{picture}</figure>" for picture in pictures]
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def matched_at(found: Match) -> str:
    """The title of a comparison."""
    if found.coherence is None:
        return "Trait where 95 % of tokens shift by less than 1 nat (iso-KL)"
    return f"Trait at coherence {found.coherence:.2f}"


def match_table(found: Match) -> Table:
    """One line per method, as they were asked for."""
    return Table(
        matched_at(found),
        (
            "method",
            "strength",
            "trait",
            "95 % interval",
            "coherence",
            "answers",
            "missing",
            "KL",
            "iso-KL",
            "seconds",
        ),
        tuple(_line(row) for row in found.rows),
        "\n".join(
            [f"* {row.method}: {row.note}." for row in found.rows if row.note]
            + [f"{failure.method} failed: {failure.why}" for failure in found.failures]
        ),
    )


def differences_table(found: Match, of: str = "") -> Table:
    """Every method against all before it.

    Args:
        found: the comparison.
        of: what was compared, where a page has several comparisons.
    """
    note = "Paired by question. If the interval includes 0, neither method is shown to be better."
    if found.rows and len(found.rows[0].traits) < _FEW:
        note += f" With fewer than {_FEW} reported questions, the intervals are too narrow."
    return Table(
        "Paired differences in trait" + (f": {of}" if of else ""),
        ("method", "minus", "difference", "95 % interval", "answers", "missing"),
        tuple(
            (each.method, each.other, number(each.trait), between(each.trait_ci), str(each.n),
             str(each.missing))
            for each in found.differences
        ),
        note,
    )  # fmt: skip


def match_report(found: Match, facts: Mapping[str, object]) -> str:
    """A comparison as an HTML page."""
    facts = {**facts, "heads": found.heads, "judge self-disagreement": found.disagreement.words()}
    pictures = [svg(figure) for figure in match_figures(found).values()]
    tables = [match_table(found), differences_table(found)]
    return report(f"Methods compared: {found.prompt}", facts, tables, pictures)


def sweep_table(prompt: str, outcomes: Sequence[Outcome]) -> Table:
    """One line per cell; failed ones in the note."""
    rows = []
    for done in outcomes:
        if isinstance(done, CellResult):
            cell, found = done.cell, done.judged
            rows.append(
                (
                    cell.words, f"{cell.strength:g}", str(cell.seed), number(found.trait),
                    between(interval(found.traits)), number(found.coherence), str(found.n),
                    str(found.missing),
                )
            )  # fmt: skip
    failed = [
        f"{f.cell.words} at {f.cell.strength:g}: {f.why}" for f in outcomes if isinstance(f, CellFailure)
    ]
    head = ("method", "strength", "seed", "trait", "95 % interval", "coherence", "answers", "missing")
    return Table(f"Sweep: {prompt}", head, tuple(rows), "\n".join(failed))


def sweep_report(prompt: str, outcomes: Sequence[Outcome], facts: Mapping[str, object]) -> str:
    """A sweep as an HTML page."""
    pictures = [svg(figure) for figure in sweep_figures(outcomes).values()]
    return report(f"Sweep: {prompt}", facts, [sweep_table(prompt, outcomes)], pictures)


def number(value: float | None) -> str:
    """Three decimals, "-" for none."""
    return "-" if value is None else f"{value:.3f}"


def between(ends: tuple[float, float] | None) -> str:
    """An interval in words, "-" for none."""
    return "-" if ends is None else f"{ends[0]:.2f} to {ends[1]:.2f}"


def _line(row: MatchRow) -> tuple[str, ...]:
    strength = "-" if row.strength is None else f"{row.strength:.2f}" + ("" if row.reached else " *")
    return (
        row.method, strength, number(row.trait), between(row.trait_ci), number(row.coherence),
        str(row.n), str(row.missing), *("-" if v is None else f"{v:.2f}" for v in (row.kl, row.iso_kl)),
        f"{row.seconds:.1f}",
    )  # fmt: skip


def _html(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "\n".join("<tr>" + "".join(f"<td>{escape(c)}</td>" for c in row) + "</tr>" for row in table.rows)
    note = f"<p>{escape(table.note)}</p>".replace("\n", "<br>") if table.note else ""
    return f"<h2>{escape(table.title)}</h2><table><tr>{head}</tr>\n{rows}</table>{note}"
