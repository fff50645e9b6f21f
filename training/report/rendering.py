"""Draws charts twice: as PNG, and in an interactive page that needs no network. Equal charts give equal bytes."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs

from models.evaluation.metrics import Interval

mpl.use("Agg")

Mark = Literal["line", "dashes", "dots", "line and dots", "bars", "area"]
Position = float | date | str

# distinguishable with colour blindness (Okabe and Ito 2008, "Color Universal Design")
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY, PALE = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#AA4499",
    "#56B4E9",
    "#7A7A7A",
    "#D5DCE3",
)
_INK, _LINES = "#2B2B2B", "#E6E6E6"
_MAX_DATES = 12


@dataclass(frozen=True)
class Series:
    """One series of a chart, with a name for the legend (empty: none).

    Attributes
    ----------
    positions, values
        One value for each position.
    intervals
        The interval of each value; empty: none is shown.
    """

    name: str
    positions: tuple[Position, ...]
    values: tuple[float, ...]
    mark: Mark = "line"
    colour: str = BLUE
    intervals: tuple[Interval, ...] = ()

    @property
    def error_bars(self) -> tuple[list[float], list[float]]:
        """Lengths of each interval below and above its value."""
        pairs = list(zip(self.values, self.intervals, strict=True))
        return [max(v - i.low, 0.0) for v, i in pairs], [max(i.high - v, 0.0) for v, i in pairs]


@dataclass(frozen=True)
class Chart:
    """A chart, described once for both renderings.

    Attributes
    ----------
    name
        Of its file, without the suffix.
    caption
        What to look for, in a sentence or two.
    position_label, value_label
        Labels of both axes.
    is_horizontal
        Whether positions are on the vertical axis, the first on top, and values on the horizontal one.
    value_range
        Limits of the value axis; None: those of the values.
    """

    name: str
    title: str
    caption: str
    position_label: str
    value_label: str
    series: tuple[Series, ...] = field(repr=False)
    is_horizontal: bool = False
    value_range: tuple[float, float] | None = None

    @property
    def height(self) -> float:
        """Height of a horizontal chart, by its rows, relative to that of other charts."""
        rows = len({position for series in self.series for position in series.positions})
        return max(1.0, rows / 14) if self.is_horizontal else 1.0


def draw(folder: Path, charts: Sequence[Chart]) -> None:
    """Write ``<name>.png`` for each chart, and all of them into ``evaluation.html``."""
    for chart in charts:
        figure = _png(chart)
        figure.savefig(folder / f"{chart.name}.png", dpi=110, metadata={"Software": None})
    (folder / "evaluation.html").write_text(page(charts), encoding="utf-8")


# --- PNG -----------------------------------------------------------------------------------------------------------

_STYLE: dict[Any, Any] = {
    "axes.edgecolor": _LINES,
    "axes.grid": True,
    "axes.labelcolor": _INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.axisbelow": True,
    "grid.color": _LINES,
    "legend.frameon": False,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
}


def _png(chart: Chart) -> Figure:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 5 * chart.height), layout="constrained")
        axes = figure.add_subplot()
        for series in chart.series:
            _plot(axes, series, is_horizontal=chart.is_horizontal)
        axes.set_title(chart.title, pad=12)
        labels = (chart.position_label, chart.value_label)
        xlabel, ylabel = reversed(labels) if chart.is_horizontal else labels
        axes.set(xlabel=xlabel, ylabel=ylabel)
        _format_axes(axes, chart)
        return figure


def _format_axes(axes: Axes, chart: Chart) -> None:
    if chart.value_range:
        (axes.set_xlim if chart.is_horizontal else axes.set_ylim)(*chart.value_range)
    if chart.is_horizontal:
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    elif any(isinstance(position, date) for position in chart.series[0].positions):
        _dates(axes, chart.series[0].positions)
    if any(series.name for series in chart.series):
        axes.legend(fontsize=9)


def _dates(axes: Axes, positions: Sequence[Position]) -> None:
    """Label at most twelve of the dates."""
    labelled: Any = positions[:: -(-len(positions) // _MAX_DATES)]
    axes.set_xticks(labelled)
    axes.tick_params(axis="x", rotation=30)


def _plot(axes: Axes, series: Series, *, is_horizontal: bool) -> None:
    at: Any = list(series.positions)  # dates and names too, which matplotlib's types do not cover
    values, name = list(series.values), series.name or None
    if series.mark == "bars":
        if is_horizontal:
            axes.barh(at, values, color=series.colour, label=name, height=0.7)
        else:
            axes.bar(at, values, color=series.colour, label=name, width=_width(series))
        return
    points = (values, at) if is_horizontal else (at, values)
    style = {"dashes": "--", "dots": ""}.get(series.mark, "-")
    dot = "o" if "dots" in series.mark else ""
    axes.plot(*points, linestyle=style, marker=dot, markersize=5, linewidth=1.8, color=series.colour, label=name)
    if series.mark == "area":
        axes.fill_between(at, values, color=series.colour, alpha=0.15, linewidth=0)
    if series.intervals:
        bars: dict[str, Any] = {"xerr" if is_horizontal else "yerr": series.error_bars}
        axes.errorbar(*points, **bars, linestyle="", ecolor=series.colour, elinewidth=1.2, alpha=0.6)


def _width(series: Series) -> Any:
    """Width of a bar: at numbers bars almost touch, at names there is space between them."""
    numbers = [position for position in series.positions if not isinstance(position, (str, date))]
    return 0.92 * float(np.diff(numbers).min()) if len(numbers) > 1 else 0.8


# --- The page ------------------------------------------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation</title>
<style>
body {{ font-family: system-ui, sans-serif; color: {ink}; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5 }}
h1 {{ font-size: 1.6rem }} h2 {{ font-size: 1.15rem; margin: 2.5rem 0 .2rem }} p {{ margin: 0 0 .4rem; color: #555 }}
nav a {{ color: {blue}; margin-right: 1rem; display: inline-block }}
</style>
<script>{script}</script></head><body>
<h1>Evaluation</h1>
<nav>{links}</nav>
{sections}
</body></html>
"""


