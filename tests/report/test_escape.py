"""Text from files steers no terminal and forms no markup."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from textwrap import wrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suite.report.escape import as_json, markdown, plain, spreadsheet


@given(st.text())
def test_no_control_character_is_left(text: str) -> None:
    """What is shown on a terminal is printable, whatever the text was."""
    assert plain(text).isprintable()


@given(st.text().filter(lambda text: text.isprintable() and "::" not in text and "##[" not in text))
def test_printable_text_is_left_alone(text: str) -> None:
    """Text without control characters, and without a command to a runner, is shown as it is."""
    assert plain(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\x1b[2Jb", r"a\x1b[2Jb"), ("a\nb", r"a\x0ab"), ("\x9b31m", r"\x9b31m"), ("a\u202eb", r"a\x202eb")],
)
def test_a_control_character_is_shown_by_its_number(text: str, shown: str) -> None:
    """Escapes, line ends and changes of direction are named, not obeyed."""
    assert plain(text) == shown


MARKUP = st.text(alphabet=st.sampled_from("ab1 _*`~[]()<>!|#&;\\\n\x1b-+=:/@.w$"))
WORDS = ["http", "HTTPS", "www", ":", "//", ".", "@", "$", "#", "bomb", "+1", "cuda", "b", "7", " ", "_"]
LOOKED_UP = MARKUP | st.lists(st.sampled_from(WORDS)).map("".join)


@given(text=MARKUP | LOOKED_UP | st.text())
def test_markup_is_shown_as_text(text: str, read_tables: Callable[[str], list[list[str]]]) -> None:
    """In a cell of a Markdown table any text is one cell, and reads as it stands."""
    (_, row) = read_tables(f"| head |\n|---|\n| {markdown(text)} |\n")
    assert [cell.replace("\u200b", "") for cell in row] == [plain(text).strip(" ")]


@given(text=LOOKED_UP)
def test_nothing_is_found_in_what_is_shown(text: str, read_tables: Callable[[str], list[list[str]]]) -> None:
    """What GitHub looks for in the text that the Markdown came to is not there: addresses, names, issues, pictures."""
    (_, row) = read_tables(f"| head |\n|---|\n| {markdown(text)} |\n")
    for sought in (r"://", r"www\.", r"@\w", r"#\d", r":(?!cuda:)[\w+-]+:"):
        assert not re.search(sought, row[0], re.IGNORECASE)
    assert "$" not in markdown(text).replace(r"\$", "")


@pytest.mark.parametrize(
    "text",
    ["before:cpu", "before(2):cuda:0", "torch 2.13.0: 1.5 (99 %)", "guide/relu.py:12", "c10::Error", "a.b@", "v1"],
)
def test_what_names_nothing_is_left_alone(text: str) -> None:
    """A device of a run, a version, a line of a file: nobody looks these up."""
    assert markdown(text) == text


def test_names_stay_readable() -> None:
    """An underscore inside a name cannot begin emphasis, and is left as it is."""
    assert markdown("square_two_layers[cpu-float32]") == r"square_two_layers\[cpu-float32\]"
    assert markdown("_a_ b_") == r"\_a\_ b\_"


COMMANDS = st.lists(st.sampled_from(["::", "##[", ":", "#", "[", " ", "error", "x" * 9, "\n"])).map("".join)


@given(text=COMMANDS, width=st.integers(16, 80))
def test_no_line_is_a_command_to_a_runner(text: str, width: int) -> None:
    """However text is wrapped, no line of it begins with two colons, and none holds what older commands begin with."""
    for line in wrap(plain(text), width) or [""]:
        assert not line.lstrip().startswith("::")
        assert "##[" not in line


@pytest.mark.parametrize("colons", [2, 3, 4, 5, 9])
@pytest.mark.parametrize("before", ["", "a" * 20])
def test_of_many_colons_no_two_stand_side_by_side(colons: int, before: str) -> None:
    """Where a word may be broken, what is left of an odd number of colons is no command either."""
    shown = plain(f"{before}{':' * colons}error title=x::pwned")
    assert "::" not in shown.partition(" ")[0]
    assert shown.replace(r"\x3a", ":") == f"{before}{':' * colons}error title=x::pwned"


def test_colons_within_a_name_are_left_alone() -> None:
    """What C++ and Python write with two colons stays as it is, where it can begin no line."""
    assert plain("c10::Error: in a.py::b") == "c10::Error: in a.py::b"


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1", "-1", "@x", " =1", "\t=1", "\r=1", "\n=1", *"\uff1d\uff0b\uff0d\uff20"]
)
def test_no_field_is_a_formula(text: str) -> None:
    """A spreadsheet evaluates what begins so, unless an apostrophe stands before it; blanks it may pass over."""
    assert spreadsheet(text)[0] in "'\\"


def test_a_word_is_no_formula() -> None:
    """Names are left as they are."""
    assert spreadsheet("relu=1") == "relu=1"


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_is_plain_and_reads_back(value: object) -> None:
    """Nothing in it steers a terminal or a runner, and a program reads what was meant."""
    text = as_json(value)
    assert text.isascii()
    assert text.replace("\n", "").isprintable()
    assert "##[" not in text
    assert json.loads(text) == value
