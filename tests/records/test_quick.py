"""What is read in blocks is what a reader reads that goes by row and by letter; what that one refuses is refused."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from suite.errors import SuiteError
from suite.plan import DTYPES
from suite.records import quick
from suite.records.quick import read_plainly
from suite.records.read import read_table
from suite.records.rows import as_csv, frames
from suite.records.schema import CURVES, DIGEST, FLOAT, OBSERVATIONS, SCHEMA_VERSION, SEED, TRIALS, WHOLE, Table
from suite.trial import Trial

TABLES = (TRIALS, CURVES, OBSERVATIONS)
BITS = st.integers(0, 2**64 - 1).map(lambda bits: float(struct.unpack("d", struct.pack("Q", bits))[0]))

ODD_NUMERALS = [
    *("1e999", "-1e999", "9" * 400, "1e-999", "5e-324", "1.7976931348623159e308", "NaN", "-nan", "Infinity", "+inf"),
    *("inf", "-inf", "nan", "", "-", ".", "1.", "1.e5", ".5", "-.5", "+1", " 1", "1 ", "\t1", "1\t", "1e", "1e+", "E5"),
    *(
        "1E5",
        "1e+05",
        "1e5.",
        "1e5.5",
        "1.2.3",
        "1_0",
        "0x1p3",
        "0x10",
        "1d5",
        "1f",
        "--1",
        "007",
        "-0",
        "-0.0",
        "0.10",
    ),
    *(
        "1\x00",
        "1\x002",
        "1\x0b",
        "٣",
        "1;2",
        '"1"',
        '"0.5"',
        "0.1234567890123456789012345",
        "123456789012345678901234",
    ),
    *(
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775808",
        "9" * 18,
        "9" * 19,
        "1" * 20,
        "1.0",
        "1e3",
    ),
]
ODD_WORDS = [
    *("", "nan", '"a,b"', '"a\nb"', '"say ""x"""', 'a"b', '"a"b', '""', "é", " ", "\x00", "a\x00", "x" * 70, "1"),
    *(f"{SCHEMA_VERSION}", f'"{SCHEMA_VERSION}"'),
]


def letters_apart(text: str) -> Iterator[list[str]]:
    """Give each row's fields, letter by letter; whatever is not plainly a row ends in a ValueError."""
    place, row = 0, list[str]()
    while place < len(text):
        if text[place] == '"':
            found = re.compile(r'"((?:[^"]|"")*)"(?=[,\n])').match(text, place)
        else:
            found = re.compile(r'([^",\r\n]*)(?=[,\n])').match(text, place)
        if found is None:
            raise ValueError
        row.append(found[1].replace('""', '"') if text[place] == '"' else found[1])
        place = found.end() + 1
        if text[place - 1] == "\n":
            yield row
            row = []
    if row or not text.endswith("\n"):
        raise ValueError


def value_of(word: str, kind: str) -> Any:
    """Return what a word stands for in a column of this kind; a ValueError if nothing."""
    patterns = {FLOAT: r"-?(\d+(\.\d*)?([eE][+-]?\d+)?|inf)|nan", WHOLE: r"-?\d{1,19}", SEED: r"\d{1,20}"}
    if not re.fullmatch(patterns.get(kind, r"[^\0]{0,64}" if kind == DIGEST else r".*"), word, re.ASCII | re.DOTALL):
        raise ValueError
    if kind == FLOAT:
        number = float(word)
        if math.isinf(number) and "inf" not in word:
            raise ValueError
        return struct.pack("d", math.nan if math.isnan(number) else number)
    if kind not in {WHOLE, SEED}:
        return word
    low = 0 if kind == SEED else -(2**63)
    if not low <= int(word) < low + 2**64:
        raise ValueError
    return int(word)


