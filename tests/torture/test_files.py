"""Whatever stands in a file, it is read exactly or refused in a line: tens of thousands of damaged files are tried.

Real files of a small run are damaged byte by byte, word by word, row by row and column by column, from random numbers
that are the same in every run. What is read all the same must be what the csv module and ``float`` make of the bytes,
or what a JSON reader makes of them that takes nothing twice. Then whole run folders are damaged and given to every verb
that reads one.
"""

from __future__ import annotations

import csv
import json
import math
import re
import shutil
import struct
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from suite.cli import main
from suite.errors import SuiteError
from suite.machine import Machine
from suite.records.manifest import read_json, write_json
from suite.records.read import read_table
from suite.records.schema import (
    AGAIN,
    CURVES,
    FIRST,
    FLOAT,
    GRAPHS,
    OBSERVATIONS,
    PROBES,
    SEED,
    TRIALS,
    VERDICTS,
    WHOLE,
    Table,
)
from suite.trial import Manifest
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture

TABLES = (TRIALS, CURVES, OBSERVATIONS, PROBES, GRAPHS, AGAIN, FIRST, VERDICTS)
RECORDS: dict[str, type[Manifest] | type[Machine]] = {"run.json": Manifest, "machine.json": Machine}
FILES_OF_EACH = 2000
FOLDERS = 300


ODD_WORDS = [
    *("1e999", "-1e999", "nan", "NaN", "-nan", "inf", "-inf", "Infinity", "", "-0", "-0.0", "0.0", "1_000", "٣"),
    *("0x10", "0x1p3", "1e-400", "5e-324", "1.7976931348623157e308", "1e5.5", "1.", ".5", "+1", " 1", "1 ", "1\t"),
    *("-1", "0", "9223372036854775807", "9223372036854775808", "18446744073709551615", "18446744073709551616"),
    *("9007199254740993", "1" * 20, "1" * 400, "1,5", "1;5", "True", "None", "null", "\0", "1\0", "\ufeff1", "a\r"),
    *('"', '""', '"a"b', 'a"b', '"two\nlines"', '"say ""x"""', "x" * 100, "é", "\u202eabc", "\x1b[2J", "=1+1"),
    *("cpu", "cuda:0", "../..", "float64", "float16", "eager", "compiled", "ok", "error", "diverged", "neuron", "loss"),
]
ODD_BYTES = [
    b"\0",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n",
    b"\n",
    b'"',
    b",",
    b"\xed\xa0\x80",
    b"\x80",
    b"e999",
    b"\n\n",
]
ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 1, 1.0, 2.5, -0.0, 1e308, 5e-324, 2**53, 2**63, 2**64, 10**40, "", "x", "inf", "NaN"),
    *("Infinity", "-Infinity", "nan", "../../etc/passwd", "/etc/passwd", "\0", "\ud800", "a\nb", "\x1b[2J", "x" * 5000),
    *([], [[]], {}, {"a": {}}, [0], [0.5, 0.25], [None], {"*": [[1.0], [0.0]]}, {"*": [[], []]}, "cpu", "cuda:0"),
]
Damage = Callable[[bytes, Random], bytes]


def flipped(data: bytes, luck: Random) -> bytes:
    """Flip some bits."""
    spoilt = bytearray(data)
    for _ in range(luck.randint(1, 3)):
        spoilt[luck.randrange(len(spoilt))] ^= 1 << luck.randrange(8)
    return bytes(spoilt)


def with_bytes(data: bytes, luck: Random) -> bytes:
    """Put bytes in the place of none, or of some."""
    place, length = luck.randrange(len(data) + 1), luck.choice([0, 0, 1, 2, 9])
    return data[:place] + luck.choice([*ODD_BYTES, luck.randbytes(3)]) + data[place + length :]


def without_bytes(data: bytes, luck: Random) -> bytes:
    """Take some bytes away."""
    place = luck.randrange(len(data))
    return data[:place] + data[place + luck.choice([1, 2, 7, 50, len(data)]) :]


