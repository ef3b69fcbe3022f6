"""The figures of the pages, in the plain JSON types that Plotly's script takes.

Colours are variables of the page's style, as in `var(--first)`: the page puts in their values,
which differ in light and dark.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

FIRST, SECOND = "var(--first)", "var(--second)"

SCALE = "var(--scale)"
"""From worse to better."""

_GRID, _MUTED = "var(--grid)", "var(--muted)"

_PERCENT = {"tickformat": ".0%", "range": [0, 1.02]}

_BARS = 30
"""Of a histogram."""

Series = Sequence[float | None]


def bars(groups: Sequence[str], sides: dict[str, Series], title: str) -> dict:
    """Shares, 0..1, of each group side by side; `sides` are by the names of their colours."""
    traces = [
        {
            "type": "bar",
            "name": _text(name),
            "x": [_text(group) for group in groups],
            "y": list(shares),
            "marker": {"color": colour},
            "hovertemplate": "%{x}: %{y:.1%}<extra>" + _text(name) + "</extra>",
        }
        for colour, (name, shares) in zip((FIRST, SECOND), sides.items(), strict=False)
    ]
    return _figure(traces, xaxis={"type": "category"}, yaxis={"title": {"text": title}, **_PERCENT})


def calibration(sides: dict[str, Sequence[dict]]) -> dict:
    """The share of true relations by their score, bins as of `score_bins`, beside the diagonal."""
    traces = [
        {
            "type": "scatter",
            "mode": "lines",
            "x": [0, 1],
            "y": [0, 1],
            "line": {"color": _MUTED, "dash": "dot", "width": 1},
            "hoverinfo": "skip",
            "name": "perfect",
        }
    ]
    for colour, (name, bins) in zip((FIRST, SECOND), sides.items(), strict=False):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": _text(name),
                "x": [one["score"] for one in bins],
                "y": [one["true"] for one in bins],
                "customdata": [one["relations"] for one in bins],
                "marker": {"color": colour, "size": [_dot(one["relations"]) for one in bins]},
                "line": {"color": colour},
                "hovertemplate": "score %{x:.2f}: %{y:.1%} of %{customdata} relations hold",
            }
        )
    return _figure(
        traces,
        xaxis={"title": {"text": "mean score"}, "range": [0, 1.02], "showgrid": True},
        yaxis={"title": {"text": "share that is true"}, **_PERCENT},
    )


def histogram(sides: dict[str, Series]) -> dict:
    """Latencies, ms; the slowest 1 % of frames, such as the first, are in the last bar."""
    known = {name: [ms for ms in values if ms is not None] for name, values in sides.items()}
    together = [ms for values in known.values() for ms in values]
    low, high = (min(together), np.percentile(together, 99)) if together else (0, 1)
    edges = np.linspace(low, max(high, low + 1e-3), _BARS + 1)
    traces = [
        {
            "type": "bar",
            "name": _text(name),
            "x": ((edges[1:] + edges[:-1]) / 2).round(3).tolist(),
            "y": np.histogram(np.clip(values, low, edges[-1]), edges)[0].tolist(),
            "width": float(edges[1] - edges[0]),
            "marker": {"color": colour},
            "opacity": 0.65 if len(known) > 1 else 1.0,
            "hovertemplate": "about %{x:.1f} ms: %{y} frames",
        }
        for colour, (name, values) in zip((FIRST, SECOND), known.items(), strict=False)
    ]
    return _figure(
        traces,
        xaxis={"title": {"text": "ms"}},
        yaxis={"title": {"text": "frames"}},
        barmode="overlay",
        bargap=0.02,
    )


def timeline(
    names: Sequence[str],
    lines: dict[str, Series],
    colours: Series,
    limits: tuple[float, float],
    pictured: Sequence[int],
) -> dict:
    """A mark for each frame of a drive, coloured, and above them curves; to be clicked.

    Args:
        names: of the frames.
        lines: curves, 0..1, by name.
        colours: what colours the marks.
        limits: the values of the worst and of the best colour.
        pictured: frames that have pictures.
    """
    numbers, names = list(range(len(names))), [_text(name) for name in names]
    traces = [
        {
            "type": "heatmap",
            "x": numbers,
            "y": [""],
            "z": [_rounded(colours)],
            "zmin": limits[0],
            "zmax": limits[1],
            "colorscale": SCALE,
            "text": [names],
            "hovertemplate": "frame %{x}: %{text}<extra></extra>",
            "showscale": False,
            "yaxis": "y2",
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": "pictures",
            "x": list(pictured),
            "y": [0.0] * len(pictured),
            "yaxis": "y3",
            "marker": {"color": _MUTED, "symbol": "triangle-up", "size": 7},
            "hovertemplate": "frame %{x}<extra>has pictures</extra>",
            "cliponaxis": False,
            "showlegend": False,
        },
    ]
    for colour, (name, values) in zip((FIRST, SECOND), lines.items(), strict=False):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines+markers" if len(numbers) <= 200 else "lines",
                "name": _text(name),
                "x": numbers,
                "y": _rounded(values),
                "line": {"color": colour, "width": 1.5},
                "marker": {"size": 4},
                "hovertemplate": "%{y:.1%} in frame %{x}<extra>" + _text(name) + "</extra>",
            }
        )
    return _figure(
        traces,
        xaxis={
            "title": {"text": "frame"},
            "anchor": "y3",
            "zeroline": False,
            "range": [-0.5, len(names) - 0.5],
        },
        yaxis={"domain": [0.34, 1], **_PERCENT},
        yaxis2={"domain": [0.12, 0.28], "visible": False, "fixedrange": True},
        yaxis3={"domain": [0, 0.1], "visible": False, "range": [-1, 1], "fixedrange": True},
        hovermode="closest",
    )


def _figure(traces: list[dict], **layout) -> dict:
    """A figure whose names, fields and values Plotly has checked."""
    from plotly.graph_objects import Figure

    axes = {
        name: {"gridcolor": _GRID, "zerolinecolor": _GRID, "automargin": True, **axis}
        for name, axis in layout.items()
        if "axis" in name
    }
    common = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "var(--text)", "family": "system-ui, sans-serif", "size": 12},
        "margin": {"l": 48, "r": 12, "t": 8, "b": 40},
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "showlegend": sum(trace.get("showlegend", True) for trace in traces) > 1,
    }
    Figure({"data": _plain_colours(traces), "layout": _plain_colours(common | layout | axes)})
    return {"data": traces, "layout": common | layout | axes}


def _plain_colours(value):
    """The same with black in place of the page's variables, which Plotly's check does not know."""
    if isinstance(value, dict):
        return {key: _plain_colours(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain_colours(one) for one in value]
    is_variable = isinstance(value, str) and value.startswith("var(")
    return ("Greys" if "scale" in value else "black") if is_variable else value


def _text(name: str) -> str:
    """The name in what Plotly takes for HTML, where only quotes stand for themselves."""
    return escape(name, quote=False)


def _rounded(values: Series) -> list[float | None]:
    return [None if value is None else round(value, 4) for value in values]


def _dot(relations: int) -> float:
    """Diameter, pixels, of a point that stands for so many relations."""
    return 5 + 2 * min(np.log10(max(relations, 1)), 4.0)
