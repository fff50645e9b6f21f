"""Pictures of results, with one look: Altair specifications, drawn as SVG without a browser and without the network.

A picture is made of layers over the same axes; a row is a mapping, as a table has it. Equal rows give equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, TypeVar, cast

import altair as alt
import vl_convert

# distinguishable with colour blindness (Okabe and Ito 2008, "Color Universal Design")
BLUE, ORANGE, GREEN, PURPLE, SKY, GREY = "#0072B2", "#D55E00", "#009E73", "#AA4499", "#56B4E9", "#7A7A7A"
PALE = "#D5DCE3"
INK, _LINES = "#2B2B2B", "#E6E6E6"
FONT = "Helvetica, Arial, sans-serif"
_WIDTH, _HEIGHT, _ROW_HEIGHT, _TICKS, BAND_OPACITY = 620, 260, 26, 8, 0.18
_FEW_ROWS = 60
CARD_WIDTH, _CARD_HEIGHT, _CARD_TICKS, _CARD_LABEL = (
    400,
    210,
    5,
    150,
)  # a plot that is legible on a phone without scrolling
# one hue, from strong to weak, for parts of a whole; then one that is neither
SHADES = ("#0072B2", "#56A3D0", "#A6CEE5", "#7A7A7A")
_LOOK: dict[str, Any] = {
    "labelFont": FONT,
    "titleFont": FONT,
    "labelColor": INK,
    "titleColor": INK,
    "titleFontWeight": "normal",
    "gridColor": _LINES,
    "domainColor": _LINES,
    "tickColor": _LINES,
    "labelLimit": 260,
}
_KINDS = {"number": "Q", "date": "T", "name": "N"}
_MIN_POINTS = 2
_NAMESPACES = re.compile(r' xmlns(?::\w+)?="[^"]*"')

Row = Mapping[str, Any]
Kind = Literal["number", "date", "name"]
Layers = alt.LayerChart
T = TypeVar("T")


@dataclass(frozen=True)
class Axis:
    """An axis: the column that it shows, its title, and the format of its labels, as d3 writes formats."""

    column: str
    title: str
    kind: Kind = "number"
    format: str = ""

    @property
    def shorthand(self) -> str:
        """As Altair names a column with its type."""
        return f"{self.column}:{_KINDS[self.kind]}"

    def x(self) -> alt.X:
        """As a position from left to right."""
        return alt.X(self.shorthand, title=self.title, scale=_scale(self.kind), axis=self._axis())

    def y(self) -> alt.Y:
        """As a position from bottom to top; names from top to bottom, in the order of the rows."""
        found = alt.Y(self.shorthand, title=self.title, scale=_scale(self.kind), axis=self._axis())
        return found.sort(None) if self.kind == "name" else found

    def _axis(self) -> alt.Axis:
        if self.kind == "name":
            return alt.Axis()
        return alt.Axis(tickCount=_TICKS, labelOverlap=True, format=self.format or alt.Undefined)


@dataclass(frozen=True)
class Series:
    """What tells the series of a picture apart: the column of their names, and each name with its colour, in order."""

    column: str
    colours: Mapping[str, str]
    symbol: Literal["square", "stroke"] = "square"

    def colour(self) -> alt.Color:
        """As a colour with a legend above the picture."""
        scale = alt.Scale(domain=list(self.colours), range=list(self.colours.values()))
        legend = alt.Legend(
            orient="top",
            title=None,
            symbolType=self.symbol,
            symbolStrokeWidth=2,
            columnPadding=22,
            labelLimit=400,
            labelFont=FONT,
            labelColor=INK,
        )
        return alt.Color(f"{self.column}:N", scale=scale, legend=legend)


def _scale(kind: Kind) -> alt.Scale:
    match kind:
        case "number":
            return alt.Scale(zero=False)
        case "date":  # the same wherever it is drawn
            return alt.Scale(type="utc")
        case "name":
            return alt.Scale()


def line(rows: Sequence[Row], x: Axis, *, y: Axis, colour: str = BLUE, dashed: bool = False) -> alt.Chart:
    """A line, with a dot at each row where there are few; dashed without dots."""
    has_dots = not dashed and len(rows) <= _FEW_ROWS
    mark = alt.Chart(_data(rows)).mark_line(
        color=colour,
        strokeDash=[5, 4] if dashed else [1, 0],
        point=alt.OverlayMarkDef(color=colour) if has_dots else False,
    )
    return mark.encode(x.x(), y.y())


def band(rows: Sequence[Row], x: Axis, *, low: Axis, high: str, colour: str = BLUE) -> alt.Chart:
    """The area of an interval."""
    return alt.Chart(_data(rows)).mark_area(color=colour, opacity=BAND_OPACITY).encode(x.x(), low.y(), alt.Y2(high))


def intervals(rows: Sequence[Row], x: Axis, *, y: Axis, ends: tuple[str, str], colour: str = BLUE) -> Layers:
    """Dots with the ends of their intervals, upright; lying where names are on the y axis."""
    base = alt.Chart(_data(rows))
    low, high = ends
    if y.kind == "name":
        rule = base.mark_rule(color=colour).encode(Axis(low, x.title, format=x.format).x(), y.y(), x2=high)
    else:
        rule = base.mark_rule(color=colour).encode(x.x(), Axis(low, y.title, format=y.format).y(), y2=high)
    return _layered(rule, base.mark_point(color=colour, filled=True, size=55).encode(x.x(), y.y()))


def ticks(rows: Sequence[Row], x: Axis, *, y: Axis, colour: str = ORANGE) -> alt.Chart:
    """A diamond at each row, to be compared with a dot."""
    mark = alt.Chart(_data(rows)).mark_point(color=colour, shape="diamond", filled=True, size=65)
    return mark.encode(x.x(), y.y())


def lines(rows: Sequence[Row], x: Axis, *, y: Axis, by: Series) -> alt.Chart:
    """A line for each series, with a legend."""
    return alt.Chart(_data(rows)).mark_line().encode(x.x(), _from_zero(y.y(), y), replace(by, symbol="stroke").colour())


def areas(rows: Sequence[Row], x: Axis, *, y: Axis, by: Series) -> alt.Chart:
    """Stacked areas, in the order of the column ``order``."""
    mark = alt.Chart(_data(rows)).mark_area(line=False)
    return mark.encode(x.x(), _from_zero(y.y(), y), by.colour(), alt.Order("order:Q"))


def bars(rows: Sequence[Row], x: Axis, *, y: Axis, until: str = "", by: Series | None = None) -> alt.Chart:
    """Bars from zero, upright; lying where names are on the y axis. Those of series are stacked in their order, others blue.

    Parameters
    ----------
    until
        Column of where an upright bar ends on the x axis; names have bars of their own.
    """
    ranges = [x.column, until] if until and x.kind == "date" else []
    mark = alt.Chart(_data(_as_instants(rows, ranges))).mark_bar(color=BLUE, binSpacing=2, aria=False)
    found = mark.encode(x.x().bin("binned") if until else _from_zero(x.x(), x), _from_zero(y.y(), y))
    found = found.encode(alt.X2(until)) if until else found
    return found.encode(by.colour(), alt.Order("order:Q")) if by else found


def _as_instants(rows: Sequence[Row], names: Sequence[str]) -> list[Row]:
    """Return rows with some dates as milliseconds: of bars between two dates, texts are not read."""
    return [dict(row) | {name: _milliseconds(row[name]) for name in names} for row in rows]


def _milliseconds(day: str) -> int:
    return round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


def _from_zero(position: Any, axis: Axis) -> Any:
    return position.scale(alt.Scale()) if axis.kind == "number" else position


def level(value: float, *, is_horizontal: bool = True, axis: Axis | None = None) -> alt.Chart:
    """A line across the picture at one value; with the title of the axis it stands on, where that is given."""
    rule = alt.Chart(_data([{"at": value}])).mark_rule(color=GREY, strokeDash=[4, 4])
    title = axis.title if axis else alt.Undefined
    return rule.encode(alt.Y("at:Q", title=title) if is_horizontal else alt.X("at:Q", title=title))


def picture(*layers: alt.Chart | Layers, rows: int = 0) -> Layers:
    """Lay layers over each other, in the look of all pictures; as high as so many named rows need, where there are any."""
    height = max(rows, 2) * _ROW_HEIGHT if rows else _HEIGHT
    return _in_look(_layered(*layers).properties(width=_WIDTH, height=height, background="white"))


def column(*panels: Sequence[alt.Chart | Layers]) -> alt.VConcatChart:
    """Put panels below each other, each with its layers over one another."""
    drawn = [_layered(*layers).properties(width=_WIDTH, height=_HEIGHT) for layers in panels]
    return _in_look(alt.vconcat(*drawn, background="white").resolve_scale(color="independent"))


def _in_look(chart: T) -> T:
    look: Any = chart  # all pictures have these methods, their common type is not public
    return look.configure_axis(**_LOOK).configure_view(stroke=None)


def card(*layers: alt.Chart | Layers, rows: int = 0) -> Layers:
    """Lay layers over each other in a small picture, two of which fit next to each other on a desk."""
    height = max(rows, 2) * _ROW_HEIGHT if rows else _CARD_HEIGHT
    found = picture(*layers, rows=rows).properties(width=CARD_WIDTH, height=height)
    look: dict[str, Any] = _LOOK | {"labelLimit": _CARD_LABEL}
    return found.configure_axis(**look)


def sparkline(values: Sequence[float]) -> str:
    """Draw the course of some values as a line without axes; the empty text where there are fewer than two."""
    if len(values) < _MIN_POINTS:
        return ""
    low, high = min(values), max(values)
    height = (high - low) or 1.0
    points = " ".join(
        f"{100 * place / (len(values) - 1):.1f},{22 - 20 * (value - low) / height:.1f}"
        for place, value in enumerate(values)
    )
    line = f'<polyline points="{points}" fill="none" stroke="{BLUE}" stroke-width="1.5" vector-effect="non-scaling-stroke"/>'
    return f'<svg class="spark" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">{line}</svg>'


def _layered(*layers: alt.Chart | Layers) -> Layers:
    return cast("Layers", alt.layer(*layers))  # of facets it would be another type, and there are none


def svg(chart: Layers) -> str:
    """Draw a picture as SVG to put into a page: without namespaces, which a page does not need and which look like addresses."""
    drawn = vl_convert.vegalite_to_svg(chart.to_dict(), vl_version=_vega_lite())
    return _NAMESPACES.sub("", drawn)


def png(chart: Layers | alt.VConcatChart | dict[str, Any], *, scale: float = 2.0) -> bytes:
    """Draw a picture as PNG."""
    specification = chart if isinstance(chart, dict) else chart.to_dict()
    return vl_convert.vegalite_to_png(specification, vl_version=_vega_lite(), scale=scale)


def script(then: str) -> str:
    """Return JavaScript that draws pictures in a browser without the network: ``vegaEmbed``, and what is done with it."""
    return f"{_bundle()}\n{then}"


@cache
def _bundle() -> str:
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=_vega_lite()).replace(
        "</script", "<\\/script"
    )


def _vega_lite() -> str:
    """Return the version of Vega-Lite that Altair writes, as vl-convert names it."""
    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])


def _data(rows: Sequence[Row]) -> alt.Data:
    return alt.Data(values=[dict(row) for row in rows])
