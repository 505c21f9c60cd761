"""run.json and machine.json: read back to the very records that were written, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, to_json

from suite.errors import SuiteError
from suite.machine import Machine
from suite.records.atomic import reading, replace_text
from suite.records.schema import SCHEMA_VERSION
from suite.trial import Manifest

MANIFEST_FILE = "run.json"
MACHINE_FILE = "machine.json"

Record = TypeVar("Record", Manifest, Machine)


def write_json(file: Path, record: Manifest | Machine) -> None:
    """Write a record as JSON, whole or not at all; infinities become the text "Infinity".

    Raises:
        SuiteError: if the folder cannot be written, or something is named in it that is no UTF-8, as a folder may be.
    """
    try:
        plain = _plain(record)
    except PydanticSerializationError as error:
        raise SuiteError(f"{file}: cannot be written: a folder's name in it is no UTF-8; give it another") from error
    replace_text(file, json.dumps(plain, indent=1, ensure_ascii=False) + "\n")


def _plain(record: Manifest | Machine) -> Any:
    return {"schema": SCHEMA_VERSION, **json.loads(to_json(record, inf_nan_mode="strings"))}


def read_json(file: Path, kind: type[Record]) -> Record:
    """Read a record back.

    Raises:
        SuiteError: if the file is missing, no JSON, of another schema version, or would not be
            written again as it stands.
    """
    try:
        with reading(file):
            found = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SuiteError(f"{file}: is no JSON: {error}") from error
    if not isinstance(found, dict) or "schema" not in found:
        raise SuiteError(f"{file}: names no schema version; is it a run's?")
    if found["schema"] != SCHEMA_VERSION:
        told = f"{file}: has schema version {found['schema']!r}"
        raise SuiteError(f"{told}; this suite reads version {SCHEMA_VERSION} only")
    return _validated(file, kind, found)


def _validated(file: Path, kind: type[Record], found: dict[str, Any]) -> Record:
    body = {name: value for name, value in found.items() if name != "schema"}
    try:
        record: Record = TypeAdapter(kind).validate_python(body)
    except ValidationError as error:
        raise SuiteError(*(f"{file}: {_place(e['loc'])}: {e['msg']}" for e in error.errors())) from error
    again = _plain(record)
    if again != found:
        raise SuiteError(f"{file}: {_difference(found, again)}: is not what this suite writes")
    return record


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "top"


def _difference(found: Any, again: Any) -> str:
    """Return the path of the first place where two JSON values differ."""
    if isinstance(found, dict) and isinstance(again, dict):
        for name in dict.fromkeys([*found, *again]):
            if name not in found or name not in again:
                return str(name)
            if found[name] != again[name]:
                return f"{name}.{_difference(found[name], again[name])}".rstrip(".")
    return ""