def recoded(data: bytes, luck: Random) -> bytes:
    """Write the file as other programs do: with a mark, in UTF-16, with other line ends, or none at the end."""
    ways: list[Callable[[], bytes]] = [
        lambda: b"\xef\xbb\xbf" + data,
        lambda: data.decode().encode("utf-16"),
        lambda: data.replace(b"\n", b"\r\n"),
        lambda: data.replace(b"\n", b"\r"),
        lambda: data.removesuffix(b"\n"),
        lambda: data + b"\n",
        lambda: b"",
        lambda: data * 2,
    ]
    return luck.choice(ways)()


def in_rows(change: Callable[[list[str], Random], object]) -> Damage:
    """Make a damage of the rows of a table."""

    def spoil(data: bytes, luck: Random) -> bytes:
        rows = data.decode().splitlines(keepends=True)
        change(rows, luck)
        return "".join(rows).encode()

    return spoil


def row_cut(rows: list[str], luck: Random) -> None:
    """Cut a row in two, or off."""
    place = luck.randrange(len(rows))
    rows[place] = rows[place][: luck.randrange(len(rows[place]))] + luck.choice(["", "\n"])


def row_dropped(rows: list[str], luck: Random) -> None:
    """Drop a row, perhaps the header."""
    del rows[luck.randrange(len(rows))]


def row_doubled(rows: list[str], luck: Random) -> None:
    """Put a row twice."""
    rows.insert(luck.randrange(len(rows) + 1), luck.choice(rows))


def rows_swapped(rows: list[str], luck: Random) -> None:
    """Put two rows in each other's place, perhaps the header."""
    one, other = luck.randrange(len(rows)), luck.randrange(len(rows))
    rows[one], rows[other] = rows[other], rows[one]


def in_fields(change: Callable[[list[list[str]], Random], object]) -> Damage:
    """Make a damage of the fields of a table; none of those that are damaged is quoted."""

    def spoil(data: bytes, luck: Random) -> bytes:
        rows = [line.split(",") for line in data.decode().splitlines()]
        change(rows, luck)
        return "".join(",".join(row) + "\n" for row in rows).encode()

    return spoil


def word_changed(rows: list[list[str]], luck: Random) -> None:
    """Put odd words in some fields."""
    for _ in range(luck.choice([1, 1, 1, 3])):
        row = luck.choice(rows[1:] or rows)
        row[luck.randrange(len(row))] = luck.choice(ODD_WORDS)


def column_changed(rows: list[list[str]], luck: Random) -> None:
    """Put an odd word in all fields of a column but its name."""
    place, word = luck.randrange(len(rows[0])), luck.choice(ODD_WORDS)
    for row in rows[1:]:
        row[place : place + 1] = [word]


def columns_swapped(rows: list[list[str]], luck: Random) -> None:
    """Swap two columns with their names, or without."""
    one, other = luck.randrange(len(rows[0])), luck.randrange(len(rows[0]))
    for row in rows[luck.randint(0, 1) :]:
        if max(one, other) < len(row):
            row[one], row[other] = row[other], row[one]


def column_renamed(rows: list[list[str]], luck: Random) -> None:
    """Call a column otherwise."""
    rows[0][luck.randrange(len(rows[0]))] = luck.choice(["", "loss", "seed", "x", "schema", "\ufeffschema"])


def column_dropped(rows: list[list[str]], luck: Random) -> None:
    """Drop a column, or double it."""
    place, doubled = luck.randrange(len(rows[0])), luck.random() < 0.5
    for row in rows:
        row[place : place + 1] = row[place : place + 1] * 2 * doubled


