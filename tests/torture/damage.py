"""Damage to files: byte by byte, word by word, row by row, column by column, from random numbers that are given."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from suite.machine import Machine
from suite.records.schema import AGAIN, CURVES, FIRST, GRAPHS, OBSERVATIONS, PROBES, TRIALS, VERDICTS
from suite.trial import Manifest

TABLES = (TRIALS, CURVES, OBSERVATIONS, PROBES, GRAPHS, AGAIN, FIRST, VERDICTS)
RECORDS: dict[str, type[Manifest] | type[Machine]] = {"run.json": Manifest, "machine.json": Machine}

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
