"""The list of cases and the list of claims as lines for a terminal; made from rows that may have been kept.

Nothing that takes long is imported: a list is there at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from suite.report.escape import plain

WIDTH = 80
"""Columns that a line may take, unless a single word takes more."""

LEAST = 16
"""Columns that the claims may take in any case."""

HEADERS = ("case", "steps", "claims", "expectations")

Row = Mapping[str, Any]


def case_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Give the cases of each folder under the document that they follow, or else under the folder's name."""
    from tabulate import tabulate

    cells = [[plain(str(row["case"])), row["steps"], "", row["expectations"]] for row in rows]
    room = WIDTH - max(map(len, tabulate(cells, HEADERS, tablefmt="simple", disable_numparse=[0, 2]).splitlines()))
    for cell, row in zip(cells, rows, strict=True):
        claims = plain(" ".join(row["claims"]))
        cell[2] = "\n".join(wrap(claims, max(room + len(HEADERS[2]), LEAST), break_long_words=False))
    head, rule, *body = tabulate(cells, HEADERS, tablefmt="simple", disable_numparse=[0, 2]).splitlines()
    lines = iter(body)
    shown = [[next(lines) for _ in range(1 + str(cell[2]).count("\n"))] for cell in cells]
    for number, heading in enumerate(dict.fromkeys(map(_heading, rows))):
        yield from [""] * bool(number)
        yield from wrap(heading, WIDTH)
        yield from (head, rule)
        yield from (
            line for row, of_row in zip(rows, shown, strict=True) if _heading(row) == heading for line in of_row
        )


def _heading(row: Row) -> str:
    folder, document = plain(row["folder"]), plain(row["document"])
    return f"{document} ({folder}/)" if document else f"{folder}/"


def claim_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Give each claim with a case that shows it, and below it what is expected."""
    for row in rows:
        yield plain(f"{row['claim']:<4} {row['case']}: {row['says']}")
        yield from (plain(f"       - {told}") for told in row["expected"])