ANY: tuple[Damage, ...] = (flipped, with_bytes, without_bytes, recoded)
OF_TABLES: tuple[Damage, ...] = (
    *ANY,
    *map(in_rows, (row_cut, row_dropped, row_doubled, rows_swapped)),
    *map(in_fields, (word_changed, word_changed, word_changed, column_changed)),
    *map(in_fields, (columns_swapped, column_renamed, column_dropped)),
)


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Give each container in a JSON value with each of its keys."""
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from places_in(value[key])


def value_changed(data: bytes, luck: Random) -> bytes:
    """Put an odd value in the place of one, double one, or drop it."""
    whole = json.loads(data)
    for _ in range(luck.choice([1, 1, 2])):
        container, key = luck.choice(list(places_in(whole)))
        if luck.random() < 0.8:
            container[key] = luck.choice(ODD_VALUES)
        elif isinstance(container, list):
            container.insert(key, container[key])
        else:
            container[luck.choice(["more", "\ud800", "", "schema"])] = container.pop(key)
    return json.dumps(whole, allow_nan=True).encode()


def numeral_changed(data: bytes, luck: Random) -> bytes:
    """Write a number as JSON, or only other readers, may have it."""
    numerals = list(re.finditer(rb"(?<=[ \[])-?\d[\d.e+-]*", data))
    found = luck.choice(numerals)
    words = [
        b"1e999",
        b"NaN",
        b"-Infinity",
        b"0x10",
        b"01",
        b"+1",
        b"1_0",
        b"1.0",
        b"1e0",
        b"true",
        b"-0",
        b"4.",
        "٣".encode(),
    ]
    return data[: found.start()] + luck.choice([*words, b"9" * 5000]) + data[found.end() :]


def said_twice(data: bytes, luck: Random) -> bytes:
    """Say a thing twice in one object."""
    found = luck.choice(list(re.finditer(rb'"(\w+)": ("[^"]*"|[\d.]+|true|false|null)', data)))
    again = b'"%s": %s' % (found[1], luck.choice([found[2], b"1", b'"x"', b"null"]))
    return data[: found.end()] + b", " + again + data[found.end() :]


def nested(data: bytes, luck: Random) -> bytes:
    """Nest deep."""
    depth = luck.choice([50, 400, 900, 5000, 100_000])
    found = luck.choice(list(re.finditer(rb': ("[^"]*"|[\d.]+|true|false|null)', data)))
    begin, end = luck.choice([(b"[", b"]"), (b'{"a":', b"}")])
    return data[: found.start(1)] + begin * depth + b"1" + end * depth + data[found.end(1) :]


OF_JSON: tuple[Damage, ...] = (*ANY, value_changed, value_changed, value_changed, numeral_changed, said_twice, nested)


def damaged(data: bytes, luck: Random, damages: tuple[Damage, ...]) -> bytes:
    """Return a file's bytes after one damage or two; a second that finds nothing left to damage is left out."""
    spoilt = luck.choice(damages)(data, luck)
    if luck.random() < 0.2:
        try:
            spoilt = luck.choice(damages)(spoilt, luck)
        except (ValueError, IndexError, TypeError, RecursionError):
            return spoilt
    return spoilt


def strictly(content: bytes, table: Table) -> list[tuple[Any, ...]]:
    """Read a table by the csv module and by ``float`` and ``int``, the bits of floats as they are."""
    header, *rows = csv.reader(StringIO(content.decode(), newline=""), strict=True)
    assert header == list(table.columns)
    kinds = table.columns.values()
    return [tuple(value_of(word, kind) for word, kind in zip(row, kinds, strict=True)) for row in rows]


def value_of(word: str, kind: str) -> Any:
    """Return what a word stands for; floats as bits, since NaN is not equal to itself."""
    if kind == FLOAT:
        assert re.fullmatch(r"-?[0-9.]+([eE][+-]?[0-9]+)?|-?inf|nan", word)
        return bits(float(word))
    if kind in {WHOLE, SEED}:
        assert re.fullmatch("-?[0-9]+", word)
        return int(word)
    return word


def bits(number: float) -> bytes:
    """Return the bits of a float; of every NaN the same."""
    return b"nan" if math.isnan(number) else struct.pack("d", number)


def rows_read(found: pd.DataFrame, table: Table) -> list[tuple[Any, ...]]:
    """Return the rows that were read, the bits of floats as they are."""
    floats = [kind == FLOAT for kind in table.columns.values()]
    return [
        tuple(bits(value) if is_float else value for value, is_float in zip(row, floats, strict=True))
        for row in found.itertuples(index=False, name=None)
    ]


PLACED = re.compile(r"row \d+(: column \w+)?: .|is empty; .|has schema version .|row \d+: .")
PLACED_IN_JSON = re.compile(
    r"is no JSON: .|names no schema version|has schema version .|is larger than|.+: .|and \d+ more"
)


