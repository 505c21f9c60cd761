"""Every cell of a run is judged in every aspect that can be judged, apart; and nothing is passed over in silence."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD

from suite.case import Case, fixed
from suite.clause import Clause
from suite.judge import Aspect, Outcome, Stage, Verdict, exit_code, judge, judge_expectations, judge_times
from suite.judge.judge import FALSE_ALARMS, _beside, _level, _tables
from suite.judge.pairs import Pairs
from suite.judge.time import SLOWER
from suite.judge.tolerance import FACTOR
from suite.machine import Machine
from suite.plan import Skip
from suite.records import accept, find_baselines, write_verdicts
from suite.train.eager import train
from suite.trial import PlannedCell, RunRecord, Status, Trial
from tests.cells import MakeCell

SEEDS = 20
CLAUSE = Clause(observation="w", bounds={"*": ([4.5], [5.5])})

RunOf = Callable[..., RunRecord]
Change = Callable[[Trial], Trial]


@pytest.fixture(scope="module")
def trials(trial_of: Callable[..., Trial]) -> list[Trial]:
    """Return enough trials of one cell for every aspect to be judged."""
    return [trial_of(seed) for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def baselines(trials: list[Trial], run_of: RunOf) -> dict[str, RunRecord]:
    """Return the baseline that these trials are."""
    return {"cpu": run_of(trials, clauses=(CLAUSE,))}


def came_out(verdicts: Sequence[Verdict]) -> dict[Aspect, Outcome]:
    """Return the outcome of each aspect of the only cell."""
    outcomes = {verdict.aspect: verdict.outcome for verdict in verdicts}
    assert len(outcomes) == len(verdicts)
    return outcomes


def all_aspects(expectation: Outcome, loss: Outcome, time: Outcome) -> dict[Aspect, Outcome]:
    """Return how the three aspects came out."""
    return {Aspect.EXPECTATION: expectation, Aspect.LOSS: loss, Aspect.TIME: time}


def of(verdicts: Sequence[Verdict], aspect: Aspect) -> Verdict:
    """Return the only verdict about an aspect."""
    (found,) = [verdict for verdict in verdicts if verdict.aspect is aspect]
    return found


def worse(trial: Trial, units: float = 2.0) -> Trial:
    """Return the trial with a final loss beyond its tolerance, by what its own probe was moved by."""
    allowed = FACTOR[trial.dtype] * trial.distances[-1][2] * trial.first_loss**0.5
    return replace(trial, final_loss=(trial.final_loss**0.5 + units * allowed) ** 2)


def slower(trial: Trial) -> Trial:
    """Return the trial with a time well beyond the threshold."""
    return replace(trial, train_seconds=trial.train_seconds * (1 + SLOWER) ** 2)


def elsewhere(trial: Trial) -> Trial:
    """Return the trial with an observation that its clause does not allow."""
    return replace(trial, observations=(("w", 9.0), ("dead", 0.0)))


PASS, BROKEN, REGRESSED, CHANGED = Outcome.PASS, Outcome.BROKEN, Outcome.REGRESSED, Outcome.CHANGED
APART: list[tuple[str, list[Change], tuple[Outcome, Outcome, Outcome], int]] = [
    ("nothing", [], (PASS, PASS, PASS), 0),
    ("an expectation", [elsewhere], (BROKEN, PASS, PASS), 1),
    ("a loss", [worse], (PASS, REGRESSED, PASS), 1),
    ("a better loss", [partial(worse, units=-2.0)], (PASS, Outcome.IMPROVED, PASS), 0),
    ("bits", [partial(worse, units=0.5)], (PASS, CHANGED, PASS), 0),
    ("time", [slower], (PASS, PASS, REGRESSED), 1),
    ("all", [elsewhere, worse, slower], (BROKEN, REGRESSED, REGRESSED), 1),
]


@pytest.mark.parametrize(("changes", "outcomes", "code"), [part[1:] for part in APART], ids=[part[0] for part in APART])
def test_the_aspects_are_judged_apart(
    trials: list[Trial],
    baselines: Mapping[str, RunRecord],
    run_of: RunOf,
    changes: list[Change],
    outcomes: tuple[Outcome, Outcome, Outcome],
    code: int,
) -> None:
    """What is wrong in one aspect is told there, and neither helps nor hurts another."""
    changed = trials
    for change in changes:
        changed = [change(trial) for trial in changed]
    run = run_of(changed, clauses=(CLAUSE,))
    verdicts = judge(run, baselines)
    assert came_out(verdicts) == all_aspects(*outcomes)
    assert judge_times(run, baselines) == [of(verdicts, Aspect.TIME)]
    assert exit_code(verdicts) == code
    assert exit_code(verdicts, strict=True) == (1 if {CHANGED, Outcome.IMPROVED} & {*outcomes} else code)
    assert all(verdict.label == "neuron[cpu-float64]" and verdict.mode == "eager" for verdict in verdicts)


def test_expectations_need_no_baseline(trials: list[Trial], run_of: RunOf) -> None:
    """Right after training they are judged alone, as they are judged beside a baseline."""
    for change, outcome in ((lambda trial: trial, PASS), (elsewhere, BROKEN)):
        run = run_of([change(trial) for trial in trials], clauses=(CLAUSE,))
        assert came_out(judge_expectations(run)) == {Aspect.EXPECTATION: outcome}
        assert judge_expectations(run)[0] == of(judge(run, {}), Aspect.EXPECTATION)


def on_another(machine: Machine, **given: Any) -> Machine:
    """Return a machine that differs in these respects."""
    return replace(machine, **given)


def test_on_other_kernels_losses_are_compared_within_tolerance_and_times_are_not(
    trials: list[Trial], baselines: Mapping[str, RunRecord], run_of: RunOf, machine: Machine
) -> None:
    """Other bits and other times are no fault there; a loss beyond its tolerance is."""
    four = on_another(machine, settings=replace(machine.settings, threads=4))
    near = judge(run_of([slower(worse(t, 0.5)) for t in trials], clauses=(CLAUSE,), on=four), baselines)
    assert came_out(near) == all_aspects(PASS, PASS, Outcome.INCOMPARABLE)
    assert (exit_code(near), exit_code(near, strict=True)) == (0, 0)
    assert "threads 4 (baseline: 1)" in of(near, Aspect.LOSS).sentence
    assert of(near, Aspect.TIME).sentence == "times of another machine: threads 4 (baseline: 1)"
    far = judge(run_of([worse(trial) for trial in trials], clauses=(CLAUSE,), on=four), baselines)
    assert (of(far, Aspect.LOSS).outcome, exit_code(far)) == (REGRESSED, 1)


def test_what_decides_times_alone_leaves_the_bits_comparable(
    trials: list[Trial], baselines: Mapping[str, RunRecord], run_of: RunOf, machine: Machine
) -> None:
    """Another number of cores changes no bit, so a changed bit is still shown."""
    run = run_of([worse(trial, 0.5) for trial in trials], clauses=(CLAUSE,), on=on_another(machine, cores=64))
    assert came_out(judge(run, baselines)) == all_aspects(PASS, CHANGED, Outcome.INCOMPARABLE)


def test_a_cell_without_a_baseline_is_named(
    trials: list[Trial], baselines: Mapping[str, RunRecord], run_of: RunOf, trial_of: Callable[..., Trial]
) -> None:
    """Whether its case, its dtype, its device or everything is new, with the remedy; its expectations are judged."""
    new = [{"case": "new"}, {"dtype": "float16"}, {"device": "cuda:0"}, {"mode": "ensemble"}]
    for given in new:
        trained = [trial_of(seed, **given) for seed in range(3)]
        run = run_of(trained, known_cases=("neuron", "new"), clauses=(CLAUSE,))
        verdicts = judge(run, baselines)
        found = [verdict for verdict in verdicts if verdict.outcome is not Outcome.SKIPPED]
        assert came_out(found) == {Aspect.EXPECTATION: PASS, Aspect.LOSS: Outcome.MISSING}
        assert of(found, Aspect.LOSS).sentence == "no baseline; accept one with: suite accept RUN --reason TEXT"
        assert len(verdicts) - len(found) == ("dtype" in given)
        assert exit_code(verdicts) == 3
    assert came_out(judge(run_of(trials), {}))[Aspect.LOSS] is Outcome.MISSING


def test_a_case_that_was_changed_is_incomparable(
    trials: list[Trial], baselines: Mapping[str, RunRecord], run_of: RunOf
) -> None:
    """It is no regression, however much worse it is; the sentence names both versions and the remedy."""
    run = run_of([replace(worse(trial, 1e6), case_version="1" * 12) for trial in trials], clauses=(CLAUSE,))
    verdicts = judge(run, baselines)
    assert came_out(verdicts) == {Aspect.EXPECTATION: PASS, Aspect.LOSS: Outcome.INCOMPARABLE}
    told = "the case was changed (version 111111111111, baseline 000000000000); accept a new baseline"
    assert of(verdicts, Aspect.LOSS).sentence == told
    assert exit_code(verdicts) == 3


def test_a_case_that_disappeared_is_named(trials: list[Trial], run_of: RunOf, trial_of: Callable[..., Trial]) -> None:
    """Every cell that the baseline holds of it, unless the case is still there and was only not asked for."""
    gone = [trial_of(0, case="gone", dtype=dtype) for dtype in ("float64", "float16")]
    baselines = {"cpu": run_of([*trials, *gone])}
    still = judge(run_of(trials, known_cases=("neuron", "gone")), baselines)
    assert came_out(still) == all_aspects(PASS, PASS, PASS)
    verdicts = judge(run_of(trials), baselines)
    missing = [verdict for verdict in verdicts if verdict.case == "gone"]
    assert [verdict.dtype for verdict in missing] == ["float64", "float16"]
    assert {(v.aspect, v.outcome, v.sentence) for v in missing} == {
        (Aspect.LOSS, Outcome.MISSING, "the baseline has it, but the case disappeared")
    }
    assert exit_code(verdicts) == 3


def test_a_baseline_of_other_folders_misses_no_case(trials: list[Trial], run_of: RunOf) -> None:
    """A user's own cases are not those of the documents, and neither set is gone because of the other."""
    run = run_of(trials, roots=("my/cases",))
    others = {"cpu": run_of([replace(trial, case="documented") for trial in trials])}
    assert came_out(judge(run, others)) == {Aspect.EXPECTATION: PASS, Aspect.LOSS: Outcome.MISSING}


