"""Our engine at work: from raw, from kept activity, when a day arrives; and the bare scan that all is set against.

Each function prepares a step and returns the work that is measured.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from msgspec import structs

from benchmarks.measuring import Work
from benchmarks.profiles.compared import COLUMNS, DOZEN, check_equal, shared_features
from benchmarks.profiles.world import Bench
from churn.project import Project
from features.activity.store import Activity
from features.profiles.build import build_profiles
from features.profiles.specification import Specification
from features.spark.cluster import collect, open_session, read_log
from features.storage.duckdb import connect
from training.data.specification import freeze


def scan(bench: Bench) -> Work:
    """Read and hash the columns that a profile needs: what no engine gets below."""
    connection = connect()
    query = f"select sum(hash({', '.join(COLUMNS)})::hugeint), count(*) from read_parquet('{bench.events}/*/*.parquet')"
    return lambda: {"events": connection.execute(query).fetchall()[0][1]}


def prepare(bench: Bench) -> Work:
    """Keep the activity of the world and of the short one, and freeze the specification of the full catalogue."""
    settings = Project(bench.world / "churn.toml", home=bench.home("kept")).settings

    def work() -> dict[str, int]:
        activity = _activity(bench.world, bench.fresh_home("kept"))
        specification, _ = freeze(activity, settings.features, churn=settings.churn, training_cutoffs=bench.cutoffs)
        bench.frozen.write_bytes(msgspec.json.encode(specification))
        bench.hold_back_the_last_day()
        _activity(bench.short_world, bench.fresh_home("short"))
        shared = shared_features(specification.fitted.event_types)
        return {"features": len(specification.feature_names), "shared_features": len(shared)}

    return work


def one_from_raw(bench: Bench) -> Work:
    """One cutoff, with nothing kept."""
    return profiles_at(bench, bench.cutoffs[-1:], home=bench.fresh_home("raw"))


def twelve_from_raw(bench: Bench) -> Work:
    """Twelve weekly cutoffs, with nothing kept."""
    return profiles_at(bench, bench.cutoffs, home=bench.fresh_home("raw"))


def one_from_kept(bench: Bench) -> Work:
    """One cutoff from kept activity."""
    return profiles_at(bench, bench.cutoffs[-1:], home=bench.home("kept"))


def twelve_from_kept(bench: Bench) -> Work:
    """Twelve weekly cutoffs from kept activity."""
    return profiles_at(bench, bench.cutoffs, home=bench.home("kept"))


def new_day(bench: Bench) -> Work:
    """Bring activity up to date when one more day has arrived."""
    home = bench.fresh_home("day")
    shutil.copytree(bench.home("short"), home)
    bench.let_the_last_day_come()

    def work() -> None:
        _activity(bench.short_world, home)

    return work


def one_after_new_day(bench: Bench) -> Work:
    """One cutoff from the activity that :func:`new_day` brought up to date."""
    specification = frozen(bench)
    return lambda: build_profiles(
        _activity(bench.short_world, bench.home("day")), specification, cutoffs=bench.cutoffs[-1:]
    )


def first_csv(bench: Bench) -> Work:
    """Read the log as CSV for the first time: its activity, all days but the last."""
    bench.write_csv()
    home = bench.fresh_home("csv")
    return lambda: _kept(bench.csv_world, home)


def next_csv(bench: Bench) -> Work:
    """Bring activity up to date when one more day has arrived as CSV."""
    bench.let_the_last_csv_come()
    home = bench.fresh_home("csv_day")
    shutil.copytree(bench.home("csv"), home)
    return lambda: _kept(bench.csv_world, home)


def _kept(world: Path, home: Path) -> None:
    events = str(world / "events/*.csv")
    Project(world / "churn.toml", home=home, events=events).activity()


def shared_from_raw(bench: Bench) -> Work:
    """One cutoff, with the features that pandas and Polars build too."""
    names = shared_features(bench.event_types)
    return profiles_at(bench, bench.cutoffs[-1:], home=bench.fresh_home("raw"), names=names)


def shared_from_kept(bench: Bench) -> Work:
    """One cutoff from kept activity, with the features that pandas and Polars build too."""
    names = shared_features(bench.event_types)
    return profiles_at(bench, bench.cutoffs[-1:], home=bench.home("kept"), names=names)


def dozen_from_raw(bench: Bench) -> Work:
    """One cutoff, with the features that PySpark builds too."""
    return profiles_at(bench, bench.cutoffs[-1:], home=bench.fresh_home("raw"), names=DOZEN)


def one_in_spark(bench: Bench) -> Work:
    """One cutoff in Spark, with the full catalogue."""
    return in_spark(bench)


def dozen_in_spark(bench: Bench) -> Work:
    """One cutoff in Spark, with the features that PySpark builds too."""
    return in_spark(bench, DOZEN)


def in_spark(bench: Bench, names: Sequence[str] = ()) -> Work:
    """Build profiles in Spark and bring them here; its session is open before the clock starts."""
    settings = Project(bench.world / "churn.toml").reader.activity_settings()
    specification, session = frozen(bench, names), open_session(settings.compute)

    def work() -> pa.Table:
        profiles = read_log(settings, session).profiles(specification, cutoffs=bench.cutoffs[-1:])
        return collect(profiles, ("cutoff", "user_id"))

    return work


def profiles_at(bench: Bench, cutoffs: Sequence[date], *, home: Path, names: Sequence[str] = ()) -> Work:
    """Bring activity up to date in a home and build profiles; the full catalogue, unless features are named."""
    specification = frozen(bench, names)

    def work() -> pa.Table:
        return build_profiles(_activity(bench.world, home), specification, cutoffs=cutoffs)

    return work


def same_as_ours(bench: Bench, ours: str, *, theirs: str) -> dict[str, float]:
    """Compare the tables that two steps left."""
    return check_equal(*(pq.read_table(bench.table(name)) for name in (ours, theirs)))


def frozen(bench: Bench, names: Sequence[str] = ()) -> Specification:
    """Return the frozen specification, of some features only where they are named."""
    specification = msgspec.json.decode(bench.frozen.read_bytes(), type=Specification)
    gone = set(names) - set(specification.feature_names)
    if gone:
        raise RuntimeError(f"the catalogue has no {', '.join(sorted(gone))}: compared.py names features")
    return structs.replace(specification, feature_names=tuple(names)) if names else specification


def _activity(world: Path, home: Path) -> Activity:
    return Project(world / "churn.toml", home=home).activity()
