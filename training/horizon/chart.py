"""The chart of the horizon advice: who is still inactive, and who returns after all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import altair as alt

from models.charts import BLUE, GREEN, GREY, ORANGE, Axis, Layers, band, column, line, png
from models.charts import Series as Colours
from training.horizon.advice import Advice
from training.horizon.survival import Share

_SHARE = Axis("share", "share, with 95 % intervals over users", format=".0%")


def draw(advice: Advice, path: Path) -> None:
    """Write the chart.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    path.write_bytes(png(column([*_idle(advice)], [*_choices(advice)]), scale=1.5))


def _idle(advice: Advice) -> Iterator[alt.Chart | Layers]:
    days = Axis("days", f"idle days (the log reaches {advice.reach_days} days)")
    shares = {
        "of all idle spells, still inactive": {row.idle_days: row.away for row in advice.rows},
        "of those still inactive, return within reach": {row.idle_days: row.returns for row in advice.rows},
    }
    yield from _curves(shares, days)
    yield from _marks(advice)


def _choices(advice: Advice) -> Iterator[alt.Chart | Layers]:
    days = Axis("days", "candidate horizon in days: means over past cutoffs")
    ever = {choice.horizon_days: choice.back_ever for choice in advice.choices if choice.back_ever}
    shares = {
        "labelled churned": {choice.horizon_days: choice.churn_rate for choice in advice.choices},
        "of those labelled churned, return within reach": ever,
    }
    yield from _curves(shares, days)
    yield from _marks(advice)
    limit = alt.Chart(alt.Data(values=[{"share": advice.return_share, "text": f"limit of {advice.return_share:.0%}"}]))
    yield limit.mark_rule(color=GREY, strokeDash=[2, 3]).encode(_SHARE.y())
    yield limit.mark_text(color=GREY, align="left", dy=-6).encode(_SHARE.y(), alt.XValue(4), alt.Text("text:N"))


def _curves(shares: Mapping[str, Mapping[int, Share]], days: Axis) -> Iterator[alt.Chart | Layers]:
    """Yield lines with their intervals; a share without an interval has a line only."""
    colours = Colours("curve", dict(zip(shares, (BLUE, ORANGE), strict=True)), symbol="stroke")
    for name, found in shares.items():
        rows = [
            {"days": day, "share": one.value, "low": one.low, "high": one.high, "curve": name}
            for day, one in found.items()
        ]
        known = [row for row in rows if row["low"] is not None and row["high"] is not None]
        colour = colours.colours[name]
        yield band(known, days, low=Axis("low", _SHARE.title, format=_SHARE.format), high="high", colour=colour)
        yield line(rows, days, y=_SHARE, colour=colour).encode(colours.colour())


def _marks(advice: Advice) -> Iterator[alt.Chart]:
    """Yield upright lines at the candidates, the configured horizon and the recommended one."""
    marks = [{"days": choice.horizon_days, "text": "", "colour": "#D5DCE3"} for choice in advice.choices]
    marks.append({"days": advice.configured, "text": f"configured: {advice.configured} days", "colour": GREY})
    if advice.recommended is not None:
        text = f"recommended: {advice.recommended} days"
        marks.append({"days": advice.recommended, "text": text, "colour": GREEN})
    at = alt.Chart(alt.Data(values=marks)).encode(alt.X("days:Q"))
    colour = alt.Color("colour:N", scale=None)
    yield at.mark_rule().encode(colour)
    yield at.mark_text(align="left", baseline="top", dx=4).encode(colour, alt.Text("text:N"), alt.YValue(4))