def test_one_run_as_the_baseline_of_two_devices_is_asked_once(
    trials: list[Trial], run_of: RunOf, trial_of: Callable[..., Trial]
) -> None:
    """A cell that disappeared is named once, though the run stands for both types of device."""
    both = run_of([*trials, trial_of(0, case="gone"), trial_of(0, device="cuda:0")])
    verdicts = judge(run_of(trials), {"cpu": both, "cuda": both})
    assert [verdict.case for verdict in verdicts].count("gone") == 1


def test_a_copy_beside_a_baseline_is_nobodys(
    trials: list[Trial], run_of: RunOf, trial_of: Callable[..., Trial]
) -> None:
    """A folder beside a baseline that holds the same misses no case a second time."""
    baseline = run_of([*trials, trial_of(0, case="gone")])
    verdicts = judge(run_of(trials), {"cpu": baseline, "cpu.bak": baseline})
    assert [verdict.case for verdict in verdicts].count("gone") == 1


def test_each_type_of_device_has_its_own_baseline(
    trials: list[Trial], run_of: RunOf, trial_of: Callable[..., Trial]
) -> None:
    """A cell is judged against the baseline of its device, and by the facts of its device."""
    card = [trial_of(seed, device="cuda:0") for seed in range(SEEDS)]
    run = run_of([*trials, *card])
    verdicts = judge(run, {"cpu": run_of(trials), "cuda": run_of([worse(trial, -2.0) for trial in card])})
    losses = {verdict.device: verdict.outcome for verdict in verdicts if verdict.aspect is Aspect.LOSS}
    assert losses == {"cpu": PASS, "cuda:0": REGRESSED}


