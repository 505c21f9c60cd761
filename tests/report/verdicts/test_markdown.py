"""Verdicts as Markdown: what fails first, every cell at a glance, all of it folded below, within GitHub's bounds."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.judge import Aspect, Outcome, Stage, Verdict
from suite.judge.verdict import ALL
from suite.report.escape import APART, plain
from suite.report.ranking import CLOSING, SHOWN_FIRST, counted
from suite.report.verdicts.markdown import CUT, LONGEST, MOST_BYTES, MOST_FAILURES, PASSED, verdict_markdown, within

VerdictOf = Callable[..., Verdict]
ReadTables = Callable[[str], list[list[str]]]

NAMES = ["verdict", "aspect", "cell", "stage", "sentence"]
FAILING = [outcome for outcome in SHOWN_FIRST if outcome.code == 1]


def test_what_fails_comes_first(verdict_of: VerdictOf, read_tables: ReadTables) -> None:
    """The first table holds what fails, the worst first, each verdict as it is."""
    verdicts = [verdict_of(outcome, case=f"of_{outcome.word}", stage=Stage.UPDATE) for outcome in Outcome]
    head, *rows = read_tables(verdict_markdown(verdicts).partition("### Every cell")[0])
    assert head == NAMES
    assert rows == [[o.word, "loss", f"of_{o.word}[cpu-float32] (eager)", "update", "so it is"] for o in FAILING]


def test_what_was_not_run_stands_at_the_head(verdict_of: VerdictOf) -> None:
    """Not folded away; a device that is not here is no such thing."""
    told = verdict_of(Outcome.SKIPPED, case=ALL, dtype=ALL, mode=ALL, sentence="of 4 cells, 3 were not run")
    head = verdict_markdown([verdict_of(Outcome.PASS), told]).partition("### Every cell")[0]
    assert head.startswith("**nothing regressed; 1 skipped**: 1 of 2 verdicts pass (1 pass, 1 skipped")
    assert "\n\nOn cpu, of 4 cells, 3 were not run.\n" in head
    assert CLOSING[3] in verdict_markdown([told], strict=True)
    not_here = verdict_markdown([verdict_of(Outcome.SKIPPED, case=ALL, aspect=Aspect.EXPECTATION)], strict=True)
    assert CLOSING[3] not in not_here
    assert "On cpu" not in not_here


def test_other_bits_fail_where_strict(verdict_of: VerdictOf) -> None:
    """What fails only with --strict stands in the first table only with it; nothing to show has no table."""
    verdicts = [verdict_of(Outcome.CHANGED)]
    first = [verdict_markdown(verdicts, strict=strict).partition("### Every")[0] for strict in (False, True)]
    assert ["| changed |" in part for part in first] == [False, True]
    assert "Regressed" not in first[0]


def test_more_failures_than_are_shown_are_counted(verdict_of: VerdictOf, read_tables: ReadTables) -> None:
    """Up to the limit all are shown, and it is said how many more there are; the details hold them all."""
    for more in (0, 3):
        failing = [verdict_of(Outcome.BROKEN, case=f"case{i}") for i in range(MOST_FAILURES + more)]
        first, _, rest = verdict_markdown([*failing, verdict_of(Outcome.PASS)]).partition("### Every cell")
        assert len(read_tables(first)) == 1 + MOST_FAILURES
        assert (f"and {more} more" in first) == bool(more)
        assert f"and {len(failing) - 1} more cells" in rest


def seen(row: list[str]) -> list[str]:
    """Return what a reader sees of a row: no space without width."""
    return [cell.replace(APART, "") for cell in row]


@given(case=st.text(), sentence=st.text())
def test_markdown_shows_markup_as_text(
    verdict_of: VerdictOf, read_tables: ReadTables, case: str, sentence: str
) -> None:
    """Names and sentences read as they stand, whatever markup or control characters they hold."""
    broken, missing = (verdict_of(o, case=f"c{case}", sentence=sentence) for o in (Outcome.BROKEN, Outcome.MISSING))
    first = verdict_markdown([broken]).partition("### Every cell")[0]
    _, matrix, details = re.split("### Every cell|<details>", verdict_markdown([missing]))
    assert seen(read_tables(matrix)[1]) == [plain(missing.case).strip(" "), "missing"]
    for part, outcome in ((first, "broken"), (details, "missing")):
        word, aspect, cell, stage, told = seen(read_tables(part)[1])
        assert (word, aspect, stage) == (outcome, "loss", "")
        assert (cell, told) == (plain(f"{missing.label} (eager)"), plain(sentence).strip(" "))


@pytest.mark.parametrize("strict", [False, True])
def test_markdown_begins_with_what_it_comes_to(verdict_of: VerdictOf, strict: bool) -> None:
    """The first line says what the exit code means, how many pass, and counts the outcomes."""
    changed = [verdict_of(Outcome.PASS), verdict_of(Outcome.CHANGED)]
    head = verdict_markdown(changed, strict=strict).splitlines()[0]
    assert head == f"**{CLOSING[int(strict)]}**: 1 of 2 verdicts pass ({counted(changed)})."


def matrix(verdicts: list[Verdict]) -> list[list[str]]:
    """Return the rows of the matrix."""
    part = verdict_markdown(verdicts).partition("### Every cell")[2].partition("<details>")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if "|" in line]


def test_the_matrix_shows_the_worst_of_each_cell(verdict_of: VerdictOf) -> None:
    """A row a case and a column a device and dtype; what fails is bold, what passes marked, what is not there empty."""
    verdicts = [
        verdict_of(Outcome.PASS, case="a"),
        verdict_of(Outcome.REGRESSED, case="a", aspect=Aspect.TIME),
        verdict_of(Outcome.CHANGED, case="a", mode="ensemble"),
        verdict_of(Outcome.PASS, case="b"),
        verdict_of(Outcome.MISSING, case="b", dtype="float16", device="cuda"),
        verdict_of(Outcome.SKIPPED, case=ALL, device="mps", dtype=ALL),
    ]
    head, _, *rows = matrix(verdicts)
    assert head == ["case", "cpu float32", "cuda float16"]
    assert rows == [["a", "**regressed**", ""], ["b", PASSED, "missing"]]


def test_times_of_another_machine_hide_nothing(verdict_of: VerdictOf) -> None:
    """That times cannot be compared, which fails nothing, is no cell's worst; losses that cannot be compared are."""
    times = verdict_of(Outcome.INCOMPARABLE, aspect=Aspect.TIME)
    assert matrix([verdict_of(Outcome.PASS), times])[-1] == ["neuron", PASSED]
    assert matrix([verdict_of(Outcome.CHANGED), times])[-1] == ["neuron", "changed"]
    assert matrix([verdict_of(Outcome.INCOMPARABLE), times])[-1] == ["neuron", "incomparable"]


