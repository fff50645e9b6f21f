"""The same table gives the same profiles and the same rejected rows, whatever it lies in: the promise of the guide."""

import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
from hypothesis import Phase, given, settings

from features.activity.store import ActivitySettings
from features.log.database import fetch
from features.profiles.build import build_profiles
from features.settings import ChurnSettings, EventsSettings, FeatureSettings
from tests.builders import World
from tests.features.log_texts import CUTOFF, END, Table, put_csv, put_json, put_parquet, put_typed_parquet, tables
from tests.features.oracle import Past, Rules, oracle_of
from tests.features.profiles.test_oracle import is_same
from tests.worlds import examples

FEATURES = {
    "amount": ("purchases_28d", "amount_28d", "refunded_amount"),
    "device_model": ("last_device_model", "device_models"),
    "app_version": ("last_app_version",),
    "channel": ("acquisition_channel", "channels"),
}
ALWAYS = ("events_28d", "active_days", "event_types_28d")

WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)  # which takes minutes; a difference names its row

Found = tuple[dict[str, dict[str, Any]], dict[str, int]]
Put = Callable[[Table, Path], EventsSettings]


def features_of(table: Table) -> tuple[str, ...]:
    return (*ALWAYS, *(feature for column in table.columns for feature in FEATURES.get(column, ())))


def expected_of(table: Table) -> Found:
    """Profiles by user and rejected rows by reason, in plain Python."""
    rows, rejected = table.reader.read(table.rows)
    pasts = {
        user: Past([row for row in rows if row["user_id"] == user], CUTOFF, Rules(zone=table.zone))
        for user in {row["user_id"] for row in rows}
    }
    oracles = {name: oracle_of(name) for name in features_of(table)}
    profiles = {
        user: {name: oracle(past) for name, oracle in oracles.items() if oracle}
        for user, past in pasts.items()
        if past.events
    }
    return profiles, rejected


def found_of(table: Table, put: Put) -> Found:
    """The same from the engine."""
    memory = Path("/dev/shm")  # noqa: S108
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        churn = ChurnSettings(timezone=table.zone)
        world = World(ActivitySettings(put(table, Path(folder)), churn, FeatureSettings()), Path(folder) / "home")
        activity, only = world.activity(), features_of(table)
        specification = world.specification(only=only, activity=activity)
        found = build_profiles(activity, specification, cutoffs=[CUTOFF]).to_pylist()
        profiles = {one["user_id"]: {name: one[name] for name in only} for one in found}
        return profiles, dict(activity.manifest.inventory.rejected)


def settings_of(table: Table, **options: Any) -> EventsSettings:
    columns = {name: name for name in table.columns}
    rest: dict[str, Any] = {"timezone": table.naive_zone, "covered_until": END, "max_rejected_share": 0.999}
    return EventsSettings(**rest | options, columns=columns)


def in_files(put: Callable[[Table, Path], None]) -> Put:
    def settings(table: Table, folder: Path) -> EventsSettings:
        (folder / "log").mkdir()
        put(table, folder / "log")
        return settings_of(table, path=str(folder / "log"))

    return settings


def in_sqlite(table: Table, folder: Path) -> EventsSettings:
    with closing(sqlite3.connect(folder / "app.db")) as connection, connection:
        _fill(table, connection.cursor(), mark="?")
    return fetched(table, f"sqlite:///{folder / 'app.db'}", folder)


def in_postgres(url: str) -> Put:
    def settings(table: Table, folder: Path) -> EventsSettings:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            _fill(table, connection.cursor(), mark="%s")
        return fetched(table, url, folder)

    return settings


def _fill(table: Table, cursor: Any, *, mark: str) -> None:
    """Rows in the order of their files, as texts."""
    cursor.execute("drop table if exists texts")
    cursor.execute(f"create table texts (n integer, {', '.join(f'{name} text' for name in table.columns)})")
    rows = [(place, *(row[name] for name in table.columns)) for place, row in enumerate(table.rows)]
    cursor.executemany(f"insert into texts values ({', '.join([mark] * (len(table.columns) + 1))})", rows)


def fetched(table: Table, connection: str, folder: Path) -> EventsSettings:
    settings = settings_of(table, connection=connection, query="select * from texts", watermark="n")
    return settings.model_copy(update={"path": fetch(settings, folder / "home")})


FORMS: dict[str, Put] = {
    "CSV": in_files(put_csv),
    "TSV": in_files(lambda table, folder: put_csv(table, folder, delimiter="\t")),
    "JSON Lines": in_files(put_json),
    "Parquet of texts": in_files(put_parquet),
    "Parquet of types": in_files(put_typed_parquet),
    "SQLite": in_sqlite,
}


def differences(found: Found, expected: Found) -> list[str]:
    """What is not as plain Python says, in words."""
    words = [] if found[1] == expected[1] else [f"set aside: {found[1]}, expected {expected[1]}"]
    if found[0].keys() != expected[0].keys():
        return [*words, f"users: {sorted(found[0])}, expected {sorted(expected[0])}"]
    return words + [
        f"{user!r}: {name} is {value!r}, expected {expected[0][user][name]!r}"
        for user, profile in found[0].items()
        for name, value in profile.items()
        if not is_same(value, expected[0][user][name])
    ]


def check(table: Table, forms: dict[str, Put]) -> None:
    expected = expected_of(table)
    wrong = {name: differences(found_of(table, put), expected) for name, put in forms.items()}
    assert {name: words for name, words in wrong.items() if words} == {}


@settings(examples(2, 60), phases=WITHOUT_SHRINKING)
@given(tables())
def test_files_and_sqlite_give_what_plain_python_says(table: Table):
    check(table, FORMS)


@settings(examples(2, 30), phases=WITHOUT_SHRINKING)
@given(tables())
def test_postgres_gives_what_plain_python_says(postgres_url: str, table: Table):
    check(table, {"PostgreSQL": in_postgres(postgres_url)})
