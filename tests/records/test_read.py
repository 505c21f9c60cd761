"""A file reads back bit for bit, or is refused in one line that names file, row and column."""

from __future__ import annotations

import csv
import math
import struct
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.records.atomic import replace_text
from suite.records.faults import LONGEST_QUOTED
from suite.records.read import read_table
from suite.records.rows import as_csv, frames
from suite.records.schema import CURVES, SCHEMA_VERSION, TRIALS, Table
from suite.trial import Trial

HEADER = "schema,case,device,dtype,mode,seed,step,loss\n"
FIRST = f"{SCHEMA_VERSION},neuron,cpu,float64,eager,0,0,0.5\n"
SECOND = f"{SCHEMA_VERSION},neuron,cpu,float64,eager,0,1,0.25\n"
COLUMNS = "schema, case, device, dtype, mode, seed, step, loss"
WHOLE = HEADER + FIRST + SECOND

FLOATS = st.floats() | st.sampled_from([math.inf, -math.inf, math.nan, -0.0, 5e-324, 1 / 3, 2.0**-1074 * 3, 1.7e308])
BITS = st.integers(0, 2**64 - 1).map(lambda bits: float(struct.unpack("d", struct.pack("Q", bits))[0]))
SEEDS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 2**63, 2**64 - 1])
TEXTS = st.text(min_size=1) | st.sampled_from(
    ["a,b", '"', 'x"y"', "two\nlines", "cr\r", "\r\n", " ", "nan", "é–∞", "\x00"]
)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file's place that the examples of a property write to, one after the other."""
    return tmp_path_factory.mktemp("read") / "curves.csv"


def told(file: Path, content: str | bytes, table: Table = CURVES) -> str:
    """Return the one line in which a file's content is refused, without the file's name."""
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(SuiteError) as caught:
        read_table(file, table)
    (fault,) = caught.value.faults
    assert "\n" not in fault
    name, _, what = fault.partition(": ")
    assert name == str(file)
    return what


def row(**given: object) -> str:
    """Return a row of ``curves.csv``, good but for the cells given."""
    cell = {"case": "neuron", "device": "cpu", "dtype": "float64", "mode": "eager"}
    cells = {"schema": SCHEMA_VERSION, **cell, "seed": 0, "step": 2, "loss": 0.125}
    return ",".join(map(str, (cells | given).values())) + "\n"


def same_bits(found: pd.Series, expected: list[float]) -> bool:
    """Tell whether all floats have the same bits; a NaN is a NaN."""
    pairs = zip(found.to_list(), expected, strict=True)
    return all(struct.pack("d", a) == struct.pack("d", b) or (math.isnan(a) and math.isnan(b)) for a, b in pairs)


@given(losses=st.lists(FLOATS | BITS, min_size=1, max_size=20))
@settings(max_examples=25)
def test_every_float_reads_back_bit_for_bit(scratch: Path, trial_of: Callable[..., Trial], losses: list[float]) -> None:
    """Infinities, NaN, negative zero, subnormal and odd numbers come back with the very bits that were written."""
    trials = [trial_of(curve=tuple(enumerate(losses)))]
    replace_text(scratch, as_csv(frames("a-run", trials)["curves.csv"]))
    assert same_bits(read_table(scratch, CURVES)["loss"], losses)


@given(seeds=st.lists(SEEDS, min_size=1, max_size=10, unique=True))
@settings(max_examples=15)
def test_every_seed_reads_back(scratch: Path, trial_of: Callable[..., Trial], seeds: list[int]) -> None:
    """Seeds up to 2⁶⁴ − 1 come back as whole numbers, and not as the floats nearest to them."""
    rows = frames("a-run", [trial_of(seed, curve=((0, 1.0),)) for seed in seeds])["curves.csv"]
    replace_text(scratch, as_csv(rows))
    assert read_table(scratch, CURVES)["seed"].tolist() == seeds


@given(case=TEXTS, reason=TEXTS | st.just(""))
@settings(max_examples=30)
def test_every_text_reads_back(scratch: Path, trial_of: Callable[..., Trial], case: str, reason: str) -> None:
    """Commas, quotes, line ends of every kind, control characters and any script come back as they were."""
    written = frames("a-run", [trial_of(0, case=case, reason=reason), trial_of(1, case=case)])["trials.csv"]
    replace_text(scratch, as_csv(written))
    pd.testing.assert_frame_equal(read_table(scratch, TRIALS), written)


def test_a_header_alone_is_a_table_without_a_row(scratch: Path) -> None:
    """A run that was interrupted before its first trial can be read."""
    scratch.write_text(HEADER)
    pd.testing.assert_frame_equal(read_table(scratch, CURVES), CURVES.empty)