def test_a_device_that_was_skipped_is_told_with_its_reason(trials: list[Trial], run_of: RunOf) -> None:
    """Once, for all cases; it does not fail."""
    run = run_of(trials, skipped=(Skip(device="cuda", reason="no card here"),))
    for verdicts in (judge(run, {"cpu": run}), judge_expectations(run)):
        (skipped,) = [verdict for verdict in verdicts if verdict.outcome is Outcome.SKIPPED]
        assert (skipped.label, skipped.mode, skipped.sentence) == ("*[cuda-*]", "*", "no card here")
        assert exit_code(verdicts) == 0


def test_cells_of_the_baseline_that_were_not_run_are_counted(
    trials: list[Trial], run_of: RunOf, trial_of: Callable[..., Trial]
) -> None:
    """Of the cases and devices that were run, once for a device; other cases and devices are none of its business."""
    more = [trial_of(0, dtype=dtype, mode=mode) for dtype in ("float32", "float16") for mode in ("eager", "ensemble")]
    apart = [trial_of(0, case="other"), trial_of(0, device="cuda:0")]
    known = {"known_cases": ("neuron", "other")}
    run, baseline = run_of(trials, **known), run_of([*trials, *more, *apart], **known)
    verdicts = judge(run, {"cpu": baseline, "cuda": baseline})
    (told,) = [verdict for verdict in verdicts if verdict.outcome is not PASS]
    assert (told.label, told.mode, told.aspect, told.outcome) == ("*[cpu-*]", "*", Aspect.LOSS, Outcome.SKIPPED)
    assert told.sentence == "of the baseline's 3 cells of these cases, 2 were not run"
    assert (exit_code(verdicts), exit_code(verdicts, strict=True)) == (0, 3)
    assert {verdict.outcome for verdict in judge(baseline, {"cpu": run})} == {PASS, Outcome.MISSING}


