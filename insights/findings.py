"""S4 and S6: what has changed, where users are lost, and who they are: at most five findings, one for each cause."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from features.sql import literal
from insights.engine.active_days import ActiveDays
from insights.engine.steps import ALL, CAME_BACK, WEEK, Steps
from insights.engine.tables import Annotation
from insights.presentation import formats
from insights.presentation.groups import group_of
from insights.presentation.section import Figures, Row, Section, columns
from insights.presentation.texts import text
from insights.statistics.scan import Counts, Deviation, dated, expected_inside, largest_deviations
from insights.statistics.small_groups import shown_groups

ANY_FALSE, ALARM, MOST = (
    0.05,
    0.01,
    5,
)  # chance of any false finding, and the part of it that the alarm on core users has
FALSE_ALARMS = ANY_FALSE - ALARM
_EVERYBODY, _FALLS = (
    0.8,
    0.9,
)  # of that chance, for changes of all users together, and of these for falls: they matter first
MIN_WEEKS, _SAME_CAUSE = 8, 0.5
_TENURES, _MOVES_DAYS, _NEAR_DAYS, _MONTH = 3, 10, 3, 28


@dataclass(frozen=True)
class Finding:
    """A rate that changed for a while.

    Attributes
    ----------
    step
        Number of the step that users reached.
    dimension, value
        Who; ``all`` where everybody.
    start, stop
        Days, half-open.
    expected
        The rate on other days, by the mixture of tenures of these days.
    users
        Who reached the step in these days and did not go on.
    """

    step: int
    dimension: str
    value: str
    start: int
    stop: int
    z: float
    p_value: float
    reached: int
    rate: float
    expected: float
    users: frozenset[int]

    @property
    def is_fall(self) -> bool:
        """Whether fewer went on than on other days, as the test says."""
        return self.z < 0

    @property
    def missing(self) -> float:
        """How many more would have gone on at the rates of other days; below zero, how many fewer."""
        return self.reached * (self.expected - self.rate)


@dataclass(frozen=True)
class Past:
    """The findings of an earlier report, as its JSON has them, and the last day of its log."""

    last_day: date
    rows: Sequence[Mapping[str, Any]]

    def has(self, row: Row) -> bool:
        """Tell whether it has the same change of the same users at an overlapping time."""
        return any(
            one.get("cause") == row["cause"]
            and date.fromisoformat(one["first_day"]) <= row["last_day"]
            and row["first_day"] <= date.fromisoformat(one["last_day"])
            for one in self.rows
        )


def findings(
    log: ActiveDays, steps: Steps, *, annotations: Sequence[Annotation] = (), past: Past | None = None
) -> Section:
    """Return what has changed, ranked by what the users are worth who are missing for it.

    Parameters
    ----------
    annotations
        What happened when; what was within three days of the ends of a change is named.
    past
        An earlier report, to tell what is new.
    """
    worth = worth_of_steps(log, steps)
    rows = [_row(log, steps, found=one) for one in found_changes(log, steps)]
    rows = [dict(row) | {"worth": -row["missing"] * worth[row["place"]]} for row in rows]
    ranked = sorted(rows, key=lambda row: (-abs(row["worth"]), -abs(row["missing"]), row["cause"]))
    rows = [row | _context(row, annotations, past=past) for row in _with_links(ranked)]
    told = {_sentence(row): str(row["link"]) for row in rows}
    why_not = _not_searched(log, steps)
    sentences = [why_not] if why_not else [_headline(rows, past), *told, _honest(steps)]
    shown = [name for name in _KINDS if name not in _NOT_SHOWN]
    tables = [Figures("findings", rows, _KINDS, shown)] if rows else []
    tables += [Figures("annotations", [vars(one) for one in annotations], _OF_ANNOTATIONS)] if annotations else []
    found = {"findings": len(rows), "new_findings": sum(bool(row["is_new"]) for row in rows)}
    facts = {name: None if why_not else n for name, n in found.items()} | {"weeks": steps.weeks}
    return Section("findings", sentences, tables, facts=facts, links=told)


_NOT_SHOWN = ("cause", "link")
_KINDS = (
    columns("name", "step", "next_step", "dimension", "value_of", "direction")
    | columns("date", "first_day", "last_day")
    | columns("count", "users_reached")
    | columns("share", "rate_then", "rate_else")
    | columns("number", "missing", "worth", "p_value")
    | columns("name", "nearby", "is_new", *_NOT_SHOWN)
)
_OF_ANNOTATIONS = columns("date", "first", "last") | columns("name", "label")


def worth_of_steps(log: ActiveDays, steps: Steps) -> list[float]:
    """Return how much more those spend who go on from each step than those who do not, in the following days; the last is of new users.

    In a log without amounts, purchases are counted; without purchases, users.
    """
    if not log.knows_purchases:
        return [1.0] * steps.count
    spent, unit = ("amount_micros", 1e6) if log.knows_amounts else ("n", 1.0)
    sql = f"""with visits as (select r.step, r.uid, r.d, bool_or(r.converted) as converted, coalesce(sum(p.{spent}), 0) as spent
            from reached r left join purchases p on p.uid = r.uid and p.d >= r.d
                and p.d < r.d + case when r.step >= {steps.new_users} then {_MONTH} else {WEEK} end group by r.step, r.uid, r.d)
        select step, (avg(spent) filter (converted) - avg(spent) filter (not converted)) / {unit} from visits group by step"""
    found: dict[int, float | None] = dict(log.rows(sql))
    return [max(0.0, found.get(step) or 0.0) for step in range(steps.count)]


def found_changes(log: ActiveDays, steps: Steps) -> Iterator[Finding]:
    """Find one change after the other: the users whom it concerns are set aside before the next is looked for."""
    log.make("open", "select *, cast(null as varchar) as kept_for from reached")
    if steps.weeks < MIN_WEEKS:
        return
    before: list[Finding] = []
    while len(before) < MOST and (found := _clearest(log, steps)):
        _set_aside(log, steps, found=found)
        if not any(_is_same_cause(found, one) for one in before):
            before.append(found)
            yield found


def _is_same_cause(one: Finding, other: Finding) -> bool:
    smaller = min(len(one.users), len(other.users))
    is_at_once = one.start < other.stop and other.start < one.stop
    return is_at_once and len(one.users & other.users) >= _SAME_CAUSE * max(1, smaller)


# --- One change --------------------------------------------------------------------------------------------------------


def _clearest(log: ActiveDays, steps: Steps) -> Finding | None:
    """Return the clearest change that passes its test."""
    best: tuple[Deviation, str, tuple[int, str]] | None = None
    for dimension in (ALL, *steps.dimensions):
        keys, reached, converted = _counts(log, steps, dimension=dimension)
        if not keys:
            continue
        limits = {sign: false_alarms(dimension, others=len(steps.dimensions), is_fall=sign < 0) for sign in (-1, 1)}
        for found in largest_deviations(reached, converted, limits=limits):
            if best is None or abs(found.z) > abs(best[0].z):
                best = found, dimension, keys[found.row]
    return _finding(log, steps, *best) if best else None


def false_alarms(dimension: str, *, others: int, is_fall: bool) -> float:
    """Return the part of the chance of a false alarm that a test has: most for everybody; of a group, only a fall is looked for.

    Parameters
    ----------
    others
        Number of dimensions besides everybody.
    """
    if dimension != ALL:
        return FALSE_ALARMS * (1 - _EVERYBODY) / others if is_fall else 0.0
    own = _EVERYBODY if others else 1.0
    return FALSE_ALARMS * own * (_FALLS if is_fall else 1 - _FALLS)


def _once_a_week(dimension: str) -> str:
    """Return the SELECT of one row per user, week, step and group ``v``: the first, as whoever changes phones has no more chances."""
    return f"""select uid, week, step, v, min(d) as d, arg_min(converted, d) as converted, min(tenure) as tenure
        from (select *, {_group(dimension)} as v from open where coalesce(kept_for, '{dimension}') = '{dimension}')
        group by uid, week, step, v"""


def _group(dimension: str) -> str:
    return literal(ALL) if dimension == ALL else group_of(dimension)


def _counts(log: ActiveDays, steps: Steps, *, dimension: str) -> tuple[list[tuple[int, str]], Counts, Counts]:
    """Return step and group of each row, and users who reached it and went on, shape (rows, weeks, tenures)."""
    group = _group(dimension)
    last = (
        steps.new_users if dimension == ALL else steps.count
    )  # of all users, who stays away later does so in the second week too
    sizes: dict[str, int] = dict(log.rows(f"select {group} as v, count(distinct uid) from open group by v"))
    shown = {ALL} if dimension == ALL else set(shown_groups(sizes))
    rows = log.rows(
        f"""select step, v, week, tenure, count(*), count(*) filter (converted)
        from ({_once_a_week(dimension)}) where step <= {last} group by all order by all"""
    )
    keys = sorted({(step, v) for step, v, *_ in rows if v in shown})
    places = {key: place for place, key in enumerate(keys)}
    reached, converted = (np.zeros((len(keys), steps.weeks, _TENURES), np.int64) for _ in range(2))
    for step, v, week, tenure, n, x in rows:
        if v in shown:
            reached[places[step, v], week, tenure], converted[places[step, v], week, tenure] = n, x
    return keys, reached, converted


def _finding(log: ActiveDays, steps: Steps, *of: Any) -> Finding:
    deviation, dimension, (step, value) = of
    rows = f"(from ({_once_a_week(dimension)}) where step = {step} and v = {literal(value)})"
    n, x = (np.zeros((_TENURES, steps.weeks * WEEK), np.int64) for _ in range(2))
    sql = f"select tenure, d, count(*), count(*) filter (converted) from {rows} group by all"
    for tenure, d, reached, converted in log.rows(sql):
        n[tenure, d - steps.first_week], x[tenure, d - steps.first_week] = reached, converted
    around = (deviation.start * WEEK, deviation.stop * WEEK)
    start, stop = dated(n, x, around=around, within=_MOVES_DAYS, sign=-1 if deviation.z < 0 else 1)
    reached, converted = (int(one[:, start:stop].sum()) for one in (n, x))
    days = (start + steps.first_week, stop + steps.first_week)
    lost = log.rows(f"select distinct uid from {rows} where d >= {days[0]} and d < {days[1]} and not converted")
    return Finding(
        step,
        dimension,
        value,
        *days,
        deviation.z,
        deviation.p_value,
        reached,
        converted / max(1, reached),
        expected_inside(n, x, days=(start, stop)) / max(1, reached),
        frozenset(uid for (uid,) in lost),
    )


def _set_aside(log: ActiveDays, steps: Steps, *, found: Finding) -> None:
    """Remove the users of a change from the weeks that it touches, and from the rates of other dimensions in all weeks.

    Without them the mixture of the others is the same in every week: a group that is better than others would be missed in those weeks.
    """
    first, last = ((day - steps.first_week) // WEEK for day in (found.start, found.stop - 1))
    of_group = f"step = {found.step} and {_group(found.dimension)} = {literal(found.value)}"
    log.connection.execute(f"delete from open where {of_group} and week between {first} and {last}")
    if found.dimension != ALL:
        log.connection.execute(f"update open set kept_for = '{found.dimension}' where {of_group}")


# --- In words ----------------------------------------------------------------------------------------------------------


def _row(log: ActiveDays, steps: Steps, *, found: Finding) -> Row:
    is_new = found.step >= steps.new_users
    after_days = CAME_BACK[found.step - steps.new_users] if is_new else (0, 0)
    step, after = ("", "") if is_new else steps.names[found.step : found.step + 2]
    return {
        "step": text("findings.new_users") if is_new else step,
        "next_step": _days_later("findings.came_back", after_days) if is_new else after,
        "dimension": "" if found.dimension == ALL else text(f"dimensions.{found.dimension}"),
        "value_of": "" if found.dimension == ALL else found.value,
        "direction": text("findings.fell" if found.is_fall else "findings.rose"),
        "first_day": log.day(found.start),
        "last_day": log.day(found.stop - 1),
        "users_reached": found.reached,
        "rate_then": found.rate,
        "rate_else": found.expected,
        "missing": found.missing,
        "p_value": found.p_value,
        "place": found.step,
        "cause": _cause(("new users", str(after_days[0])) if is_new else (step, after), found),
        "after_days": after_days,
    }


def _days_later(key: str, after_days: tuple[int, int]) -> str:
    return text(key, start=after_days[0], end=after_days[1] - 1)


def _cause(step: tuple[str, ...], found: Finding) -> str:
    """Return a name for the same change of the same users, whatever its days and the language of the report."""
    value = "" if found.value == text("groups.unknown") else found.value
    of = (*step, found.dimension, value, "fell" if found.is_fall else "rose")
    return hashlib.sha256(repr(of).encode()).hexdigest()[:8]


def _with_links(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yield the rows with a link each: the cause, and a number where it is not the first of its kind."""
    for row in rows:
        earlier = sum(one["cause"] == row["cause"] and one["first_day"] < row["first_day"] for one in rows)
        yield dict(row) | {"link": f"finding-{row['cause']}{f'-{earlier + 1}' if earlier else ''}"}


