"""A database as the command is told of it: by settings and environment, with the connection never shown."""

from pathlib import Path

from tests.builders import write
from tests.churn.command import Ran, churn
from tests.features.log_tables import PASSWORD, UTC_ANNA, UTC_BOB, Postgres


def profiles_by_command(folder: Path, connection: str) -> Ran:
    (folder / "churn.toml").write_text('[events]\nquery = "select * from log"\nwatermark = "arrived"\n')
    given = ("profiles", "--as-of", "2026-01-07", "--out", "p.parquet", "--json")
    return churn(*given, cwd=folder, CHURN_EVENTS__CONNECTION=connection)


def test_the_command_builds_profiles_of_a_table(postgres: Postgres, tmp_path: Path):
    postgres.add(UTC_ANNA, UTC_BOB)
    assert profiles_by_command(tmp_path, postgres.url).json()["profiles"] == 2
    postgres.add(("carl", "2026-01-06 12:00+00", "open"))
    assert profiles_by_command(tmp_path, postgres.url).json()["profiles"] == 3


def test_the_command_says_what_the_database_says(postgres: Postgres, tmp_path: Path):
    ran = profiles_by_command(tmp_path, postgres.url.replace(PASSWORD, "wr0ng"))
    assert (ran.code, ran.out) == (2, "")
    assert "password authentication failed" in ran.err
    assert "wr0ng" not in ran.err


def test_the_connection_is_masked_where_settings_are_shown(tmp_path: Path):
    (tmp_path / "churn.toml").write_text('[events]\nquery = "select 1"\nwatermark = "id"\n')
    ran = churn("settings", "--json", cwd=tmp_path, CHURN_EVENTS__CONNECTION="sqlite:///secret.db")
    assert ran.code == 0
    assert "**********" in ran.out
    assert "secret.db" not in ran.out + ran.err


def test_a_connection_that_is_not_given_is_asked_for(tmp_path: Path):
    ran = profiles_by_command(tmp_path, "")
    assert ran.code == 2
    assert "missing: connection" in ran.err


def test_an_error_in_the_section_does_not_show_its_connection(tmp_path: Path):
    ran = churn(
        "settings", "--set", "events.columns.usr=a", cwd=tmp_path, CHURN_EVENTS__CONNECTION="sqlite:///secret.db"
    )
    assert ran.code == 2
    assert "not in the event contract" in ran.err
    assert "secret.db" not in ran.err


def test_a_place_given_with_the_command_is_read_in_place_of_the_database(tmp_path: Path):
    write(tmp_path / "log.csv", ["anna 2026-01-05T10:00"])
    (tmp_path / "churn.toml").write_text('[events]\nquery = "select 1"\nwatermark = "id"\n')
    given = ("profiles", "--as-of", "2026-01-06", "--out", "p.parquet", "--events", "log.csv", "--json")
    ran = churn(*given, cwd=tmp_path, CHURN_EVENTS__CONNECTION="sqlite:///no-such-folder/app.db")
    assert ran.json()["profiles"] == 1
