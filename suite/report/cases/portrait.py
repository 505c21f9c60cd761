"""All that a case's own files say of it: where it comes from, how it is trained, and what is expected of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from suite.case import ByName, Case
from suite.discover import Collection
from suite.draw import batch, draw, globals_kept
from suite.paths import shown
from suite.report.cases.claims import clauses_of, told
from suite.source import read_source
from suite.version import case_version

Shape = tuple[int, ...]

ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, kw_only=True)
class ShownClaim:
    """A claim, and what the case expects that shows it."""

    id: str
    document: str
    heading: str
    says: str
    expected: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """One case, described."""

    case: str
    version: str
    title: str
    source: str
    """Document and heading, as the case file names them; empty if it names none."""
    place: str
    """The line that declares it, as "file:12"."""
    steps: int
    optimizer: str
    loss: str
    inputs: Shape
    targets: Shape
    parameters: dict[str, Shape]
    declaration: str
    """The text of the case file that declares it."""
    claims: tuple[ShownClaim, ...]
    expected: tuple[str, ...]
    """What is expected beyond the claims."""


def portray(case: Case, collection: Collection) -> Portrait:
    """Describe a case of a collection.

    Raises:
        SuiteError: if its file is gone.
    """
    source = read_source(Path(case.file))
    with globals_kept():
        network, (x, target) = draw(case, 0), batch(case)
        network(x)  # a lazy layer has its shape from its first input
    return Portrait(
        case=case.name,
        version=case_version(case),
        title=source.title,
        source=source.document,
        place=f"{shown(case.file)}:{source.line_of(case.name)}",
        steps=case.steps,
        optimizer=described(case.optimizer),
        loss=described(case.loss),
        inputs=tuple(x.shape),
        targets=tuple(target.shape),
        parameters={name: tuple(parameter.shape) for name, parameter in network.named_parameters()},
        declaration=source.declaration_of(case.name),
        claims=tuple(_claims(case, collection)),
        expected=() if case.claims else tuple(map(told, clauses_of(case))),
    )


def _claims(case: Case, collection: Collection) -> list[ShownClaim]:
    """Return the claims that a case cites, in its own order."""
    known = {claim.id: claim for claim in collection.claims}
    return [
        ShownClaim(
            id=claim.id,
            document=claim.document,
            heading=claim.heading,
            says=claim.says,
            expected=tuple(map(told, clauses_of(case, claim.id))),
        )
        for claim in (known[name] for name in case.claims)
    ]


def described(value: object) -> str:
    """Say what is called with which settings, as one would write it: "SGD(lr=0.1, momentum=0.9)"."""
    if isinstance(value, partial):
        given = [described(word) for word in value.args]
        given += [f"{name}={described(word)}" for name, word in value.keywords.items()]
        return f"{described(value.func)}({', '.join(given)})"
    if isinstance(value, ByName):
        return f"by_name({described(value.build)})"
    name = getattr(value, "__qualname__", None)
    return name if isinstance(name, str) else " ".join(ADDRESS.sub("", repr(value)).split())
