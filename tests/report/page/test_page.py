"""The page says what was judged, links to where it is shown, and shows whatever came from files as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from suite.judge import Aspect, Outcome, Verdict, judge
from suite.records import find_baselines
from suite.report.judged import JudgedRun
from suite.report.page.page import anchor, page_of, write_page
from suite.trial import RunRecord, Trial

RunOf = Callable[..., RunRecord]

HOSTILE = "<script>alert('x')</script> **&amp;** \x1b[31m"


class Reader(HTMLParser):
    """What a browser would find on a page: its texts, where they link to, and what is there to link to."""

    def __init__(self, page: str) -> None:
        """Read a page."""
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.pictures: list[str] = []
        self.scripts = 0
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down what an element says of itself."""
        given = {name: value or "" for name, value in attrs}
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        self.pictures += [given.get("aria-label", "")] if given.get("role") == "img" else []
        self.scripts += tag == "script"

    def handle_data(self, data: str) -> None:
        """Take down a text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """Return all of its text, in single spaces."""
        return " ".join(" ".join(self.texts).split())


def changed(run: RunRecord, change: Callable[[pd.Series], Any], **columns: Any) -> RunRecord:
    """Return a run some of whose trials came out otherwise."""
    rows = run.trials.apply(change, axis=1)
    given = {name: run.trials[name].astype(object).mask(rows, value) for name, value in columns.items()}
    words = {name: str(kind) for name, kind in run.trials.dtypes.items()}
    return replace(run, trials=run.trials.assign(**given).astype(words))


def relu_in_float32(row: pd.Series) -> bool:
    """Choose the trials of one cell."""
    return bool(row["case"] == "relu" and row["dtype"] == "float32" and row["mode"] == "ensemble")


def read(run: RunRecord, baseline: RunRecord | None = None) -> Reader:
    """Return the page of a run, judged beside a baseline; not by its times, which other work may disturb."""
    verdicts = judge(run, {"cpu": baseline} if baseline else {})
    return Reader(page_of([JudgedRun(run=run, verdicts=[v for v in verdicts if v.aspect is not Aspect.TIME])]))


def test_the_answer_stands_at_the_top(trained: RunRecord) -> None:
    """What was run, where, and the verdict in a sentence come before everything else."""
    text = read(trained, trained).text
    head = text[: text.index("Case by case")]
    assert "Everything judged, nothing regressed" in head
    for told in ("a-run", trained.manifest.started, trained.machine.torch, trained.machine.devices["cpu"].model):
        assert told in head


def test_a_regression_is_named_first_and_linked(trained: RunRecord) -> None:
    """A cell that regressed stands out by name, stage and sentence, and its card is the link's end."""
    worse = changed(trained, relu_in_float32, final_loss=7.0, final_digest="other")
    page = read(worse, trained)
    assert page.text.index("Something regressed") < page.text.index("What stands out") < page.text.index("Case by case")
    assert re.search(r"regressed loss , at stage later · relu\[cpu-float32\] final loss of seed \d+ is 7", page.text)
    assert "#" + anchor("relu", "cpu", "float32") in page.links


def test_without_a_baseline_nothing_regressed_and_nothing_is_hidden(trained: RunRecord) -> None:
    """The page says that losses could not be judged, and how to accept a baseline."""
    text = read(trained).text
    assert "Nothing regressed, but something could not be judged" in text
    assert "8 missing" in text
    assert "no baseline; accept one with: suite accept RUN --reason TEXT" in text


def test_an_interrupted_run_says_so(trained: RunRecord) -> None:
    """How much of it was recorded, and what completes it; a cell without a seed is shown as such."""
    kept = trained.trials["case"] == "relu"
    half = replace(
        trained,
        manifest=replace(trained.manifest, complete=False),
        trials=trained.trials[kept],
        curves=trained.curves[trained.curves["case"] == "relu"],
    )
    text = read(half, trained).text
    assert f"Interrupted: {kept.sum()} of {len(trained.trials)} trials were recorded. suite run --resume" in text
    assert "0 of 16 seeds" in text


def test_diverged_and_failed_seeds_are_counted(trained: RunRecord) -> None:
    """Seeds whose loss is not finite, and those that could not be trained, are marked in words."""
    first = changed(trained, lambda row: relu_in_float32(row) and row["seed"] < 3, status="diverged", final_loss=np.inf)
    both = changed(first, lambda row: relu_in_float32(row) and row["seed"] == 5, status="error", reason="no memory")
    text = read(both, trained).text
    assert "3 diverged: their final loss is not finite. 1 could not be trained." in text
    assert "3 diverged, 1 failed" in text
    assert "not trained" in text


def test_every_claim_stands_in_every_dtype(trained: RunRecord) -> None:
    """Each claim of a case is shown with what it says, what is expected, and how it came out; a broken one as such."""
    text = read(trained, trained).text
    assert "G2 under a ReLU some runs, half of all seeds" in text
    assert "dead exactly 1, with probability 0.5" in text
    dead = trained.observations["name"] == "dead"
    none = replace(
        trained, observations=trained.observations.assign(value=trained.observations["value"].mask(dead, 0.0))
    )
    assert read(none, trained).text.count("does not hold") > 0
    assert text.count("does not hold") == 0


def test_dead_seeds_are_counted_and_drawn_apart(trained: RunRecord) -> None:
    """A case with dead seeds says how many there are, and what their colour is."""
    dead = int(
        trained.observations[(trained.observations["name"] == "dead") & (trained.observations["dtype"] == "float32")][
            "value"
        ].sum()
    )
    text = read(trained, trained).text
    assert f"{dead} are dead." in text
    assert "neuron.weight of 16 seeds. Red ones are dead. Dashed: the closed form." in text


