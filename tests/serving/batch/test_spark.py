"""What runs in a partition, without Spark; tests/features/spark/test_cluster.py runs it inside."""

import pickle

import pyarrow as pa
import pytest

from models.churn_model import ChurnModel
from serving.batch.score import score_table, with_reasons
from serving.batch.spark import PartitionScorer
from serving.settings import ScoringSettings

BANDS = ScoringSettings()


@pytest.fixture(scope="module")
def scorer(model: ChurnModel) -> PartitionScorer:
    return pickle.loads(pickle.dumps(PartitionScorer.of(model, BANDS)))  # noqa: S301  # as it reaches a worker


@pytest.mark.parametrize("rows", [1, 50, 1000])
def test_partitions_of_any_size_give_the_scores_of_the_table_in_its_order(
    scorer: PartitionScorer, model: ChurnModel, profiles: pa.Table, rows: int
):
    found = pa.Table.from_batches(scorer.scores(profiles.to_batches(max_chunksize=rows)))
    expected = with_reasons(score_table(model, profiles, bands=BANDS), model, profiles=profiles)
    assert found.equals(expected)


def test_an_empty_partition_gives_no_rows(scorer: PartitionScorer, profiles: pa.Table):
    (first,) = profiles.to_batches()
    assert sum(batch.num_rows for batch in scorer.scores([first.slice(0, 0)])) == 0
    assert list(scorer.scores([])) == []
