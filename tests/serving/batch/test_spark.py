"""What runs in a partition, without Spark; tests/features/spark/test_cluster.py runs it inside."""

import pickle

import msgspec
import pyarrow as pa

from models.churn_model import ChurnModel
from serving.batch.score import score_table, to_table
from serving.batch.spark import PartitionScorer
from serving.score import Score
from serving.settings import ScoringSettings

BANDS = ScoringSettings()


def test_partitions_give_the_scores_of_the_table_in_its_order(model: ChurnModel, profiles: pa.Table):
    scorer = pickle.loads(pickle.dumps(PartitionScorer.of(model, BANDS)))  # noqa: S301  # as it reaches a worker
    found = pa.Table.from_batches(scorer.scores(profiles.to_batches(max_chunksize=50)))
    expected = score_table(model, profiles, bands=BANDS)
    assert found.drop_columns("score_json").equals(to_table(expected))
    assert [msgspec.json.decode(text, type=Score) for text in found["score_json"].to_pylist()] == expected