def lawful(row: dict[str, Any], table: Table) -> bool:
    """Tell whether a row's values are such as a run leaves behind."""
    filled = all(row[name] != "" for name in table.columns if name not in table.blank)
    counted = row.get("steps", 0) >= 0 and row.get("step", 0) >= 0 and row.get("seeds_together", 1) >= 1
    ended = row.get("status", "ok") in {"ok", "diverged", "error"}
    return filled and counted and ended and row["schema"] == SCHEMA_VERSION and row["dtype"] in DTYPES


def read_by_hand(content: bytes, table: Table) -> list[dict[str, Any]] | None:
    """Read a table in the slow, obvious way; None if it is to be refused."""
    try:
        header, *lines = letters_apart(content.decode())
        rows = [
            {name: value_of(word, kind) for word, (name, kind) in zip(line, table.columns.items(), strict=True)}
            for line in lines
        ]
    except ValueError:
        return None
    keys = {tuple(row[name] for name in table.key) for row in rows}
    if header != list(table.columns) or len(keys) < len(rows) or not all(lawful(row, table) for row in rows):
        return None
    return rows


def read_in_blocks(file: Path, content: bytes, table: Table, size: int) -> list[dict[str, Any]] | None:
    """Read a table as a run's folder is read, in blocks of so many bytes; None if it is refused."""
    file.write_bytes(content)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(quick, "BLOCK", size)
        try:
            found = read_table(file, table)
        except SuiteError:
            return None
    return list(plain_rows(found, table))


def plain_rows(rows: pd.DataFrame, table: Table) -> Iterator[dict[str, Any]]:
    """Give the rows with the bits of their floats."""
    for row in rows.to_dict("records"):
        floats = {name: row[name] for name, kind in table.columns.items() if kind == FLOAT}
        yield {str(name): value for name, value in row.items()} | {
            n: struct.pack("d", math.nan if math.isnan(value) else value) for n, value in floats.items()
        }


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file's place that the examples of a property write to, one after the other."""
    return tmp_path_factory.mktemp("quick") / "table.csv"


@pytest.fixture(scope="module")
def trials(trial_of: Callable[..., Trial]) -> list[Trial]:
    """Return trials of two cells with words of every script, a divergence and a failure."""
    diverged = {
        "final_loss": math.nan,
        "curve": ((0, 1e-7), (1, math.inf), (2, -math.inf)),
        "yardstick_seconds": math.nan,
    }
    observed = (("w[0,1]", -1 / 3), ('said "x",\ny', -0.0), ("σ at [1.0, 2.0]", math.nan))
    return [
        *(trial_of(seed, init_digest=f"{seed:016x}") for seed in (0, 1, 9)),
        *(trial_of(seed, case="neurön", dtype="float16", observations=observed) for seed in (0, 12_345)),
        trial_of(2, dtype="float16", **diverged),
        trial_of(3, dtype="float16", reason='no\n"kernel", here'),
    ]


@pytest.mark.parametrize("size", [1, 100, 1000, 2**22])
@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.file))
def test_what_this_suite_writes_is_read_in_blocks(
    trials: list[Trial], monkeypatch: pytest.MonkeyPatch, table: Table, size: int
) -> None:
    """Nothing of it is declined, however small the blocks, and every row comes back as it was."""
    monkeypatch.setattr(quick, "BLOCK", size)
    written = frames("a-run", trials)[table.file]
    found = read_plainly(as_csv(written).encode(), table)
    assert found is not None
    pd.testing.assert_frame_equal(found, written, check_exact=True)


