"""A list in a table of the team: SQLite for what is the same everywhere, and a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from features.errors import InputError, SettingsError
from serving.weekly.files.database_table import TableAddress, replace_rows
from serving.weekly.files.destinations import Delivery, deliver
from serving.weekly.files.list_address import ListAddress
from tests.features.log_tables import PASSWORD
from tests.serving.weekly.files.conftest import ADDRESS, finish, listed

AGAIN = ListAddress("shop", "2026-W47", "vip", "def456")


@dataclass
class Crm:
    """A database of the team's."""

    url: str

    @property
    def table(self) -> str:
        return f"{self.url}#at_risk"

    def run(self, sql: str) -> list[tuple[Any, ...]]:
        engine = sa.create_engine(self.url, poolclass=sa.NullPool)
        with engine.begin() as connection:
            found = connection.execute(sa.text(sql))
            return [tuple(row) for row in found] if found.returns_rows else []

    def rows(self) -> list[tuple[Any, ...]]:
        return self.run("select week, list, export_id, rank, user_id from at_risk order by week, list, rank")


@pytest.fixture
def sqlite(tmp_path: Path) -> Crm:
    return Crm(f"sqlite:///{tmp_path}/crm.db")


@pytest.fixture
def postgres(request: pytest.FixtureRequest) -> Iterator[Crm]:
    crm = Crm(request.getfixturevalue("postgres_of_the_team"))
    yield crm
    crm.run("drop table if exists at_risk")
    crm.run("drop schema if exists marketing cascade")


@pytest.fixture(params=["sqlite", "postgres"])
def crm(request: pytest.FixtureRequest) -> Crm:
    return request.getfixturevalue(request.param)


def test_a_table_is_created_with_proper_types(crm: Crm, folder: Path):
    delivery = deliver(folder, crm.table, address=ADDRESS)
    assert (delivery.is_new, PASSWORD in delivery.to) == (True, False)
    inspector = sa.inspect(sa.create_engine(crm.url, poolclass=sa.NullPool))
    kinds = {column["name"]: type(column["type"]).__name__ for column in inspector.get_columns("at_risk")}
    assert list(kinds)[:3] == ["rank", "user_id", "churn_probability"]
    assert [kinds[name] for name in ("rank", "user_id", "ours", "as_of")] == ["BIGINT", "TEXT", "BOOLEAN", "DATE"]
    assert [kinds[name] for name in ("project", "week", "list", "export_id")] == ["TEXT"] * 4
    assert crm.rows() == [
        ("2026-W47", "vip", "abc123", rank, user) for rank, user in enumerate(("anna", "bob", "Zoë\n王"), 1)
    ]


def test_postgres_keeps_dates_instants_and_missing_values(postgres: Crm, folder: Path):
    deliver(folder, postgres.table, address=ADDRESS)
    (row,) = postgres.run(
        "select churn_probability, ours, as_of, last_seen_at, note from at_risk where user_id = 'bob'"
    )
    assert row == (0.5, True, date(2026, 11, 16), datetime(2026, 11, 14, 18, 30, tzinfo=UTC), None)


def test_sqlite_keeps_instants_in_utc(sqlite: Crm, folder: Path):
    deliver(folder, sqlite.table, address=ADDRESS)
    assert sqlite.run("select distinct last_seen_at from at_risk") == [("2026-11-14 18:30:00.000000",)]


def test_a_second_delivery_of_the_same_export_changes_nothing(crm: Crm, folder: Path):
    deliver(folder, crm.table, address=ADDRESS)
    crm.run("update at_risk set note = 'called' where user_id = 'anna'")
    assert not deliver(folder, crm.table, address=ADDRESS).is_new
    assert crm.run("select note from at_risk where user_id = 'anna'") == [("called",)]
    assert len(crm.rows()) == 3


def test_another_export_of_the_same_list_replaces_it_and_other_lists_and_weeks_stay(
    crm: Crm, folder: Path, tmp_path: Path
):
    for address in (
        ADDRESS,
        ListAddress("shop", "2026-W47", "all", "abc123"),
        ListAddress("shop", "2026-W46", "vip", "abc123"),
        ListAddress("mall", "2026-W47", "vip", "abc123"),
    ):
        deliver(folder, crm.table, address=address)
    assert deliver(finish(tmp_path / "again", listed("eve")), crm.table, address=AGAIN).is_new
    counts = crm.run(
        "select project, week, list, export_id, count(*) from at_risk group by 1, 2, 3, 4 order by 1, 2, 3"
    )
    assert counts == [
        ("mall", "2026-W47", "vip", "abc123", 3),
        ("shop", "2026-W46", "vip", "abc123", 3),
        ("shop", "2026-W47", "all", "abc123", 3),
        ("shop", "2026-W47", "vip", "def456", 1),
    ]


def test_rows_that_somebody_removed_are_there_again(crm: Crm, folder: Path):
    deliver(folder, crm.table, address=ADDRESS)
    crm.run("delete from at_risk where user_id = 'bob'")
    assert deliver(folder, crm.table, address=ADDRESS).is_new
    assert len(crm.rows()) == 3