def test_the_details_hold_every_verdict(verdict_of: VerdictOf, read_tables: ReadTables) -> None:
    """Each aspect that was judged has its details, worst first, and what passes among them."""
    verdicts = [verdict_of(o, aspect=a, sentence=o.word) for a in (Aspect.LOSS, Aspect.TIME) for o in Outcome]
    loss, time = verdict_markdown(verdicts).split("<details>")[1:]
    for aspect, part in ((Aspect.LOSS, loss), (Aspect.TIME, time)):
        assert part.startswith(f"<summary>{aspect}: 1 pass, 1 error")
        assert part.rstrip().endswith("</details>")
        assert [row[0] for row in read_tables(part)[1:]] == [o.word for o in (*SHOWN_FIRST, Outcome.PASS)]


def test_nothing_judged_is_one_line() -> None:
    """Without a verdict there is neither table nor details."""
    assert len(verdict_markdown([]).splitlines()) == 1


def test_a_summary_stays_within_what_github_shows(verdict_of: VerdictOf) -> None:
    """However much was judged, and however long its sentences, the text stays below 1 MiB, whole lines, and says so."""
    verdicts = [verdict_of(Outcome.BROKEN, case=f"case{i}", sentence=f"{i}" + "ü|" * 9000) for i in range(2000)]
    text = verdict_markdown(verdicts)
    assert MOST_BYTES - 5 * LONGEST < len(text.encode()) <= MOST_BYTES < 2**20
    assert text.endswith(f"\n</details>\n\n{CUT}\n")
    assert text.count("<details>") == text.count("</details>")
    assert "ü" * 9000 not in text


@given(lines=st.lists(st.text("aü<"), max_size=30), most=st.integers(250, 400))
def test_only_whole_lines_are_cut(lines: list[str], most: int) -> None:
    """Text that is short enough is left alone; else its first lines remain, within the bound."""
    text = "".join(f"{line}\n" for line in lines)
    short = within(text, most)
    assert len(short.encode()) <= most
    assert short == text if len(text.encode()) <= most else text.startswith(short.removesuffix(f"\n{CUT}\n"))