def test_every_link_leads_somewhere_and_every_place_is_one(trained: RunRecord) -> None:
    """No link is dead, and no two elements share an id."""
    page = read(trained)
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))


ALIKE = (
    "a b",
    "a+b",
    "a_b",
    "a-b",
    "a~20~b",
    "a%20b",
    "A b",
    "é",
    "e\u0301",
    "matrix",
    "verdicts",
    "filter",
    "cell",
    "",
)


def test_no_two_places_share_a_name() -> None:
    """Whatever cases and devices are called, each has a place of its own, and none takes one of the page's."""
    pairs = [(one, other) for one in ALIKE for other in ALIKE]
    places = [*map(anchor, ALIKE), *(anchor(*pair) for pair in pairs)]
    assert len(set(places)) == len(places)
    assert all(re.fullmatch(r"cell[-\w.~]*", place, flags=re.ASCII) for place in places)


def test_cases_of_similar_names_are_linked_apart(run_of: RunOf, trial_of: Callable[..., Trial]) -> None:
    """Each link leads to the case that it names, and each place is one."""
    cases = [case for case in ALIKE if case]
    page = Reader(page_of([JudgedRun(run=run_of([trial_of(0, case=case) for case in cases]))]))
    assert [page.links[2 * place] for place in range(len(cases))] == [f"#{anchor(case)}" for case in cases]
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert len(page.ids) == len(set(page.ids)) == 2 * len(cases) + len(("matrix", "filter", "shown"))


def test_a_page_of_nothing_says_so(trained: RunRecord) -> None:
    """Where nothing was judged, the page does not say that all is well."""
    text = page_of([JudgedRun(run=trained)])
    page = Reader(text)
    assert "Nothing was judged" in page.text
    assert "nothing regressed" not in page.text.lower()
    assert '<header class="band inconclusive">' in text


def test_every_picture_has_words(trained: RunRecord) -> None:
    """What cannot be seen can be read: network, losses, paths and graphs."""
    words = read(trained).pictures
    assert all(words)
    assert sum(text.startswith("Network: ") for text in words) == 2
    assert sum(text.startswith("Loss over steps") for text in words) == 4
    assert sum(text.startswith("Path of neuron.weight") for text in words) == 2
    assert sum(text.startswith("Graphs of 16 trained networks") for text in words) == 2


def test_what_came_from_files_is_text(trained: RunRecord, verdict_of: Callable[..., Verdict]) -> None:
    """Names, titles, sentences and notes that hold markup are shown as they stand, and nothing of them runs."""
    cases = tuple(
        replace(case, title=HOSTILE, document=HOSTILE, source=HOSTILE, folder=HOSTILE)
        for case in trained.manifest.cases
    )
    claims = tuple(replace(claim, says=HOSTILE, document=HOSTILE) for claim in trained.manifest.claims)
    manifest = replace(trained.manifest, cases=cases, claims=claims, notes=(HOSTILE,), run=HOSTILE)
    verdicts = [
        verdict_of(Outcome.BROKEN, case="relu", dtype="float32", sentence=HOSTILE, aspect=Aspect.EXPECTATION),
        verdict_of(Outcome.REGRESSED, case=HOSTILE, device=HOSTILE, dtype=HOSTILE, sentence=HOSTILE),
    ]
    text = page_of([JudgedRun(run=replace(trained, manifest=manifest), verdicts=verdicts)])
    page = Reader(text)
    assert page.scripts == 1
    assert "<script>alert" not in text
    assert page.text.count("alert('x')") >= 10


def test_runs_stand_side_by_side(trained: RunRecord) -> None:
    """Two runs on devices of one name have columns of their own."""
    other = replace(trained, manifest=replace(trained.manifest, run="b-run"))
    runs = [JudgedRun(run=run, verdicts=judge(run, {"cpu": trained})) for run in (trained, other)]
    page = Reader(page_of(runs))
    for run in ("a-run", "b-run"):
        assert anchor("relu", f"{run}:cpu", "float32") in page.ids
    assert "losses agree" in page.text


def test_what_is_said_of_all_cells_is_said_once(trained: RunRecord, verdict_of: Callable[..., Verdict]) -> None:
    """Several runs that lack the same device say so together."""
    skipped = verdict_of(Outcome.SKIPPED, case="*", device="cuda", dtype="*", mode="*")
    page = Reader(page_of([JudgedRun(run=trained, verdicts=[skipped]) for _ in range(3)]))
    assert page.text.count("all cells on cuda") == 1


def test_a_page_of_many_cells_is_small() -> None:
    """All documented cases in four dtypes with a hundred seeds stay below 5 MB."""
    baseline = find_baselines(Path(__file__).parents[3] / "results" / "baselines")["cpu"]
    assert len(baseline.manifest.cells) == 208
    page = page_of([JudgedRun(run=baseline, verdicts=judge(baseline, {"cpu": baseline}))])
    assert len(page.encode()) < 5_000_000


def test_a_page_is_written_whole(trained: RunRecord, tmp_path: Path) -> None:
    """What is written is what was made, in UTF-8."""
    judged: Sequence[JudgedRun] = [JudgedRun(run=trained, verdicts=[])]
    write_page(tmp_path / "page.html", judged)
    assert (tmp_path / "page.html").read_text("utf-8") == page_of(judged)