def test_an_interrupted_run_is_judged_as_far_as_it_came(
    trials: list[Trial], baselines: Mapping[str, RunRecord], run_of: RunOf
) -> None:
    """Seeds that are missing make the expectation inconclusive; those that are there are compared."""
    untouched = PlannedCell(
        case="neuron", device="cpu", dtype="float16", mode="eager", first_seed=0, seeds=SEEDS, short=False
    )
    begun = PlannedCell(
        case="neuron", device="cpu", dtype="float64", mode="eager", first_seed=0, seeds=SEEDS, short=False
    )
    run = run_of(trials[:12], clauses=(CLAUSE,), cells=(begun, untouched), complete=False)
    verdicts = judge(run, baselines)
    found = {(verdict.dtype, verdict.aspect): (verdict.outcome, verdict.sentence) for verdict in verdicts}
    remedy = "complete the run with --resume"
    assert found["float64", Aspect.EXPECTATION] == (Outcome.INCONCLUSIVE, f"12 of 20 seeds trained; {remedy}")
    assert found["float16", Aspect.EXPECTATION] == (Outcome.INCONCLUSIVE, f"none of 20 seeds trained; {remedy}")
    assert found["float64", Aspect.LOSS] == (PASS, "12 seeds, bit for bit the baseline")
    assert ("float16", Aspect.LOSS) not in found
    assert exit_code(verdicts) == 3


@pytest.mark.parametrize("failures", [1, SEEDS])
def test_seeds_that_could_not_be_trained_fail_the_run(
    trials: list[Trial], baselines: Mapping[str, RunRecord], run_of: RunOf, failures: int
) -> None:
    """The error is an error of the expectation; losses and times are judged over the others."""
    nothing: dict[str, Any] = {
        "curve": (),
        "observations": (),
        "steps": 0,
        "train_seconds": math.nan,
        "final_loss": math.nan,
    }
    failed = [
        replace(t, status=Status.ERROR, reason="no kernel", init_digest="-", **nothing) for t in trials[:failures]
    ]
    verdicts = judge(run_of([*failed, *trials[failures:]], clauses=(CLAUSE,)), baselines)
    all_failed = failures == SEEDS
    assert came_out(verdicts) == all_aspects(
        Outcome.ERROR, Outcome.INCONCLUSIVE if all_failed else PASS, Outcome.INCONCLUSIVE if all_failed else PASS
    )
    assert exit_code(verdicts) == 1


def test_seeds_that_the_baseline_has_not_are_left_out(
    trials: list[Trial], baselines: Mapping[str, RunRecord], run_of: RunOf, trial_of: Callable[..., Trial]
) -> None:
    """More seeds or fewer are compared as far as they are paired; other seeds alone are inconclusive."""
    others = [trial_of(seed) for seed in range(SEEDS, 2 * SEEDS)]
    assert of(judge(run_of([*trials, *others]), baselines), Aspect.LOSS).sentence.startswith(f"{SEEDS} seeds")
    assert of(judge(run_of(trials[:1]), baselines), Aspect.LOSS).sentence.startswith("1 seeds")
    alone = judge(run_of(others), baselines)
    assert of(alone, Aspect.LOSS).outcome is Outcome.INCONCLUSIVE
    assert exit_code(alone) == 3


def test_a_run_without_a_cell_is_judged(run_of: RunOf) -> None:
    """There is nothing to say about it."""
    assert judge(run_of([]), {}) == []


