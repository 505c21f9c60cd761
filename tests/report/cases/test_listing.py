"""The list of cases: each under its document, whatever it is called, within 80 columns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.report.cases.listing import WIDTH, case_lines, claim_lines
from suite.report.escape import plain


def row(case: str, **given: Any) -> dict[str, Any]:
    """Return the row of a case in the guide."""
    fields = {"folder": "guide", "case": case, "steps": 100, "claims": ["G1"], "expectations": 2, "document": "A Guide"}
    return fields | given


def test_cases_stand_under_the_document_of_their_folder() -> None:
    """A heading names document and folder, or the folder alone; all columns stand where they do in every table."""
    rows = [row("relu"), row("my_own_case", folder="mine", document=""), row("bias", claims=[])]
    assert list(case_lines(rows)) == [
        "A Guide (guide/)",
        "case           steps  claims      expectations",
        "-----------  -------  --------  --------------",
        "relu             100  G1                     2",
        "bias             100                         2",
        "",
        "mine/",
        "case           steps  claims      expectations",
        "-----------  -------  --------  --------------",
        "my_own_case      100  G1                     2",
    ]


def test_what_was_read_from_files_steers_no_terminal() -> None:
    """Control characters in names, claims and titles are shown, each case in a line of its own."""
    rows = [row("a\nb", claims=["\x1b[2J"], document="\x1b[31m", folder="\r"), row("c", says="\x07", claim="\x07")]
    lines = list(case_lines(rows))
    assert all(line.isprintable() for line in lines)
    assert any(line.startswith(r"a\x0ab ") for line in lines)
    claims = [{"claim": "A\x1b", "case": "a\nb", "says": "\x07", "expected": ["\r"]}]
    assert all(line.isprintable() for line in claim_lines(claims))


words = st.text("abcXYZ_09", min_size=1, max_size=12)


@given(st.lists(st.tuples(words, st.lists(words, max_size=12), words), min_size=1, max_size=6))
def test_all_is_listed_within_the_width(cases: list[tuple[str, list[str], str]]) -> None:
    """However many claims a case has, they are all there, in order, below each other where there is no room."""
    rows = [row(f"c{place}{name}", claims=claims, document=title) for place, (name, claims, title) in enumerate(cases)]
    lines = list(case_lines(rows))
    assert max(map(len, lines)) <= WIDTH
    for each in rows:
        start = next(place for place, line in enumerate(lines) if line.split()[:1] == [plain(each["case"])])
        more = [line for line in lines[start + 1 :] if line]
        first = lines[start].split()[2:-1]
        assert [*first, *" ".join(more).split()][: len(each["claims"])] == each["claims"]


@pytest.mark.parametrize("name", ["x" * 100, "y" * 60])
def test_a_long_name_is_not_cut(name: str) -> None:
    """A case whose name alone is as wide as the terminal is listed all the same."""
    lines = list(case_lines([row(name, claims=["G1", "G2"] * 10), row("short")]))
    assert any(line.startswith(f"{name} ") for line in lines)
