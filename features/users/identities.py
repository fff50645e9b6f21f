"""Which ids are one person, and since when that is known.

A row of ``[identities]`` says that an alias is a user from ``valid_from`` on, until a later row of the alias replaces it. An
alias may be the alias of an alias. Both are resolved here, once: a *span* assigns an alias to a user, from an instant (known at
cutoffs after it) up to another (known at cutoffs up to it).
"""

from __future__ import annotations

import duckdb

from features.errors import InputError
from features.users.point_in_time import ALWAYS

FOREVER = "timestamp '9999-12-31'"

_LINKS = f"""select *, coalesce(lead(valid_from) over (partition by alias_id order by valid_from), {FOREVER}) as valid_until
    from (select alias_id, valid_from, max(user_id) as user_id from checked where reason is null group by alias_id, valid_from)"""
_SPANS = "select alias_id, user_id, valid_from, valid_until, user_id = alias_id as is_final from links"
# the user of an alias at any time: before its first row the alias itself
_ALWAYS_LINKED = f"""select alias_id, user_id, valid_from, valid_until from links union all
    select alias_id, alias_id, {ALWAYS}, min(valid_from) from links group by alias_id"""
_FOLLOWED = """select alias_id, user_id, valid_from, valid_until, is_final from spans where is_final union all
    select s.alias_id, s.user_id, s.valid_from, s.valid_until, true
        from spans s anti join links l on s.user_id = l.alias_id where not s.is_final union all
    select s.alias_id, l.user_id, greatest(s.valid_from, l.valid_from), least(s.valid_until, l.valid_until), l.user_id = l.alias_id
        from spans s join always_linked l on s.user_id = l.alias_id
            and l.valid_from < s.valid_until and s.valid_from < l.valid_until where not s.is_final"""
RESOLVED = "select alias_id, user_id, valid_from, valid_until from spans where user_id <> alias_id"


def resolve(connection: duckdb.DuckDBPyConnection) -> None:
    """Make ``spans`` of the rows ``checked``: every alias leads to a person, who is not an alias at that time.

    Raises
    ------
    InputError
        When an alias leads back to itself.
    """
    for name, sql in {"links": _LINKS, "spans": _SPANS, "always_linked": _ALWAYS_LINKED}.items():
        connection.execute(f"create table {name} as {sql}")
    while _count(connection, "not is_final"):
        connection.execute(f"create or replace table spans as {_FOLLOWED}")
        circles = _count(connection, "not is_final and user_id = alias_id")
        if circles:
            raise InputError(
                f"[identities]: {circles} ids lead back to themselves through other ids, expected that each leads to a person",
                hint="two rows that point at each other, valid at the same time: exclude one of them with [identities] where",
            )


def _count(connection: duckdb.DuckDBPyConnection, condition: str) -> int:
    return int(connection.execute(f"select count(*) from spans where {condition}").fetchall()[0][0])
