"""Text from files steers no terminal and forms no markup."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.report.escape import markdown, plain


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    """What is shown on a terminal is printable, whatever the text was."""
    assert plain(text).isprintable()


@given(st.text().filter(str.isprintable))
def test_printable_text_is_left_alone(text: str) -> None:
    """Text without control characters is shown as it is."""
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[2Jb", r"a\x1b[2Jb"), ("a\nb", r"a\x0ab"), ("\x9b31m", r"\x9b31m"), ("a\u202eb", r"a\x202eb")],
)
def test_a_control_character_is_shown_by_its_number(text: str, shown: str) -> None:
    """Escapes, line ends and changes of direction are named, not obeyed."""
    assert plain(text) == shown


MARKUP = st.text(alphabet=st.sampled_from("ab1 _*`~[]()<>!|#&;\\\n\x1b-+="))


@given(text=MARKUP | st.text())
def test_markup_is_shown_as_text(text: str, read_tables: Callable[[str], list[list[str]]]) -> None:
    """In a cell of a Markdown table any text is one cell, and reads as it stands."""
    (_, row) = read_tables(f"| head |\n|---|\n| {markdown(text)} |\n")
    assert row == [plain(text).strip(" ")]


def test_names_stay_readable() -> None:
    """An underscore inside a name cannot begin emphasis, and is left as it is."""
    assert markdown("square_two_layers[cpu-float32]") == r"square_two_layers\[cpu-float32\]"
    assert markdown("_a_ b_") == r"\_a\_ b\_"
