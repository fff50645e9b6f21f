"""Batch scoring inside Spark: each partition of profiles is scored by the same function as on one machine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from features.spark.cluster import collect
from models.churn_model import ChurnModel, load
from serving.batch.score import score_table, to_table
from serving.score import Score
from serving.settings import ScoringSettings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_SCORE_JSON = "score_json"  # the complete score: reasons hold more than the columns of a table show


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
        """Return a row per profile, in the same order: the columns of :func:`serving.batch.score.to_table`, and the complete score."""
        model = self._model()
        for batch in batches:
            yield from _as_table(score_table(model, pa.Table.from_batches([batch]), bands=self.bands)).to_batches()

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
    The columns of :func:`serving.batch.score.to_table`, in no particular order.
    """
    return _with_scores(profiles, model, bands=bands).drop(_SCORE_JSON)


def collect_scores(profiles: DataFrame, model: ChurnModel, *, bands: ScoringSettings) -> list[Score]:
    """Score profiles on the cluster and collect the scores in the order of cutoff and user.

    Raises
    ------
    InputError
        When a profile cannot be read.
    """
    scored = _with_scores(profiles, model, bands=bands).select("as_of", "user_id", _SCORE_JSON)
    texts = collect(scored, ("as_of", "user_id")).column(_SCORE_JSON)
    decoder = msgspec.json.Decoder(Score)
    return [decoder.decode(str(text)) for text in texts.to_pylist()]


def _with_scores(profiles: DataFrame, model: ChurnModel, *, bands: ScoringSettings) -> DataFrame:
    columns = ", ".join(f"{field.name} {_SPARK[str(field.type)]}" for field in _as_table([]).schema)
    return profiles.mapInArrow(PartitionScorer.of(model, bands).scores, columns)


_SPARK = {"string": "string", "double": "double", "date32[day]": "date"}


def _as_table(scores: list[Score]) -> pa.Table:
    complete = [msgspec.json.encode(one).decode() for one in scores]
    return to_table(scores).append_column(_SCORE_JSON, pa.array(complete, pa.string()))
