"""A dozen of the features in PySpark's own expressions, on one machine."""

from __future__ import annotations

from datetime import date
from functools import reduce
from pathlib import Path

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as f

from benchmarks.profiles.compared import DOZEN

NEEDED = ("user_id", "event_time", "event_type", "session_id", "duration_seconds", "device_model", "amount")
DAY_US = 86_400_000_000


def open_session(cores: int = 2) -> SparkSession:
    """Start Spark in this machine; its partitions fit two cores, and it tells nobody."""
    return (
        SparkSession.builder.master(f"local[{cores}]")
        .appName("bench-profiles")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", 4 * cores)
        .config("spark.driver.memory", "4g")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.ui.enabled", value=False)
        .config("spark.ui.showConsoleProgress", value=False)
        .getOrCreate()
    )


def build(session: SparkSession, events: Path, *, cutoff: date) -> pa.Table:
    """Build the dozen for everybody seen before a UTC midnight.

    Sets are counted after ``distinct`` rather than with ``collect_set``: hash aggregation, no sorting of objects.
    """
    log = _log(session, events, cutoff=cutoff)
    parts = (_different(log.where("age <= 28"), "event_type"), _different(log, "device_model"))
    profiles = reduce(lambda left, right: left.join(right, "user_id", "left"), parts, _of_users(_days(log), cutoff))
    return profiles.fillna(0, subset=["event_types_28d", "device_models"]).select("user_id", *DOZEN).toArrow()


def _log(session: SparkSession, events: Path, *, cutoff: date) -> DataFrame:
    us = f.unix_micros("event_time")
    return (
        session.read.parquet(str(events))
        .select(*NEEDED)
        .where(us < _number_of(cutoff) * DAY_US)
        .withColumns({"us": us, "into_day": us % DAY_US})
        .withColumn("age", f.lit(_number_of(cutoff)) - f.floor(f.col("us") / DAY_US))
    )


def _number_of(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _different(log: DataFrame, column: str) -> DataFrame:
    """Count the different values of each user."""
    names = {"event_type": "event_types_28d", "device_model": "device_models"}
    values = log.select("user_id", column).where(f.col(column).isNotNull()).distinct()
    return values.groupBy("user_id").agg(f.count("*").alias(names[column]))


def _days(log: DataFrame) -> DataFrame:
    """Return one row per user and day, by way of one per session."""
    stated = f.coalesce("duration_seconds", f.lit(0)) * 1e3
    milliseconds = f.least(stated, (f.lit(DAY_US) - f.col("into_day")) / 1e3)
    is_purchase = f.col("amount") >= 0.005
    visits = log.groupBy("user_id", "age", "session_id").agg(
        f.count("*").alias("events"),
        f.max("us").alias("last_us"),
        f.sum(f.floor(milliseconds + 0.5)).alias("usage_ms"),
        f.count_if(is_purchase).alias("purchases"),
        f.sum(f.when(is_purchase, f.floor(f.col("amount") * 100 + 0.5)).otherwise(0)).alias("cents"),
        f.count_if(f.col("into_day") < DAY_US // 4).alias("night_events"),
    )
    sums = ("events", "usage_ms", "purchases", "cents", "night_events")
    return visits.groupBy("user_id", "age").agg(
        f.count("*").alias("sessions"), f.max("last_us").alias("last_us"), *(f.sum(name).alias(name) for name in sums)
    )


def _of_users(days: DataFrame, cutoff: date) -> DataFrame:
    return days.groupBy("user_id").agg(
        _within("events", 7).alias("events_7d"),
        _within("events", 28).alias("events_28d"),
        f.count_if(f.col("age") <= 28).alias("active_days_28d"),
        _within("sessions", 28).alias("sessions_28d"),
        (_within("usage_ms", 28) / 60_000).alias("usage_minutes_28d"),
        _within("purchases", 90).alias("purchases_90d"),
        (_within("cents", 90) / 100).alias("amount_90d"),
        ((f.lit(_number_of(cutoff) * DAY_US) - f.max("last_us")) / DAY_US).alias("days_since_last_event"),
        f.max("age").alias("tenure_days"),
        f.try_divide(_within("night_events", 28), _within("events", 28)).alias("night_share_28d"),
    )


def _within(column: str, days: int) -> Column:
    return f.sum(f.when(f.col("age") <= days, f.col(column)).otherwise(0))
