"""Who could be on a list: every user with profile, score and attributes, and why some are excluded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features.eligibility import TENURE, Eligibility
from features.errors import SettingsError
from features.expressions import NUMBER
from features.sql import identifier, literal
from features.storage.duckdb import duckdb_errors
from features.users.attributes import KnownUsers
from serving.settings import ExportSettings, ListSettings

TOO_NEW, GONE, NOT_SCORED = "too new", "already gone", "not scored"
OPTED_OUT, NOT_REACHABLE, COOL_DOWN = "opted out", "not reachable", "contacted lately"
DEFAULT_VALUE = "amount_90d"
_SCORES = ("raw_score", "churn_probability", "percentile", "risk_band")


@dataclass(frozen=True)
class Candidates:
    """All users at a cutoff, in a table that settings can ask in SQL: DuckDB reads the columns where they are, and copies none.

    Attributes
    ----------
    connection
        Holds ``everyone``: one row per user, by user id; profile, score and attributes.
    columns
        Of ``everyone``.
    attributes
        Those of ``[users]`` among them.
    """

    connection: duckdb.DuckDBPyConnection
    columns: frozenset[str]
    attributes: frozenset[str] = field(default_factory=frozenset[str])

    @classmethod
    def of(
        cls,
        connection: duckdb.DuckDBPyConnection,
        *,
        profiles: pa.Table,
        scores: pa.Table,
        attributes: pa.Table | None = None,
    ) -> Candidates:
        """Join what is known of each user.

        Parameters
        ----------
        profiles, scores
            Of the same users, sorted by user id.
        attributes
            ``user_id`` and the attributes at the cutoff; one that is called like a column of the profile is ignored.
        """
        known = {*profiles.column_names, *_SCORES}
        users = profiles.column("user_id")
        if not users.equals(scores.column("user_id")):
            raise ValueError("profiles and scores are of different users, or in another order")
        columns = {name: profiles.column(name) for name in profiles.column_names if name not in _SCORES}
        columns |= {name: scores.column(name) for name in _SCORES}
        named: list[str] = []
        if attributes is not None:
            named = [name for name in attributes.column_names if name not in known]
            place = pc.index_in(users, value_set=attributes.column("user_id").combine_chunks())
            columns |= {name: attributes.column(name).take(place) for name in named}
        connection.register("everyone", pa.Table.from_arrays([*columns.values()], [*columns]))
        return cls(connection, frozenset(known | set(named)), frozenset(named))

    def check(self, sql: str, *, setting: str, kind: str = "a condition") -> None:
        """Try an expression of the settings on every user.

        Raises
        ------
        SettingsError
            When it cannot be asked, as where it names an unknown column, or is of another type.
        InputError
            When it fails on a value.
        """
        try:
            found = self.connection.sql(f"select user_id, ({sql}) as found from everyone")
        except duckdb.Error as error:
            words = str(error).splitlines()[0]
            hint = (
                f"columns: see churn features; attributes: {', '.join(sorted(self.attributes)) or 'none, map [users]'}"
            )
            raise SettingsError(f"{setting} = {sql!r} fails: {words}", hint=hint) from error
        type_of_it = str(found.types[1])
        if kind != ("a condition" if type_of_it == "BOOLEAN" else "a number" if NUMBER.fullmatch(type_of_it) else ""):
            hint = "compare or cast it in SQL; a boolean of [users] is a number, as in consent = 1"
            raise SettingsError(f"{setting} = {sql!r} is of type {type_of_it}, expected {kind}", hint=hint)
        with duckdb_errors(f"{setting} = {sql!r} fails on some user", "try_cast() and nullif() pass over such values"):
            found.aggregate("count(found)").fetchall()

    def select(self, columns: str, where: str = "true") -> pa.Table:
        """Return columns of some users, by user id."""
        with duckdb_errors("the list cannot be selected", "check the SQL of [export] and [[lists]]"):
            return self.connection.sql(
                f"select {columns} from everyone where {where} order by user_id"
            ).to_arrow_table()

    def wanted(self, one: ListSettings) -> pa.Table:
        """Return for every user ``is_wanted``, whether the list's ``where`` holds, and ``value``."""
        where, value = one.where or "true", one.value or (DEFAULT_VALUE if DEFAULT_VALUE in self.columns else "null")
        if one.save_rate and value == "null":
            words = (
                f"[[lists]] {one.name}: save_rate is set, and nothing says what a user is worth: the log has no amounts"
            )
            raise SettingsError(words, hint='set value to an SQL number over the profile, as in value = "50"')
        self.check(where, setting=f"[[lists]] {one.name}: where")
        if one.value:
            self.check(value, setting=f"[[lists]] {one.name}: value", kind="a number")
        finite = f"case when isfinite(cast({value} as double)) then cast({value} as double) end"
        return self.select(f"coalesce({where}, false) as is_wanted, {finite} as value")

    def excluded(
        self, settings: ExportSettings, eligibility: Eligibility, *, contacted: Sequence[str] = ()
    ) -> pa.Array[Any]:
        """Return for every user why nobody is to be contacted; null for who can be.

        Parameters
        ----------
        contacted
            Users who were contacted within the cool-down.
        """
        rules: dict[str, str] = {
            TOO_NEW: f"raw_score is null and {TENURE} < {eligibility.min_tenure_days}",
            GONE: f"raw_score is null and not coalesce({eligibility.sql()}, false)",
            NOT_SCORED: "raw_score is null",
        }
        if settings.opted_out:
            self.check(settings.opted_out, setting="[export] opted_out")
            rules[OPTED_OUT] = settings.opted_out
        if settings.reachable:
            self.check(settings.reachable, setting="[export] reachable")
            rules[NOT_REACHABLE] = f"not coalesce({settings.reachable}, false)"
        if contacted:
            self.connection.register("the_contacted", pa.table({"user_id": pa.array(contacted, pa.string())}))
            rules[COOL_DOWN] = "user_id in (select user_id from the_contacted)"
        cases = " ".join(f"when {condition} then {literal(why)}" for why, condition in rules.items())
        return self.select(f"case {cases} end as why").column("why").combine_chunks()


