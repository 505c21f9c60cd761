"""Whatever a verb is given, damaged folders or odd words, it ends as it says, and each fault is one line."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner

from suite.cli import main
from tests.torture.damage import LIKELY, ODD_WORDS, RECORDS, TABLES, damaged, in_fields, numeral_changed, value_changed
from tests.torture.tally import Tallies

pytestmark = pytest.mark.torture

FOLDERS = 300
OPTIONS_GIVEN = 1500

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
