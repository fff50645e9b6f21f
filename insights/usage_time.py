"""S5: minutes of use a day, compared with what was expected."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns, with_interval
from insights.presentation.texts import text
from models.charts import Axis, bars, card, level, svg
from models.page import Picture
from models.shares import wilson

DAYS = 28
_QUARTILES = {"first_quartile": 25, "median": 50, "third_quartile": 75}
_BARS, _TOP = 24, 98  # of the histogram, which ends at this percentile


def usage_time(log: ActiveDays, expected: Sequence[float] = ()) -> Section:
    """Return the distribution of each user's minutes per active day in the last four weeks.

    Parameters
    ----------
    expected
        The lowest and the highest minutes a day that the designers expect.
    """
    if "minutes" not in log.measures:
        return Section(
            "usage_time", [text("usage_time.unknown")], needs={text("usage_time.minutes"): "duration_seconds"}
        )
    found = minutes_per_day(log)
    facts: dict[str, object] = {"users": len(found)}
    facts |= {name: float(np.percentile(found, at)) for name, at in _QUARTILES.items()} if len(found) else {}
    if len(found) and not found.max():
        return Section("usage_time", [text("usage_time.moments")], facts=facts)
    sentences, rows = [_sentence(facts)], []
    if expected and len(found):
        rows = outside(found, expected)
        below, above = (formats.share(rows[place]["share"]) for place in (0, 2))
        sentences.append(text("usage_time.expectation", low=expected[0], high=expected[1], below=below, above=above))
    kinds = columns("name", "part") | columns("count", "users") | columns("share", "share", "share_low", "share_high")
    tables = [Figures("usage_outside", rows, kinds)] if rows else []
    bars_of = histogram(found)
    kinds = columns("number", "from_minutes", "to_minutes") | columns("count", "users")
    pictures = [_picture(bars_of, expected)] if bars_of else []
    return Section("usage_time", sentences, [*tables, Figures("usage_minutes", bars_of, kinds)], pictures, facts)


def minutes_per_day(log: ActiveDays) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the minutes per active day of every user who was active in the last four weeks, shape (users,)."""
    sql = f"""select sum(usage_ms) / 6e4 / count(*) as minutes from user_days
        where is_active and d >= {max(0, log.days - DAYS)} group by uid order by uid"""
    return log.table(sql).column("minutes").to_numpy()


def outside(
    found: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]], expected: Sequence[float]
) -> list[Row]:
    """Return the shares of users below, within and above what was expected."""
    minutes, (low, high) = np.asarray(found), expected
    counts = {
        "below": (minutes < low).sum(),
        "within": ((minutes >= low) & (minutes <= high)).sum(),
        "above": (minutes > high).sum(),
    }
    return [
        {"part": text(f"usage_time.{name}"), "users": int(n)} | with_interval("share", wilson(int(n), len(minutes)))
        for name, n in counts.items()
    ]


def histogram(found: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[Row]:
    """Return users by minutes; the last bar holds everyone above the 98th percentile."""
    if not len(found):
        return []
    width = max(1.0, float(np.ceil(np.percentile(found, _TOP) / _BARS)))
    place = np.minimum(found // width, _BARS - 1).astype(int)
    counts = np.bincount(place, minlength=_BARS)
    return [
        {"from_minutes": width * at, "to_minutes": width * (at + 1) if at < _BARS - 1 else None, "users": int(n)}
        for at, n in enumerate(counts)
    ]


def _sentence(facts: dict[str, object]) -> str:
    if "median" not in facts:
        return text("usage_time.nobody")
    shown = {name: formats.number(float(str(facts[name]))) for name in _QUARTILES}
    return text("usage_time.sentence", users=formats.count(float(str(facts["users"]))), **shown)


def _picture(rows: Sequence[Row], expected: Sequence[float]) -> Picture:
    x, y = Axis("from_minutes", text("usage_time.axis")), Axis("users", "", format="~s")
    width = rows[0]["to_minutes"]
    shown = [
        {"from_minutes": row["from_minutes"], "end": row["from_minutes"] + width, "users": row["users"]} for row in rows
    ]
    marks = [level(float(at), is_horizontal=False, axis=x) for at in expected]
    drawn = card(bars(shown, x, y=y, until="end"), *marks)
    words = text("usage_time.picture_expected" if expected else "usage_time.picture")
    return Picture(text("usage_time.picture_title"), svg(drawn), words)
