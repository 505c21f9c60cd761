"""Pictures of a run: Vega-Lite specifications, drawn as SVG by Vega itself, without a browser or a network.

Colours are names of the page's own (``var(--live)``), so that one picture serves light and dark.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import vl_convert
from numpy.typing import NDArray

from suite.observe import Array
from suite.picture import CLOSED_FORM, TRAINED
from suite.report.escape import plain

Spec = dict[str, Any]

WIDTH, HEIGHT = 250, 150
"""Of the area within the axes, in pixels."""

BANDS = (("5", "95", 0.18), ("25", "75", 0.3))
"""Quantiles between which a fan is filled, in percent, and how strongly."""
LEVELS = (5, 25, 50, 75, 95)
MOST_TICKS = 5
LEAST = 1e-300
"""On a linear axis, what is nearer to 0 stands at 0: Vega cannot mark a range of numbers that small."""

LIVE, DEAD, TRUTH, DATA, QUIET = (f"var(--{name})" for name in ("live", "dead", "truth", "data", "quiet"))

CONFIG: Spec = {
    "aria": False,
    "background": None,
    "padding": 2,
    "font": "system-ui, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "domainColor": QUIET,
        "tickColor": QUIET,
        "gridColor": QUIET,
        "gridOpacity": 0.2,
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "titleFontWeight": "normal",
        "tickCount": 5,
    },
    "legend": {"labelColor": "currentColor", "titleColor": "currentColor", "orient": "top", "title": None},
}


def draw(spec: Spec) -> str:
    """Return a specification's picture as SVG.

    Raises:
        ValueError: if Vega does not take the specification.
    """
    whole = {"width": WIDTH, "height": HEIGHT, "config": CONFIG, **spec}
    return str(vl_convert.vegalite_to_svg(json.dumps(_plain(whole), allow_nan=False)))


def _plain(part: Any) -> Any:
    """Return a part of a specification without control characters, of which Vega's renderer ends the whole process."""
    if isinstance(part, dict):
        return {name: _plain(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_plain(value) for value in part]
    return plain(part) if isinstance(part, str) else part


def fan(steps: Sequence[int], groups: Mapping[str, Array]) -> Spec:
    """Draw losses over steps, group by group, as a fan of quantiles over seeds; ``(seeds, points)`` each.

    A loss that is not finite, or of 0, has no place on a logarithmic axis: the line ends there.
    """
    rows = pd.concat([_quantiles(steps, losses).assign(group=name) for name, losses in groups.items()])
    levels = [*map(str, LEVELS)]
    low, high = np.nanmin(rows[levels].to_numpy()), np.nanmax(rows[levels].to_numpy())
    x = {"field": "step", "type": "quantitative", "scale": {"type": "log", "nice": False}, "title": "step, from 1"}
    y = {"field": "50", "type": "quantitative", "scale": {"type": "log", "nice": False}, "title": "loss"}
    encoding = {"x": x | _decades(1, max(steps) + 1), "y": y | _decades(low, high), "color": _live_or_dead("group")}
    filled = [
        {"mark": {"type": "area", "opacity": opacity}, "encoding": {"y": {**y, "field": lower}, "y2": {"field": upper}}}
        for lower, upper, opacity in BANDS
    ]
    layers = [*filled, {"mark": {"type": "line"}}]
    return {"data": {"values": _records(rows, ["group", "step", *levels])}, "encoding": encoding, "layer": layers}


def has_place(losses: Array) -> bool:
    """Tell whether anything of a fan of these losses can stand on its logarithmic axis."""
    return bool(_placed(losses).any())


def all_placed(losses: Array) -> bool:
    """Tell whether a fan of these losses has no gap: whether all but a twentieth of the seeds can stand on its axis."""
    return bool(_placed(losses).all())


def _placed(losses: Array) -> NDArray[np.bool_]:
    """Tell of each point's quantiles whether they can stand on a logarithmic axis."""
    if not losses.size:
        return np.zeros(0, dtype=np.bool_)
    placed: NDArray[np.bool_] = _quantiles(range(losses.shape[1]), losses)[[*map(str, LEVELS)]].notna().to_numpy()
    return placed


def _decades(low: float, high: float) -> Spec:
    """Mark powers of ten on a logarithmic axis, every so many, if there are two or more of them."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    apart = max(1, (last - first) // MOST_TICKS + 1)
    values = [10.0**power for power in range(first, last + 1, apart)]
    return {"axis": {"format": ".3~g", "values": values if len(values) > 1 else [low, high]}}


def _quantiles(steps: Sequence[int], losses: Array) -> pd.DataFrame:
    """Return quantiles over seeds, point by point, where what is no number is above all; NaN where one has no place."""
    ordered = np.sort(np.where(np.isnan(losses), np.inf, losses), axis=0)
    levels = {f"{level}": ordered[round(level / 100 * (len(ordered) - 1))] for level in LEVELS}
    placed = {name: np.where(np.isfinite(row) & (row > 0), row, np.nan) for name, row in levels.items()}
    return pd.DataFrame({"step": np.array(steps) + 1, **placed})


def paths(curves: pd.DataFrame, dead: Sequence[int], title: str) -> Spec:
    """Draw a parameter's paths, seed by seed: rows of seed, form, x and y, its closed form over them."""
    rows = curves.assign(kind=np.where(curves["seed"].isin(dead), "dead", "live"))
    x = {"field": "x", "type": "quantitative", "scale": {"type": "symlog"}, "title": "updates"}
    x["axis"] = {"values": [0, 1, 2, 5, 10, 20, 50, 100]}
    y = {"field": "y", "type": "quantitative", "title": title, "scale": {"zero": False}}
    lines = [
        {
            "data": {"values": _records(rows[rows["form"] == TRAINED], ["seed", "x", "y", "kind"])},
            "mark": {"type": "line", "opacity": 0.55, "strokeWidth": 1.2},
            "encoding": {"x": x, "y": y, "detail": {"field": "seed"}, "color": _live_or_dead("kind")},
        },
        {
            "data": {"values": _records(rows[rows["form"] == CLOSED_FORM], ["seed", "x", "y"])},
            "mark": {"type": "line", "color": TRUTH, "opacity": 0.8, "strokeWidth": 0.8, "strokeDash": [2, 3]},
            "encoding": {"x": x, "y": y, "detail": {"field": "seed"}},
        },
    ]
    return {"layer": lines}


def _live_or_dead(field: str) -> Spec:
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": ["live", "dead"], "range": [LIVE, DEAD]},
        "legend": None,
    }


