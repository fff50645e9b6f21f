"""S6: how many new users are still there on day 1, 3, 7 and 30, under three names, and by the week they came in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from models.charts import SHADES, Axis, Layers, Series, band, card, lines, svg
from models.page import Picture
from models.shares import Share, wilson

DAYS = (1, 3, 7, 30)
BRACKETS = {1: (1, 3), 3: (3, 7), 7: (7, 30), 30: (30, 60)}  # the days from ... up to, not including
TRIANGLE = (1, 2, 3, 5, 7, 14, 21, 28, 30, 60, 90)
CURVE_DAYS, WEEK = 90, 7
_NAMES = ("on_day", "on_or_after", "in_bracket")


def retention(log: ActiveDays) -> Section:
    """Return retention by day, by three definitions, and by weekly cohort."""
    populations = {"new": log.new_from, "all": 0} if log.new_from else {"all": 0}
    table = [row for name, since in populations.items() for row in by_day(log, DAYS, since=since, population=name)]
    since = log.new_from if _closed(table, "new") else 0
    shown = [row for row in table if row["population"] == text(f"retention.{'new' if since else 'all'}")]
    curve, triangle = curve_of(log, since=since), cohorts(log)
    facts = {f"day_{row['day_n']}_{name}": row[name] for row in shown for name in _NAMES if row["users"]}
    tables = [_triangle_table(triangle), _days_table(table), Figures("retention_curve", curve, _KINDS)]
    pictures = [_picture(curve)] if any(row["users"] for row in curve) else []
    return Section("retention", [_sentence(shown)], tables, pictures, facts)


def _closed(table: Sequence[Row], name: str) -> bool:
    return any(row["users"] for row in table if row["population"] == text(f"retention.{name}"))


def _sentence(rows: Sequence[Row]) -> str:
    known = {row["day_n"]: row for row in rows if row["users"]}
    if not known:
        return text("retention.nothing")
    parts = [
        text("retention.part", day=day, share=formats.share(row["on_day"]), users=formats.count(row["users"]))
        for day, row in known.items()
    ]
    return text("retention.sentence", parts=text("retention.separator").join(parts))


# --- By day ------------------------------------------------------------------------------------------------------------


def by_day(log: ActiveDays, days: Sequence[int], *, since: int = 0, population: str = "all") -> list[Row]:
    """Return retention of all new users whose window is closed: on the day, on or after it, and in the bracket that it starts.

    Parameters
    ----------
    since
        Number of the first day whose new users are counted.
    """
    came, back = _on_day(log, since), _in_bracket(log, since)
    covered = _users_by(log, f"{log.days - 1} - first_d", since=since)
    lasted = _users_by(log, "last_d - first_d", since=since)
    name = text(f"retention.{population}")
    rows: list[Row] = []
    for n in days:
        users, (_, end) = _at_least(covered, n), BRACKETS.get(n, (n, n + 1))
        found = {
            "on_day": wilson(came.get(n, 0), users),
            "on_or_after": wilson(_at_least(lasted, n), users),
            "in_bracket": wilson((back if n in BRACKETS else came).get(n, 0), _at_least(covered, end - 1)),
        }
        rows.append({"population": name, "day_n": n, **_row(found)})
    return rows


def _on_day(log: ActiveDays, since: int) -> dict[int, int]:
    """Return how many were active on each day after their first."""
    return dict(log.rows(f"select n, count(*) from {_DAYS_AFTER} where first_d >= {since} group by n"))


def _in_bracket(log: ActiveDays, since: int) -> dict[int, int]:
    """Return how many were active in each of :data:`BRACKETS`, of those for whom it is covered."""
    brackets = ", ".join(f"({start}, {end})" for start, end in BRACKETS.values())
    sql = f"""select start, count(distinct uid) from (values {brackets}) w(start, stop) join users on first_d + stop <= {log.days}
            join spells using (uid) where first_d >= {since} and d >= first_d + start and d < first_d + stop group by start"""
    return dict(log.rows(sql))


def _users_by(log: ActiveDays, days: str, *, since: int) -> dict[int, int]:
    return dict(log.rows(f"select {days}, count(*) from users where first_d >= {since} group by 1"))


def _at_least(users_by: Mapping[int, int], days: int) -> int:
    return sum(users for n, users in users_by.items() if n >= days)


_DAYS_AFTER = "(select first_d, d - first_d as n from spells join users using (uid))"


def _row(found: dict[str, Share]) -> Row:
    row: dict[str, object] = {"users": found["on_day"].whole}
    for name, one in found.items():
        row |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high, f"{name}_users": one.part}
    row["users_in_bracket"] = found["in_bracket"].whole
    row["churn"] = 1 - found["on_or_after"].value
    return row


# --- By cohort ---------------------------------------------------------------------------------------------------------


def cohorts(log: ActiveDays) -> list[Row]:
    """Return retention on day n of the new users of each week from Monday; a cell is there once the window of all of them is closed."""
    first = -log.first_day.weekday()
    week = f"cast(floor((first_d - {first}) / {WEEK}) as integer) as week"
    sizes: dict[int, int] = dict(log.rows(f"select {week}, count(*) from users group by 1 order by 1"))
    counted: dict[tuple[int, int], int] = {
        (start, n): users
        for start, n, users in log.rows(f"select {week}, n, count(*) from {_DAYS_AFTER} group by 1, 2")
    }
    cells = {
        (start, n): wilson(counted.get((start, n), 0), users)
        for start, users in sizes.items()
        for n in TRIANGLE
        if first + start * WEEK + WEEK - 1 + n < log.days
    }
    return [
        _cohort(log, first + week * WEEK, users=users, cells={n: cells.get((week, n)) for n in TRIANGLE})
        for week, users in sizes.items()
    ]


def _cohort(log: ActiveDays, start: int, *, users: int, cells: dict[int, Share | None]) -> Row:
    words = "open" if start + WEEK > log.days else "left_censored" if start < log.new_from else ""
    row: dict[str, object] = {
        "week": log.day(start),
        "users": users,
        "mark": text(f"columns.{words}") if words else "",
    }
    for n, found in cells.items():
        row |= {f"day_{n}": found.value if found else None}
        row |= {f"day_{n}_low": found.low if found else None, f"day_{n}_high": found.high if found else None}
    return row


# --- How it is shown ---------------------------------------------------------------------------------------------------

_ENDS = ("", "_low", "_high")
_KINDS = (
    columns("name", "population")
    | columns("count", "day_n", "users")
    | columns("share", *(f"{name}{end}" for name in _NAMES for end in _ENDS))
    | columns("count", "users_in_bracket")
    | columns("share", "churn")
)


def _days_table(rows: Sequence[Row]) -> Figures:
    return Figures("retention_days", rows, _KINDS)


def _triangle_table(rows: Sequence[Row]) -> Figures:
    cells = [f"day_{n}" for n in TRIANGLE if any(row[f"day_{n}"] is not None for row in rows)]
    kinds = columns("date", "week") | columns("count", "users") | columns("name", "mark")
    kinds |= columns("share", *(f"{cell}{end}" for cell in cells for end in _ENDS))
    return Figures("retention_cohorts", rows, kinds, shown=["week", "users", *cells, "mark"], heat=cells)


def curve_of(log: ActiveDays, *, since: int = 0) -> list[Row]:
    """Return retention by day for three months, of those who were new from a day on."""
    return by_day(log, range(1, CURVE_DAYS + 1), since=since, population="new" if since else "all")


def curve_chart(curve: Sequence[Row]) -> Layers:
    """Draw the share that was active on a day, with its interval, and on or after it."""
    colours = {text("retention.on_or_after"): SHADES[2], text("retention.on_day"): SHADES[0]}
    known = [row for row in curve if row["users"]]
    rows = [
        {"day": row["day_n"], "share": row[name], "series": text(f"retention.{name}")}
        for name in ("on_or_after", "on_day")
        for row in known
    ]
    ends = [{"day": row["day_n"], "low": row["on_day_low"], "high": row["on_day_high"]} for row in known]
    x, y = Axis("day", text("retention.days_after")), Axis("share", "", format=".0%")
    return card(
        band(ends, x, low=Axis("low", "", format=".0%"), high="high"),
        lines(rows, x, y=y, by=Series("series", colours)),
    )


def _picture(curve: Sequence[Row]) -> Picture:
    return Picture(text("retention.picture_title"), svg(curve_chart(curve)), text("retention.picture_words"))
