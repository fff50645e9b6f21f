"""Batch scoring inside Spark: each partition of profiles is scored by the same function as on one machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa

from features.spark.cluster import collect
from models.churn_model import ChurnModel, load
from serving.batch.score import REASON_SCHEMA, SCORE_SCHEMA, score_table, with_reasons
from serving.settings import ScoringSettings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class PartitionScorer:
    """Scores Arrow batches of profiles; it is sent to Spark's Python workers with the files of its model."""

    model_files: dict[str, bytes]
    bands: ScoringSettings

    @classmethod
    def of(cls, model: ChurnModel, bands: ScoringSettings) -> PartitionScorer:
        """Pack the files of a saved model."""
        with TemporaryDirectory() as folder:
            model.save(Path(folder))
            return cls({path.name: path.read_bytes() for path in Path(folder).iterdir()}, bands)

    def scores(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Return a row per profile, in the same order: scores and reasons, as :func:`serving.batch.score.with_reasons` gives them."""
        model = self._model()
        for batch in batches:
            profiles = pa.Table.from_batches([batch])
            scores = score_table(model, profiles, bands=self.bands)
            yield from with_reasons(scores, model, profiles=profiles).to_batches()

    def _model(self) -> ChurnModel:
        with TemporaryDirectory() as folder:
            for name, content in self.model_files.items():
                (Path(folder) / name).write_bytes(content)
            return load(Path(folder), threads=1)  # Spark assigns the cores


def score_partitions(profiles: DataFrame, model: ChurnModel, *, bands: ScoringSettings) -> DataFrame:
    """Score profiles on the cluster. No score depends on another, so every partitioning gives the same scores.

    Parameters
    ----------
    profiles
        ``user_id``, ``cutoff`` and the features of the model, from :meth:`features.spark.cluster.SparkLog.profiles`.

    Returns
    -------
    The columns of :func:`serving.batch.score.with_reasons`, in no particular order.
    """
    columns = ", ".join(f"{field.name} {_SPARK[str(field.type)]}" for field in (*SCORE_SCHEMA, *REASON_SCHEMA))
    return profiles.mapInArrow(PartitionScorer.of(model, bands).scores, columns)


def collect_scores(profiles: DataFrame, model: ChurnModel, *, bands: ScoringSettings) -> pa.Table:
    """Score profiles on the cluster and collect the scores with their reasons, in the order of cutoff and user.

    Raises
    ------
    InputError
        When a profile cannot be read.
    """
    found = collect(score_partitions(profiles, model, bands=bands), ("as_of", "user_id"))
    return found.cast(pa.schema([*SCORE_SCHEMA, *REASON_SCHEMA]))


_SPARK = {"string": "string", "double": "double", "date32[day]": "date"}