@pytest.mark.parametrize(("cells", "clauses"), [(1, 0), (1, 3), (7, 2)])
def test_all_tests_of_a_run_share_one_budget(
    run_of: RunOf, trial_of: Callable[..., Trial], cells: int, clauses: int
) -> None:
    """However many cells and clauses, the levels of all tests add up to the run's false alarms."""
    run = run_of([trial_of(0, case=f"case {number}") for number in range(cells)], clauses=(CLAUSE,) * clauses)
    tests = {Aspect.EXPECTATION: cells * (clauses + 1), Aspect.LOSS: cells * 4}
    for aspect, number in tests.items():
        assert _level(run, aspect) * number == pytest.approx(FALSE_ALARMS / 3)
    assert FALSE_ALARMS <= 0.01


def test_a_rate_is_judged_at_its_share_of_the_budget(run_of: RunOf, trial_of: Callable[..., Trial]) -> None:
    """A count that is too rare for one cell is to be expected somewhere among a hundred."""
    dead = Clause(observation="dead", bounds={"*": ([1.0], [1.0])}, summary="share", share=(0.5, 0.5))

    def outcomes(cells: int) -> set[Outcome]:
        trials = [
            trial_of(seed, case=f"case {number}", observations=(("dead", float(seed < 2)),))
            for number in range(cells)
            for seed in range(20)
        ]
        return {verdict.outcome for verdict in judge_expectations(run_of(trials, clauses=(dead,)))}

    assert outcomes(1) == {BROKEN}
    assert outcomes(100) == {PASS}


