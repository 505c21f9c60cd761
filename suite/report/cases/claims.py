"""What the cases expect, told in words: for lists, and beside verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from suite.case import Case
from suite.clause import ANY_DTYPE, Clause
from suite.discover import Collection, folder
from suite.errors import SuiteError, raise_all
from suite.expect import Expectation
from suite.judge.expectation import told_bounds

LISTED_DTYPE = "float32"
"""Where bounds differ by dtype, the list shows those of this one, or of the first that has any."""


def told(clause: Clause) -> str:
    """Say what a clause expects: "layer.weight 4.95 to 5.05 among not dead"."""
    dtype = next((dtype for dtype in (LISTED_DTYPE, *clause.bounds) if clause.within(dtype)), LISTED_DTYPE)
    bounds = clause.within(dtype)
    if bounds is None:
        return f"nothing of {clause.observation} in any dtype"
    first = f" (the first of {len(bounds[0])} elements)" if len(bounds[0]) > 1 else ""
    what = f"{clause.observation} {told_bounds(bounds)}{first}{clause.seeds_meant}"
    by_dtype = "" if set(clause.bounds) == {ANY_DTYPE} else f" in {dtype}"
    if clause.share is not None:
        low, high = clause.share
        rate = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        return f"{what}{by_dtype}, with probability {rate}"
    if clause.quantile is not None:
        return f"{'median' if clause.quantile == 0.5 else f'{clause.quantile:g}-quantile'} of {what}{by_dtype}"
    return what + by_dtype


def clauses_of(case: Case, claim: str | None = None) -> Iterator[Clause]:
    """Give a case's clauses; with ``claim``, those that show it."""
    for expectation in case.expect:
        if isinstance(expectation, Expectation) and (claim is None or expectation.clause.shows(claim, case.claims)):
            yield expectation.clause


def claim_rows(collection: Collection) -> list[dict[str, object]]:
    """Return claim -> case -> what is expected, one row for each claim and case.

    Raises:
        SuiteError: naming every claim that no case shows.
    """
    rows: list[dict[str, object]] = []
    faults = []
    for claim in dict.fromkeys(collection.claims):  # folders may share them
        showing = [(case, list(clauses_of(case, claim.id))) for case in collection.cases if claim.id in case.claims]
        rows += [
            {"claim": claim.id, "says": claim.says, "case": case.name, "expected": [told(c) for c in clauses]}
            for case, clauses in showing
            if clauses
        ]
        if not any(clauses for _, clauses in showing):
            faults.append(f"claim {claim.id} has no case that shows it: {claim.says}")
    if not collection.claims:
        raise SuiteError(f"{', '.join(collection.roots)}: no claims.toml, so no claims")
    raise_all(faults)
    return rows


def case_rows(collection: Collection) -> list[dict[str, object]]:
    """Return one row a case: its folder, name, steps, claims, how much it expects, and its folder's document."""
    documents = _documents(collection)
    return [
        {
            "folder": folder(case),
            "case": case.name,
            "steps": case.steps,
            "claims": list(case.claims),
            "expectations": len(case.expect),
            "document": "; ".join(documents[Path(case.file).parent]),
        }
        for case in collection.cases
    ]


def _documents(collection: Collection) -> dict[Path, list[str]]:
    """Return the titles of the documents whose claims the cases of each folder cite, in the order of the claims."""
    cited: dict[Path, set[str]] = {}
    for case in collection.cases:
        cited.setdefault(Path(case.file).parent, set()).update(case.claims)
    return {
        place: list(dict.fromkeys(str(claim.document) for claim in collection.claims if claim.id in ids))
        for place, ids in cited.items()
    }
