"""DataFrames in and out: a log that is passed as one, and what a training would use."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from churn.results import TrainingData
from features.errors import InputError
from features.schema import COLUMNS
from features.storage.atomic import write_atomic
from training.audit.evidence import AuditedTraining
from training.data.dataset import PERSON
from training.plan.splits import Split

_NOT_FEATURES = {"user_id", "cutoff", PERSON}


def keep_frame(events: Any, folder: Path) -> tuple[Path, dict[str, str]]:
    """Write an event log that was passed as a DataFrame to a file named after its content.

    Parameters
    ----------
    events
        Anything that Arrow reads without a copy of its own: a pandas or Polars DataFrame, an Arrow table.

    Returns
    -------
    The file, and the mapping of those of its columns that have the contract's own names.

    Raises
    ------
    InputError
        When it is not a table.
    """
    try:
        table = pa.table(events)
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise InputError(
            f"events: got {type(events).__name__}, expected a path, a URL or a DataFrame: {error}",
            hint="pass a pandas or Polars DataFrame, an Arrow table, or the path of a file",
        ) from error
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    content = sink.getvalue().to_pybytes()
    place = folder / f"{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    if not place.exists() or place.read_bytes() != content:  # or it was damaged since
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(place, content)
    return place.absolute(), {name: name for name in COLUMNS if name in table.column_names}


def training_data(found: AuditedTraining) -> TrainingData:
    """Return labelled profiles, training rows first, as a DataFrame with its label, groups, time and part."""
    parts = (found.training_rows, found.test)
    table = pa.concat_tables([part.profiles for part in parts])
    time = table.column("cutoff").to_numpy()
    return TrainingData(
        table.select([name for name in table.column_names if name not in _NOT_FEATURES]).to_pandas(),
        np.concatenate([part.churned for part in parts]),
        np.asarray(table.column(found.training_rows.user_column).to_pylist(), dtype=object),
        time,
        _parts(found.split, time),
        found.split.purge_days,
    )


def _parts(split: Split, time: Any) -> Any:
    part = np.full(len(time), "train", dtype=object)
    for name in () if split.uses_folds else ("validation", "calibration"):
        part[np.isin(time, np.asarray(getattr(split, name), dtype="datetime64[D]"))] = name
    part[time == np.datetime64(split.test)] = "test"
    return part