def page(charts: Sequence[Chart]) -> str:
    """Return all charts as one HTML page with plotly.js inside."""
    links = " ".join(f'<a href="#{chart.name}">{html.escape(chart.title)}</a>' for chart in charts)
    sections = "\n".join(_section(chart) for chart in charts)
    return _PAGE.format(ink=_INK, blue=BLUE, script=get_plotlyjs(), links=links, sections=sections)


def _section(chart: Chart) -> str:
    plot = _plotly(chart).to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"chart-{chart.name}",
        config={"displaylogo": False, "responsive": True},
        default_height=f"{420 * chart.height:.0f}px",
    )
    title, caption = html.escape(chart.title), html.escape(chart.caption)
    return f'<section id="{chart.name}"><h2>{title}</h2><p>{caption}</p>{plot}</section>'


def _plotly(chart: Chart) -> go.Figure:
    figure = go.Figure([_trace(series, is_horizontal=chart.is_horizontal) for series in chart.series])
    grid: dict[str, Any] = {"gridcolor": _LINES, "zeroline": False, "linecolor": _LINES, "automargin": True}
    positions = grid | {"title": chart.position_label}
    values = grid | {"title": chart.value_label} | ({"range": list(chart.value_range)} if chart.value_range else {})
    if chart.is_horizontal:
        positions |= {"autorange": "reversed", "showgrid": False}
    figure.update_layout(
        template="none",
        font={"color": _INK, "family": "system-ui, sans-serif"},
        margin={"t": 20, "r": 20},
        bargap=0.08,
        hovermode="closest" if chart.is_horizontal else "x unified",
        legend={"orientation": "h", "y": 1.08},
        xaxis=values if chart.is_horizontal else positions,
        yaxis=positions if chart.is_horizontal else values,
    )
    return figure


def _trace(series: Series, *, is_horizontal: bool) -> Any:
    at = [str(position) if isinstance(position, date) else position for position in series.positions]
    points = {"x": list(series.values), "y": at} if is_horizontal else {"x": at, "y": list(series.values)}
    shared: dict[str, Any] = {**points, "name": series.name, "showlegend": bool(series.name)}
    if series.mark == "bars":
        return go.Bar(**shared, orientation="h" if is_horizontal else "v", marker={"color": series.colour})
    if series.intervals:
        below, above = series.error_bars
        error = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1.2, "width": 0}
        shared["error_x" if is_horizontal else "error_y"] = error
    return go.Scatter(
        **shared,
        mode={"dots": "markers", "line and dots": "lines+markers"}.get(series.mark, "lines"),
        line={"color": series.colour, "width": 2, "dash": "dash" if series.mark == "dashes" else "solid"},
        marker={"size": 7},
        fill="tozeroy" if series.mark == "area" else None,
        fillcolor=f"{series.colour}26" if series.mark == "area" else None,
    )
