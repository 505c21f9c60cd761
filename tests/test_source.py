"""What a case file says of itself is read from its text: the title, the document, and the lines of each case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from suite.discover import discover, documented
from suite.errors import SuiteError
from suite.source import read_source

Write = Callable[[str, str], Path]

SEVERAL = '''\
"""Two widths of one network.

What it shows.

Source: "A Document", its
first heading.

Shapes: input (1,).
"""

from suite import Case


def wide(hidden, *expected):
    return Case(name=f"n{hidden}", steps=hidden)


def unrelated():
    return 1


CASES = [
    wide(3),
    Case(
        name="by hand",
        steps=1,
    ),
    wide(5),
]

alone = Case(name="alone", steps=unrelated())
made = replace(wide(7), name="made")
'''


def test_the_docstring_gives_title_and_document(write: Write) -> None:
    """The title is the first line; the document is the paragraph that begins with Source, in one line."""
    source = read_source(write("several.py", SEVERAL))
    assert (source.title, source.document) == ("Two widths of one network.", '"A Document", its first heading.')


@pytest.mark.parametrize(
    ("text", "title", "document"),
    [
        ("", "", ""),
        ("x = 1\n", "", ""),
        ("# a comment\n'''\n   A title.  \n   \n   Source: here\n'''\n", "A title.", "here"),
        ("'''Source: in the first line.'''", "Source: in the first line.", "in the first line."),
        ("'''A title.\n\nThe text has a Source: within.\n'''", "A title.", ""),
        ("f'''No docstring.'''", "", ""),
    ],
)
def test_what_a_docstring_lacks_is_empty(write: Write, text: str, title: str, document: str) -> None:
    """A file without a docstring, or one that names no document, is read all the same."""
    source = read_source(write("a.py", text))
    assert (source.title, source.document, source.line_of("a")) == (title, document, 1)


@pytest.mark.parametrize(
    ("name", "line"), [("n3", 22), ("n5", 22), ("by hand", 24), ("alone", 31), ("made", 32), ("unheard of", 22)]
)
def test_a_case_stands_where_it_is_named(write: Write, name: str, line: int) -> None:
    """Its line is that of the call that names it; else that of the assignment to CASE or CASES."""
    assert read_source(write("several.py", SEVERAL)).line_of(name) == line


@pytest.mark.parametrize("text", ["CASE = Case(steps=3)", "CASE: Case = Case(steps=3)", "CASES = OTHER = [Case()]"])
def test_the_only_case_stands_where_it_is_assigned(write: Write, text: str) -> None:
    """A case that is named after its file is found by what it is assigned to, typed or not."""
    source = read_source(write("one.py", f"'''A title.'''\n\nX = Y.CASE = Case()\n{text}\n"))
    assert (source.line_of("one"), source.declaration_of("one")) == (4, text)


def test_the_first_of_two_places_that_give_a_name_counts(write: Write) -> None:
    """A name that is given twice is declared where it is given first; numbers are no names."""
    source = read_source(write("a.py", "x = 1\na = f(Case(name=5))\nb = Case(name='b')\nc = Case(name='b')\n"))
    assert (source.line_of("b"), source.declaration_of("b"), source.line_of("5")) == (3, "b = Case(name='b')", 1)


def test_a_declaration_holds_all_that_makes_the_case(write: Write) -> None:
    """It is the statement, or the item of its list, after the functions of the file that make the case."""
    source = read_source(write("several.py", SEVERAL))
    wide = 'def wide(hidden, *expected):\n    return Case(name=f"n{hidden}", steps=hidden)'
    assert source.declaration_of("by hand") == 'Case(\n    name="by hand",\n    steps=1,\n),'
    assert source.declaration_of("alone") == 'alone = Case(name="alone", steps=unrelated())'
    assert source.declaration_of("made") == f'{wide}\n\n\nmade = replace(wide(7), name="made")'
    assert source.declaration_of("n3").startswith(f"{wide}\n\n\nCASES = [\n    wide(3),")
    assert source.declaration_of("n3").endswith("    wide(5),\n]")


def test_a_name_that_a_function_gives_is_declared_there(write: Write) -> None:
    """Where the function itself holds the name, it is the declaration."""
    text = "def make():\n    return Case(name='inner')"
    assert read_source(write("a.py", f"{text}\nCASE = make()\n")).declaration_of("inner") == text


def test_every_documented_case_is_found() -> None:
    """Each file of the documented cases has a title and a document, and the lines of each case declare one."""
    for case in discover([documented()]).cases:
        source = read_source(Path(case.file))
        assert source.title.endswith("."), case.file
        assert source.document.startswith('"'), case.file
        assert source.line_of(case.name) > 1, case.name
        assert any(word in source.declaration_of(case.name) for word in ("Case(", "replace(")), case.name


def test_reading_runs_nothing(write: Write) -> None:
    """What the file would do when it is imported is not done; what is odd in it is no warning either."""
    assert read_source(write("a.py", "'''T.'''\nraise SystemExit('\\d')\n")).title == "T."


@pytest.mark.parametrize("data", [b"x = (", b"\xff\xfe", b"x = '\0'", b"# coding: unheard-of\n", b"-" * 200_000 + b"1"])
def test_what_is_no_python_is_named(tmp_path: Path, data: bytes) -> None:
    """A file that does not parse is refused in one line that names it."""
    file = tmp_path / "a.py"
    file.write_bytes(data)
    with pytest.raises(SuiteError) as caught:
        read_source(file)
    assert len(caught.value.faults) == 1
    assert str(caught.value).startswith(f"{file}: is no Python: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """So is one that cannot be read."""
    with pytest.raises(SuiteError, match=r"none\.py: cannot be read: No such file"):
        read_source(tmp_path / "none.py")


def test_other_encodings_and_line_ends_are_read(tmp_path: Path) -> None:
    """A file is decoded as Python decodes it."""
    file = tmp_path / "a.py"
    file.write_bytes("# coding: latin-1\r\n'''Grüße.'''\r\nCASE = Case(\r\n)\r\n".encode("latin-1"))
    source = read_source(file)
    assert (source.title, source.declaration_of("a")) == ("Grüße.", "CASE = Case(\n)")


def test_items_that_share_a_line_are_shown_with_their_list(write: Write) -> None:
    """What begins on the first line of a statement, or beside another item, is no text of its own."""
    beside = "CASES = [\n    Case(name='a'),\n    Case(name='b'), Case(name='c'),\n]"
    source = read_source(write("beside.py", beside))
    assert [source.declaration_of(name) for name in "abc"] == [beside] * 3
    first = "CASES = [Case(name='a'),\n    Case(name='b'),\n]"
    source = read_source(write("first.py", first))
    assert [source.declaration_of(name) for name in "ab"] == [first, "Case(name='b'),"]
