"""Seeds are pairs where both sides drew from one stream, which is more than what two streams have by chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from suite.judge import Outcome, Stage
from suite.judge.loss import Terms, judge_loss
from suite.judge.pairs import Pairs
from suite.judge.stream import same_stream
from suite.judge.tolerance import ROUNDING
from suite.judge.verdict import Judgement
from suite.trial import Trial

ALPHA = 1e-5
SEEDS = 100
Starts = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
"""Parameters by seed: ``(seeds, parameters)``."""
Started = Callable[[Starts], list[Trial]]


@pytest.fixture(scope="module")
def started(trial_of: Callable[..., Trial]) -> Started:
    """Make trials that start from these parameters, and whose losses come of them."""

    def make(starts: Starts) -> list[Trial]:
        weights = np.cos(np.arange(1.0, starts.shape[1] + 1.0))
        return [
            trial_of(
                seed,
                init_digest=start.tobytes().hex(),
                init_norm=float(np.linalg.norm(start)),
                start_norm=float(np.linalg.norm(start)),
                start_projection=float(start @ weights),
                final_loss=float(abs(start @ weights)),
            )
            for seed, start in enumerate(starts)
        ]

    return make


@pytest.fixture(scope="module")
def one_stream(pairs_of: Callable[..., Pairs], started: Started) -> Callable[..., bool]:
    """Tell whether starts are taken for those of one stream."""
    return lambda ours, theirs, dtype="float32": same_stream(pairs_of(started(ours), started(theirs)), dtype, ALPHA)


@pytest.fixture(scope="module")
def judged(pairs_of: Callable[..., Pairs], started: Started) -> Callable[..., Judgement]:
    """Judge the losses of trials that start so, on another machine."""
    terms = Terms(dtype="float32", same_machine=False, differs="torch 3.0", alpha=ALPHA)
    return lambda ours, theirs: judge_loss(pairs_of(started(ours), started(theirs)), terms)


def drawn(parameters: int = 31, *, skipped: int = 0, seeds: int = SEEDS) -> Starts:
    """Draw each seed's parameters between -1 and 1, after some numbers that are thrown away."""
    return np.stack([np.random.default_rng(s).uniform(-1.0, 1.0, skipped + parameters)[skipped:] for s in range(seeds)])


def of_one_size(starts: Starts) -> Starts:
    """Return starts of norm 1, as orthogonal ones are, up to rounding."""
    sized: Starts = starts / np.linalg.norm(starts, axis=1, keepdims=True)
    return sized * (1.0 + ROUNDING / 8 * np.sign(starts[:, :1]))


def rounded(starts: Starts) -> Starts:
    """Return starts that other kernels rounded otherwise."""
    return starts * (1.0 + ROUNDING / 4 * np.sign(np.sin(np.arange(starts.size)))).reshape(starts.shape)


@pytest.mark.parametrize("parameters", [1, 3, 31, 3001])
@pytest.mark.parametrize("skipped", [1, 3, 22, 44])
def test_a_stream_that_is_some_numbers_on_is_another(
    one_stream: Callable[..., bool], judged: Callable[..., Judgement], parameters: int, skipped: int
) -> None:
    """Its starts go along with the baseline's, one way or the other, since most of their numbers are the same."""
    ours, theirs = drawn(parameters, skipped=skipped), drawn(parameters)
    assert not one_stream(ours, theirs)
    assert judged(ours, theirs).outcome is Outcome.PASS


@pytest.mark.parametrize("size", [of_one_size, np.sign])
@pytest.mark.parametrize("seeds", [8, SEEDS])
def test_starts_of_one_size_are_no_one_stream(
    one_stream: Callable[..., bool], size: Callable[[Starts], Starts], seeds: int
) -> None:
    """Orthogonal ones and signs have the same norm in every stream; rounded otherwise, they are the same starts."""
    ours, theirs = (size(drawn(13, skipped=skipped, seeds=seeds)) for skipped in (100, 0))
    assert not one_stream(ours, theirs)
    assert one_stream(rounded(theirs), theirs)


@pytest.mark.parametrize("size", [of_one_size, np.sign])
def test_starts_of_one_size_from_another_stream_pass(
    judged: Callable[..., Judgement], size: Callable[[Starts], Starts]
) -> None:
    """By how they are rounded, norms of one size are no other ones."""
    ours, theirs = (size(drawn(13, skipped=skipped)) for skipped in (100, 0))
    found = judged(ours * (1.0 + ROUNDING / 4), theirs)
    assert (found.outcome, found.stage) == (Outcome.PASS, Stage.INITIALISATION)


@pytest.mark.parametrize("numbers", [2, 101])
def test_starts_that_are_one_of_a_few_coincide_in_any_stream(
    judged: Callable[..., Judgement], one_stream: Callable[..., bool], numbers: int
) -> None:
    """Both with other seeds' and with their own of another stream."""
    ours, theirs = (np.ceil(drawn(1, skipped=skipped) * numbers / 2) for skipped in (100, 0))
    assert not one_stream(ours, theirs)
    assert judged(ours, theirs).outcome is Outcome.PASS
    assert one_stream(theirs, theirs)


