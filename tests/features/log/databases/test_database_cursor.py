"""What a database or its query does wrong is said with the way out, and without a secret or a value of the log."""

import socket
from urllib.parse import quote_plus

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from features.errors import InputError, SettingsError
from features.log import database_cursor as tables
from tests.features.log_tables import ANNA, BOB, EVE, PASSWORD, UTC_ANNA, Database, Postgres, free_port

# --- Settings and queries --------------------------------------------------------------------------------------------


def test_a_query_without_a_row_is_said(sqlite: Database):
    with pytest.raises(InputError, match="returns no row"):
        sqlite.fetched()


def test_rows_without_a_watermark_are_refused(sqlite: Database):
    sqlite.add(ANNA)
    query = "select nullif(id, 2) as id, user_id, event_time, event_type from log"
    sqlite.fetched(query=query)
    sqlite.add(BOB)
    with pytest.raises(InputError, match=r'watermark = "id": 1 rows or more have no watermark'):
        sqlite.fetched(query=query)


def test_a_watermark_that_cannot_grow_is_refused(sqlite: Database):
    sqlite.add(ANNA)
    with pytest.raises(InputError, match="expected a number, a time or a text"):
        sqlite.fetched(query="select x'00' as id, * from (select user_id, event_time, event_type from log)")


@pytest.mark.parametrize("mark", ["9e999", "-9e999"])
def test_a_watermark_that_nothing_lies_above_is_refused(sqlite: Database, mark: str):
    sqlite.add(ANNA)
    query = f"select {mark} as id, user_id, event_time, event_type from log"
    with pytest.raises(InputError, match=r'watermark = "id": it is infinite or not a number'):
        sqlite.fetched(query=query)


def test_watermarks_of_several_kinds_are_refused(sqlite: Database):
    sqlite.add(ANNA, BOB)
    with pytest.raises(InputError, match="got int and str, expected a number, a time or a text"):
        sqlite.fetched(query="select iif(id = 1, 1, 'two') as id, user_id, event_time, event_type from log")


def test_texts_that_the_database_orders_in_its_own_way_are_no_watermark(sqlite: Database):
    sqlite.run("create table events (id text collate nocase, user_id, event_time, event_type)")
    sqlite.run("insert into events values (?, ?, ?, ?)", ("a", *ANNA), ("B", *BOB))
    assert sqlite.fetched(query="select * from events") == [ANNA, BOB]
    before = sqlite.files()
    sqlite.run("insert into events values (?, ?, ?, ?)", ("C", *EVE))
    with pytest.raises(InputError, match="rows would come twice"):
        sqlite.fetched(query="select * from events")
    assert sqlite.files() == before


@pytest.mark.parametrize("mark", ["'NaN'::float8", "'Infinity'::float8", "'NaN'::numeric"])
def test_a_watermark_of_postgres_that_is_no_number_is_refused(postgres: Postgres, mark: str):
    postgres.add(UTC_ANNA)
    with pytest.raises(InputError, match=r'watermark = "id": it is infinite or not a number'):
        postgres.fetched(query=f"select *, {mark} as id from log", watermark="id")


def test_a_watermark_of_postgres_that_is_an_identifier_is_refused(postgres: Postgres):
    postgres.add(UTC_ANNA)
    with pytest.raises(InputError, match="got UUID, expected a number, a time or a text"):
        postgres.fetched(query="select *, gen_random_uuid() as id from log", watermark="id")


def test_a_watermark_that_the_query_has_not_is_named(sqlite: Database):
    sqlite.add(ANNA)
    with pytest.raises(InputError, match=r'watermark = "idd"(?s:.*)did you mean "id"'):
        sqlite.fetched(watermark="idd")


def test_a_query_that_fails_is_answered_in_the_words_of_the_database(sqlite: Database):
    with pytest.raises(InputError, match=r"no such table: logg(?s:.*)Hint: fix \[events\] query"):
        sqlite.fetched(query="select * from logg")


@pytest.mark.parametrize("url", ["no url", "postgresql+psycopg://u:secret@host:port/db"])
def test_what_is_no_url_is_said_without_it(sqlite: Database, url: str):
    with pytest.raises(SettingsError, match="is not a database URL") as refusal:
        sqlite.fetched(connection=url)
    assert url not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize("url", ["nosuch://u:secret@host/db", "oracle+cx_oracle://u:secret@host/db"])
