"""The shared features in pandas: what a good data scientist writes, vectorised, with texts as categories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa

from benchmarks.profiles.compared import COLUMNS, CONTEXTS, MEASURES, TEXTS, WINDOWS, shared_features
from features.catalogue.definition import slugs

DAY_US = 86_400_000_000
KEYS = ["user", "day"]


def build(events: Path, cutoff: date, *, event_types: Sequence[str], is_tuned: bool = True) -> pa.Table:
    """Build the profiles of everybody seen before a UTC midnight.

    Parameters
    ----------
    is_tuned
        Arrow reads texts as dictionaries, which few know; else texts are read as they are and then made categories.
    """
    log = _read(events, cutoff, is_tuned=is_tuned)
    days = _days(log)
    users = pd.Index(np.sort(days["user"].unique()), name="user")
    parts = (_lifetimes(days, cutoff), _rhythm(days), _decayed(days), _event_mix(log, event_types), _contexts(log))
    profiles = pd.concat([part.reindex(users) for part in (_windows(days), *parts)], axis=1)
    profiles["overdue_ratio"] = profiles["days_since_last_event"] / profiles["gap_days_mean"]
    counted = [
        name for name in profiles.columns.astype(str) if name.startswith(("events_of_", "event_types_", *_windowed()))
    ]
    profiles[counted] = profiles[counted].fillna(0)
    ids = log["user_id"].cat.categories[users].astype(str)
    profiles.insert(0, "user_id", ids)
    return pa.Table.from_pandas(profiles[["user_id", *shared_features(event_types)]], preserve_index=False)


def _windowed() -> tuple[str, ...]:
    return tuple(f"{measure}_{window}d" for measure in MEASURES for window in WINDOWS)


def _read(events: Path, cutoff: date, *, is_tuned: bool) -> pd.DataFrame:
    options: dict[str, Any] = {"read_dictionary": list(TEXTS)} if is_tuned else {}
    log = pd.read_parquet(events, columns=list(COLUMNS), **options).astype(dict.fromkeys(TEXTS, "category"))
    log = log[log["event_time"] < pd.Timestamp(cutoff, tz="UTC")]
    us = log["event_time"].dt.as_unit("us").astype("int64")
    day = (us // DAY_US).astype("int32")
    return log.assign(us=us, day=day, age=_number_of(cutoff) - day, user=log["user_id"].cat.codes)


def _number_of(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def _days(log: pd.DataFrame) -> pd.DataFrame:
    """Return one row per user and day, sorted, with everything that adds up."""
    into_day = log["us"] % DAY_US
    milliseconds = np.minimum(log["duration_seconds"].fillna(0) * 1e3, (DAY_US - into_day) / 1e3)
    measures = log[[*KEYS, "us"]].assign(
        usage_minutes=np.floor(milliseconds + 0.5).astype("int64"),
        purchases=log["amount"] >= 0.005,
        amount=np.floor(log["amount"].clip(lower=0).fillna(0) * 100 + 0.5).astype("int64"),
        night_events=into_day < DAY_US // 4,
    )
    summed = ("usage_minutes", "purchases", "amount", "night_events")
    sums = {name: (name, "sum") for name in summed}
    days = measures.groupby(KEYS).agg(events=("us", "size"), last_us=("us", "max"), **sums)
    days["sessions"] = log[[*KEYS, "session_id"]].drop_duplicates().groupby(KEYS).size()
    age = int((log["day"] + log["age"]).iloc[0]) - days.index.get_level_values("day")
    return days.assign(active_days=1, age=age).reset_index()


def _windows(days: pd.DataFrame) -> pd.DataFrame:
    sums = [
        days[days["age"] <= window].groupby("user")[list(MEASURES)].sum().add_suffix(f"_{window}d")
        for window in WINDOWS
    ]
    windows = pd.concat(sums, axis=1)
    for window in WINDOWS:
        windows[f"usage_minutes_{window}d"] /= 60_000
        windows[f"amount_{window}d"] /= 100
    return windows


def _lifetimes(days: pd.DataFrame, cutoff: date) -> pd.DataFrame:
    lifetimes = days.groupby("user").agg(
        last_us=("last_us", "max"), tenure_days=("age", "max"), active_days=("age", "size")
    )
    silence = (_number_of(cutoff) * DAY_US - lifetimes.pop("last_us")) / DAY_US
    return lifetimes.assign(days_since_last_event=silence)


def _rhythm(days: pd.DataFrame) -> pd.DataFrame:
    gaps = days.assign(gap_days=days.groupby("user")["day"].diff()).groupby("user")["gap_days"]
    rhythm = gaps.agg(["mean", "max", "last", "median"]).assign(std=gaps.std(ddof=0)).add_prefix("gap_days_")
    recent = days[days["age"] <= 28]
    sums = recent.assign(weekend=recent["events"].where((recent["day"] + 3) % 7 >= 5, 0)).groupby("user")
    of_28d = sums[["events", "night_events", "weekend"]].sum()
    rhythm["night_share_28d"] = of_28d["night_events"] / of_28d["events"]
    rhythm["weekend_share_28d"] = of_28d["weekend"] / of_28d["events"]
    return rhythm


def _decayed(days: pd.DataFrame) -> pd.DataFrame:
    weighed = pd.DataFrame(
        {
            "active_days_decayed_7d": _in_units(2.0 ** (20 - days["age"] / 7)),
            "active_days_decayed_28d": _in_units(2.0 ** (20 - days["age"] / 28)),
            "events_decayed_7d": _in_units(days["events"] * 2.0 ** (20 - days["age"] / 7)),
        }
    )
    return weighed.groupby(days["user"]).sum() / 2**20


def _in_units(weights: pd.Series) -> pd.Series:
    return np.floor(weights + 0.5)


def _event_mix(log: pd.DataFrame, event_types: Sequence[str]) -> pd.DataFrame:
    recent = log.loc[log["age"] <= 28, ["user", "event_type", "age"]]
    counts = {window: _counts(recent[recent["age"] <= window]) for window in (7, 28)}
    mix = pd.DataFrame({"event_types_28d": (counts[28] > 0).sum(axis=1)})
    for event_type, name in slugs(tuple(event_types)).items():
        for window in (7, 28):
            mix[f"events_of_{name}_{window}d"] = counts[window].get(event_type)
    return mix


def _counts(events: pd.DataFrame) -> pd.DataFrame:
    counts = events.groupby(["user", "event_type"], observed=True).size().rename("n").reset_index()
    return counts.pivot_table(index="user", columns="event_type", values="n", fill_value=0, observed=True)


def _contexts(log: pd.DataFrame) -> pd.DataFrame:
    models = log[["user", "device_model"]].dropna().drop_duplicates().groupby("user").size()
    last = {f"last_{column}": _edge(log, column, which="max") for column in CONTEXTS}
    contexts = pd.DataFrame(
        {"device_models": models, **last, "acquisition_channel": _edge(log, "channel", which="min")}
    )
    return contexts.assign(device_models=contexts["device_models"].fillna(0))


def _edge(log: pd.DataFrame, column: str, *, which: Literal["min", "max"]) -> pd.Series:
    """Return the value of the first or last event that has one; of several at one instant the least or greatest."""
    known = log.loc[log[column].notna(), ["user", "us", column]]
    ties = known[known["us"] == known.groupby("user")["us"].transform(which)]
    return ties.astype({column: "str"}).groupby("user")[column].agg(which)
