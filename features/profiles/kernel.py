"""The kernel: SQL from activity to profiles, generated from a specification, run here and wherever else profiles are built.

Users are numbered first, as numbers are grouped and sorted many times faster than texts. Days are summed into the bands between
window edges (ages 1, 2-3, 4-7, ...); a window is the sum of its bands. Values (devices, channels, event types) are summed up
between the edges of all cutoffs once, and each cutoff adds up those behind it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

from features.activity.roll_up import ALWAYS_MERGED, CONTEXT_COLUMNS, DETECTED_FACTS, VERSION, known_before
from features.catalogue.catalogue import CUSTOM, daily_columns
from features.catalogue.definition import Derived, Feature, OverAttributes, OverDays, OverValues, OverWindow
from features.profiles.specification import Specification
from features.schema import COLUMNS
from features.snapshots import instant

KEYS = ("user_id", "cutoff")
_EVENT_TYPE = "event_type"
_MONTH = 28  # days; features that look back no further are summed separately, over these days only
_RECENT = (7, 28)  # days over which the events of a value are counted
_KNOWN = known_before("cutoff")
_GAP = "cast(day - lag(day) over earlier as integer) as gap"
_STREAK = "cast(day - max(case when gap = 1 then null else day end) over earlier as integer) + 1 as streak"
_GAP_DAYS = "case when day - gap >= observed_from then gap end"
_STREAK_DAYS = "least(streak, cast(day - observed_from as integer) + 1)"
_BETWEEN_DAYS = frozenset({"gap_days", "streak_days"})


@dataclass(frozen=True)
class Step:
    """A named SELECT that later ones read. ``is_kept``: it is read more than once and worth keeping."""

    sql: str
    is_kept: bool = True


@dataclass(frozen=True)
class Kernel:
    """The steps from activity to the profiles of one specification at some cutoffs.

    Attributes
    ----------
    cutoffs
        The first day that is not seen any more, to the UTC instant at which it starts.
    relations
        FROM clause of each of ``days``, ``contexts`` and ``event_types``; of ``users`` where there are attributes; of
        ``identities`` and ``persons`` (every ``user_id`` that may get a profile) where several ids may be one person.
    has_versions
        True where a day has versions, by when they became known.
    user_cutoffs
        FROM clause of ``user_id, u`` (a number), ``cutoff, cutoff_at`` where each user has a cutoff of its own, given when the
        query runs; then ``cutoffs`` stays empty.
    """

    specification: Specification
    cutoffs: Mapping[date, datetime]
    relations: Mapping[str, str]
    has_versions: bool = False
    user_cutoffs: str = ""

    @classmethod
    def at_midnights(
        cls, specification: Specification, cutoffs: Sequence[date], *, relations: Mapping[str, str], has_versions: bool
    ) -> Kernel:
        """Return the kernel at local midnights."""
        instants = {cutoff: instant(cutoff, specification.timezone) for cutoff in sorted(set(cutoffs))}
        return cls(specification, instants, relations, has_versions)

    def sql(self) -> str:
        """Return all steps as one SELECT: one row per user seen before a cutoff, ``user_id, cutoff`` and features, in no order."""
        bodies = ",\n".join(
            f"{name} as {'' if step.is_kept else 'not '}materialized ({step.sql})"
            for name, step in self.steps().items()
        )
        return f"with {bodies}\n{self.profiles_sql()}"

    def steps(self) -> dict[str, Step]:
        """Return what the profiles are made of, each step before its readers."""
        steps = self._user_cutoffs() if self.user_cutoffs else self._shared_cutoffs()
        if self._joins_ids:
            steps |= self._people() | self._days_of_people()
        else:
            steps |= self._days_by_cutoff() if self.has_versions else self._days()
        if set(self._columns) - {_EVENT_TYPE}:
            steps |= self._segments("contexts", CONTEXT_COLUMNS)
        if _EVENT_TYPE in self._columns:
            steps |= self._segments("event_types", (_EVENT_TYPE,))
        return steps | {name: Step(sql) for name, sql in self._parts().items()}

    def _parts(self) -> dict[str, str]:
        """Return what the profiles are joined from; the first part has a row for each of them."""
        parts = self._lifetimes() | {"windows": self._windows()}
        parts |= {f"of_{column}": self._values(column) for column in self._columns}
        return parts | ({"attributes": self._attributes()} if self._of(OverAttributes) else {})

    def _shared_cutoffs(self) -> dict[str, Step]:
        """Every user meets every cutoff."""
        rows = ", ".join(f"(date '{day}', timestamp '{at:%Y-%m-%d %H:%M:%S.%f}')" for day, at in self.cutoffs.items())
        return {
            "cutoffs": Step(f"select * from (values {rows}) t(cutoff, cutoff_at)"),
            "users": Step(f"""select user_id, row_number() over (order by user_id) as u
                from (select distinct user_id from {self.relations.get("persons", self.relations["days"])})"""),
        }

    def _user_cutoffs(self) -> dict[str, Step]:
        """Every user meets one cutoff."""
        return {
            "cutoffs": Step(f"select u, cutoff, cutoff_at from {self.user_cutoffs}"),
            "users": Step(f"select user_id, u from {self.user_cutoffs}"),
        }

    @property
    def _meeting_cutoffs(self) -> str:
        """The join of a user's rows with the cutoffs that the user meets, up to its conditions."""
        return "join cutoffs using (u) where" if self.user_cutoffs else "join cutoffs on"

    def profiles_sql(self) -> str:
        """Return the SELECT that joins the steps."""
        features = self.specification.features
        first, *more = self._parts()
        others = "".join(f" left join {name} using (u, cutoff)" for name in more)
        found = ", ".join(f"{_when_absent(f)} as {f.name}" for f in features if not isinstance(f, Derived))
        names = ", ".join((*KEYS, *self.specification.feature_names))
        return f"""select {names} from (select *{derived_sql(features)} from (select u, cutoff, {found} from {first}{others}))
            join users using (u)"""

    def _of(self, kind: type[Feature]) -> list[Feature]:
        return [feature for feature in self.specification.features if isinstance(feature, kind)]

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        """The columns whose values are summed up, in a fixed order."""
        return tuple(sorted({f.of for f in self.specification.features if isinstance(f, OverValues)}))

    def _days(self) -> dict[str, Step]:
        """Look back from each day once, for all cutoffs: the past of a day does not depend on them."""
        rows = f"select u, * exclude (user_id, u) from {self.relations['days']} join users using (user_id)"
        return self._looking_back(rows, by="u")

    def _days_by_cutoff(self) -> dict[str, Step]:
        """Look back from each day at each cutoff: a day that became known late is in the past of later cutoffs only."""
        rows = f"""select u, * exclude (user_id, u, {", ".join(VERSION)})
            from {self.relations["days"]} join users using (user_id) join cutoffs on day < cutoff and {_KNOWN}"""
        return self._looking_back(rows, by="u, cutoff")

    def _looking_back(self, rows: str, *, by: str) -> dict[str, Step]:
        """Add to each day the active day before it, and to each user the first day: only days are sorted, without their columns."""
        met = self._meeting_cutoffs if by == "u" else "where"
        earlier = f"window earlier as (partition by {by} order by day)"
        at = by if by == "u" else f"{by}, cutoff_at"
        return {
            "days_seen": Step(rows + self._by_user),
            "first_days": Step(f"select {by}, min(day) as first_day from days_seen group by {by}"),
            "gaps": Step(f"select *, {_STREAK} from (select {at}, day, {_GAP} from days_seen {earlier}) {earlier}"),
            "aged_days": self._aged(f"days_seen join first_days using ({by}) {met}"),
            "aged_gaps": self._aged(
                f"gaps join first_days using ({by}) {met}", gap_days=_GAP_DAYS, streak_days=_STREAK_DAYS
            ),
        }

    @property
    def _joins_ids(self) -> bool:
        """Whether an id's rows may belong to another id's profile, which then depends on the cutoff."""
        return "identities" in self.relations

    def _people(self) -> dict[str, Step]:
        """Assign each id of the log to its person at each cutoff."""
        return {
            "people": Step(f"""select d.user_id, u, cutoff, cutoff_at
                from (select distinct user_id from {self.relations["days"]}) d cross join cutoffs
                left join {self.relations["identities"]} i
                    on i.alias_id = d.user_id and i.valid_from < cutoff_at and i.valid_until >= cutoff_at
                join users on users.user_id = coalesce(i.user_id, d.user_id)"""),
        }

    def _days_of_people(self) -> dict[str, Step]:
        """Look back at each cutoff from the days of a person, to which each of the person's ids may have its part."""
        merged = "".join(f", cast({merge}({name}) as bigint) as {name}" for name, merge in self._merges().items())
        known = f" and {_KNOWN}" if self.has_versions else ""
        rows = f"""select u, cutoff, cutoff_at, day{merged} from {self.relations["days"]} join people using (user_id)
            where day < cutoff{known} group by u, cutoff, cutoff_at, day"""
        return self._looking_back(rows, by="u, cutoff")

    def _merges(self) -> dict[str, str]:
        """Return how two parts of a day become one, for each daily column that is used."""
        features = self.specification.features
        words = {word for feature in features for word in feature.words}
        found = {name: daily for name, daily in daily_columns((*COLUMNS, *DETECTED_FACTS)).items() if name in words}
        found |= {name: daily for feature in features for name, daily in feature.daily.items()}
        return ALWAYS_MERGED | {name: daily.merge for name, daily in found.items()}

    def _attributes(self) -> str:
        """Choose among the rows of [users] that were valid before the cutoff."""
        rows = f"""select u, cutoff, version from {self.relations["users"]}
            join users using (user_id) {self._meeting_cutoffs} valid_from < cutoff_at"""
        return _grouped(f"({rows})", self._of(OverAttributes))

    def _aged(self, source: str, **columns: str) -> Step:
        """Add the age of each row's day at a cutoff, and the day from which on the user is observed."""
        observed = self.specification.observation_days
        start = f"cutoff - {observed}" if observed else "first_day"
        more = "".join(f", {sql} as {name}" for name, sql in columns.items())
        return Step(
            f"""select *{more} from
                (select *, cast(cutoff - day as integer) as age, {start} as observed_from from {source} {self._is_seen("day")})""",
            is_kept=False,
        )

    def _is_seen(self, day: str) -> str:
        observed = self.specification.observation_days
        return f"{day} < cutoff" + (f" and {day} >= cutoff - {observed}" if observed else "")

    def _windows(self) -> str:
        """Sum days into bands, bands into windows. A band's ``age`` is its far edge, so a window's expression fits both."""
        features = self._of(OverWindow)
        edges = " ".join(f"when age <= {edge} then {edge}" for edge in self.specification.windows_days)
        daily = sorted({name for feature in features for name in feature.daily})
        sums = "".join(f", cast(sum({name}) as bigint) as {name}" for name in daily)
        bands = f"""select u, cutoff, case {edges} end as band{sums} from aged_days
            where age <= {max(self.specification.windows_days)} group by u, cutoff, band"""
        return _grouped(f"(select *, band as age from ({bands}))", features)

    def _lifetimes(self) -> dict[str, str]:
        """Sum up all days of a user, the last four weeks separately, and the gaps between days."""
        features = self._of(OverDays)
        between = [feature for feature in features if feature.words & _BETWEEN_DAYS]
        recent = [f for f in features if f not in between and f.window_days and f.window_days <= _MONTH]
        found = {"lifetimes": _grouped("aged_days", [f for f in features if f not in (*between, *recent)])}
        if recent:
            found["months"] = _grouped(f"(from aged_days where age <= {_MONTH})", recent)
        return found | {"rhythms": _grouped("aged_gaps", between)} if between else found

    def _segments(self, relation: str, columns: Sequence[str]) -> dict[str, Step]:
        """Sum a relation up between the edges of all cutoffs; ``segment`` is the first day that the sum may hold."""
        placed = f"{self.relations[relation]} join {'people' if self._joins_ids else 'users'} using (user_id)"
        if self.has_versions or self.user_cutoffs or self._joins_ids:
            return {
                f"{relation}_seen": Step(f"select *, day as segment, day as first_day, day as last_day from {placed}")
            }
        edges = ", ".join(f"(date '{edge}')" for edge in self._edges())
        instants = ", min(first_at) as first_at, max(last_at) as last_at" if relation == "contexts" else ""
        keys = ", ".join(("u", "segment", *columns))
        before = f"segment < date '{max(self.cutoffs)}'"
        return {
            f"{relation}_segments": Step(f"""select day, max(edge) as segment
                from (select distinct day from {self.relations[relation]}) join (values {edges}) t(edge) on edge <= day group by day"""),
            f"{relation}_seen": Step(f"""select {keys}, cast(sum(n) as bigint) as n, min(day) as first_day, max(day) as last_day{instants}
                from {placed} join {relation}_segments using (day) where {before} group by {keys}{self._by_user}"""),
        }

    @property
    def _by_user(self) -> str:
        """Lay the rows of a user together where many cutoffs group them: they group what was just grouped."""
        return " order by u" if len(self.cutoffs) > 1 else ""

    def _edges(self) -> list[date]:
        """Return the days at which what a cutoff sees of a value begins or ends."""
        observed = self.specification.observation_days
        lookbacks = (0, *_RECENT, *((observed,) if observed else ()))
        return sorted(
            {date(1, 1, 1)} | {cutoff - timedelta(days=days) for cutoff in self.cutoffs for days in lookbacks}
        )

    def _values(self, column: str) -> str:
        """Sum up each value that a column had, and then the values."""
        relation = "event_types" if column == _EVENT_TYPE else "contexts"
        instants = ", min(first_at) as first_at, max(last_at) as last_at" if relation == "contexts" else ""
        known = f" and {_KNOWN}" if self.has_versions else ""
        meeting = "where" if self._joins_ids else self._meeting_cutoffs  # rows of people have met theirs
        recent = ", ".join(
            f"cast(sum(case when segment >= cutoff - {days} then n else 0 end) as bigint) as n_{days}d"
            for days in _RECENT
        )
        values = f"""select u, cutoff, {column} as value, cast(sum(n) as bigint) as n, {recent},
            cast(cutoff - min(first_day) as integer) as first_age, cast(cutoff - max(last_day) as integer) as last_age{instants}
            from {relation}_seen {meeting} {self._is_seen("segment")}{known} and {column} is not null
            group by u, cutoff, value"""
        features = [f for f in self._of(OverValues) if isinstance(f, OverValues) and f.of == column]
        return _grouped(f"({values})", features)


def _grouped(source: str, features: Iterable[Feature]) -> str:
    columns = "".join(f", {typed(feature, feature.sql)} as {feature.name}" for feature in features)
    return f"select u, cutoff{columns} from {source} group by u, cutoff"


def derived_sql(features: Iterable[Feature]) -> str:
    """Return the columns of derived features, each after a comma: they read the features that they are derived from."""
    return "".join(f", {typed(one, one.sql)} as {one.name}" for one in features if isinstance(one, Derived))


def typed(feature: Feature, sql: str) -> str:
    """Return an expression as the type of its feature; what a custom one makes of a division by zero is null."""
    value = f"cast({sql} as {'varchar' if feature.is_text else 'double'})"
    return f"case when isfinite({value}) then {value} end" if feature.family == CUSTOM else value


def _when_absent(feature: Feature) -> str:
    return feature.name if feature.when_absent is None else f"coalesce({feature.name}, {feature.when_absent})"