def test_an_empty_list_empties_the_week(crm: Crm, folder: Path, tmp_path: Path):
    deliver(folder, crm.table, address=ADDRESS)
    empty = finish(tmp_path / "again", listed())
    assert deliver(empty, crm.table, address=AGAIN).is_new
    assert crm.rows() == []
    assert not deliver(empty, crm.table, address=AGAIN).is_new


def test_a_table_that_does_not_fit_is_refused_with_the_difference(crm: Crm, folder: Path):
    crm.run(
        "create table at_risk (rank text, user_id text, churn_probability numeric, owner integer not null, note text)"
    )
    with pytest.raises(InputError, match="at_risk: the table does not fit the list") as raised:
        deliver(folder, crm.table, address=ADDRESS)
    assert '"rank" is TEXT, expected BIGINT' in raised.value.message
    assert 'it lacks "export_id" (TEXT)' in raised.value.message
    assert '"owner" of its own may not be empty' in raised.value.message
    assert "user_id" not in raised.value.message
    assert crm.run("select count(*) from at_risk") == [(0,)]


def test_a_table_may_have_columns_of_its_own_and_kinds_that_take_ours(crm: Crm, folder: Path):
    crm.run(
        """create table at_risk (owner text, calls integer not null default 0, project varchar(20), week varchar(20), list text,
        export_id text, rank numeric, user_id varchar(20), churn_probability numeric, ours boolean, as_of date,
        last_seen_at timestamp, note text)"""
    )
    assert deliver(folder, crm.table, address=ADDRESS).is_new
    assert crm.run("select owner, calls, user_id from at_risk where rank = 1") == [(None, 0, "anna")]


def test_a_delivery_that_fails_half_way_changes_nothing_and_shows_no_user(postgres: Crm, folder: Path, tmp_path: Path):
    deliver(folder, postgres.table, address=ADDRESS)
    postgres.run("alter table at_risk alter column user_id type varchar(5)")
    long = finish(tmp_path / "again", listed("eve", "somebody with a long name"))
    with pytest.raises(InputError, match="nothing was changed") as raised:
        deliver(long, postgres.table, address=AGAIN)
    assert "somebody" not in str(raised.value)
    assert [row[2] for row in postgres.rows()] == ["abc123"] * 3


def test_a_table_in_a_schema(postgres: Crm, folder: Path):
    postgres.run("create schema marketing")
    assert deliver(folder, f"{postgres.url}#marketing.at_risk", address=ADDRESS).to.endswith("#marketing.at_risk")
    assert postgres.run("select count(*) from marketing.at_risk") == [(3,)]
    with pytest.raises(InputError, match='schema "sales" does not exist'):
        deliver(folder, f"{postgres.url}#sales.at_risk", address=ADDRESS)


def test_deliveries_at_once_leave_the_rows_of_one(crm: Crm):
    exports = [ListAddress("shop", "2026-W47", "vip", f"export{number}") for number in range(4)]
    table = TableAddress.of(crm.table)
    threads = [
        Thread(target=replace_rows, args=(listed("anna", "bob"), table), kwargs={"address": address})
        for address in exports
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(crm.rows()) == 2
    assert len({row[2] for row in crm.rows()}) == 1


def test_a_server_that_does_not_answer_is_named_without_the_password(folder: Path):
    with pytest.raises(InputError, match="the list cannot be written into postgresql") as raised:
        deliver(folder, "postgresql+psycopg://anna:s3cr3t@127.0.0.1:1/crm#at_risk", address=ADDRESS)
    assert "s3cr3t" not in str(raised.value)


@pytest.mark.parametrize(
    "to", ["postgresql://u:s3#cr3t@h/crm", "sqlite:///crm.db", "sqlite:///crm.db#", "no url://x#at_risk"]
)
def test_a_url_without_a_table_is_refused_and_not_shown(to: str):
    with pytest.raises(SettingsError) as raised:
        TableAddress.of(to)
    assert "cr3t" not in str(raised.value)


def test_a_driver_that_is_missing_is_a_setting_to_change(folder: Path):
    with pytest.raises(SettingsError, match="the driver of the database is missing"):
        deliver(folder, "nodb://u:s3cr3t@h/crm#at_risk", address=ADDRESS)


def test_a_column_that_no_table_holds_and_a_file_that_is_not_there(sqlite: Crm, folder: Path):
    nested = listed("anna").append_column("tags", pa.array([["a"]]))
    with pytest.raises(InputError, match='"tags" is of the type list'):
        replace_rows(nested, TableAddress.of(sqlite.table), address=ADDRESS)
    with pytest.raises(InputError, match=r"there is no rows.parquet"):
        deliver(folder, sqlite.table, address=ADDRESS, rows="rows.parquet")


def test_a_delivery_is_shown_by_its_table(sqlite: Crm, folder: Path):
    assert deliver(folder, sqlite.table, address=ADDRESS) == Delivery(sqlite.table, is_new=True)
