"""Gives readers what libFuzzer makes up, guided by the lines that it reaches: ``python readers.py WHAT [OPTION ...]``.

WHAT is tables, records or words; options are libFuzzer's. An input that is neither read exactly nor refused in lines
ends it, and is left in a file. ``nox -s fuzz`` starts it; the name is no test's, so that pytest leaves it alone.
"""

from __future__ import annotations

import csv
import json
import math
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

import atheris

warnings.simplefilter("error")
with atheris.instrument_imports(include=["suite"]):
    from suite.engine import parse_engine
    from suite.errors import SuiteError
    from suite.limits import parse_limits
    from suite.machine import Machine
    from suite.plan import DTYPES, parse_choice, parse_devices, parse_seeds
    from suite.records import schema
    from suite.records.manifest import read_json
    from suite.records.read import read_table
    from suite.trial import Manifest

TABLES = (
    schema.TRIALS,
    schema.CURVES,
    schema.OBSERVATIONS,
    schema.PROBES,
    schema.GRAPHS,
    schema.AGAIN,
    schema.FIRST,
    schema.VERDICTS,
)
PARSERS: tuple[Callable[[str], Any], ...] = (
    parse_seeds,
    parse_devices,
    parse_engine,
    lambda text: parse_choice("--dtype", text, DTYPES),
    lambda text: parse_limits(None, text),
)
FILE = Path(tempfile.mkdtemp(prefix="suite-fuzz-")) / "file"


def tables(kind: int, data: bytes) -> None:
    """Read a table; whatever is read is what the csv module and Python's numbers make of it, word by word."""
    table = TABLES[kind % len(TABLES)]
    FILE.write_bytes(data)
    found = read_table(FILE, table)
    header, *rows = csv.reader(StringIO(data.decode(), newline=""))
    assert header == list(table.columns)
    assert len(rows) == len(found)
    for row, values in zip(rows, found.itertuples(index=False, name=None), strict=True):
        for word, value in zip(row, values, strict=True):
            assert _same(word, value), (word, value)


def _same(word: str, value: object) -> bool:
    if isinstance(value, float):
        return float(word) == value or (math.isnan(value) and word == "nan")
    return int(word) == value if isinstance(value, int) else word == value


def records(kind: int, data: bytes) -> None:
    """Read a record; whatever is read names each thing once, and is all that there is."""
    FILE.write_bytes(data)
    read_json(FILE, Manifest) if kind % 2 else read_json(FILE, Machine)
    json.loads(data.decode(), object_pairs_hook=_once)


def _once(pairs: Iterable[tuple[str, object]]) -> Mapping[str, object]:
    pairs = list(pairs)
    assert len(dict(pairs)) == len(pairs), "one thing is named twice"
    return dict(pairs)


def words(kind: int, data: bytes) -> None:
    """Read what is typed behind an option."""
    PARSERS[kind % len(PARSERS)](data.decode(errors="surrogateescape"))


def try_one(read: Callable[[int, bytes], None], data: bytes) -> None:
    """Give one input to a reader, which may refuse it, naming the file if it is one."""
    try:
        read(data[0], data[1:])
    except SuiteError as error:
        faults = error.faults
    else:
        return
    assert faults
    assert read is words or all(fault.startswith(f"{FILE}: ") for fault in faults), faults


def main() -> None:
    """Try, until an option of libFuzzer says that it is enough."""
    read = {"tables": tables, "records": records, "words": words}[sys.argv.pop(1)]
    atheris.Setup(sys.argv, lambda data: try_one(read, data) if data else None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
