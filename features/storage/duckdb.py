"""The DuckDB connection that everything in this package runs on."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import gettempdir

import duckdb

from features.errors import InputError, translated
from features.settings import ComputeSettings
from features.sql import literal
from features.storage.full_disk import WAY_OUT, is_full


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
    connection.execute(f"set temp_directory = {literal(str(Path(gettempdir()) / f'churn-{os.getpid()}'))}")
    if compute and compute.memory_limit_gb:
        connection.execute(f"set memory_limit = '{int(compute.memory_limit_gb * 1000)}MB'")
    if compute and compute.threads:
        connection.execute(f"set threads = {compute.threads}")
    return connection


def new_session(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Open another session on the same database: its temporary tables belong to it, and end with it."""
    (zone,) = connection.execute("select current_setting('timezone')").fetchall()[0]
    session = connection.cursor()
    session.execute(f"set timezone = {literal(zone)}")
    return session


def duckdb_errors(what: str, hint: str) -> AbstractContextManager[None]:
    """Translate DuckDB's errors about bad input into an :class:`InputError` that names the place.

    Raises
    ------
    InputError
        For every error of DuckDB's inside the block.
    """

    def words(error: duckdb.Error) -> InputError | None:
        match error:
            case duckdb.InterruptException():  # Ctrl-C is not an input
                return None
            case duckdb.OutOfMemoryException():
                return out_of_memory(error)
            case _ if is_full(error):
                return InputError(f"{what}: the disk is full: {_place(error)} cannot be written", hint=WAY_OUT)
            case _:
                return InputError(f"{what}: {_without_values(error)}", hint=hint)

    return translated(duckdb.Error, words)


def _place(error: duckdb.Error) -> str:
    """Return the file that could not be written, which DuckDB names in a message or in JSON."""
    found = re.search(r"""[Ff]ile \\?["']([^"'\\]+)""", str(error))
    return found[1] if found else "a file"


def out_of_memory(error: Exception) -> InputError:
    """Return the error of an engine that may not use the memory it needs."""
    words = str(error).partition("\n")[0].removeprefix("Out of Memory Error: ")
    if "temp_directory" in words:
        return InputError(f"the engine is out of disk: {words}", hint="point TMPDIR to a place with more room")
    return InputError(
        f"the engine is out of memory ([compute] memory_limit_gb): {words}",
        hint="raise it (--memory-limit), or lower [compute] rows_at_once or threads to hold less in memory",
    )


# Errors of these kinds come before a row is read, or are about files: they hold names, and no value of the log.
_ABOUT_NAMES = (duckdb.BinderException, duckdb.CatalogException, duckdb.ParserException, duckdb.IOException)
_OF_CSV = re.compile(
    r"Expected Number of Columns: \d+ Found: \d+|Value with unterminated quote found|Invalid unicode[^\n]*"
    r'|Maximum line size of \d+ bytes exceeded|Error when converting column "[^"\n]*"'
)
_PLACE = re.compile(
    r"""\b[Ff]ile ("[^"]*"|'[^']*')|\b([Ll]ine:?|byte|record/value) \d+|\b[A-Z]+\([\d, ]+\)|\bcan't\b"""
)
_VALUE = re.compile(r"""["'{[]|(?<![\w.])[-+]?\d""")
_CAST = re.compile(r"(?: to (?:the destination type )?[A-Z][A-Z0-9_]*)? when casting from source column \w+")


def _without_values(error: duckdb.Error) -> str:
    """Return DuckDB's message up to the first value of the log: it quotes what it could not convert, and the lines around it."""
    message = str(error)
    lines = [line for line in message.splitlines() if line.strip()] or [type(error).__name__]
    if isinstance(error, _ABOUT_NAMES):
        return "\n".join(lines[:3])
    if "CSV Error" in lines[0]:
        file = next((line.partition("=")[2].strip() for line in lines if line.strip().startswith("file =")), "")
        place = f"{lines[0]} of {file}" if file else lines[0]
        return "\n".join((place, *(found.group() for line in lines[1:] if (found := _OF_CSV.match(line)))))
    end = _first_value(lines[0])
    cast = _CAST.findall(message)[-1:]
    return lines[0] if end is None else "".join((lines[0][:end], "(not shown)", *cast))


def _first_value(line: str) -> int | None:
    """Return where a value begins: the first quote, bracket or number that belongs to no file, line, or type."""
    places = [place.span() for place in _PLACE.finditer(line)]
    starts = (found.start() for found in _VALUE.finditer(line))
    return next((at for at in starts if not any(first <= at < end for first, end in places)), None)