def refusal(file: Path, error: SuiteError, placed: re.Pattern[str]) -> str:
    """Return what is wrong with how a file was refused; nothing, if each fault is a line that names file and place."""
    told = [fault.removeprefix(f"{file}: ") for fault in error.faults]
    odd = [fault for fault, rest in zip(error.faults, told, strict=True) if fault == rest or not placed.match(rest)]
    odd += [fault for fault in error.faults if "\n" in fault or "\r" in fault]
    return f"is refused by {ascii(odd)[:200]}" if odd or not told else ""


def fault_of_table(file: Path, content: bytes, table: Table) -> str:
    """Return what is wrong with how a table was read; nothing, if it was read exactly or refused as it should be."""
    file.write_bytes(content)
    try:
        found = read_table(file, table)
    except SuiteError as error:
        return refusal(file, error, PLACED)
    except Exception as error:  # whatever it is: it is what is looked for
        return f"ends in {error!r}"
    try:
        return "" if rows_read(found, table) == strictly(content, table) else "is read otherwise"
    except (ValueError, AssertionError, csv.Error) as error:
        return f"is read, though a strict reader refuses it: {error!r}"


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object that says nothing twice."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def fault_of_record(file: Path, content: bytes, kind: type[Manifest] | type[Machine]) -> str:
    """Return what is wrong with how a record was read; nothing, if it was read exactly or refused as it should be."""
    file.write_bytes(content)
    try:
        found: Manifest | Machine = read_json(file, kind)  # type: ignore[type-var]
    except SuiteError as error:
        return refusal(file, error, PLACED_IN_JSON)
    except Exception as error:  # whatever it is: it is what is looked for
        return f"ends in {error!r}"
    write_json(file, found)
    try:
        strict = json.loads(content.decode(), object_pairs_hook=once)
    except (ValueError, AssertionError) as error:
        return f"is read, though a strict reader refuses it: {error!r}"
    same = json.dumps(strict, sort_keys=True) == json.dumps(json.loads(file.read_bytes()), sort_keys=True)
    return "" if same else "is read otherwise"


@pytest.mark.parametrize("table", TABLES, ids=lambda table: str(table.file))
def test_a_damaged_table_is_read_exactly_or_refused(
    recorded: Path, tmp_path: Path, tally: Tallies, table: Table
) -> None:
    """Never a traceback, never another value than stands there, never a line without its place."""
    counted, luck = tally("a damaged table", str(table.file)), Random(table.file)
    whole = (recorded / "a-run" / table.file).read_bytes()
    rows = whole.splitlines(keepends=True)
    for content in (whole, *(damaged(b"".join(rows[:9]), luck, OF_TABLES) for _ in range(FILES_OF_EACH))):
        fault = fault_of_table(tmp_path / table.file, content, table)
        counted.lost(f"{fault}: {ascii(content)[-200:]}") if fault else counted.survived()
    assert not counted.losses


@pytest.mark.parametrize("name", RECORDS)
def test_a_damaged_record_is_read_exactly_or_refused(recorded: Path, tmp_path: Path, tally: Tallies, name: str) -> None:
    """Never a traceback, never another value than stands there, never a line without its path."""
    counted, luck = tally("a damaged record", name), Random(name)
    whole = (recorded / "a-run" / name).read_bytes()
    for content in (whole, *(damaged(whole, luck, OF_JSON) for _ in range(FILES_OF_EACH))):
        fault = fault_of_record(tmp_path / name, content, RECORDS[name])
        counted.lost(f"{fault}: {ascii(content)[:300]}") if fault else counted.survived()
    assert not counted.losses


VERBS = (
    ("compare", "a-run", "--report", "v.md", "--report", "v.xml", "--report", "v.json", "--report", "v.benchmark.json"),
    ("compare", "a-run", "--json"),
    ("compare", "sound", "--baseline", "a-run"),
    ("table", "a-run"),
    ("table", "a-run", "sound", "--form", "csv"),
    ("table", "a-run", "--scaling", "--json"),
    ("report", "a-run", "sound"),
    ("history", "a-run", "sound"),
    ("history", "a-run", "--json"),
    ("show", "neuron", "--cases", "cases", "--runs", "."),
    ("accept", "a-run", "--reason", "x", "--who", "me", "--baseline", "others"),
)


