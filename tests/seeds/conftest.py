"""One small world for all tests that only look at it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from seeds.simulate import Summary, World, simulate


@pytest.fixture(scope="session")
def world() -> World:
    return World(users=2_000, days=120)


@pytest.fixture(scope="session")
def cutoffs(world: World) -> tuple[date, ...]:
    return tuple(world.start + timedelta(days=day) for day in (64, 78, 92, 106))


@pytest.fixture(scope="session")
def simulated(
    world: World, cutoffs: tuple[date, ...], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Summary]:
    out = tmp_path_factory.mktemp("world")
    return out, simulate(world, out, cutoffs=cutoffs)


@pytest.fixture(scope="session")
def out(simulated: tuple[Path, Summary]) -> Path:
    return simulated[0]


@pytest.fixture(scope="session")
def summary(simulated: tuple[Path, Summary]) -> Summary:
    return simulated[1]


@pytest.fixture(scope="session")
def open_log() -> Iterator[Callable[[Path], duckdb.DuckDBPyConnection]]:
    """Open the log of any world as a view `log`: its columns, the day of the folder, and `micros` since 1970."""
    opened: list[duckdb.DuckDBPyConnection] = []

    def open_one(out: Path) -> duckdb.DuckDBPyConnection:
        opened.append(duckdb.connect())
        files = out / "events" / "**" / "*.parquet"
        opened[-1].execute(f"create view log as select *, epoch_us(event_time) as micros from '{files}'")
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def log(out: Path, open_log: Callable[[Path], duckdb.DuckDBPyConnection]) -> duckdb.DuckDBPyConnection:
    return open_log(out)