@pytest.mark.parametrize("seeds", [1, 3, SEEDS])
@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_starts_that_were_rounded_otherwise_are_the_same(
    one_stream: Callable[..., bool], seeds: int, dtype: str
) -> None:
    """Of one seed, of a few, and of many; whether they vary or are all the same."""
    theirs = drawn(seeds=seeds)
    assert one_stream(rounded(theirs), theirs, dtype)
    constant = np.full_like(theirs, 0.5)
    assert one_stream(constant * (1.0 + ROUNDING / 4), constant, dtype)


@pytest.mark.parametrize("factor", [1.1, 2.0**0.5, 0.5])
def test_starts_that_are_all_larger_by_one_factor_are_seen(
    one_stream: Callable[..., bool], judged: Callable[..., Judgement], factor: float
) -> None:
    """They are the same draw, and no other one."""
    ours, theirs = factor * drawn(), drawn()
    assert one_stream(ours, theirs)
    assert (judged(ours, theirs).outcome, judged(ours, theirs).stage) == (Outcome.REGRESSED, Stage.INITIALISATION)


def test_starts_to_which_the_same_was_added_are_seen(one_stream: Callable[..., bool]) -> None:
    """As to the only weight of a neuron, or to any one parameter: they are the same draw."""
    for parameters in (1, 31):
        theirs = drawn(parameters, seeds=12)
        assert one_stream(theirs + 0.01, theirs)


def normal(starts: Starts) -> Starts:
    """Return as many numbers of the normal distribution of unit variance in place of those between -1 and 1."""
    from scipy import special

    numbers: Starts = special.ndtri((starts + 1.0) / 2.0)
    return numbers


def without_biases(starts: Starts) -> Starts:
    """Return starts whose last ten numbers are 0."""
    return np.where(np.arange(starts.shape[1]) < starts.shape[1] - 10, starts, 0.0)


def with_wider_layer(starts: Starts) -> Starts:
    """Return starts whose first ten numbers are a tenth larger."""
    return np.where(np.arange(starts.shape[1]) < 10, 1.1 * starts, starts)


def constant(starts: Starts) -> Starts:
    """Return starts that are all the same."""
    return np.full_like(starts, 0.5)


@pytest.mark.parametrize("changed", [normal, without_biases, with_wider_layer, constant])
def test_other_numbers_of_the_same_stream_are_seen(
    judged: Callable[..., Judgement], changed: Callable[[Starts], Starts]
) -> None:
    """Seed by seed or as two samples: every start, or its like, is larger or smaller than it was."""
    found = judged(changed(drawn()), drawn())
    assert (found.outcome, found.stage) == (Outcome.REGRESSED, Stage.INITIALISATION)


def test_starts_that_are_closer_together_are_seen(judged: Callable[..., Judgement]) -> None:
    """Though their median is what it was: half as far from it."""
    theirs = drawn()
    norms = np.linalg.norm(drawn(skipped=100), axis=1, keepdims=True)
    ours = drawn(skipped=100) / norms * (np.median(norms) + (norms - np.median(norms)) / 4.0)
    found = judged(ours, theirs)
    assert (found.outcome, found.stage) == (Outcome.REGRESSED, Stage.INITIALISATION)
    assert "off the median" in found.sentence


def test_a_negated_start_is_the_same_draw(one_stream: Callable[..., bool]) -> None:
    """A norm that is equal to the last digit in most of the seeds is no chance."""
    assert one_stream(-drawn(), drawn())


@pytest.mark.parametrize(("seeds", "alike"), [(3, 1), (20_000, 1)])
def test_few_starts_of_two_streams_are_alike_by_chance(
    pairs_of: Callable[..., Pairs], trial_of: Callable[..., Trial], seeds: int, alike: int
) -> None:
    """A norm that is the other's up to rounding makes no one stream of two; most of them do."""
    draws = np.random.default_rng(0).uniform(-1.0, 1.0, (4, seeds))
    theirs = [
        trial_of(s, init_digest=f"a{s}", init_norm=abs(norm), start_projection=x, curve=(), distances=())
        for s, (norm, x) in enumerate(zip(*draws[:2], strict=True))
    ]
    ours = [
        replace(t, init_digest=f"b{t.seed}", init_norm=t.init_norm if t.seed < alike else abs(norm), start_projection=x)
        for t, norm, x in zip(theirs, *draws[2:], strict=True)
    ]
    assert not same_stream(pairs_of(ours, theirs), "float64", ALPHA)
    rounded = [replace(mine, init_norm=yours.init_norm) for mine, yours in zip(ours, theirs, strict=True)]
    assert same_stream(pairs_of(rounded, theirs), "float64", ALPHA)