NUMBERS = [
    ("loss", "1e999", "float64"),
    ("loss", "-1e999", "float64"),
    ("loss", "9" * 400, "float64"),
    ("loss", "", "float64"),
    ("loss", "NaN", "float64"),
    ("loss", "None", "float64"),
    ("loss", "Infinity", "float64"),
    ("loss", "-nan", "float64"),
    ("loss", "0x1p3", "float64"),
    ("loss", "1_0", "float64"),
    ("loss", "٣", "float64"),
    ("loss", "lots", "float64"),
    ("seed", "-1", "uint64"),
    ("seed", "18446744073709551616", "uint64"),
    ("seed", "1" * 5000, "uint64"),
    ("seed", "", "uint64"),
    ("seed", "0.5", "uint64"),
    ("seed", "nan", "uint64"),
    ("seed", "1e999", "uint64"),
    ("seed", "1e3", "uint64"),
    ("seed", "1.0", "uint64"),
    ("seed", " 1", "uint64"),
    ("seed", "+1", "uint64"),
    ("step", "9223372036854775808", "int64"),
    ("step", "1.5", "int64"),
    ("step", "", "int64"),
    ("step", "True", "int64"),
    ("schema", "one", "int64"),
]


@pytest.mark.parametrize(("column", "cell", "kind"), NUMBERS, ids=lambda part: str(part)[:22])
def test_a_cell_that_is_no_number_of_its_kind_is_named(tmp_path: Path, column: str, cell: str, kind: str) -> None:
    """Row, column, what was found and what was expected; ``1e999`` is no infinity that anyone wrote."""
    quoted = cell if len(cell) <= LONGEST_QUOTED else cell[:LONGEST_QUOTED] + "…"
    expected = f"row 4: column {column}: found {quoted!r}, expected {kind}"
    assert told(tmp_path / "curves.csv", WHOLE + row(**{column: cell}) + row(step=3)) == expected


LAWS = [
    ("step", "-1", "found -1, expected greater_than_or_equal_to(0)"),
    ("schema", str(SCHEMA_VERSION + 1), f"found {SCHEMA_VERSION + 1}, expected equal_to({SCHEMA_VERSION})"),
    ("dtype", "float8", "found 'float8', expected isin(('float64', 'float32', 'bfloat16', 'float16'))"),
    ("case", "", "found '', expected some text"),
    ("mode", "", "found '', expected some text"),
]


@pytest.mark.parametrize(("column", "cell", "what"), LAWS)
def test_a_cell_against_a_law_is_named(tmp_path: Path, column: str, cell: str, what: str) -> None:
    """An empty cell is none, and what no run can have written is refused."""
    content = WHOLE + row(**{column: cell}) + row(step=3)
    assert told(tmp_path / "curves.csv", content) == f"row 4: column {column}: {what}"


FORMS: list[tuple[str, str | bytes, str]] = [
    ("empty", "", "is empty; a header was expected"),
    ("blank", "\n", f"row 1: column schema is missing; expected {COLUMNS}"),
    ("missing column", WHOLE.replace(",step,", ","), f"row 1: column step is missing; expected {COLUMNS}"),
    ("extra column", WHOLE.replace("loss", "loss,gain"), f"row 1: column gain is not known; expected {COLUMNS}"),
    ("a column twice", WHOLE.replace("mode", "case"), f"row 1: column mode is missing; expected {COLUMNS}"),
    (
        "one column more than once",
        WHOLE.replace("loss", "loss,loss"),
        f"row 1: the columns stand in another order; expected {COLUMNS}",
    ),
    (
        "other order",
        WHOLE.replace("case,device", "device,case"),
        f"row 1: the columns stand in another order; expected {COLUMNS}",
    ),
    ("no header", FIRST + SECOND, f"row 1: column schema is missing; expected {COLUMNS}"),
    ("short row", WHOLE + f"{SCHEMA_VERSION},neuron,cpu\n" + row(), "row 4: has 3 fields; 8 were expected"),
    (
        "short first row",
        HEADER + f"{SCHEMA_VERSION},neuron,cpu,float64,eager,0,0\n" + row(),
        "row 2: has 7 fields; 8 were expected",
    ),
    ("long row", WHOLE + row(loss="0.5,7") + row(step=3), "row 4: has 9 fields; 8 were expected"),
    ("long first row", HEADER + row(loss="0.5,7") + row(step=3), "row 2: has 9 fields; 8 were expected"),
    ("comma at the end", WHOLE + row(loss="0.5,"), "row 4: has 9 fields; 8 were expected"),
    ("line without anything", WHOLE + "\n" + row(), "row 4: has 1 fields; 8 were expected"),
    ("duplicate", WHOLE + FIRST, "row 2: the same case, device, dtype, mode, seed, step stands there twice"),
    ("mark", b"\xef\xbb\xbf" + WHOLE.encode(), "row 1: begins with a byte order mark; take it away"),
    (
        "Windows",
        WHOLE.replace("\n", "\r\n"),
        "row 1: holds a carriage return; lines end in a line feed alone",
    ),
    (
        "one Windows line",
        WHOLE + row().replace("\n", "\r\n"),
        "row 4: holds a carriage return; lines end in a line feed alone",
    ),
    ("conflict", WHOLE + "<<<<<<< HEAD\n" + row(), "row 4: has 1 fields; 8 were expected"),
]


