"""The lists of claims and cases: every claim with its cases, in words that hold the bounds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from suite.case import Case
from suite.claims import Claim
from suite.discover import Collection
from suite.errors import SuiteError
from suite.expect import Expectation, final_loss, parameter, rate, seed, unchanged, untrained
from suite.report.cases.claims import case_rows, claim_rows, told


@pytest.fixture
def collection_of(neuron: Case) -> Callable[..., Collection]:
    """Collect cases that expect this, each by its claims, under claims of these ids."""

    def make(cases: Sequence[tuple[tuple[str, ...], Sequence[Expectation]]], known: str) -> Collection:
        return Collection(
            roots=("here",),
            cases=tuple(
                replace(neuron, name=f"case{place}", file="/some/where/a.py", claims=claims, expect=expect)
                for place, (claims, expect) in enumerate(cases)
            ),
            claims=tuple(Claim(id=x, document="D", heading="H", says=f"says {x}") for x in known.split()),
        )

    return make


def test_each_claim_stands_beside_each_case_that_shows_it(collection_of: Callable[..., Collection]) -> None:
    """A row is a claim and a case that shows it; a clause that names no claim shows all of its case's."""
    first = [final_loss(high=1.0).shows("A"), final_loss(high=2.0).shows("B"), final_loss(high=3.0)]
    rows = claim_rows(collection_of([(("A", "B"), first), (("B",), [unchanged("weight")])], "A B"))
    assert [(row["claim"], row["case"], row["says"]) for row in rows] == [
        ("A", "case0", "says A"),
        ("B", "case0", "says B"),
        ("B", "case1", "says B"),
    ]
    assert [len(listed(row)) for row in rows] == [2, 2, 1]
    assert [listed(row)[0][-1] for row in rows[:2]] == ["1", "2"]


def listed(row: dict[str, Any]) -> list[str]:
    """Return what a row says is expected."""
    expected: list[str] = row["expected"]
    return expected


def test_every_claim_without_a_case_is_named(collection_of: Callable[..., Collection]) -> None:
    """Claims that no case lists, or that one lists and no clause shows, are named together."""
    cases = [(("A", "B"), [final_loss(high=1.0).shows("A")])]
    with pytest.raises(SuiteError) as caught:
        claim_rows(collection_of(cases, "A B C"))
    assert [fault.split()[1] for fault in caught.value.faults] == ["B", "C"]


def test_without_claims_there_is_nothing_to_list(collection_of: Callable[..., Collection]) -> None:
    """A folder without claims is named, with the file that it lacks."""
    with pytest.raises(SuiteError, match=r"here: no claims\.toml"):
        claim_rows(collection_of([((), [])], ""))


def test_a_claim_that_two_folders_share_is_listed_once(collection_of: Callable[..., Collection]) -> None:
    """Folders under one claims.toml share its claims; each is listed once."""
    once = collection_of([(("A",), [final_loss(high=1.0)])], "A")
    twice = replace(once, claims=once.claims * 2)
    assert claim_rows(twice) == claim_rows(once)
    with pytest.raises(SuiteError) as caught:
        claim_rows(replace(twice, cases=()))
    assert len(caught.value.faults) == 1


dead = untrained("weight")


@pytest.mark.parametrize(
    ("expectation", "words"),
    [
        (parameter("weight", near=5.0, atol=0.5), "weight 4.5 to 5.5"),
        (parameter("weight", low=1.0).among(~dead), "weight at least 1 among not dead"),
        (final_loss(near=25.0, atol=0.0).among(dead), "final loss exactly 25 among dead"),
        (final_loss(high=2.0).among(seed(3)), "final loss at most 2 of seed 3"),
        (final_loss(high=2.0).median(), "median of final loss at most 2"),
        (final_loss(high=2.0).quantile(0.9), "0.9-quantile of final loss at most 2"),
        (rate(dead, 0.5), "dead exactly 1, with probability 0.5"),
        (rate(~dead, 0.25, 0.5), "dead exactly 0, with probability 0.25 to 0.5"),
        (final_loss(high={"float32": 1.0, "float16": 2.0}), "final loss at most 1 in float32"),
        (final_loss(high={"bfloat16": 3.0, "float16": 2.0}), "final loss at most 3 in bfloat16"),
        (final_loss(high={"float32": 1.0}).share(0, 1), "final loss at most 1 in float32, with probability 0 to 1"),
        (final_loss(high={"float32": 1.0}).median(), "median of final loss at most 1 in float32"),
        (parameter("weight", low=[1, 2], high=9), "weight 1 to 9 (the first of 2 elements)"),
    ],
)
def test_a_clause_is_told_with_its_bounds(expectation: Expectation, words: str) -> None:
    """What is expected is told with what, how much, of which seeds, in which dtype and how often."""
    assert told(expectation.clause) == words


def test_a_clause_without_bounds_hides_no_other() -> None:
    """One that expects nothing says so; those after it are told all the same."""
    clause = final_loss(high=1.0).clause
    assert list(map(told, [replace(clause, bounds={}), clause])) == [
        "nothing of final loss in any dtype",
        "final loss at most 1",
    ]


def test_a_case_is_listed_with_what_it_holds(collection_of: Callable[..., Collection]) -> None:
    """The list of cases holds each one's folder, name, steps, claims and number of expectations."""
    (row,) = case_rows(collection_of([(("A", "B"), [final_loss(high=1.0)])], "A B"))
    assert row == {
        "folder": "where",
        "case": "case0",
        "steps": 100,
        "claims": ["A", "B"],
        "expectations": 1,
        "document": "D",
    }


def test_a_folder_has_the_documents_that_its_cases_cite(collection_of: Callable[..., Collection]) -> None:
    """Every case of a folder stands under the same documents, in the order of the claims, or under none."""
    collection = collection_of([(("C",), []), (("A",), []), ((), []), ((), [])], "A B C")
    first, second, third, fourth = collection.cases
    claims = tuple(replace(claim, document=f"Document {claim.id}") for claim in collection.claims)
    cases = (first, second, third, replace(fourth, file="/else/where/b.py"))
    rows = case_rows(replace(collection, claims=claims, cases=cases))
    assert [row["document"] for row in rows] == ["Document A; Document C"] * 3 + [""]