def test_an_accepted_baseline_is_the_run_that_was_accepted(
    tmp_path: Path, trials: list[Trial], run_of: RunOf, trial_of: Callable[..., Trial]
) -> None:
    """Written, found and read again, it is bit for bit what was trained; and every verdict can be written."""
    values = [1 / 3, math.inf, math.nan, -0.0] * (SEEDS // 4)
    odd = [trial_of(seed, device="cuda:0", final_loss=value) for seed, value in enumerate(values)]
    run = run_of([*trials, *odd], clauses=(CLAUSE,), skipped=(Skip(device="mps", reason="not here"),))
    accept(run, tmp_path / "baselines", reason="the first", who="Ada")
    verdicts = judge(run, find_baselines(tmp_path / "baselines"))
    assert {verdict.outcome for verdict in verdicts} == {PASS, Outcome.SKIPPED}
    assert exit_code(verdicts, strict=True) == 0
    write_verdicts(tmp_path, [verdict.row() for verdict in verdicts])


class WrongGradient(torch.autograd.Function):
    """Multiplies by one, but says that it multiplied by a hair more."""

    @staticmethod
    def forward(_context: Any, value: Tensor) -> Tensor:
        """Return the value."""
        return value * 1.0

    @staticmethod
    def backward(_context: Any, gradient: Tensor) -> Tensor:
        """Return a gradient that is a hundredth too large."""
        return gradient * 1.01


class Faulty(nn.Linear):
    """The neuron, with a gradient that is wrong by a hundredth."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch names it so
        """Return the neuron's output."""
        output: Tensor = WrongGradient.apply(super().forward(input))  # type: ignore[no-untyped-call]
        return output


def shifted() -> nn.Linear:
    """Return the neuron, drawn a little higher than it should be."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, layer.weight.item() + 0.01)
    return layer


def too_large(output: Tensor, target: Tensor) -> Tensor:
    """Return a loss that is a hundredth too large."""
    return nn.functional.mse_loss(output, target) * 1.01


PLANTED: list[tuple[dict[str, Any], Stage]] = [
    ({"data": fixed(x=[1.0], target=[5.05])}, Stage.DATA),
    ({"loss": too_large}, Stage.FORWARD),
    ({"architecture": partial(Faulty, 1, 1, bias=False)}, Stage.BACKWARD),
    ({"optimizer": partial(SGD, lr=0.101, momentum=0.9)}, Stage.UPDATE),
    ({"optimizer": partial(SGD, lr=0.1, momentum=0.89)}, Stage.LATER),
]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize(("fault", "stage"), PLANTED, ids=[stage for _, stage in PLANTED])
def test_a_fault_planted_in_training_is_found_at_its_stage(
    neuron: Case,
    cell_of: MakeCell,
    run_of: RunOf,
    machine: Machine,
    fault: dict[str, Any],
    stage: Stage,
    threads: int,
    dtype: str,
) -> None:
    """Really trained, on this machine or another, a change of a hundredth fails and is traced to where it began."""
    whole, faulty = (replace(neuron, name="neuron", steps=30, **part) for part in ({}, fault))
    cells = [cell_of(case, dtype=dtype, probed=range(3)) for case in (whole, faulty)]
    theirs, ours = (train(cell, range(3), timed=False) for cell in cells)
    on = on_another(machine, settings=replace(machine.settings, threads=threads))
    baselines = {"cpu": run_of(theirs)}
    found = of(judge(run_of(ours, on=on), baselines), Aspect.LOSS)
    again = of(judge(run_of(train(cells[0], range(3), timed=False), on=on), baselines), Aspect.LOSS)
    assert found.outcome is REGRESSED
    assert found.stage is stage
    assert (again.outcome, again.stage) == (PASS, Stage.NONE)


def one_draw_later() -> nn.Linear:
    """Return the neuron, drawn after a number that is thrown away."""
    torch.rand(1)
    return nn.Linear(1, 1, bias=False)


@pytest.mark.parametrize(
    ("architecture", "outcome", "told"),
    [(shifted, REGRESSED, "left the baseline at stage init"), (one_draw_later, CHANGED, "another random stream")],
)
def test_a_draw_that_was_changed_is_no_other_stream(
    neuron: Case, cell_of: MakeCell, run_of: RunOf, architecture: Any, outcome: Outcome, told: str
) -> None:
    """Really drawn otherwise: what was moved by one step is paired with the baseline, what was not is a sample."""
    cells = [
        cell_of(replace(neuron, steps=30, **given), probed=range(12)) for given in ({}, {"architecture": architecture})
    ]
    theirs, ours = (train(cell, range(12), timed=False) for cell in cells)
    found = of(judge(run_of(ours), {"cpu": run_of(theirs)}), Aspect.LOSS)
    assert (found.outcome, found.stage) == (outcome, Stage.INITIALISATION)
    assert told in found.sentence


@pytest.mark.parametrize("room", ["judge", "records"])
def test_runs_are_judged_and_kept_without_torch(room: str) -> None:
    """A gate that only compares starts at once, and needs no torch."""
    asked = f"import sys, suite.{room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", asked], check=False).returncode == 0


def test_a_short_reference_is_judged_by_its_baseline_alone(trials: list[Trial], run_of: RunOf) -> None:
    """Of so few steps nothing is expected; losses and times are still held against the baseline."""
    wrong = run_of([elsewhere(trial) for trial in trials], clauses=(CLAUSE,))
    short = replace(
        wrong, manifest=replace(wrong.manifest, cells=tuple(replace(c, short=True) for c in wrong.manifest.cells))
    )
    assert came_out(judge(wrong, {"cpu": short})) == all_aspects(BROKEN, PASS, PASS)
    assert came_out(judge(short, {"cpu": short})) == all_aspects(PASS, PASS, PASS)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [(("eager",), ""), (("eager", "ensemble"), "; give the --mode that the baseline had"), ((), "")],
)
def test_other_steps_are_no_regression(trials: list[Trial], run_of: RunOf, asked: tuple[str, ...], hint: str) -> None:
    """A cell trained for longer than its baseline is incomparable; another mode is named only if it was asked for."""
    longer = run_of([replace(trial, steps=4) for trial in trials], clauses=(CLAUSE,), modes=asked)
    baseline = run_of(trials, clauses=(CLAUSE,), modes=("eager",))
    verdict = of(judge(longer, {"cpu": baseline}), Aspect.LOSS)
    assert verdict.outcome is Outcome.INCOMPARABLE
    assert verdict.sentence == f"seed 0 was trained for 4 steps, in the baseline for 3{hint}"


def test_a_run_of_other_seeds_is_compared_by_those_that_both_followed_as_far(
    trials: list[Trial], run_of: RunOf, trial_of: Callable[..., Trial]
) -> None:
    """The first seed of a short cell is followed for longer, and is another one there; the others have partners."""
    theirs = [replace(trial, steps=100 if trial.seed == 0 else 3) for trial in trials]
    ours = [trial_of(seed, steps=100 if seed == 10 else 3) for seed in range(10, 30)]
    found = of(judge(run_of(ours), {"cpu": run_of(theirs)}), Aspect.LOSS)
    assert (found.outcome, found.sentence) == (
        PASS,
        "9 seeds, bit for bit the baseline; seeds that the baseline lacks: 11",
    )


def test_an_ensemble_has_no_time_of_its_own(trials: list[Trial], run_of: RunOf) -> None:
    """Seeds that share a loop share its time, and a hundred copies of one figure are no evidence."""
    ensemble = run_of([replace(trial, mode="ensemble") for trial in trials], clauses=(CLAUSE,))
    assert came_out(judge(ensemble, {"cpu": ensemble})) == {Aspect.EXPECTATION: PASS, Aspect.LOSS: PASS}


def test_a_draw_that_became_none_is_an_error(trials: list[Trial], run_of: RunOf) -> None:
    """A run whose initialisation draws nothing takes its cases for undrawn; the baseline of the same case knows."""
    alike = [replace(trial, init_digest="same", init_norm=1.0) for trial in trials]
    run, baseline = run_of(alike, clauses=(CLAUSE,)), run_of(trials, clauses=(CLAUSE,))
    undrawn = replace(run.manifest, cases=tuple(replace(case, drawn=False) for case in run.manifest.cases))
    found = of(judge(replace(run, manifest=undrawn), {"cpu": baseline}), Aspect.EXPECTATION)
    assert (found.outcome, found.stage) == (Outcome.ERROR, Stage.INITIALISATION)
    other = tuple(replace(case, version="another") for case in baseline.manifest.cases)
    changed = replace(baseline, manifest=replace(baseline.manifest, cases=other))
    assert of(judge(replace(run, manifest=undrawn), {"cpu": changed}), Aspect.EXPECTATION).outcome is PASS


@pytest.mark.parametrize(("here", "there"), [(True, True), (True, False), (False, True), (False, False)])
def test_a_cell_knows_whether_its_start_is_drawn_on_either_side(
    trials: list[Trial], run_of: RunOf, here: bool, there: bool
) -> None:
    """Where neither side draws anything, there is no random stream."""

    def of_drawn(drawn: bool) -> RunRecord:
        run = run_of(trials)
        cases = tuple(replace(case, drawn=drawn) for case in run.manifest.cases)
        return replace(run, manifest=replace(run.manifest, cases=cases))

    run, baselines = of_drawn(here), {"cpu": of_drawn(there)}
    ((_, side),) = _beside(run, baselines, *_tables(run, baselines))
    assert isinstance(side, Pairs)
    assert side.drawn is side.with_first().drawn is (here or there)


def test_a_mode_that_cannot_be_had_any_more_is_named(trials: list[Trial], run_of: RunOf) -> None:
    """Where nothing compiles, seeds are trained otherwise; the baseline's compiled cell did not vanish unseen."""
    both = [replace(trial, mode=mode) for mode in ("ensemble", "compiled") for trial in trials]
    for asked, code in ((("ensemble", "compiled"), 3), (("ensemble",), 0)):
        verdicts = judge(run_of(both[:SEEDS], modes=asked), {"cpu": run_of(both)})
        assert exit_code(verdicts) == code
        gone = [verdict for verdict in verdicts if verdict.outcome is Outcome.MISSING]
        assert [verdict.mode for verdict in gone] == ["compiled"] * (code == 3)
        assert all("could not be trained in mode compiled here" in verdict.sentence for verdict in gone)


def fixed_at(value: float) -> nn.Linear:
    """Return the neuron, its weight set to a number."""
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, value)
    return layer


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("threads", [1, 4])
def test_a_start_that_draws_nothing_is_no_random_stream(
    neuron: Case, cell_of: MakeCell, run_of: RunOf, machine: Machine, threads: int, dtype: str
) -> None:
    """Really trained: a parameter that is set to another number is judged by tolerance, as twenty equal seeds are."""
    cells = [
        cell_of(replace(neuron, steps=30, architecture=partial(fixed_at, value)), dtype=dtype, probed=range(3))
        for value in (0.5, 0.6)
    ]
    theirs, ours = (run_of(train(cell, range(20), timed=False)) for cell in cells)
    theirs, ours = (
        replace(run, manifest=replace(run.manifest, cases=tuple(replace(c, drawn=False) for c in run.manifest.cases)))
        for run in (
            theirs,
            replace(ours, machine=replace(machine, settings=replace(machine.settings, threads=threads))),
        )
    )
    found = of(judge(ours, {"cpu": theirs}), Aspect.LOSS)
    assert (found.outcome, found.stage) == (REGRESSED, Stage.INITIALISATION)
    assert "times the tolerance" in found.sentence
    assert "stream" not in found.sentence
