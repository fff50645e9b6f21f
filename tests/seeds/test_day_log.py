from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from seeds.day_log import SCHEMA
from seeds.simulate import World


def one(log: duckdb.DuckDBPyConnection, query: str) -> tuple[float, ...]:
    return log.execute(query).fetchall()[0]


def test_a_file_has_the_columns_of_the_schema_and_is_sorted_by_time_and_user(out: Path, world: World) -> None:
    table = pq.ParquetFile(out / "events" / f"day={world.start}" / "part-0.parquet").read()
    assert table.schema.equals(SCHEMA)
    keys = list(zip(table["event_time"].cast(pa.int64()).to_pylist(), table["user_id"].to_pylist(), strict=True))
    assert keys == sorted(keys)


def test_only_amounts_may_be_missing(log: duckdb.DuckDBPyConnection) -> None:
    columns = [name for name in SCHEMA.names if name != "amount"]
    assert one(log, f"select {', '.join(f'count(*) - count({name})' for name in columns)} from log") == (0,) * 10


def test_purchases_cost_refunds_give_back_and_nothing_else_has_an_amount(log: duckdb.DuckDBPyConnection) -> None:
    rows = log.execute(
        "select distinct event_type, sign(amount) from log where amount is not null or event_type in ('purchase', 'refund')"
    ).fetchall()
    assert sorted(rows) == [("purchase", 1), ("refund", -1)]


def test_a_refund_gives_back_what_was_paid_just_before_it(log: duckdb.DuckDBPyConnection) -> None:
    refunds, matching = one(
        log,
        """select count(*), count(*) filter (before = -amount) from (
             select event_type, amount, lag(amount) over (partition by session_id order by micros) as before from log)
           where event_type = 'refund'""",
    )
    assert refunds == matching > 50


def test_sessions_are_half_an_hour_apart_and_an_event_lasts_until_the_next(log: duckdb.DuckDBPyConnection) -> None:
    overlapping, off = one(
        log,
        """select count(*) filter (session_id != next_session and next_micros - micros < 1.8e9),
                  count(*) filter (session_id = next_session
                                   and abs(next_micros - micros - duration_seconds * 1e6) > 1)
           from (select *, lead(micros) over own as next_micros, lead(session_id) over own as next_session from log
                 window own as (partition by user_id order by micros))""",
    )
    assert (overlapping, off) == (0, 0)


def test_a_session_is_of_one_user_on_one_day(log: duckdb.DuckDBPyConnection) -> None:
    most = one(
        log,
        """select max(users), max(days) from (
             select count(distinct user_id) as users, count(distinct day) as days from log group by session_id)""",
    )
    assert most == (1, 1)


def test_newcomers_install_first_and_just_once(log: duckdb.DuckDBPyConnection, world: World) -> None:
    installs, first, users = one(
        log,
        """select count(*), count(*) filter (micros = first), count(distinct user_id) from (
             select *, min(micros) over (partition by user_id) as first from log) where event_type = 'install'""",
    )
    assert installs == first == users == 0.6 * world.users


def test_a_user_keeps_channel_and_system_and_may_change_phone(log: duckdb.DuckDBPyConnection) -> None:
    channels, systems, phones = one(
        log,
        """select max(channels), max(systems), max(phones) from (
             select count(distinct channel) as channels, count(distinct device_os) as systems,
                    count(distinct device_model) as phones
             from log group by user_id)""",
    )
    assert (channels, systems, phones) == (1, 1, 2)


def test_a_release_spreads_slowly(log: duckdb.DuckDBPyConnection) -> None:
    # 4.10.0 comes out on day 56 of the log.
    shares = dict(
        log.execute(
            """select date_diff('day', date '2026-01-05', day), avg((app_version = '4.10.0')::int)
               from log group by 1"""
        ).fetchall()
    )
    assert shares[55] == 0
    assert 0 < shares[57] < shares[62] < shares[68]


def test_the_week_has_a_rhythm(log: duckdb.DuckDBPyConnection) -> None:
    weekday, weekend = one(
        log,
        """select avg(users) filter (isodow(day) <= 5), avg(users) filter (isodow(day) > 5) from (
             select day, count(distinct user_id) as users from log group by day)""",
    )
    assert weekend < 0.95 * weekday
