"""Draws charts twice: as PNG, and in an interactive page that needs no network. Equal charts give equal bytes."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import altair as alt
import numpy as np
from altair.utils.schemapi import debug_mode

from models.charts import BAND_OPACITY, BLUE, FONT, INK, Axis, Kind, Layers, picture, png, script
from models.charts import Series as Colours
from models.evaluation.metrics import Interval

Mark = Literal["line", "dashes", "dots", "line and dots", "bars", "area"]
Position = float | date | str
Points = list[dict[str, Any]]

_ROW_HEIGHT, _HEIGHT = 20, 330
_BAR_SHARE = 0.92  # of the space between two bars at numbers


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
    def points(self) -> Points:
        """A row for each value, with both ends of its interval and of its bar where it has them; the ends enclose the value."""
        rows: Points = [
            {"at": str(at) if isinstance(at, date) else at, "value": value}
            for at, value in zip(self.positions, self.values, strict=True)
        ]
        for row, interval in zip(rows, self.intervals, strict=False):
            row |= {"low": min(interval.low, row["value"]), "high": max(interval.high, row["value"])}
        if width := self.width:
            for row in rows:
                row |= {"from": row["at"] - width / 2, "to": row["at"] + width / 2}
        return rows

    @property
    def kind(self) -> Kind:
        """Of its positions."""
        match self.positions:
            case (str(), *_):
                return "name"
            case (date(), *_):
                return "date"
            case _:
                return "number"

    @property
    def width(self) -> float:
        """Width of a bar at numbers, which almost touches the next; 0 for any other mark."""
        numbers = [at for at in self.positions if not isinstance(at, (str, date))]
        return _BAR_SHARE * float(np.diff(numbers).min()) if self.mark == "bars" and len(numbers) > 1 else 0.0


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
    def height(self) -> int:
        """Height of the plot in pixels: of a horizontal chart, by its rows."""
        rows = len({position for series in self.series for position in series.positions})
        return max(_HEIGHT, rows * _ROW_HEIGHT) if self.is_horizontal else _HEIGHT

    @property
    def colours(self) -> alt.Color | None:
        """The colour of each series that has a name, with a legend; None where none has."""
        found = {series.name: series.colour for series in self.series if series.name}
        return Colours("series", found).colour() if found else None


def draw(folder: Path, charts: Sequence[Chart]) -> None:
    """Write ``<name>.png`` for each chart, and all of them into ``evaluation.html``."""
    pictures = _specifications(charts)
    for chart in charts:
        title = alt.TitleParams(chart.title, anchor="start", color=INK, font=FONT, offset=8).to_dict()
        (folder / f"{chart.name}.png").write_bytes(png(pictures[chart.name] | {"title": title}, scale=1.5))
    (folder / "evaluation.html").write_text(_page(charts, pictures), encoding="utf-8")


def _specifications(charts: Sequence[Chart]) -> dict[str, dict[str, Any]]:
    """Return the picture of each chart by its name, as Vega-Lite; not compared with its schema, which takes most of the time."""
    with debug_mode(arg=False):
        return {chart.name: drawn(chart).to_dict(validate=False) for chart in charts}


def drawn(chart: Chart) -> Layers:
    """Return the picture of a chart."""
    layers = [layer for series in chart.series for layer in _layers(series, chart)]
    return picture(*layers).properties(height=chart.height)


def _layers(series: Series, chart: Chart) -> list[alt.Chart]:
    points, colours = series.points, chart.colours
    base = alt.Chart(alt.Data(values=[row | {"series": series.name} for row in points] if series.name else points))
    base = base.encode(colours) if series.name and colours is not None else base
    mark = _mark(base, series).encode(*_positions(chart, series), tooltip=_tooltip(chart, series))
    if not series.intervals:
        return [mark]
    return [base.mark_rule(color=series.colour, opacity=0.6).encode(*_ends(chart, series)), mark]


def _ends(chart: Chart, series: Series) -> list[Any]:
    """Return the encoding of an interval."""
    at, low = _at(chart, series), _value(chart, "low")
    if chart.is_horizontal:
        return [_in_range(low.x(), chart), at.y(), alt.X2("high")]
    return [at.x(), _in_range(low.y(), chart), alt.Y2("high")]


def _mark(base: alt.Chart, series: Series) -> alt.Chart:
    colour = series.colour
    match series.mark:
        case "bars":
            return base.mark_bar(color=colour, aria=False)
        case "area":
            return base.mark_area(color=colour, opacity=BAND_OPACITY, line={"color": colour})
        case "dots":
            return base.mark_point(color=colour, filled=True, size=50)
        case _:
            dashes, has_dots = [5, 4] if series.mark == "dashes" else [1, 0], series.mark == "line and dots"
            return base.mark_line(color=colour, strokeDash=dashes, point=has_dots)


def _positions(chart: Chart, series: Series) -> list[Any]:
    """Return the encoding of both axes, and of the other end of a bar at numbers."""
    value = _value(chart, "value")
    if chart.is_horizontal:
        return [_in_range(value.x(), chart), _at(chart, series).y()]
    y = _in_range(value.y(), chart)
    if series.width:
        return [_at(chart, series, column="from").x(), alt.X2("to"), y, alt.Y2Datum(0)]
    return [_at(chart, series).x(), y]


def _at(chart: Chart, series: Series, *, column: str = "at") -> Axis:
    return Axis(column, chart.position_label, series.kind)


def _value(chart: Chart, column: str) -> Axis:
    return Axis(column, chart.value_label)


def _in_range(position: Any, chart: Chart) -> Any:
    if chart.value_range:
        return position.scale(alt.Scale(domain=list(chart.value_range), nice=False))
    return position


def _tooltip(chart: Chart, series: Series) -> list[alt.Tooltip]:
    position = _at(chart, series)
    shown = [
        alt.Tooltip(position.shorthand, title=chart.position_label or "name"),
        alt.Tooltip("value:Q", title=chart.value_label, format=".4~g"),
    ]
    ends = [alt.Tooltip(f"{end}:Q", title=f"95 % interval, {end}", format=".4~g") for end in ("low", "high")]
    return shown + (ends if series.intervals else [])


# --- The page ------------------------------------------------------------------------------------------------------

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Evaluation</title>
<style>
body {{ font-family: system-ui, sans-serif; color: {ink}; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5 }}
h1 {{ font-size: 1.6rem }} h2 {{ font-size: 1.15rem; margin: 2.5rem 0 .2rem }} p {{ margin: 0 0 .4rem; color: #555 }}
nav a {{ color: {blue}; margin-right: 1rem; display: inline-block }} .picture {{ overflow-x: auto }}
</style>
</head><body>
<h1>Evaluation</h1>
<nav>{links}</nav>
{sections}
<script type="application/json" id="pictures">{pictures}</script>
<script>{script}</script>
</body></html>
"""
_EMBED = """
for (const [name, picture] of Object.entries(JSON.parse(document.getElementById("pictures").textContent)))
  vegaEmbed(document.querySelector(`#${name} .picture`), picture, {actions: false, renderer: "svg"});
"""


def page(charts: Sequence[Chart]) -> str:
    """Return all charts as one HTML page, with what draws them inside."""
    return _page(charts, _specifications(charts))


def _page(charts: Sequence[Chart], specifications: Mapping[str, Any]) -> str:
    links = " ".join(f'<a href="#{chart.name}">{html.escape(chart.title)}</a>' for chart in charts)
    pictures = json.dumps(specifications).replace("<", "\\u003c")
    sections = "\n".join(_section(chart) for chart in charts)
    return _PAGE.format(ink=INK, blue=BLUE, links=links, sections=sections, pictures=pictures, script=script(_EMBED))


def _section(chart: Chart) -> str:
    title, caption = html.escape(chart.title), html.escape(chart.caption)
    return f'<section id="{chart.name}"><h2>{title}</h2><p>{caption}</p><div class="picture"></div></section>'
