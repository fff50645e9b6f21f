"""Paints a picture twice: as PNG, and in a page that answers to the mouse and needs no network. Equal pictures, equal bytes."""

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
Place = float | date | str

# UserEvents apart by people who do not see all colours (Okabe and Ito 2008, "Color Universal Design").
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
_MOST_DATES = 12


@dataclass(frozen=True)
class Series:
    """One thing to see, with a name for the legend (empty: none).

    Attributes
    ----------
    at, values
        Where, and how much; as many of each.
    ends
        The interval of each value; empty: none is drawn.
    """

    name: str
    at: tuple[Place, ...]
    values: tuple[float, ...]
    mark: Mark = "line"
    colour: str = BLUE
    ends: tuple[Interval, ...] = ()

    @property
    def reaches(self) -> tuple[list[float], list[float]]:
        """How far each interval reaches below and above its value."""
        pairs = list(zip(self.values, self.ends, strict=True))
        return [max(v - i.low, 0.0) for v, i in pairs], [max(i.high - v, 0.0) for v, i in pairs]


@dataclass(frozen=True)
class Picture:
    """A picture, described once.

    Attributes
    ----------
    name
        Of its file, without the ending.
    says
        What to look for, in a sentence or two.
    at, values
        The words of both axes.
    lies
        The places stand on the upright axis, the first on top, and the values lie.
    widest
        Where the value axis ends; None: where the values do.
    """

    name: str
    title: str
    says: str
    at: str
    values: str
    series: tuple[Series, ...] = field(repr=False)
    lies: bool = False
    widest: tuple[float, float] | None = None

    @property
    def height(self) -> float:
        """How many rows a lying picture has room for, relative to what others need."""
        rows = len({place for series in self.series for place in series.at})
        return max(1.0, rows / 14) if self.lies else 1.0


def draw(folder: Path, pictures: Sequence[Picture]) -> None:
    """Write ``<name>.png`` for each picture, and all of them into ``evaluation.html``."""
    for picture in pictures:
        figure = _png(picture)
        figure.savefig(folder / f"{picture.name}.png", dpi=110, metadata={"Software": None})
    (folder / "evaluation.html").write_text(page(pictures), encoding="utf-8")


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


def _png(picture: Picture) -> Figure:
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(8, 5 * picture.height), layout="constrained")
        axes = figure.add_subplot()
        for series in picture.series:
            _paint(axes, series, lies=picture.lies)
        axes.set_title(picture.title, pad=12)
        words = (picture.values, picture.at) if picture.lies else (picture.at, picture.values)
        axes.set(xlabel=words[0], ylabel=words[1])
        _shape(axes, picture)
        return figure


def _shape(axes: Axes, picture: Picture) -> None:
    if picture.widest:
        (axes.set_xlim if picture.lies else axes.set_ylim)(*picture.widest)
    if picture.lies:
        axes.invert_yaxis()
        axes.grid(visible=False, axis="y")
    elif any(isinstance(place, date) for place in picture.series[0].at):
        _dates(axes, picture.series[0].at)
    if any(series.name for series in picture.series):
        axes.legend(fontsize=9)


def _dates(axes: Axes, at: Sequence[Place]) -> None:
    """Name the dates themselves, at most twelve of them."""
    named: Any = at[:: -(-len(at) // _MOST_DATES)]
    axes.set_xticks(named)
    axes.tick_params(axis="x", rotation=30)


def _paint(axes: Axes, series: Series, *, lies: bool) -> None:
    at: Any = list(series.at)  # dates and names too, which matplotlib's types do not tell of
    values, name = list(series.values), series.name or None
    if series.mark == "bars":
        if lies:
            axes.barh(at, values, color=series.colour, label=name, height=0.7)
        else:
            axes.bar(at, values, color=series.colour, label=name, width=_width(series))
        return
    across = (values, at) if lies else (at, values)
    style = {"dashes": "--", "dots": ""}.get(series.mark, "-")
    dot = "o" if "dots" in series.mark else ""
    axes.plot(*across, linestyle=style, marker=dot, markersize=5, linewidth=1.8, color=series.colour, label=name)
    if series.mark == "area":
        axes.fill_between(at, values, color=series.colour, alpha=0.15, linewidth=0)
    if series.ends:
        reach: dict[str, Any] = {"xerr" if lies else "yerr": series.reaches}
        axes.errorbar(*across, **reach, linestyle="", ecolor=series.colour, elinewidth=1.2, alpha=0.6)


def _width(series: Series) -> Any:
    """Bars at numbers touch almost, at names they stand apart."""
    numbers = [place for place in series.at if not isinstance(place, (str, date))]
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


def page(pictures: Sequence[Picture]) -> str:
    """Return all pictures as one HTML page with plotly.js inside."""
    links = " ".join(f'<a href="#{picture.name}">{html.escape(picture.title)}</a>' for picture in pictures)
    sections = "\n".join(_section(picture) for picture in pictures)
    return _PAGE.format(ink=_INK, blue=BLUE, script=get_plotlyjs(), links=links, sections=sections)


def _section(picture: Picture) -> str:
    painted = _plotly(picture).to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"picture-{picture.name}",
        config={"displaylogo": False, "responsive": True},
        default_height=f"{420 * picture.height:.0f}px",
    )
    title, says = html.escape(picture.title), html.escape(picture.says)
    return f'<section id="{picture.name}"><h2>{title}</h2><p>{says}</p>{painted}</section>'


def _plotly(picture: Picture) -> go.Figure:
    figure = go.Figure([_trace(series, lies=picture.lies) for series in picture.series])
    grid: dict[str, Any] = {"gridcolor": _LINES, "zeroline": False, "linecolor": _LINES, "automargin": True}
    places = grid | {"title": picture.at}
    values = grid | {"title": picture.values} | ({"range": list(picture.widest)} if picture.widest else {})
    if picture.lies:
        places |= {"autorange": "reversed", "showgrid": False}
    figure.update_layout(
        template="none",
        font={"color": _INK, "family": "system-ui, sans-serif"},
        margin={"t": 20, "r": 20},
        bargap=0.08,
        hovermode="closest" if picture.lies else "x unified",
        legend={"orientation": "h", "y": 1.08},
        xaxis=values if picture.lies else places,
        yaxis=places if picture.lies else values,
    )
    return figure


def _trace(series: Series, *, lies: bool) -> Any:
    at = [str(place) if isinstance(place, date) else place for place in series.at]
    across = {"x": list(series.values), "y": at} if lies else {"x": at, "y": list(series.values)}
    shared: dict[str, Any] = {**across, "name": series.name, "showlegend": bool(series.name)}
    if series.mark == "bars":
        return go.Bar(**shared, orientation="h" if lies else "v", marker={"color": series.colour})
    if series.ends:
        below, above = series.reaches
        error = {"type": "data", "symmetric": False, "array": above, "arrayminus": below, "thickness": 1.2, "width": 0}
        shared["error_x" if lies else "error_y"] = error
    return go.Scatter(
        **shared,
        mode={"dots": "markers", "line and dots": "lines+markers"}.get(series.mark, "lines"),
        line={"color": series.colour, "width": 2, "dash": "dash" if series.mark == "dashes" else "solid"},
        marker={"size": 7},
        fill="tozeroy" if series.mark == "area" else None,
        fillcolor=f"{series.colour}26" if series.mark == "area" else None,
    )
