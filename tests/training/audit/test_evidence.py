"""What an audit samples of a training: entire users, in bounded numbers, by the seed."""

from dataclasses import replace

import numpy as np
import pytest
from msgspec import structs

from tests.models.model_builder import specification
from tests.training.tested import made_up
from training.audit.audit import AuditedTraining
from training.audit.evidence import Evidence, listed, model_features, of_some_users, of_users, users_of
from training.data.dataset import Dataset

ONE_WEEK = made_up(100)[0]
TWO_WEEKS = Dataset(ONE_WEEK.concatenated(ONE_WEEK).profiles, np.tile(ONE_WEEK.churned, 2))


def test_a_sample_has_all_rows_of_its_users():
    sample = of_some_users(TWO_WEEKS, max_rows=60, seed=1)
    users = users_of(sample)
    assert len(users) == 2 * len(set(users)) == len(sample.churned) == 60
    assert (
        users_of(of_some_users(TWO_WEEKS, max_rows=60, seed=1))
        == users
        != users_of(of_some_users(TWO_WEEKS, max_rows=60, seed=2))
    )


def test_few_rows_are_all_taken():
    assert of_some_users(TWO_WEEKS, max_rows=200, seed=1) is TWO_WEEKS


def test_the_rows_of_some_users_keep_their_labels():
    found = of_users(TWO_WEEKS, ["u000003", "u000007", "nobody"])
    assert users_of(found) == ["u000003", "u000007"] * 2
    assert found.churned.tolist() == ONE_WEEK.churned[[3, 7]].tolist() * 2


def test_the_features_of_the_model_are_those_that_it_uses():
    spec = specification()
    first, *others = spec.feature_names
    assert model_features(structs.replace(spec, unused=(first,))) == tuple(others)


@pytest.mark.parametrize(
    ("names", "words"), [(["a"], "a"), (["a", "b", "c"], "a, b, c"), (["a"] * 4, "a, a, a and 1 more")]
)
def test_a_list_shows_three_names(names: list[str], words: str):
    assert listed(names) == words


def test_the_test_comes_last_and_its_users_are_those_of_the_training(clean: AuditedTraining):
    few = replace(clean, settings=clean.settings.model_copy(update={"max_rows": 300}))
    evidence = Evidence(few, seed=7)
    assert len(evidence.training_rows.churned) <= 300
    assert set(evidence.test_of_training_users.users) <= set(evidence.training_rows.users)
    cutoffs = [cutoff for cutoff, _ in evidence.snapshots]
    assert cutoffs == sorted(cutoffs)
    assert cutoffs[-1] == clean.split.test
    assert evidence.rebuilt[-1].past.cutoff == clean.split.test
