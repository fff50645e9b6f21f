"""The DuckDB connection that everything in this package runs on."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

import duckdb

from features.errors import InputError
from features.feature import quoted
from features.settings import ComputeSettings


def connect(timezone: str = "UTC", compute: ComputeSettings | None = None) -> duckdb.DuckDBPyConnection:
    """Open an in-memory database that fetches nothing from the network, and spills to the system's folder for such files.

    Parameters
    ----------
    timezone
        Zone in which naive timestamps of the log are read.
    """
    connection = duckdb.connect(":memory:")
    connection.execute("set autoinstall_known_extensions = false")
    # in a notebook without ipywidgets it is off already, and may not even be set to off
    if connection.execute("select current_setting('enable_progress_bar')").fetchall()[0][0]:
        connection.execute("set enable_progress_bar = false")
    # rows keep their order: without it DuckDB 2.0.0 hands out Arrow tables unsorted in spite of ORDER BY
    connection.execute("set preserve_insertion_order = true")
    connection.execute(f"set timezone = '{timezone}'")
    connection.execute(f"set temp_directory = {quoted(str(Path(gettempdir()) / f'churn-{os.getpid()}'))}")
    if compute and compute.memory_limit_gb:
        connection.execute(f"set memory_limit = '{int(compute.memory_limit_gb * 1000)}MB'")
    if compute and compute.threads:
        connection.execute(f"set threads = {compute.threads}")
    return connection


def beside(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Open another session on the same database: its temporary tables are its own, and go with it."""
    (zone,) = connection.execute("select current_setting('timezone')").fetchall()[0]
    session = connection.cursor()
    session.execute(f"set timezone = {quoted(zone)}")
    return session


@contextmanager
def explained(what: str, hint: str) -> Generator[None]:
    """Turn what DuckDB says of bad input into an :class:`InputError` that says where.

    Raises
    ------
    InputError
        For every error of DuckDB's inside the block.
    """
    try:
        yield
    except duckdb.Error as error:
        raise InputError(f"{what}: {_without_values(str(error))}", hint=hint) from error


def _without_values(message: str) -> str:
    """Keep the first lines, and no value of the log: DuckDB quotes what it could not convert."""
    lines = [line for line in message.splitlines() if line.strip() and "riginal Line" not in line][:3]
    return re.sub(r"(string|value) '[^']*'", r"\1 (not shown)", "\n".join(lines))