def test_a_missing_driver_is_said(sqlite: Database, url: str):
    with pytest.raises(SettingsError, match="driver is missing") as refusal:
        sqlite.fetched(connection=url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("missing", ["connection", "query", "watermark"])
def test_a_database_is_described_whole_or_not_at_all(sqlite: Database, missing: str):
    with pytest.raises(SettingsError, match=f"needs connection, query and watermark; missing: {missing}"):
        sqlite.fetched(**{missing: ""})


# --- Secrets and values -----------------------------------------------------------------------------------------------

ODBC = "DRIVER={ODBC Driver 18};SERVER=db;UID=anna;PWD={s3;cret};DATABASE=shop"
HIDDEN = [
    ("mssql+pyodbc:///?odbc_connect=" + quote_plus(ODBC), "s3;cret", "mssql+pyodbc:///"),
    ("mysql+pymysql://anna@db/shop?passwd=s3cret", "s3cret", "mysql+pymysql://anna@db/shop"),
    ("postgresql://anna@db/shop?token=s3cret&sslmode=require", "s3cret", "postgresql://anna@db/shop"),
    ("postgresql://anna:s3cret@db:5433/shop", "s3cret", "postgresql://anna:***@db:5433/shop"),
]


@pytest.mark.parametrize(("text", "secret", "expected"), HIDDEN)
def test_an_error_shows_driver_user_host_and_database_alone(text: str, secret: str, expected: str):
    url = sa.make_url(text)
    with pytest.raises(InputError, match="the log cannot be fetched from") as refusal, tables.database_errors(url):
        raise SQLAlchemyError(f"login failed with {secret}")
    assert refusal.value.message == f"the log cannot be fetched from {expected}: login failed with ***"


@pytest.mark.parametrize("secret", ["p", "pwd"])
def test_a_driver_is_not_quoted_where_the_password_is_part_of_words(secret: str):
    url = sa.make_url(f"postgresql://anna:{secret}@db/shop")
    assert tables.reason_of("example pwd", url) == (
        "the words of the database are not shown, as the password is too short to be hidden in them"
    )


@pytest.mark.parametrize(("text", "secret", "_"), HIDDEN)
def test_a_new_password_is_the_same_log_and_another_database_is_not(text: str, secret: str, _: str):
    now, new, other = (
        tables.identity_of(sa.make_url(one))
        for one in (text, text.replace(quote_plus(secret), "n3w"), text.replace("shop", "mall"))
    )
    assert now == new != other
    assert secret not in now


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "(1292, \"Truncated incorrect DOUBLE value: 'a@b.com'\")",
            '(1292, "Truncated incorrect DOUBLE value: (not shown)")',
        ),
        ("(1062, \"Duplicate entry 'anna' for key 'at_risk'\")", '(1062, "Duplicate entry (not shown)")'),
        (
            "Conversion failed when converting the value 'an'na' to int.",
            "Conversion failed when converting the value (not shown) to int.",
        ),
        ('invalid input syntax for type integer: "an"na"', "invalid input syntax for type integer: (not shown)"),
        ("The duplicate key value is (anna).", "The duplicate key value is (not shown)."),
        (
            'duplicate key value violates unique constraint "key"',
            'duplicate key value violates unique constraint "key"',
        ),
    ],
)
def test_words_of_other_databases_hold_no_value_either(message: str, expected: str):
    assert tables.reason_of(message, sa.make_url("mysql://db/shop")) == expected


# --- The database itself ---------------------------------------------------------------------------------------------


def test_a_wrong_password_is_said_and_not_shown(postgres: Postgres):
    wrong = postgres.url.replace(PASSWORD, "wr0ng")
    with pytest.raises(
        InputError, match=r"churn:\*\*\*@(?s:.*)password authentication failed(?s:.*)CHURN_EVENTS__CONN"
    ) as refusal:
        postgres.fetched(connection=wrong)
    assert "wr0ng" not in str(refusal.value)


def test_a_database_that_is_not_there_is_said(postgres: Postgres):
    gone = f"postgresql+psycopg://churn:{PASSWORD}@127.0.0.1:{free_port()}/postgres"
    with pytest.raises(InputError, match=r"refused(?s:.*)that the database runs") as refusal:
        postgres.fetched(connection=gone)
    assert PASSWORD not in str(refusal.value)


def test_a_database_that_says_nothing_is_not_waited_for(sqlite: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tables, "CONNECTS_WITHIN_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(InputError, match="timeout"):
        sqlite.fetched(connection=f"postgresql+psycopg://churn:patience@127.0.0.1:{silent.getsockname()[1]}/postgres")


def test_words_of_postgres_hold_no_value_of_the_log(postgres: Postgres):
    postgres.add(UTC_ANNA)
    with pytest.raises(InputError, match=r"invalid input syntax for type integer: \(not shown\)"):
        postgres.fetched(query="select *, user_id::integer as id from log")


def test_columns_of_one_name_are_refused(postgres: Postgres):
    postgres.add(UTC_ANNA)
    with pytest.raises(InputError, match="several columns named user_id"):
        postgres.fetched(query="select log.*, user_id from log")
