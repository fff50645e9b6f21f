"""The other contenders at work, each imported before the clock starts."""

from __future__ import annotations

from importlib import import_module

from benchmarks.measuring import Work
from benchmarks.profiles.world import Bench


def with_pandas(bench: Bench) -> Work:
    """One cutoff from the log's files, in pandas."""
    return _framed("benchmarks.profiles.in_pandas", bench)


def with_plain_pandas(bench: Bench) -> Work:
    """Do the same with texts read as they are."""
    return _framed("benchmarks.profiles.in_pandas", bench, is_tuned=False)


def with_polars(bench: Bench) -> Work:
    """One cutoff from the log's files, on the streaming engine of Polars."""
    return _framed("benchmarks.profiles.in_polars", bench)


def _framed(module: str, bench: Bench, **options: bool) -> Work:
    build, event_types = import_module(module).build, bench.event_types
    return lambda: build(bench.events, bench.cutoff, event_types=event_types, **options)


def with_pyspark(bench: Bench) -> Work:
    """One cutoff from the log's files, in PySpark; its session is open before the clock starts."""
    spark = import_module("benchmarks.profiles.in_pyspark")
    session = spark.open_session()
    return lambda: spark.build(session, bench.events, cutoff=bench.cutoff)
