"""Whatever stands in a file, it is read exactly or refused in a line: tens of thousands of damaged files are tried.

What is read all the same must be what the csv module and ``float`` make of the bytes, or what a JSON reader makes of
them that takes nothing twice.
"""

from __future__ import annotations

import csv
import json
import math
import re
import struct
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pytest

from suite.errors import SuiteError
from suite.machine import Machine
from suite.records.manifest import read_json, write_json
from suite.records.read import read_table
from suite.records.schema import (
    FLOAT,
    SEED,
    WHOLE,
    Table,
)
from suite.trial import Manifest
from tests.torture.damage import OF_JSON, OF_TABLES, RECORDS, TABLES, damaged
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture

FILES_OF_EACH = 2000


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
