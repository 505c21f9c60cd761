"""Pictures hold what they were given: as text that a reader of SVG can check, and as nothing that runs."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest

from suite.picture import CLOSED_FORM, TRAINED
from suite.report.escape import plain
from suite.report.page import charts

STEPS = (0, 1, 2, 4, 8)
HOSTILE = "<script>alert('w')</script> & \"w\""


def lines(svg: str, colour: str) -> int:
    """Count the drawn paths of a colour."""
    root = ET.fromstring(svg)
    return sum(colour in (element.get("stroke", ""), element.get("fill", "")) for element in root.iter())


def curves(*, form: str = TRAINED, name: str = "w") -> pd.DataFrame:
    """Return three seeds' paths of three points."""
    rows = [{"seed": s, "name": name, "form": form, "x": float(x), "y": s + x / 10} for s in range(3) for x in range(3)]
    return pd.DataFrame(rows)


def test_a_fan_has_a_band_for_each_pair_of_quantiles_and_a_line() -> None:
    """Live seeds and dead ones are drawn apart."""
    live = np.geomspace(9.0, 0.1, 5) * np.linspace(1, 2, 20)[:, None]
    dead = np.full((4, 5), 25.0)
    assert lines(charts.draw(charts.fan(STEPS, {"live": live})), charts.LIVE) == len(charts.BANDS) + 1
    both = charts.draw(charts.fan(STEPS, {"live": live, "dead": dead}))
    assert (lines(both, charts.LIVE), lines(both, charts.DEAD)) == (len(charts.BANDS) + 1,) * 2


def test_a_fans_quantiles_are_order_statistics() -> None:
    """Each is a loss of some seed; a loss that is no number is above all, and has no place."""
    losses = np.array([[4.0, 1.0], [2.0, np.nan], [1.0, np.inf], [3.0, 2.0], [5.0, 0.0]])
    rows = charts.fan((0, 1), {"live": losses})["data"]["values"]
    assert [rows[0][str(level)] for level in charts.LEVELS] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [rows[1][str(level)] for level in charts.LEVELS] == [None, 1.0, 2.0, None, None]
    assert [row["step"] for row in rows] == [1, 2]


@pytest.mark.parametrize("losses", [[[0.0, 0.0]], [[np.nan, np.inf]], [[-1.0, -2.0]]])
def test_what_has_no_place_on_the_axis_is_told_apart(losses: list[list[float]]) -> None:
    """Zeros, negative numbers and what is not finite cannot stand on a logarithmic axis."""
    assert not charts.has_place(np.array(losses))
    assert charts.has_place(np.array([*losses, [1.0, 2.0]]))


def test_a_loss_that_is_no_quantile_has_no_place() -> None:
    """Where all quantiles are 0, a fan is empty, whatever one seed did."""
    losses = np.zeros((40, 3))
    losses[-1] = 1.0
    assert not charts.has_place(losses)
    losses[-4:] = 1.0
    assert charts.has_place(losses)


def test_no_seed_has_no_place() -> None:
    """A group without a seed is not drawn, and has no gap."""
    none = np.zeros((0, 3))
    assert (charts.has_place(none), charts.all_placed(none)) == (False, True)


def test_one_loss_that_has_a_place_is_drawn() -> None:
    """A run that diverged after its first step is drawn up to there."""
    assert "svg" in charts.draw(charts.fan((0, 1), {"live": np.array([[3.0, np.nan]])}))


def test_paths_of_live_and_dead_seeds_and_their_closed_form() -> None:
    """Each seed has a line in the colour of its kind, and one dashed over it."""
    both = pd.concat([curves(), curves(form=CLOSED_FORM)])
    svg = charts.draw(charts.paths(both, [2], "w"))
    assert [lines(svg, colour) for colour in (charts.LIVE, charts.DEAD, charts.TRUTH)] == [2, 1, 3]


