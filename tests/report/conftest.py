"""What tests of reports need: a verdict, and a Markdown parser that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from markdown_it import MarkdownIt

from suite.judge import Aspect, Outcome, Verdict


@pytest.fixture(scope="session")
def verdict_of() -> Callable[..., Verdict]:
    """Make a verdict of that outcome, about the loss of one cell unless said otherwise."""

    def make(outcome: Outcome, **given: Any) -> Verdict:
        fields: dict[str, Any] = {
            "case": "neuron",
            "device": "cpu",
            "dtype": "float32",
            "mode": "eager",
            "aspect": Aspect.LOSS,
            "outcome": outcome,
            "sentence": "so it is",
        }
        return Verdict(**(fields | given))

    return make


@pytest.fixture(scope="session")
def read_tables() -> Callable[[str], list[list[str]]]:
    """Read the rows of all tables in a Markdown text as a reader sees them; refuse markup inside a cell."""
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])

    def read(text: str) -> list[list[str]]:
        rows: list[list[str]] = []
        tokens = parser.parse(text)
        for before, token in pairwise(tokens):
            if before.type == "tr_open":
                rows.append([])
            if before.type in {"th_open", "td_open"}:
                parts = token.children or []
                assert {part.type for part in parts} <= {"text"}
                rows[-1].append("".join(part.content for part in parts))
        return rows

    return read