def fault_of_verb(words: tuple[str, ...]) -> str:
    """Return what is wrong with how a verb ended; nothing, if by an exit code of its own and faults of one line."""
    done = CliRunner().invoke(main, words, prog_name="suite")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return f"ends in {done.exception!r}"
    if done.exit_code not in range(4):
        return f"exits with {done.exit_code}"
    stray = [line for line in done.stderr.splitlines() if not line.startswith("suite: ") or not line.isprintable()]
    return f"says {stray[:2]}" if stray else ""


def test_verbs_take_a_damaged_folder_or_refuse_it(
    recorded: Path, tmp_path: Path, tally: Tallies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each ends with an exit code that it documents, and each fault is one line, whatever file is damaged how."""
    luck = Random("folders")
    shutil.copytree(recorded, tmp_path, dirs_exist_ok=True)
    (tmp_path / "a-run").rename(tmp_path / "sound")
    (tmp_path / "baselines").rename(tmp_path / "results")
    monkeypatch.chdir(tmp_path)
    files = [*(table.file for table in TABLES), *list(RECORDS) * 6]
    for _ in range(FOLDERS):
        shutil.rmtree("a-run", ignore_errors=True)
        shutil.rmtree("others", ignore_errors=True)
        shutil.copytree("sound", "a-run")
        file = Path("a-run", luck.choice(files))
        likely = (
            (value_changed, numeral_changed)
            if file.suffix == ".json"
            else tuple(in_fields(change) for change in LIKELY)
        )
        content = damaged(file.read_bytes(), luck, likely)
        file.write_bytes(content)
        for words in VERBS:
            fault, counted = fault_of_verb(words), tally("a verb that reads a damaged folder", words[0])
            counted.lost(f"{fault}: {file} {ascii(content)[-300:]}") if fault else counted.survived()
    assert not any(tally("a verb that reads a damaged folder", words[0]).losses for words in VERBS)


def number_changed(rows: list[list[str]], luck: Random) -> None:
    """Put a number of any size in the place of one, in a row or in all."""
    names = [name for name in rows[0] if name not in {"schema", "case", "device", "dtype", "mode", "status"}]
    place = rows[0].index(luck.choice(names))
    floats = [
        "inf",
        "-inf",
        "nan",
        "-0.0",
        "0.0",
        "5e-324",
        "1.7976931348623157e308",
        "-1.0",
        "0",
        "1",
        "9007199254740992",
    ]
    word = luck.choice(floats)
    for row in rows[1:] if luck.random() < 0.5 else [luck.choice(rows[1:])]:
        row[place] = word


LIKELY: tuple[Callable[[list[list[str]], Random], object], ...] = (
    number_changed,
    number_changed,
    number_changed,
    word_changed,
    column_changed,
    columns_swapped,
)
"""Damages after which a table is often a table still."""

OPTIONS = (
    "--seeds",
    "--device",
    "--dtype",
    "--mode",
    "--engine",
    "--threads",
    "--cases",
    "--out",
    "--baseline",
    "--form",
)
ODD_OPTIONS = (
    "1e9",
    "1:2:3",
    "2:1",
    ":",
    "-",
    "--",
    "--all",
    "-h",
    "cpu,cpu",
    "cuda:99",
    "meta",
    "nowhere",
    "/proc",
    "~",
)
OPTIONS_GIVEN = 1500


def test_odd_words_on_the_command_line_are_refused_in_a_line(
    recorded: Path, tmp_path: Path, tally: Tallies, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is typed, each verb ends with an exit code of its own, and each fault is one printable line."""
    monkeypatch.chdir(tmp_path)
    luck, counted = Random("options"), tally("odd words on the command line")
    verbs = ("run", "compare", "accept", "table", "report", "show", "history", "list", "versus", "audit", "x")
    odd = [word for word in (*ODD_WORDS, *ODD_OPTIONS) if "\0" not in word]  # no system hands that over
    for _ in range(OPTIONS_GIVEN):
        given = [luck.choice(odd) for _ in range(luck.randint(0, 2))]
        for option in luck.sample(OPTIONS, luck.randint(0, 3)):
            given += [option, luck.choice(odd)]
        words = (luck.choice(verbs), *given, "no-such-case-nor-run")
        if words[0] in {"versus", "audit"} and "--seeds" not in words:
            words = (*words, "--seeds", "x")
        fault = fault_of_verb(words)
        counted.lost(f"{fault}: {words}") if fault else counted.survived()
    assert not counted.losses
