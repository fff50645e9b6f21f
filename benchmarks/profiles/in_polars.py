"""The shared features in Polars, lazily and on its streaming engine."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import reduce
from pathlib import Path

import polars as pl
import pyarrow as pa

from benchmarks.profiles.compared import COLUMNS, CONTEXTS, MEASURES, WINDOWS, shared_features
from features.catalogue.definition import slugs

DAY_US = 86_400_000_000
RECENT = pl.col("age") <= 28
SCALES = {"usage_minutes": 60_000, "amount": 100}


def build(events: Path, cutoff: date, *, event_types: Sequence[str]) -> pa.Table:
    """Build the profiles of everybody seen before a UTC midnight."""
    log = _log(events, cutoff)
    days, mix, contexts = pl.collect_all([_days(log), _mix(log, event_types), _contexts(log)], engine="streaming")
    days = days.sort("user_id", "age", descending=[False, True]).lazy()
    parts = (_of_days(days, cutoff), mix.lazy(), _of_contexts(contexts.lazy()))
    joined = reduce(lambda left, right: left.join(right, on="user_id", how="left"), parts)
    overdue = (pl.col("days_since_last_event") / pl.col("gap_days_mean")).alias("overdue_ratio")
    profiles = joined.with_columns(overdue, pl.col("^events_of_.*$", "event_types_28d").fill_null(0))
    return profiles.select("user_id", *shared_features(event_types)).collect(engine="streaming").to_arrow()


def _log(events: Path, cutoff: date) -> pl.LazyFrame:
    log = pl.scan_parquet(events / "**/*.parquet", hive_partitioning=False).select(COLUMNS)
    us = pl.col("event_time").dt.epoch("us")
    return (
        log.filter(pl.col("event_time") < datetime.combine(cutoff, time.min, UTC))
        .with_columns(us=us, into_day=us % DAY_US)
        .with_columns(age=((cutoff - date(1970, 1, 1)).days - us // DAY_US).cast(pl.Int32))
    )


def _days(log: pl.LazyFrame) -> pl.LazyFrame:
    milliseconds = pl.min_horizontal(pl.col("duration_seconds").fill_null(0) * 1e3, (DAY_US - pl.col("into_day")) / 1e3)
    amount = pl.col("amount")
    return log.group_by("user_id", "age").agg(
        events=pl.len().cast(pl.Int64),
        last_us=pl.col("us").max(),
        sessions=pl.col("session_id").n_unique().cast(pl.Int64),
        usage_minutes=(milliseconds + 0.5).floor().cast(pl.Int64).sum(),
        purchases=(amount >= 0.005).sum().cast(pl.Int64),
        amount=(amount.clip(lower_bound=0).fill_null(0) * 100 + 0.5).floor().cast(pl.Int64).sum(),
        night_events=(pl.col("into_day") < DAY_US // 4).sum().cast(pl.Int64),
    )


def _of_days(days: pl.LazyFrame, cutoff: date) -> pl.LazyFrame:
    """Return windows, lifetimes, rhythm and decayed sums; days come sorted by user, the oldest first."""
    age, events, gap = pl.col("age"), pl.col("events"), pl.col("gap_days")
    since = (cutoff - date(1970, 1, 1)).days
    weekend = ((since - age + 3) % 7 >= 5) & RECENT
    return (
        days.with_columns(active_days=pl.lit(1), gap_days=-age.diff().over("user_id"))
        .group_by("user_id")
        .agg(
            *_windows(),
            (pl.lit(since * DAY_US) - pl.col("last_us").max()).truediv(DAY_US).alias("days_since_last_event"),
            *(age.max().alias("tenure_days"), pl.len().alias("active_days")),
            *(
                gap.mean().alias("gap_days_mean"),
                gap.max().alias("gap_days_max"),
                gap.sort_by(age).first().alias("gap_days_last"),
            ),
            *(gap.median().alias("gap_days_median"), _spread(gap).alias("gap_days_std")),
            _share(pl.col("night_events").filter(RECENT)).alias("night_share_28d"),
            _share(events.filter(weekend)).alias("weekend_share_28d"),
            _decayed(pl.lit(1), 7).alias("active_days_decayed_7d"),
            _decayed(pl.lit(1), 28).alias("active_days_decayed_28d"),
            _decayed(events, 7).alias("events_decayed_7d"),
        )
    )


def _windows() -> list[pl.Expr]:
    return [
        (pl.col(measure).filter(pl.col("age") <= window).sum() / SCALES.get(measure, 1)).alias(f"{measure}_{window}d")
        for measure in MEASURES
        for window in WINDOWS
    ]


def _share(part: pl.Expr) -> pl.Expr:
    """Return the share in the events of 28 days; absent where there are none."""
    whole = pl.col("events").filter(RECENT).sum()
    return pl.when(whole > 0).then(part.sum() / whole)


def _spread(values: pl.Expr) -> pl.Expr:
    """Return the population standard deviation, absent where there is no value (Polars 2.1 streams a zero there)."""
    return pl.when(values.count() > 0).then(values.std(ddof=0))


def _decayed(weight: pl.Expr, half_life: int) -> pl.Expr:
    return (weight * 2.0 ** (20 - pl.col("age") / half_life) + 0.5).floor().sum() / 2**20


def _mix(log: pl.LazyFrame, event_types: Sequence[str]) -> pl.LazyFrame:
    counts = log.filter(RECENT).group_by("user_id", "event_type").agg(n_7d=(pl.col("age") <= 7).sum(), n_28d=pl.len())
    of_types = [
        pl.col(f"n_{window}d").filter(pl.col("event_type") == event_type).sum().alias(f"events_of_{name}_{window}d")
        for event_type, name in slugs(tuple(event_types)).items()
        for window in (7, 28)
    ]
    return counts.group_by("user_id").agg(pl.len().alias("event_types_28d"), *of_types)


def _contexts(log: pl.LazyFrame) -> pl.LazyFrame:
    return log.group_by("user_id", *CONTEXTS).agg(first_us=pl.col("us").min(), last_us=pl.col("us").max())


def _of_contexts(contexts: pl.LazyFrame) -> pl.LazyFrame:
    """Return first and last values; of several at one instant the least or greatest."""
    last = [_in_order(column, "last_us").last().alias(f"last_{column}") for column in CONTEXTS]
    first = _in_order("channel", "first_us").first().alias("acquisition_channel")
    models = pl.col("device_model").drop_nulls().n_unique().alias("device_models")
    return contexts.group_by("user_id").agg(models, first, *last)


def _in_order(column: str, by: str) -> pl.Expr:
    known = pl.col(column).is_not_null()
    return pl.col(column).filter(known).sort_by(pl.col(by).filter(known), pl.col(column).filter(known))
