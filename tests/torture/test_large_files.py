"""However large a file is, and whatever it is full of, reading it takes no more memory than is promised."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from suite.records.schema import CURVES, TRIALS
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture


HEADERS = {table.file: ",".join(table.columns) + "\n" for table in (TRIALS, CURVES)}
ROW = "4,neuron,cpu,float64,eager,0,{},0\n"
MANY = 10**7


def with_details(whole: str, devices: int, details: int) -> str:
    """Give a machine so many devices, each with so many details, all of them wrong."""
    about = {"name": "", "model": "", "details": {f"{k}": 0 for k in range(details)}}
    return json.dumps(json.loads(whole) | {"devices": {f"{n}": about for n in range(devices)}})


LARGE: dict[str, tuple[str, Callable[[str], str]]] = {
    "a number of ten million digits": ("curves.csv", lambda _: ROW.format("1" * MANY)),
    "a name of ten million letters": ("curves.csv", lambda _: ROW.format(0).replace("neuron", "n" * MANY)),
    "ten million commas": ("curves.csv", lambda _: "," * MANY + "\n"),
    "a million empty rows": ("curves.csv", lambda _: ",,,,,,,\n" * (MANY // 8)),
    "ten million quotes": ("curves.csv", lambda _: '"' * MANY + "\n"),
    "ten million lines": ("curves.csv", lambda _: "\n" * MANY),
    "ten million nulls": ("curves.csv", lambda _: "\0" * MANY),
    "a row many times": ("curves.csv", lambda _: ROW.format(0) * (MANY // 33)),
    "many rows against a law": ("curves.csv", lambda _: "".join(ROW.format(-k) for k in range(1, MANY // 38))),
    "many rows that are sound": ("curves.csv", lambda _: "".join(ROW.format(k) for k in range(MANY // 38))),
    "a digest of ten million letters": (
        "trials.csv",
        lambda whole: whole + whole.replace(",0,cpu", ",9,cpu")[:-1] + "x" * MANY + "\n",
    ),
    "five million zeros": ("run.json", lambda whole: whole.replace('"notes": []', f'"notes": [{"0," * (MANY // 2)}0]')),
    "three million lists": (
        "run.json",
        lambda whole: whole.replace('"notes": []', f'"notes": [{"[]," * (MANY // 3)}[]]'),
    ),
    "many names": (
        "machine.json",
        lambda whole: whole.replace("{}", "{" + ",".join(f'"{k}": 0' for k in range(MANY // 12)) + "}"),
    ),
    "many names in each of many objects": ("machine.json", lambda whole: with_details(whole, 100, 10_000)),
    "a quote before ten million lines": ("curves.csv", lambda _: '"' + "\n" * MANY),
    "a text of ten million letters": ("machine.json", lambda whole: whole.replace("{}", f'{{"a": "{"x" * MANY}"}}')),
    "a million opening brackets": ("machine.json", lambda whole: whole.replace("{}", "[" * MANY)),
}
"""What large files hold: their name, and their text, made from what a sound one holds."""

TIMES, BESIDES = 40, 200 * 2**20
"""Memory that reading may take: so many times the file's size, and so many bytes besides."""

READ = """
import resource, sys
from pathlib import Path
import pandera.pandas
from suite.errors import SuiteError
from suite.machine import Machine
from suite.records.manifest import read_json
from suite.records.read import read_table
from suite.records.schema import CURVES, TRIALS
from suite.trial import Manifest

file = Path(sys.argv[1])
kinds = {"curves.csv": CURVES, "trials.csv": TRIALS, "run.json": Manifest, "machine.json": Machine}
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    (read_json if file.suffix == ".json" else read_table)(file, kinds[file.name])
except SuiteError as error:
    assert len(str(error)) < 10_000, len(str(error))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("what", LARGE)
def test_a_large_file_takes_little_more_memory_than_it_is_large(
    recorded: Path, tmp_path: Path, tally: Tallies, what: str
) -> None:
    """No more than forty times its size and 200 MiB, in a process of its own; and no fault quotes all of it."""
    name, make = LARGE[what]
    file = tmp_path / name
    sound = (recorded / "a-run" / name).read_text(encoding="utf-8")
    text = make(sound.partition("\n")[2].partition("\n")[0] + "\n" if name == "trials.csv" else sound)
    file.write_text(HEADERS.get(name, "") + text, encoding="utf-8", newline="")
    del text
    counted = tally("files of ten megabytes")
    done = subprocess.run([sys.executable, "-c", READ, file], capture_output=True, text=True, timeout=300, check=False)
    allowed = TIMES * file.stat().st_size + BESIDES
    if done.returncode or int(done.stdout) > allowed:
        counted.lost(f"{what}: {done.stdout.strip() or done.stderr.splitlines()[-1:]}, allowed {allowed}")
    else:
        counted.survived()
    assert not counted.losses