@pytest.mark.parametrize("numeral", ODD_NUMERALS, ids=lambda numeral: ascii(numeral)[:24])
@pytest.mark.parametrize("place", [5, 6, 7], ids=["seed", "step", "loss"])
def test_every_odd_numeral_is_read_as_by_hand(scratch: Path, place: int, numeral: str) -> None:
    """Among good rows, as a seed, a step and a loss."""
    words = [f"{SCHEMA_VERSION}", "neuron", "cpu", "float64", "eager", "7", "8", "0.5"]
    words[place] = numeral
    good = [f"{SCHEMA_VERSION},neuron,cpu,float64,eager,0,{step},{loss}" for step, loss in enumerate(["nan", "-inf"])]
    content = "\n".join([",".join(CURVES.columns), good[0], ",".join(words), good[1], ""]).encode()
    assert read_in_blocks(scratch, content, CURVES, 2**22) == read_by_hand(content, CURVES)


@given(data=st.data(), size=st.sampled_from([1, 60, 300, 2**22]))
@settings(max_examples=200)
def test_odd_words_are_read_as_by_hand(scratch: Path, trials: list[Trial], data: st.DataObject, size: int) -> None:
    """A word in any place of any table is accepted and refused, and means, what it does to the slow reader."""
    table = data.draw(st.sampled_from(TABLES))
    lines = as_csv(frames("a-run", trials[:2])[table.file]).splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 3))):
        row = data.draw(st.integers(1, len(lines) - 1))
        words = lines[row].rstrip("\n").split(",")
        column = data.draw(st.integers(0, len(words) - 1))
        words[column] = data.draw(st.sampled_from([*ODD_NUMERALS, *ODD_WORDS]) | BITS.map(repr))
        lines[row] = ",".join(words) + "\n"
    content = "".join(lines).encode()
    assert read_in_blocks(scratch, content, table, size) == read_by_hand(content, table)


@given(data=st.data(), size=st.sampled_from([1, 60, 300, 2**22]))
@settings(max_examples=100)
def test_damaged_bytes_are_read_as_by_hand(scratch: Path, trials: list[Trial], data: st.DataObject, size: int) -> None:
    """Bytes that are changed, dropped or added anywhere are refused, or mean what they do to the slow reader."""
    table = data.draw(st.sampled_from(TABLES))
    content = bytearray(as_csv(frames("a-run", trials)[table.file]).encode())
    place, length = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 3))
    spoilt = [b'"', b",", b"\n", b"\r", b"e9", b"1", b"-", b"\0", b'""', b"\xff", "é".encode(), b"\n\n", b" "]
    content[place : place + length] = data.draw(st.sampled_from(spoilt) | st.binary(max_size=3))
    assert read_in_blocks(scratch, bytes(content), table, size) == read_by_hand(bytes(content), table)


class Watched(bytes):
    """What a file holds, and how many bytes of it were gone through in search of quotes."""

    gone_through = 0

    def count(self, mark: Any, start: Any = 0, end: Any = None) -> int:
        """Count as any bytes do, and note how many were gone through."""
        self.gone_through += (len(self) if end is None else end) - start
        return super().count(mark, start, end)


SOUND = f"{SCHEMA_VERSION},neuron,cpu,float64,eager,0,0,0.5\n"
LINES = 20_000


@pytest.mark.parametrize("size", [100, 2**24])
@pytest.mark.parametrize(
    ("case", "rows"),
    [
        ('"' + "\n" * LINES, None),
        ('"' + "\n" * LINES + '"', 2),
        ('"' + '"a"\n' * LINES, None),
        ('"' + '""\n' * LINES + '"', 2),
    ],
    ids=["a lone quote", "a long text", "a lone quote before others", "a long text with quotes"],
)
def test_a_quote_before_many_lines_makes_no_work_for_each_of_them(
    monkeypatch: pytest.MonkeyPatch, size: int, case: str, rows: int | None
) -> None:
    """Where the blocks end is found in a few walks through the file, not in one for every line."""
    monkeypatch.setattr(quick, "BLOCK", size)
    content = Watched(f"{','.join(CURVES.columns)}\n{SOUND}{SOUND.replace('neuron', case)}".encode())
    found = read_plainly(content, CURVES)
    assert (None if found is None else len(found)) == rows
    assert content.gone_through <= 4 * len(content)