def test_graphs_lie_over_the_data_and_their_interval() -> None:
    """Each seed has a line, each point a dot, and the interval of the inputs a shade."""
    svg = charts.draw(charts.fits(curves(name="output"), [(0.5, 1.0), (1.5, 2.0)]))
    assert (lines(svg, charts.LIVE), lines(svg, charts.DATA)) == (3, 2 + 1)
    assert lines(charts.draw(charts.fits(curves(name="output"), [])), charts.DATA) == 0


def test_points_that_are_no_numbers_are_left_out() -> None:
    """Of the data, what can stand on both axes is drawn and shaded; if nothing can, there is no shade."""
    odd = [(np.inf, 1.0), (1.0, np.nan), (0.5, -np.inf), (1.7976931348623157e308, 1.0)]
    kept = charts.fits(curves(name="output"), [*odd, (0.5, 1.0), (1.5, 2.0)])
    assert [layer["data"]["values"] for layer in kept["layer"][::2]] == [
        [{}],
        [{"x": 0.5, "y": 1.0}, {"x": 1.5, "y": 2.0}],
    ]
    assert [kept["layer"][0]["encoding"][end]["datum"] for end in ("x", "x2")] == [0.5, 1.5]
    assert lines(charts.draw(kept), charts.DATA) == 2 + 1
    assert lines(charts.draw(charts.fits(curves(name="output"), odd)), charts.DATA) == 0


def test_a_range_of_the_smallest_numbers_is_drawn() -> None:
    """Vega cannot mark an axis between numbers that are next to none; they stand at 0."""
    small = curves().assign(y=[5e-324, 1e-310, -2e-308] * 3, x=[5e-324, 1e-323, 1e-320] * 3)
    for spec in (charts.paths(small, [], "w"), charts.fits(small, [(5e-324, 1e-310), (1e-320, 5e-324)])):
        assert lines(charts.draw(spec), charts.LIVE) == 3


def test_the_largest_seeds_are_told_apart() -> None:
    """Seeds that are one number to JavaScript have a line each, in the colour of their kind."""
    seeds = np.array([2**64 - 3, 2**64 - 2, 2**64 - 1], dtype=np.uint64)
    large = curves().assign(seed=np.repeat(seeds, 3))
    svg = charts.draw(charts.paths(large, [2**64 - 2], "w"))
    assert (lines(svg, charts.LIVE), lines(svg, charts.DEAD)) == (2, 1)
    assert lines(charts.draw(charts.fits(large, [])), charts.LIVE) == 3


def test_scaling_has_a_line_for_each_device() -> None:
    """Time over seeds, on logarithmic axes."""
    rows = [{"device": d, "seeds": n, "microseconds": 10.0 * n} for d in ("cpu", "cuda") for n in (1, 10, 100)]
    svg = charts.draw(charts.scaling(pd.DataFrame(rows)))
    assert re.findall(r">(cpu|cuda)<", svg) == ["cpu", "cuda"]


def test_names_from_files_are_text() -> None:
    """A name that looks like markup is shown as it stands."""
    svg = charts.draw(charts.paths(curves(name=HOSTILE), [], HOSTILE))
    assert "<script" not in svg
    assert HOSTILE in "".join(ET.fromstring(svg).itertext())


def test_no_number_that_is_none_reaches_vega() -> None:
    """NaN and infinities, which JSON has not, are left out."""
    broken = curves().assign(y=[1.0, np.nan, np.inf] * 3)
    assert "NaN" not in charts.draw(charts.paths(broken, [], "w"))


@pytest.mark.parametrize("name", ["a\x1b[2J", "\x00", "\x07\x0c", "a\nb", "\ud800", "\u202e"], ids=ascii)
def test_no_character_ends_the_process(name: str) -> None:
    """Vega's renderer ends the whole process at a control character, which no caller can catch; so it is given none."""
    svg = charts.draw(charts.paths(curves(name=name), [], name))
    assert "".join(ET.fromstring(svg).itertext()).isprintable()
    assert plain(name) in svg
