"""The same kernel inside Spark: Spark reads the log, shuffles by user, schedules and writes; DuckDB runs the one SQL in each partition.

Two passes over the log, files of one schema at a time, as on one machine. The first counts valid rows by day and invalid ones by
reason, so that nothing is built from a log that one machine would refuse, and finds the extra columns of text that are not
numbers. The second casts rows to the contract, brings the rows of each user together, and rolls them up
and builds their profiles: :mod:`features.log.validation`, :class:`RollUp` and :class:`Kernel`, to the letter. A profile depends
on its user alone, so any split by user gives the same bits.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import date
from functools import reduce
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from features.activity.store import ActivitySettings
from features.errors import InputError, SettingsError, translated
from features.log.copies import without_copies
from features.log.event_log import EventLog, FileInventory, LogInventory, open_log
from features.log.files import is_remote
from features.log.formats import files_of
from features.log.notes import copy_notes, missing_notes
from features.log.sources.source import LOG_FILE, Source, folder_keys, folder_value
from features.profiles.build import check_buildable
from features.profiles.specification import Specification
from features.settings import ComputeSettings
from features.snapshots import Coverage
from features.spark.partition import ARRIVED, RawRows, Users, transport_types
from features.sql import identifier
from features.storage.atomic import atomic_folder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# A bucket is what one task holds: a million events roll up in a few hundred MB. Wide rows are recognised by the size of their files.
ROWS_PER_BUCKET = 1_000_000
BYTES_PER_BUCKET = 128 * 2**20
TASK_MEMORY_GB = 2.0  # of DuckDB in one task, unless [compute] memory_limit_gb is set; it spills beyond
_COUNTS = "reason string, day date, n bigint, is_timed boolean, texts array<boolean>"
_KINDS = {"VARCHAR": "string"}
_BROKEN = ("UNSUPPORTED", "CANNOT_MERGE_SCHEMA", "FAILED_READ_FILE", "CANNOT_READ", "PARQUET_", "PATH_NOT_FOUND")
_NOT_READ = "[events] path: Spark cannot read the log"


def open_session(compute: ComputeSettings) -> SparkSession:
    """Return the Spark session that is there; else, outside of ``spark-submit``, one on this machine that only it can reach.

    Raises
    ------
    SettingsError
        When PySpark or a Java runtime is missing.
    """
    try:
        from pyspark.sql import SparkSession  # noqa: PLC0415 -- an extra, and seconds to import
    except ImportError as error:
        raise SettingsError('[compute] engine = "spark" needs PySpark', hint='install the extra "spark"') from error
    builder = SparkSession.builder.appName("churn")
    if "PYSPARK_GATEWAY_PORT" in os.environ or SparkSession.getActiveSession():
        return builder.getOrCreate()
    if not which("java", path=_where_java_is()):
        raise SettingsError(
            '[compute] engine = "spark" needs a Java runtime of version 17 or newer',
            hint="on Debian: apt-get install openjdk-17-jre-headless; elsewhere set JAVA_HOME",
        )
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # else the first python3 of the PATH
    for name, value in _alone(compute).items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def _where_java_is() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return str(Path(home) / "bin") if home else None


def _alone(compute: ComputeSettings) -> dict[str, str]:
    return {
        "spark.master": f"local[{compute.threads or '*'}]",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


@dataclass(frozen=True)
class RawFiles:
    """Files of one schema, as Spark reads them.

    Attributes
    ----------
    rows
        Their own columns, as far as the mapping names them.
    partition
        What is done with a partition of these rows.
    """

    rows: DataFrame
    partition: RawRows


@dataclass(frozen=True)
class SparkLog:
    """A log that Spark reads, counted and checked.

    Attributes
    ----------
    notes
        What a user should know of it, a sentence each.
    """

    settings: ActivitySettings
    spark: SparkSession
    files: tuple[RawFiles, ...]
    inventory: LogInventory
    size_bytes: int
    notes: tuple[str, ...] = ()

    @property
    def coverage(self) -> Coverage:
        """The days that the log covers."""
        return self.inventory.coverage(self.settings.events)

    @property
    def buckets(self) -> int:
        """Into how many parts users are split: by the log's size, and no fewer than there are cores."""
        by_size = max(-(-self.inventory.rows // ROWS_PER_BUCKET), -(-self.size_bytes // BYTES_PER_BUCKET))
        return max(by_size, self.spark.sparkContext.defaultParallelism)

    def profiles(self, specification: Specification, *, cutoffs: Sequence[date]) -> DataFrame:
        """Return the profiles of all users seen before each cutoff, as :func:`features.profiles.build.build_profiles` does, in no order.

        Raises
        ------
        InputError
            When the log does not cover a cutoff, or lacks what the specification needs.
        """
        partition = self.files[0].partition
        types = partition.types
        check_buildable(specification, types, cutoffs=cutoffs, coverage=self.coverage)
        roll_up = self.settings.roll_up(tuple(types))
        users = Users(types, roll_up, specification, tuple(cutoffs), partition.naive_zone, partition.compute)
        users.check()
        events = _united(one.rows.mapInArrow(one.partition.valid, _ddl(transport_types(types))) for one in self.files)
        return events.repartition(self.buckets, "user_id").mapInArrow(users.profiles, _ddl(users.profile_types))


def read_log(settings: ActivitySettings, spark: SparkSession) -> SparkLog:
    """Check a log's mapping here, and count its rows in Spark.

    Raises
    ------
    InputError
        When the log is not of Parquet files, cannot be read, or too much of it is invalid.
    """
    files, copies = without_copies(files_of(settings.events, settings.base))
    log = open_log(settings.events, settings.churn.timezone, files=files, compute=settings.compute)
    if not all(file.name.lower().endswith(".parquet") for file in log.files):
        raise InputError(
            "[events] path: Spark reads Parquet only: the types of a text's columns would be guessed a second time",
            hint='convert the log to Parquet, or set [compute] engine = "duckdb"',
        )
    if log.has_event_ids:
        raise InputError("[events] event_id is not read by Spark", hint='set [compute] engine = "duckdb"')
    # nanoseconds come as numbers: Spark has no such type and refuses the file otherwise
    spark.conf.set("spark.sql.legacy.parquet.nanosAsLong", "true")
    with spark_errors():
        opened = [_opened(source, log.connection, settings=settings, spark=spark) for source in log.sources]
        inventory, texts = _counted(log, _raw_files(log, opened, settings=settings))
    inventory.check(settings.events)
    read = _raw_files(replace(log, texts=texts), opened, settings=settings)
    notes = (*missing_notes(log.sources, settings.events), *copy_notes(copies))
    return SparkLog(settings, spark, read, inventory, sum(file.bytes for file in files), notes)


def spark_errors() -> AbstractContextManager[None]:
    """Translate Spark's errors about bad input into an :class:`InputError`; anything else is a bug and stays one.

    Raises
    ------
    InputError
        When a file or a value cannot be read.
    """
    from py4j.protocol import Py4JJavaError  # noqa: PLC0415 -- what PySpark knows no exception of its own for
    from pyspark.errors import PySparkException  # noqa: PLC0415 -- an extra, and seconds to import

    return translated((PySparkException, Py4JJavaError), _words)


def _words(error: Exception) -> InputError | None:
    message = str(error)
    ours = re.search(r"errors\.InputError: (.*)", message)
    theirs = re.search(rf"\[?[A-Z_.]*(?:{'|'.join(_BROKEN)}).*", message)
    if not ours and not theirs:
        return None
    what = ours.group(1) if ours else f"{_NOT_READ}: {theirs.group() if theirs else ''}"
    return InputError(what, hint="fix the log or its mapping; churn on one machine may read more")


def write(profiles: DataFrame, folder: Path) -> None:
    """Have Spark write Parquet files into a folder, completely or not at all; executors must see the folder too."""
    with spark_errors(), atomic_folder(folder) as draft:
        profiles.write.mode("overwrite").option("compression", "zstd").parquet(_url(str(draft)))


def read_back(folder: Path, spark: SparkSession) -> DataFrame:
    """Return what :func:`write` wrote."""
    return spark.read.parquet(_literal(_url(str(folder))))


def collect(frame: DataFrame, order: Sequence[str]) -> pa.Table:
    """Bring rows here, sorted by some columns, texts by their bytes."""
    with spark_errors():
        return frame.toArrow().sort_by([(name, "ascending") for name in order])


def _opened(
    source: Source, connection: duckdb.DuckDBPyConnection, *, settings: ActivitySettings, spark: SparkSession
) -> tuple[DataFrame, Source]:
    """Choose the columns of a source that the mapping names; the source comes back over these, each in the type that DuckDB reads."""
    from pyspark.sql import functions as f  # noqa: PLC0415 -- an extra, and seconds to import

    kinds = _kinds(connection, source, settings=settings)
    files = spark.read.parquet(*(_literal(_url(name)) for name in source.files))
    found = {name.casefold(): name for name in files.columns}
    stored = {name: found[name.casefold()] for name in kinds if name.casefold() in found}
    folders = kinds.keys() - stored.keys() - {*source.missing}
    _check_in_folders(folders, source.files)
    chosen = [f.col(f"`{column.replace('`', '``')}`").alias(name) for name, column in stored.items()]
    rows = files.select(*chosen, (f.col("_metadata.file_path") if folders else f.lit("")).alias(LOG_FILE))
    types = dict(rows.dtypes)
    read = {name: f"cast(null as {kinds[name]})" for name in source.missing if name in kinds}
    read |= {name: _from_folder(name) for name in folders}
    read |= {name: _restored(name, kinds[name], came_as=types[name]) for name in stored}
    columns = ", ".join(f"{sql} as {identifier(name)}" for name, sql in read.items())
    return rows, replace(source, sql=f"(select {columns}, {LOG_FILE} from {ARRIVED})")


def _raw_files(
    log: EventLog, opened: Sequence[tuple[DataFrame, Source]], *, settings: ActivitySettings
) -> tuple[RawFiles, ...]:
    """Return the rows of each source with the one SQL over a partition of them."""
    valid = log.connection.sql(f"{log.valid_sql()} limit 0")
    types, compute = dict(zip(valid.columns, map(str, valid.types), strict=True)), _of_a_task(settings.compute)
    zones = log.zone, settings.events.timezone
    return tuple(
        RawFiles(rows, RawRows(log.checked_of(source), log.are_other(source), types, *zones, compute))
        for rows, source in opened
    )


def _kinds(connection: duckdb.DuckDBPyConnection, source: Source, *, settings: ActivitySettings) -> dict[str, str]:
    """Return the DuckDB type of each of the log's columns that the mapping or ``where`` may name."""
    texts = " ".join((*settings.events.mapping().values(), settings.events.where)).replace('""', '"').casefold()
    relation = connection.sql(f"select {', '.join(map(identifier, source.columns))} from {source.sql} limit 0")
    kinds = dict(zip(relation.columns, map(str, relation.types), strict=True))
    return {name: kind for name, kind in kinds.items() if name.casefold() in texts}


def _check_in_folders(names: Iterable[str], files: Sequence[str]) -> None:
    for name in names:
        if not all(name in folder_keys(file) for file in files):
            raise InputError(f"{_NOT_READ}: it finds no column {name}", hint="two columns may differ in case only")


def _restored(name: str, kind: str, *, came_as: str) -> str:
    """Return the SQL that gives a column of Spark's the type that DuckDB reads from the files."""
    column = identifier(name)
    if kind == "TIMESTAMP_NS":
        return f"make_timestamp_ns({column})"
    if kind == "TIMESTAMPTZ_NS":  # a cast between the two would go by the zone of the connection
        return f"cast(cast(make_timestamp_ns({column}) as varchar) || '+00' as timestamptz_ns)"
    if kind == "TIMESTAMP" and came_as == "timestamp":  # naive, as Spark reads it without inferTimestampNTZ
        return f"make_timestamp(epoch_us({column}))"
    return f"cast({column} as {kind})"


def _from_folder(name: str) -> str:
    """Return the SQL that reads a key of folders from the path of a file, which Spark gives as a percent-encoded URL."""
    return folder_value(name, f"url_decode({LOG_FILE})")


def _url(place: str) -> str:
    """Return a place as Hadoop names it; its S3 connector is called s3a."""
    return re.sub(r"^s3://", "s3a://", place) if is_remote(place) else f"file://{Path(place).absolute()}"


def _literal(url: str) -> str:
    """Escape what a reader would take for a glob; writers take names as they stand."""
    return re.sub(r"([\\\[\]{}*?])", r"\\\1", url)


def _of_a_task(compute: ComputeSettings) -> ComputeSettings:
    """Give the DuckDB of one task one thread, as Spark counts cores, and its share of memory."""
    return compute.model_copy(update={"threads": 1, "memory_limit_gb": compute.memory_limit_gb or TASK_MEMORY_GB})


def _counted(log: EventLog, files: Sequence[RawFiles]) -> tuple[LogInventory, frozenset[str]]:
    """Return what the log holds, and its open texts in which some value is not a number."""
    from pyspark.sql import functions as f  # noqa: PLC0415 -- an extra, and seconds to import

    counted = _united(one.rows.mapInArrow(one.partition.counts, _COUNTS) for one in files).groupBy("reason", "day")
    found = (f.sum("n").alias("n"), f.max("is_timed").alias("is_timed"), f.collect_set("texts").alias("texts"))
    rows = counted.agg(*found).collect()
    days = {row["day"]: int(row["n"]) for row in rows if row["reason"] is None}
    rejected = {row["reason"]: int(row["n"]) for row in rows if row["reason"] is not None}
    texts = log.texts_in(holds for row in rows for holds in row["texts"])
    is_timed = any(row["is_timed"] for row in rows)
    return LogInventory((FileInventory("", "", days, rejected, is_timed),)), frozenset(texts)


def _united(frames: Iterable[DataFrame]) -> DataFrame:
    return reduce(lambda one, other: one.unionByName(other), frames)


def _ddl(kinds: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}` {_KINDS.get(kind, kind)}" for name, kind in kinds.items())
