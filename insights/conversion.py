"""S4: the core conversion, step by step and week by week; and by app version, in weeks in which several live."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from scipy.stats import false_discovery_control, norm

from features.sql import literal
from insights.engine.active_days import ActiveDays
from insights.engine.steps import WEEK, Steps
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns, with_interval
from insights.presentation.texts import text
from insights.statistics.small_groups import MIN_USERS, shown_groups
from models.charts import SHADES, Axis, Series, band, card, lines, svg
from models.page import Picture
from models.shares import Z_95, wilson

VERSION = "app_version"
FALSE_DISCOVERIES = 0.05  # among the versions that are said to differ


def conversion(log: ActiveDays, steps: Steps, *, benchmark: float | None = None) -> Section:
    """Return who buys of those who are active, and where they are lost on the way.

    Parameters
    ----------
    benchmark
        The conversion of the trade, to compare with.
    """
    if not log.knows_purchases:
        return Section("conversion", [text("conversion.unknown")], needs={text("conversion.core"): "amount"})
    weeks = by_week(log)
    closed = [row for row in weeks if not row["mark"]]
    if not closed:
        return Section("conversion", [text("conversion.too_short")])
    overall = wilson(sum(row["buyers"] for row in closed), sum(row["active"] for row in closed))
    facts: dict[str, object] = {"user_weeks": overall.whole, "conversion": overall.value, "benchmark": benchmark}
    if overall.value == 1:
        return Section("conversion", [text("conversion.only_purchases")], facts=facts)
    sentences = [
        text(
            "conversion.sentence",
            share=formats.share(overall.value),
            low=formats.share(overall.low),
            high=formats.share(overall.high),
            last=formats.share(closed[-1]["share"]),
        )
    ]
    if benchmark is not None:
        sentences.append(text("conversion.benchmark", benchmark=formats.share(benchmark)))
    of_weeks = columns("date", "week") | columns("count", "active", "buyers") | _ENDS | columns("name", "mark")
    funnel = by_step(log, steps)
    if funnel:
        worst = min(funnel, key=lambda row: row["share"])
        words = {"step": worst["step"], "next_step": worst["next_step"], "share": formats.share(worst["share"])}
        sentences.append(text("conversion.worst", **words))
    has_versions = VERSION in steps.dimensions and bool(steps.names)
    needs = {} if has_versions else {text("conversion.versions"): VERSION}
    versions = by_version(log, steps) if has_versions else []
    sentences += _of_the_lowest(versions)
    tables = [
        Figures(
            "funnel", funnel, columns("name", "step", "next_step") | columns("count", "reached", "converted") | _ENDS
        ),
        Figures("conversion_weeks", weeks, of_weeks),
        Figures("versions", [{**row, "verdict": text(f"groups.{row['verdict']}")} for row in versions], _OF_VERSIONS),
    ]
    shown = [one for one in tables if one.rows]
    return Section("conversion", sentences, shown, [_picture(closed)], facts, needs)


def _of_the_lowest(versions: Sequence[Row]) -> list[str]:
    """Return a sentence on the version that is furthest below the others; nothing where none is."""
    below = [row for row in versions if row["verdict"] == "below"]
    if not below:
        return []
    lowest = min(below, key=lambda row: row["difference"])
    shares = {name: formats.share(lowest[name]) for name in ("share", "expected")}
    return [text("conversion.version_below", version=lowest["version"], **shares)]


_ENDS = columns("share", "share", "share_low", "share_high")
_OF_VERSIONS = (
    columns("name", "version")
    | columns("count", "reached")
    | columns("share", "share", "expected")
    | columns("change", "difference", "difference_low", "difference_high")
    | columns("name", "verdict")
)


def by_week(log: ActiveDays) -> list[Row]:
    """Return buyers of the active users of each week from Monday; a week that the log does not cover completely is open."""
    first = -log.first_day.weekday()
    week = f"cast(floor((d - {first}) / {WEEK}) as integer)"
    sql = f"""select week, count(*), count(b.uid) from (select distinct uid, {week} as week from spells)
        left join (select distinct uid, {week} as week from purchases) b using (uid, week) group by week order by week"""
    rows: list[Row] = []
    for number, active, buyers in log.rows(sql):
        start = first + number * WEEK
        is_open = start < 0 or start + WEEK > log.days
        row = {"week": log.day(start), "active": active, "buyers": buyers}
        found = wilson(0, 0) if is_open else wilson(buyers, active)
        rows.append(row | with_interval("share", found) | {"mark": text("columns.open") if is_open else ""})
    return rows


def by_step(log: ActiveDays, steps: Steps) -> list[Row]:
    """Return of the users who reached a step in a week those who reached any later one on the same day."""
    first = f"""select uid, week, step, arg_min(converted, d) as converted from reached
        where step < {steps.new_users} group by uid, week, step"""
    sql = f"select step, count(*), count(*) filter (converted) from ({first}) group by step"
    counts = {step: (n, x) for step, n, x in log.rows(sql)}
    return [
        {"step": steps.names[step], "next_step": steps.names[step + 1], "reached": n, "converted": x}
        | with_interval("share", wilson(x, n))
        for step, (n, x) in sorted(counts.items())
    ]


def by_version(log: ActiveDays, steps: Steps) -> list[Row]:
    """Return the conversion of each version from the first step to the next, against all others of the same weeks, platforms and tenure.

    A user counts once in a week for each platform and version, by the first day. A version counts in a cell of week, platform and tenure
    where at least 20 of its users are, and another version counts there; the expected share is that of the other versions in the same
    cells. So no number is that of fewer than 20 users. A version of fewer users is excluded together with at least one more.
    The verdict is ``above`` or ``below`` where the difference remains after the correction of Benjamini and Yekutieli
    2001 ("The Control of the False Discovery Rate in Multiple Testing under Dependency", Annals of Statistics 29(4)) over all versions,
    else ``alike``.
    """
    os = "coalesce(device_os, '')" if "device_os" in steps.dimensions else "''"
    of_version = f"from reached where step = 0 and {VERSION} is not null"
    sizes: dict[str, int] = dict(log.rows(f"select {VERSION}, count(distinct uid) {of_version} group by 1"))
    shown = ", ".join(literal(one) for one in shown_groups(sizes, most=len(sizes))) or "null"
    sql = f"""with once as (select uid, {VERSION} as version, week, {os} as os, min(tenure) as tenure, arg_min(converted, d) as converted
            {of_version} and {VERSION} in ({shown}) group by all),
        cells as (select version, week, os, tenure, count(*) as n, count(*) filter (converted) as x from once group by all
            having n >= {MIN_USERS}),
        sums as (select *, sum(n) over cell as all_n, sum(x) over cell as all_x
            from cells window cell as (partition by week, os, tenure) qualify count(*) over cell > 1)
        select version, sum(n), sum(x), sum(n * (all_x - x) / (all_n - n) order by week, os, tenure),
            sum(n * all_x / all_n * (1 - all_x / all_n) * all_n / (all_n - n) order by week, os, tenure)
        from sums group by version order by version"""
    found = log.rows(sql)
    deviates = [(x - expected) / sqrt(variance) if variance else 0.0 for _, _, x, expected, variance in found]
    adjusted = false_discovery_control([2 * norm.sf(abs(z)) for z in deviates], method="by") if found else []
    return [_version_row(*row, verdict=_verdict(z, p)) for row, z, p in zip(found, deviates, adjusted, strict=True)]


def _verdict(deviate: float, p_value: float) -> str:
    if p_value >= FALSE_DISCOVERIES:
        return "alike"
    return "below" if deviate < 0 else "above"


def _version_row(*row: float | str, verdict: str) -> Row:
    version, *numbers = row
    n, x, expected, variance = (float(one) for one in numbers)
    margin = Z_95 * sqrt(variance) / n
    found: dict[str, object] = {"version": version, "reached": round(n), "share": x / n, "expected": expected / n}
    difference = (x - expected) / n
    return found | {
        "difference": difference,
        "difference_low": difference - margin,
        "difference_high": difference + margin,
        "verdict": verdict,
    }


def _picture(weeks: Sequence[Row]) -> Picture:
    name = text("conversion.series")
    rows = [
        {"week": str(row["week"]), "share": row["share"], "low": row["share_low"], "high": row["share_high"]}
        for row in weeks
    ]
    x, y = Axis("week", "", "date", text("formats.axis_day")), Axis("share", "", format="~%")
    shade = band(rows, x, low=Axis("low", "", format="~%"), high="high")
    line = lines([row | {"series": name} for row in rows], x, y=y, by=Series("series", {name: SHADES[0]}))
    return Picture(text("conversion.picture_title"), svg(card(shade, line)), text("conversion.picture"))