def fits(curves: pd.DataFrame, points: Sequence[tuple[float, float]]) -> Spec:
    """Draw what trained networks answer, seed by seed, over the data; the interval of the data is shaded."""
    x = {"field": "x", "type": "quantitative", "title": "input", "scale": {"nice": False}}
    y = {"field": "y", "type": "quantitative", "title": "output"}
    layers: list[Spec] = []
    where = [point for a, b in points if None not in (point := {"x": _linear(a), "y": _linear(b)}).values()]
    if where:
        inputs = [point["x"] for point in where]
        shade = {"type": "rect", "color": DATA, "opacity": 0.1}
        between = {"x": {"datum": min(inputs), "type": "quantitative"}, "x2": {"datum": max(inputs)}}
        layers.append({"data": {"values": [{}]}, "mark": shade, "encoding": between})
    lines = {"type": "line", "color": LIVE, "opacity": 0.4, "strokeWidth": 1}
    values = _records(curves, ["seed", "x", "y"])
    layers.append(
        {"data": {"values": values}, "mark": lines, "encoding": {"x": x, "y": y, "detail": {"field": "seed"}}}
    )
    dots = {"type": "point", "filled": True, "size": 14, "color": DATA, "opacity": 1}
    layers.append({"data": {"values": where}, "mark": dots, "encoding": {"x": x, "y": y}})
    return {"layer": layers}


def scaling(rows: pd.DataFrame) -> Spec:
    """Draw a step's time against the number of seeds trained together: rows of device, seeds and microseconds."""
    x = {"field": "seeds", "type": "quantitative", "scale": {"type": "log"}, "title": "seeds together"}
    y = {"field": "microseconds", "type": "quantitative", "scale": {"type": "log"}, "title": "µs a step"}
    series = {"field": "device", "type": "nominal", "scale": {"range": [LIVE, DEAD, TRUTH, DATA]}}
    values = _records(rows, ["device", "seeds", "microseconds"])
    return {
        "data": {"values": values},
        "mark": {"type": "line", "point": True},
        "encoding": {"x": x, "y": y, "color": series},
    }


def _records(rows: pd.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    """Return rows as Vega takes them: five digits are more than a pixel, and what is not finite is left out.

    A seed is a name: as a number, two of the largest would be one.
    """
    forms = [GIVEN_AS.get(name, _short) for name in names]
    return [
        {name: form(value) for name, form, value in zip(names, forms, values, strict=True)}
        for values in rows[names].itertuples(index=False, name=None)
    ]


def _linear(value: float) -> Any:
    """Return a number as it stands on a linear axis, or None if it has no place there."""
    short = _short(value)
    return 0.0 if short is not None and abs(short) < LEAST else short


GIVEN_AS: dict[str, Callable[[Any], Any]] = {"seed": str, "x": _linear, "y": _linear}
"""How Vega is given the values of a column, where it is not by their first digits."""


def _short(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    rounded = float(f"{value:.5g}")
    return rounded if math.isfinite(rounded) else None