@pytest.mark.parametrize(("content", "what"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_a_file_of_another_form_is_named(tmp_path: Path, content: str | bytes, what: str) -> None:
    """What is no table of these columns is refused before its cells are looked at."""
    assert told(tmp_path / "curves.csv", content) == what


@pytest.mark.parametrize("version", [f"{SCHEMA_VERSION + 1}", f"{SCHEMA_VERSION - 1}", "0", f"{SCHEMA_VERSION}2"])
@pytest.mark.parametrize("header", [HEADER, "schema,of,another,kind,and,of,eight,columns\n"])
def test_another_schema_version_is_refused_by_its_name(tmp_path: Path, version: str, header: str) -> None:
    """A file of another version is never guessed at, whatever its columns are."""
    content = header + row(schema=version)
    what = f"has schema version {version}; this suite reads version {SCHEMA_VERSION} only"
    assert told(tmp_path / "curves.csv", content) == what


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (WHOLE.replace("loss", '"lo\nss",loss'), r"row 1: column 'lo\nss' is not known; expected "),
        (
            WHOLE.replace("loss", f"loss,{'x' * 10**5}"),
            f"row 1: column {'x' * LONGEST_QUOTED}… is not known; expected ",
        ),
        (HEADER + row(schema="1" * 10**5), f"has schema version {'1' * LONGEST_QUOTED}…; this suite reads "),
    ],
    ids=["two lines", "a long name", "a long version"],
)
def test_what_stands_in_a_header_is_told_in_one_short_line(tmp_path: Path, content: str, what: str) -> None:
    """A column's name, or a version, is told by how it begins."""
    assert told(tmp_path / "curves.csv", content).startswith(what)


@pytest.mark.parametrize("rows", [3, 30, 3000])
@pytest.mark.parametrize(
    ("before", "column"),
    [
        (f"{SCHEMA_VERSION},neu", "case"),
        (f"{SCHEMA_VERSION},", "case"),
        ("", "schema"),
        (f"{SCHEMA_VERSION},a,b,c,d", "mode"),
    ],
)
def test_what_is_no_utf8_is_named(tmp_path: Path, rows: int, before: str, column: str) -> None:
    """Row and column are right wherever in the file the byte stands."""
    content = (HEADER + "".join(row(step=step) for step in range(rows)) + before).encode() + b"\xffron\n"
    what = f"row {rows + 2}: column {column}: is no UTF-8: invalid start byte"
    assert told(tmp_path / "curves.csv", content) == what


def test_a_file_that_was_cut_off_within_a_character_is_cut_off(tmp_path: Path) -> None:
    """A kill may fall anywhere; the remedy is told, and not that half a character is none."""
    content = (WHOLE + row(case="né")).encode()
    assert told(tmp_path / "curves.csv", content[: content.index("é".encode()) + 1]).startswith("row 4: is cut off; ")


def test_a_text_of_several_lines_is_one_row(tmp_path: Path) -> None:
    """Rows are counted as rows, not as lines, so that the number names the right one."""
    several = row(case='"a\nneuron ""of"" mine, two\r\nlines"')
    content = WHOLE + several + row(loss="lots")
    assert told(tmp_path / "curves.csv", content) == "row 5: column loss: found 'lots', expected float64"


def test_the_first_row_at_fault_is_named(tmp_path: Path) -> None:
    """Of several faults the one nearest to the top is told, in whatever column it stands."""
    content = WHOLE + row(step="x") + row(seed="x", loss="x")
    assert told(tmp_path / "curves.csv", content) == "row 4: column step: found 'x', expected int64"