def attributes_at(connection: duckdb.DuckDBPyConnection, known: KnownUsers, *, cutoff_at: str) -> pa.Table:
    """Return the attributes of users that were valid before an instant: ``user_id`` and a column for each, large ids as texts.

    Parameters
    ----------
    connection
        Holds ``user_attributes``, as :func:`features.users.attributes.open_known_users` makes it.
    cutoff_at
        SQL of the instant, in UTC without a zone.
    """
    return _attributes(connection, known, where=f"valid_from < {cutoff_at}")


def attributes_until(connection: duckdb.DuckDBPyConnection, known: KnownUsers, *, until: str) -> pa.Table:
    """Return the same, valid at the latest at an instant as :func:`latest_attributes` names it."""
    return _attributes(connection, known, where=f"valid_from <= timestamp {literal(until)}")


def latest_attributes(connection: duckdb.DuckDBPyConnection) -> str:
    """Return when the latest row of ``user_attributes`` became valid, in UTC; empty where there is no row."""
    rows = connection.execute("select cast(max(valid_from) as varchar) from user_attributes").fetchall()
    return rows[0][0] or ""


def _attributes(connection: duckdb.DuckDBPyConnection, known: KnownUsers, *, where: str) -> pa.Table:
    fields = {name: known.as_text.get(name, name) for name in known.attributes}
    columns = "".join(f", found.{identifier(of)} as {identifier(name)}" for name, of in fields.items())
    return connection.sql(
        f"""select user_id{columns} from (select user_id, max(version) as found from user_attributes
            where {where} group by user_id) order by user_id"""
    ).to_arrow_table()


def in_cool_down(contacts: Mapping[str, date], *, cutoff: date, days: int) -> tuple[str, ...]:
    """Return the users whose last contact was at most some days before a cutoff, or after it, by user id."""
    return tuple(sorted(user for user, day in contacts.items() if (cutoff - day).days <= days)) if days else ()
