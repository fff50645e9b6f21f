"""Tables of events in databases: SQLite for a test alone, one PostgreSQL for all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.features.log_tables import BINARIES, Database, Postgres, postgres_server


@pytest.fixture
def sqlite(tmp_path: Path) -> Database:
    return Database(tmp_path)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """Of a server that runs until all tests are done, password included."""
    if not BINARIES:
        pytest.skip("PostgreSQL's server is not installed: make system")
    with postgres_server() as url:
        yield url


@pytest.fixture
def postgres(postgres_url: str, tmp_path: Path) -> Postgres:
    return Postgres(postgres_url, tmp_path)