@pytest.mark.parametrize("rows", [0, 10_000])
def test_a_quote_without_its_partner_is_refused(tmp_path: Path, rows: int) -> None:
    """However much text it swallows, it is one line that names the row where it stands."""
    content = WHOLE + f'{SCHEMA_VERSION},"neuron,cpu,float64,eager,0,0,0.5\n' + row() * rows
    assert told(tmp_path / "curves.csv", content).startswith(
        "row 4: is cut off; complete the run with: suite run --resume"
    )


@pytest.mark.parametrize("case", ['neu"ron', '"neu"ron', 'neu"ron"', '"neu" '])
def test_a_quote_within_a_word_is_refused(tmp_path: Path, case: str) -> None:
    """Where a quote stands inside a bare word, one reader sees a text begin that another does not: it is refused."""
    content = WHOLE + row(case=case) + row(loss="0.5,7,7") + row(case=case, step=3)
    assert told(tmp_path / "curves.csv", content) == "row 4: holds a quote within a word"


def test_a_very_long_text_reads_back(tmp_path: Path, trial_of: Callable[..., Trial]) -> None:
    """What an exception said may be longer than the csv module's own limit."""
    written = frames("a-run", [trial_of(reason="x," * 100_000)])["trials.csv"]
    replace_text(tmp_path / "trials.csv", as_csv(written))
    pd.testing.assert_frame_equal(read_table(tmp_path / "trials.csv", TRIALS), written)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (Path.exists, "No such file or directory"),
        (Path.mkdir, "Is a directory"),
    ],
    ids=["missing", "a folder"],
)
def test_what_the_system_does_not_read_is_refused_with_its_reason(
    tmp_path: Path, make: Callable[[Path], object], reason: str
) -> None:
    """A file that is not there, or is none, is one line."""
    file = tmp_path / "curves.csv"
    make(file)
    with pytest.raises(SuiteError) as caught:
        read_table(file, CURVES)
    assert caught.value.faults == (f"{file}: cannot be read: {reason}",)


def read_or_refused(file: Path, content: bytes, table: Table) -> pd.DataFrame | None:
    """Return the table, or None if it is refused as it should be: line by line, each naming the file."""
    file.write_bytes(content)
    try:
        return read_table(file, table)
    except SuiteError as error:
        faults = error.faults
    assert faults
    assert all(fault.startswith(f"{file}: ") and "\n" not in fault for fault in faults)
    return None


@given(data=st.data())
@settings(max_examples=50)
def test_a_file_cut_off_anywhere_is_whole_rows_or_refused(
    scratch: Path, trial_of: Callable[..., Trial], data: st.DataObject
) -> None:
    """A prefix of a file gives a prefix of its rows, or one line; never half a row, never another value."""
    trials = [trial_of(seed, reason="two\nlines, and more" if seed % 2 else "") for seed in range(4)]
    written = frames("a-run", trials)["trials.csv"]
    content = as_csv(written).encode()
    cut = data.draw(st.integers(0, len(content)))
    found = read_or_refused(scratch, content[:cut], TRIALS)
    if found is not None:
        pd.testing.assert_frame_equal(found, frames("a-run", trials[: len(found)])["trials.csv"])


@given(data=st.data())
@settings(max_examples=80)
def test_a_damaged_file_is_refused_or_reads_as_it_says(
    scratch: Path, trial_of: Callable[..., Trial], data: st.DataObject
) -> None:
    """Bytes changed, dropped or added anywhere lead to one line a fault, or to what now stands there."""
    content = bytearray(as_csv(frames("a-run", [trial_of(0, case="a,b"), trial_of(1)])["curves.csv"]).encode())
    place = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(0, 3))
    content[place : place + length] = data.draw(
        st.binary(max_size=3) | st.sampled_from([b'"', b",", b"\n", b"\r", b"e999"])
    )
    found = read_or_refused(scratch, bytes(content), CURVES)
    if found is not None:
        header, *rows = csv.reader(StringIO(content.decode(), newline=""))
        assert list(found.columns) == header
        for name, words in zip(header, zip(*rows, strict=True), strict=True):
            if name == "loss":
                assert same_bits(found[name], [float(word) for word in words])
            else:
                read = int if name in {"schema", "seed", "step"} else str
                assert found[name].to_list() == [read(word) for word in words]


@given(losses=st.lists(st.sampled_from(["inf", "-inf", "nan", "0.5"]), min_size=1, max_size=5))
@settings(max_examples=20)
def test_infinities_are_read_where_they_were_written(scratch: Path, losses: list[str]) -> None:
    """A divergence is no damage."""
    scratch.write_text(HEADER + "".join(row(step=step, loss=loss) for step, loss in enumerate(losses)))
    np.testing.assert_array_equal(read_table(scratch, CURVES)["loss"].to_numpy(), np.array(losses, dtype=float))
