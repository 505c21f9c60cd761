"""run.json and machine.json: read back to the very records that were written, or refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, SchemaValidator, to_json

from suite.errors import SuiteError
from suite.machine import Machine
from suite.records.atomic import replace_own
from suite.records.faults import few, named, short
from suite.records.own import read_own
from suite.records.schema import SCHEMA_VERSION
from suite.trial import Manifest

MANIFEST_FILE = "run.json"
MACHINE_FILE = "machine.json"

MOST_BYTES = 2**23
"""Of a file of JSON, read or written; a run of the documented cases takes 130 kB."""
MOST_NAMES = 10_000
"""In one object."""
DEEPEST = 12
"""Names of a path that are told; a run's holds fewer."""

LATER = ("modes",)
"""What a run of an earlier suite does not tell, and every run of this one does; it is not there where it is empty."""

Record = TypeVar("Record", Manifest, Machine)


def write_json(file: Path, record: Manifest | Machine) -> None:
    """Write a record as JSON, whole or not at all; infinities become the text "Infinity".

    Raises:
        SuiteError: if the folder cannot be written, or what :func:`as_json` refuses.
    """
    replace_own(file, as_json(file, record))


def as_json(file: Path, record: Manifest | Machine) -> str:
    """Return the text of a record, which is to stand in ``file``.

    Raises:
        SuiteError: if something in it is no UTF-8, as a folder's name may be, or it is larger than what is read.
    """
    try:
        plain = _plain(record)
    except PydanticSerializationError as error:
        raise SuiteError(f"{file}: cannot be written: a name or a text in it is no UTF-8; give another") from error
    text = json.dumps(plain, indent=1, ensure_ascii=False) + "\n"
    if (size := len(text.encode())) > MOST_BYTES:
        told = f"{file}: would be of {size:,} bytes, and none larger than {MOST_BYTES:,} is read"
        raise SuiteError(f"{told}; train fewer cases, dtypes or devices in one run")
    return text


def _plain(record: Manifest | Machine) -> Any:
    plain = {"schema": SCHEMA_VERSION, **json.loads(to_json(record, inf_nan_mode="strings"))}
    return {name: value for name, value in plain.items() if value or name not in LATER}


def read_json(file: Path, kind: type[Record]) -> Record:
    """Read a record back.

    Raises:
        SuiteError: if the file is missing, no JSON, of another schema version, or would not be
            written again as it stands.
    """
    found = _loaded(file)
    if not isinstance(found, dict) or "schema" not in found:
        raise SuiteError(f"{file}: names no schema version; is it a run's?")
    if repr(found["schema"]) != repr(SCHEMA_VERSION):
        told = f"{file}: has schema version {short(repr(found['schema']))}"
        raise SuiteError(f"{told}; this suite reads version {SCHEMA_VERSION} only")
    return _validated(file, kind, found)


def _loaded(file: Path) -> Any:
    """Return what a file of JSON says, if it says each thing once, in texts that can be written again."""
    data = read_own(file, MOST_BYTES)
    try:
        found = json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_number)
        for path in islice(_half_characters(found), 1):
            raise SuiteError(f"{file}: {_place(path)}: holds half a character (a lone surrogate)")
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"{file}: is no JSON: {error}") from error
    return found


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; one that says a thing twice would be read by one reader so, by another otherwise."""
    if len(pairs) > MOST_NAMES:
        raise ValueError(f"an object holds {len(pairs):,} names, and no run's more than {MOST_NAMES:,}")
    found = dict(pairs)
    if len(found) < len(pairs):
        (name, _), *_ = (Counter(name for name, _ in pairs) - Counter(list(found))).items()
        raise ValueError(f"{short(name)!r} stands twice in one object")
    return found


def _no_number(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number of JSON")


def _half_characters(value: Any, *path: int | str) -> Iterator[tuple[int | str, ...]]:
    """Give the paths of texts, or of names, that cannot be encoded."""
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            yield path
    elif isinstance(value, dict):
        yield from (found for name, part in value.items() for found in _half_characters(part, *path, name))
        yield from (found for name in value for found in _half_characters(name, *path, name))
    elif isinstance(value, list):
        yield from (found for place, part in enumerate(value) for found in _half_characters(part, *path, place))


def _validated(file: Path, kind: type[Record], found: dict[str, Any]) -> Record:
    body = {name: value for name, value in found.items() if name != "schema"}
    try:
        record: Record = _validator(kind).validate_python(body)
    except ValidationError as error:
        raise SuiteError(*_told(file, error)) from error
    again = _plain(record)
    if _exactly(again) != _exactly(found):
        raise SuiteError(f"{file}: {_place(tuple(_difference(found, again)))}: is not what this suite writes")
    return record


def _validator(kind: type[Manifest] | type[Machine]) -> SchemaValidator:
    """Return what checks a record, and looks no further into a list, or a dictionary, than to its first fault.

    There may be millions, and each takes half a kilobyte before the first can be told.
    """
    return SchemaValidator(_stopping(TypeAdapter(kind).core_schema))


def _stopping(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(map(_stopping, schema))
    if not isinstance(schema, dict):
        return schema
    parts = {name: _stopping(part) for name, part in schema.items()}
    return parts | ({"fail_fast": True} if schema.get("type") in {"dict", "list", "tuple"} else {})


def _told(file: Path, error: ValidationError) -> Iterator[str]:
    """Give the first faults of a file, each with its path."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    yield from (f"{file}: {told}" for told in few(f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults))


def _exactly(value: Any) -> str:
    """Return a JSON value as text: 2, 2.0 and true are equal to Python, and so are 0.0 and -0.0, but not here."""
    return json.dumps(value, sort_keys=True)


def _place(location: tuple[int | str, ...]) -> str:
    """Return where in a file something stands; names that anyone may have given stay in the line."""
    shown = ".".join(map(named, location[:DEEPEST])) or "top"
    return shown if len(location) <= DEEPEST else f"{shown}…"


def _difference(found: Any, again: Any) -> Iterator[int | str]:
    """Give the path of the first place where two JSON values differ."""
    places: Sequence[tuple[int | str, Any, Any]] = []
    if isinstance(found, dict) and isinstance(again, dict):
        missing = next((name for name in (*found, *again) if name not in found or name not in again), None)
        if missing is not None:
            yield missing
            return
        places = [(name, found[name], again[name]) for name in found]
    elif isinstance(found, list) and isinstance(again, list) and len(found) == len(again):
        places = [(place, *pair) for place, pair in enumerate(zip(found, again, strict=True))]
    for place, one, other in places:
        if _exactly(one) != _exactly(other):
            yield place
            yield from _difference(one, other)
            return
