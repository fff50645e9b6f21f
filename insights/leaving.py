"""S6: in which ways users leave, and what they do on their last day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from scipy.stats import false_discovery_control, norm

from insights.engine.active_days import ActiveDays
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section, columns, with_interval
from insights.presentation.texts import text
from models.charts import Axis, bars, card, svg
from models.page import Picture
from models.shares import Z_95, wilson

KINDS = ("never_started", "after_version", "seasonal", "fading", "sudden")
START_DAYS, VERSION_DAYS, HALF = 7, 7, 28
FALSE_DISCOVERIES, MIN_USERS, _MOST = 0.05, 20, 30
_VERSION = "app_version"
_TENURE = "case when d - first_d < 7 then 0 when d - first_d < 28 then 1 else 2 end"


def leaving(log: ActiveDays, *, horizon_days: int) -> Section:
    """Return the kinds of leaving, by rule, and the event types of last days against days of users who stayed.

    Parameters
    ----------
    horizon_days
        Idle days after which a user is gone.
    """
    make_leavers(log, horizon_days=horizon_days)
    kinds = by_kind(log)
    gone = sum(row["users"] for row in kinds)
    needs = {} if _VERSION in log.facts else {text("leaving.after_version"): _VERSION}
    if gone < MIN_USERS:
        return Section("leaving", [text("leaving.nobody", users=MIN_USERS, days=horizon_days)], needs=needs)
    steps = last_day(log)
    first = max(kinds, key=lambda row: (row["users"], row["kind"]))
    values = {"gone": formats.count(gone), "kind": first["kind"], "share": formats.share(first["share"])}
    sentences = [text("leaving.sentence", **values, days=horizon_days)]
    if marked := [row for row in steps if row["mark"] and row["difference"] > 0]:
        shares = {name: formats.share(marked[0][name]) for name in ("last_share", "stayed_share")}
        sentences.append(text("leaving.last_day", step=marked[0]["event_type"], **shares))
    ends = ("share_low", "share_high")
    tables = [
        Figures(
            "leaving_kinds",
            kinds,
            columns("name", "kind") | columns("count", "users") | columns("share", "share", *ends, "among_active"),
        )
    ]
    if steps:
        tables.append(Figures("last_day", steps, _OF_STEPS))
    return Section("leaving", sentences, tables, [_picture(kinds)], {"gone": gone}, needs)


def make_leavers(log: ActiveDays, *, horizon_days: int) -> None:
    """Make ``leavers``: ``uid, is_gone, kind`` of users first seen after the left-censored days, by the first rule that fits."""
    version = (
        f"since > last_d - {VERSION_DAYS} and since > first_d + {START_DAYS}" if _VERSION in log.facts else "false"
    )
    half = f"cast(least({HALF}, (last_d - first_d + 1) // 2) as integer)"
    log.make(
        "leavers",
        f"""with lives as (select u.*, {half} as half from users u where first_d >= {log.new_from}),
            days as (select uid, count(*) filter (d > last_d - half) as recent,
                count(*) filter (d <= last_d - half and d > last_d - 2 * half) as earlier,
                coalesce(max(d - prev_d - 1), 0) as longest from lives join spells using (uid) group by uid)
        select uid, {log.days} - last_d > {horizon_days} as is_gone, case
            when last_d < first_d + {START_DAYS} then 'never_started' when {version} then 'after_version'
            when longest >= {horizon_days} then 'seasonal' when 2 * recent < earlier then 'fading' else 'sudden' end as kind
        from lives join days using (uid) {_last_versions(log)}""",
    )


def _last_versions(log: ActiveDays) -> str:
    """Return the JOIN of the first day on which a user had the version of the last day."""
    if _VERSION not in log.facts:
        return ""
    contexts = f"(from ({log.relation('contexts')}) where {_VERSION} is not null)"
    last = f"select uid, arg_max({_VERSION}, row(last_at, {_VERSION})) as {_VERSION} from {contexts} group by uid"
    return f"""left join (select uid, min(d) as since from {contexts} join ({last}) using (uid, {_VERSION}) group by uid)
        using (uid)"""


def by_kind(log: ActiveDays) -> list[Row]:
    """Return how many of those who are gone left in which way, and how many of the others, whose first week is over, the same rule fits."""
    # in their first week, nobody has been active after it
    others = f"not is_gone and first_d + {START_DAYS} <= {log.days}"
    sql = f"select kind, count(*) filter (is_gone), count(*) filter ({others}) from leavers join users using (uid) group by kind"
    rows = log.rows(sql)
    found = {kind: (gone, active) for kind, gone, active in rows}
    gone, active = (sum(one[place] for one in found.values()) for place in (0, 1))
    kinds = [kind for kind in KINDS if kind != "after_version" or _VERSION in log.facts]
    return [
        {"kind": text(f"leaving.{kind}"), "users": found.get(kind, (0, 0))[0]}
        | with_interval("share", wilson(found.get(kind, (0, 0))[0], gone))
        | {"among_active": wilson(found.get(kind, (0, 0))[1], active).value}
        for kind in kinds
    ]


# --- The last day ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """How many of the last days, and of the others by tenure, have an event type; of the tenures that are compared."""

    name: str
    last: int
    stayed: Sequence[int]


def last_day(log: ActiveDays) -> list[Row]:
    """Return the event types of the last days of those who are gone, against a day each of those who stayed, of the same tenure.

    A tenure in which too few of those who stayed have their day is excluded. Differences are corrected together (Benjamini and Yekutieli
    2001); the largest one comes first.
    """
    log.make(
        "compared_days",
        f"""select uid, d, is_gone, {_TENURE} as tenure from users join (
            select uid, is_gone, case when is_gone then max(d) else arg_min(d, hash(uid, d)) end as d
            from leavers join spells using (uid) group by uid, is_gone) using (uid)""",
    )
    wholes = {
        (is_gone, tenure): n
        for is_gone, tenure, n in log.rows("select is_gone, tenure, count(*) from compared_days group by all")
    }
    tenures = [tenure for is_gone, tenure in sorted(wholes) if is_gone and wholes.get((False, tenure), 0) >= MIN_USERS]
    gone, stayed = ([wholes[is_gone, tenure] for tenure in tenures] for is_gone in (True, False))
    if sum(gone) < MIN_USERS:
        return []
    others = ", ".join(f"count(*) filter (not is_gone and tenure = {tenure})" for tenure in tenures)
    sql = f"""select event_type, count(*) filter (is_gone), {others}
        from compared_days join (select distinct uid, d, event_type from ({log.relation("event_types")})) using (uid, d)
        where tenure in ({", ".join(map(str, tenures))})
        group by event_type order by count(*) desc, event_type limit {_MOST}"""
    rows = [_compared(_Step(name, last, counts), wholes=(gone, stayed)) for name, last, *counts in log.rows(sql)]
    adjusted = false_discovery_control([row["p_value"] for row in rows], method="by") if rows else []
    marked = [
        dict(row) | {"p_value": float(p), "mark": text("contrast.certain") if p < FALSE_DISCOVERIES else ""}
        for row, p in zip(rows, adjusted, strict=True)
    ]
    return sorted(marked, key=lambda row: (-abs(row["difference"]), row["event_type"]))


def _compared(step: _Step, *, wholes: tuple[Sequence[int], Sequence[int]]) -> Row:
    """Return a step's share of last days, and of the other days in the same mixture of tenures, with the interval of the difference."""
    gone, stayed = wholes
    total = sum(gone)
    strata = [(n / total, x / m, m) for n, m, x in zip(gone, stayed, step.stayed, strict=True)]
    last, expected = step.last / total, sum(weight * share for weight, share, _ in strata)
    error = sqrt(last * (1 - last) / total + sum(w**2 * share * (1 - share) / m for w, share, m in strata))
    difference = last - expected
    return {
        "event_type": step.name,
        "last_share": last,
        "stayed_share": expected,
        "difference": difference,
        "difference_low": difference - Z_95 * error,
        "difference_high": difference + Z_95 * error,
        "p_value": float(2 * norm.sf(abs(difference) / error)) if error else 1.0,
    }


_OF_STEPS = (
    columns("name", "event_type")
    | columns("share", "last_share", "stayed_share")
    | columns("change", "difference", "difference_low", "difference_high")
    | columns("number", "p_value")
    | columns("name", "mark")
)


def _picture(rows: Sequence[Row]) -> Picture:
    x, y = Axis("users", "", format="~s"), Axis("kind", "", "name")
    shown = [{"kind": row["kind"], "users": row["users"]} for row in rows]
    return Picture(
        text("leaving.picture_title"), svg(card(bars(shown, x, y=y), rows=len(shown))), text("leaving.picture")
    )