def _context(row: Row, annotations: Sequence[Annotation], *, past: Past | None) -> dict[str, str]:
    near = timedelta(days=_NEAR_DAYS)
    ends = (row["first_day"], row["last_day"])
    labels = [one.label for one in annotations if any(one.first - near <= end <= one.last + near for end in ends)]
    is_new = past is not None and not past.has(row)
    return {"nearby": text("groups.separator").join(labels), "is_new": text("findings.new") if is_new else ""}


def _not_searched(log: ActiveDays, steps: Steps) -> str:
    """Return why nothing was searched; empty where it was."""
    if steps.weeks < MIN_WEEKS:
        return text("findings.too_short", n=steps.weeks, needed=MIN_WEEKS)
    return "" if log.value("select count(*) from reached") else text("findings.no_steps")


def _honest(steps: Steps) -> str:
    chances = {"chance": formats.share(ANY_FALSE), "alarm": formats.share(ALARM)}
    return text("findings.honest", **chances, dimensions=len(steps.dimensions), weeks=steps.weeks)


def _headline(rows: Sequence[Row], past: Past | None) -> str:
    if not rows:
        return text("findings.nothing")
    if past is None:
        return text("findings.headline", n=len(rows))
    new = sum(bool(row["is_new"]) for row in rows)
    return text("findings.headline_new", n=len(rows), new=new, day=formats.date_words(past.last_day))


def _sentence(row: Row) -> str:
    found = _change(row)
    if row["nearby"]:
        found = text("findings.with_nearby", change=found, labels=row["nearby"])
    return text("findings.with_new", change=found) if row["is_new"] else found


def _change(row: Row) -> str:
    key = "findings.sentence_of" if row["dimension"] else "findings.sentence"
    is_new = row["step"] == text("findings.new_users")
    return text(
        f"{key}_new" if is_new else key,
        first=formats.date_words(row["first_day"]),
        last=formats.date_words(row["last_day"]),
        then=formats.share(row["rate_then"]),
        otherwise=formats.share(row["rate_else"]),
        missing=formats.count(abs(row["missing"])),
        fewer=text("findings.fewer" if row["direction"] == text("findings.fell") else "findings.more"),
        start=row["after_days"][0],
        end=row["after_days"][1] - 1,
        **{name: row[name] for name in ("step", "next_step", "dimension", "value_of")},
    )
