"""S8: who the active, the silent and the gone are, and in what they differ most."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import asin, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, norm, ttest_ind_from_stats

from features.sql import identifier
from insights.engine.active_days import ActiveDays
from insights.engine.groups import known_dimensions
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from insights.statistics.small_groups import shown_groups
from models.charts import GREY, SHADES, Axis, Series, bars, card, svg
from models.page import Picture

ACTIVE, SILENT, GONE = "active", "silent", "gone"
FIRST_DAYS, FALSE_DISCOVERIES = 28, 0.05
_LARGEST, _IN_PICTURE = 6, 10
_SAME = 1e-9  # relative spread of numbers that differ by rounding alone
_VERSION = "app_version"  # tells when somebody was last here, so the gone differ in it whatever the reason
_BEHAVIOUR = {
    "active_days": "count(*)",
    "minutes": "sum(usage_ms) / 6e4 / count(*)",
    "sessions": "sum(sessions) / count(*)",
}


@dataclass(frozen=True)
class Limits:
    """Idle days up to which a user is active, and up to which silent; after that, gone."""

    active: int
    silent: int

    @classmethod
    def of(cls, *, active_within_days: int, horizon_days: int) -> Limits:
        """Return the limits by ``[churn]``; half of the horizon separates active from silent, unless a shorter time is set."""
        is_shorter = 0 < active_within_days < horizon_days
        return cls(active_within_days if is_shorter else max(1, horizon_days // 2), horizon_days)


def contrast(log: ActiveDays, limits: Limits) -> Section:
    """Return the three groups, and what distinguishes the gone from the active: effect sizes, ranked and corrected."""
    idle = f"{log.days} - last_d"
    state = f"case when {idle} <= {limits.active} then 'active' when {idle} <= {limits.silent} then 'silent' else 'gone' end"
    log.make("standing", f"select uid, {state} as state from users")
    if log.activity.tables.attributes:  # as they are known today; the version that became valid last is the largest
        log.make("known_attributes", f"select uid, max(version) as version from ({log.attributes()}) group by uid")
    sizes: dict[str, int] = dict(log.rows("select state, count(*) from standing group by state order by state"))
    rows = [one for name in (GONE, SILENT) for one in ranked(_differences(log, name), name)]
    values = {name: formats.count(sizes.get(name, 0)) for name in (ACTIVE, SILENT, GONE)}
    days = {"active_days": limits.active, "silent_days": limits.silent}
    sentences = [text("contrast.sentence", **values, **days), _most(rows)]
    kinds = columns("name", "group", "measure", "value") | columns(
        "number", "of_group", "of_active", "effect", "p_value"
    )
    groups = [{"group": text(f"contrast.{name}"), "users": sizes.get(name, 0)} for name in (ACTIVE, SILENT, GONE)]
    tables = [
        Figures("standing", groups, columns("name", "group") | columns("count", "users")),
        Figures("contrast", rows, kinds | columns("name", "mark")),
    ]
    needs = (
        {text("contrast.attributes"): "[users] gender, age, region, ..."} if not log.activity.tables.attributes else {}
    )
    return Section("contrast", sentences, tables, _pictures(rows), sizes | days, needs)


def _most(rows: Sequence[Row]) -> str:
    """Return the sentence on the largest difference of the gone; what is less common among them is not associated with being gone."""
    marked = [row for row in rows if row["is_certain"] and row["group"] == text("contrast.gone")]
    more = [row for row in marked if row["effect"] > 0 or not row["value"]]
    if more:
        return text("contrast.most", what=_more_or_fewer(more[0]))
    return text("contrast.least", what=_what(marked[0])) if marked else text("contrast.no_difference")


def _more_or_fewer(row: Row) -> str:
    """Return a group, or of a number that there is more or less of it."""
    if row["value"]:
        return _what(row)
    return text("contrast.more" if row["effect"] > 0 else "contrast.fewer", measure=row["measure"])


def _what(row: Row) -> str:
    return text("contrast.value", measure=row["measure"], value=row["value"]) if row["value"] else str(row["measure"])


@dataclass(frozen=True)
class Difference:
    """In what a group differs from the active users.

    Attributes
    ----------
    effect
        Cohen's d of a number, Cohen's h of a share.
    is_large
        Not a small group: it is shown whether or not it differs.
    """

    measure: str
    value: str
    of_group: float
    of_active: float
    effect: float
    p_value: float
    is_large: bool = True


def ranked(found: Sequence[Difference], group: str) -> list[Row]:
    """Return the differences, the largest effect first; those that remain after Benjamini and Yekutieli's correction are marked.

    All are corrected together; of small groups only those that are marked are returned.

    Source
    ------
    Benjamini and Yekutieli 2001, "The Control of the False Discovery Rate in Multiple Testing under Dependency", Annals of
    Statistics 29(4); Cohen 1988, "Statistical Power Analysis for the Behavioral Sciences".
    """
    if not found:
        return []
    adjusted = false_discovery_control([one.p_value for one in found], method="by")
    rows = [
        vars(one)
        | {"group": text(f"contrast.{group}"), "is_certain": bool(p < FALSE_DISCOVERIES), "p_value": float(p)}
        | {"mark": text("contrast.certain") if p < FALSE_DISCOVERIES else ""}
        for one, p in zip(found, adjusted, strict=True)
    ]
    shown = [row for row in rows if row.pop("is_large") or row["is_certain"]]
    return sorted(shown, key=lambda row: (-abs(row["effect"]), row["measure"], row["value"]))


def _differences(log: ActiveDays, group: str) -> list[Difference]:
    return [*_of_numbers(log, group), *_of_shares(log, group)]


def _of_numbers(log: ActiveDays, group: str) -> Iterator[Difference]:
    """Compare behaviour in the first four weeks of users who were still there after them: the same window for everyone.

    Of those who left earlier the empty days would only say that they left.
    """
    measures = {name: sql for name, sql in _BEHAVIOUR.items() if name == "active_days" or name in log.measures}
    listed = ", ".join(f"{sql} as {name}" for name, sql in measures.items())
    sql = f"""select state, {", ".join(measures)} from standing join (select uid, {listed} from user_days join users using (uid)
            where is_active and d < first_d + {FIRST_DAYS} and last_d >= first_d + {FIRST_DAYS} group by uid) using (uid)
        order by uid"""
    found = log.table(sql)
    states = np.array(found.column("state").to_pylist(), dtype=object)
    for name in measures:
        values = np.asarray(found.column(name).to_numpy(), float)
        yield from _of_number(name, values[states == group], values[states == ACTIVE])


def _of_number(name: str, *of: NDArray[np.float64]) -> Iterator[Difference]:
    group, active = (one[np.isfinite(one)] for one in of)
    if min(len(group), len(active)) < FIRST_DAYS:
        return
    spread = sqrt((group.var(ddof=1) + active.var(ddof=1)) / 2)
    if spread <= _SAME * abs(active.mean()):
        return
    of_each = [number for one in (group, active) for number in (one.mean(), one.std(ddof=1), len(one))]
    p_value = float(np.asarray(ttest_ind_from_stats(*of_each, equal_var=False))[1])
    effect = float(group.mean() - active.mean()) / spread
    yield Difference(
        text(f"contrast.{name}"), "", float(np.median(group)), float(np.median(active)), effect, float(p_value)
    )


def _of_shares(log: ActiveDays, group: str) -> Iterator[Difference]:
    for dimension in (name for name in known_dimensions(log) if name != _VERSION):
        values = (
            f"select state, coalesce(cast({dimension} as varchar), '-') as v from standing left join latest using (uid)"
        )
        yield from _of_values(log, text(f"dimensions.{dimension}"), values, group)
    for attribute in log.activity.tables.attributes:
        value = f"coalesce(cast(k.version.{identifier(attribute)} as varchar), '-')"
        values = f"select s.state, {value} as v from standing s left join known_attributes k using (uid)"
        yield from _of_values(log, attribute, values, group)


def _of_values(log: ActiveDays, *of: str) -> Iterator[Difference]:
    measure, values, group = of
    counts: dict[tuple[str, str], int] = {
        (state, value): n
        for state, value, n in log.rows(f"select state, v, count(*) from ({values}) group by all order by all")
    }
    sizes = {value: 0 for _, value in counts}
    for (_, value), n in counts.items():
        sizes[value] += n
    totals = {state: sum(n for (one, _), n in counts.items() if one == state) for state in (group, ACTIVE)}
    if not all(totals.values()) or len(sizes) < 2:  # noqa: PLR2004
        return
    for place, value in enumerate(shown_groups(sizes, most=len(sizes))):
        parts = [counts.get((state, value), 0) for state in (group, ACTIVE)]
        found = _of_share(measure, value, parts=parts, wholes=list(totals.values()))
        yield replace(found, is_large=place < _LARGEST)


def _of_share(measure: str, value: str, *, parts: Sequence[int], wholes: Sequence[int]) -> Difference:
    ours, theirs = (part / whole for part, whole in zip(parts, wholes, strict=True))
    effect = 2 * (asin(sqrt(ours)) - asin(sqrt(theirs)))
    error = sqrt(sum(1 / whole for whole in wholes))  # of h, whatever the shares are
    return Difference(measure, value, ours, theirs, effect, float(2 * norm.sf(abs(effect) / error)))


def _pictures(rows: Sequence[Row]) -> list[Picture]:
    shown = [row for row in rows if row["group"] == text("contrast.gone")][:_IN_PICTURE]
    if not shown:
        return []
    kinds = {text("contrast.certain_long"): SHADES[0], text("contrast.uncertain_long"): GREY}
    certain, uncertain = kinds
    data: list[dict[str, Any]] = [
        {"what": _what(row), "effect": row["effect"], "kind": certain if row["is_certain"] else uncertain, "order": 0}
        for row in shown
    ]
    x, y = Axis("effect", text("contrast.axis")), Axis("what", "", "name")
    drawn = card(bars(data, x, y=y, by=Series("kind", kinds)), rows=len(data))
    return [Picture(text("contrast.picture_title"), svg(drawn), text("contrast.picture"))]
