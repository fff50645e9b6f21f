"""Tables of events in databases: SQLite for a test alone, one PostgreSQL for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.features.log_tables import Database, Postgres, postgres_or_skip


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return Database(tmp_path)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Of a server that runs until all tests are done, password included."""
    yield from postgres_or_skip()


@pytest.fixture
def postgres(postgres_url: str, tmp_path: Path) -> Postgres:
    return Postgres(postgres_url, tmp_path)
