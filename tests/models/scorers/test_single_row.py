"""LightGBM's path for one row gives the bits of its path for many."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import lightgbm as lgb
import numpy as np
import pytest

from models.encoding import encode
from models.scorers.single_row import SingleRow
from models.scorers.trees import contributions, raw_scores
from tests.models.model_builder import profiles_of, specification, tiny_model

MATRIX = encode(profiles_of(60, seed=5), specification())


@pytest.fixture(scope="module")
def booster() -> lgb.Booster:
    return tiny_model().scorer.parts[0][1].booster  # type: ignore[union-attr]


def test_one_row_equals_the_same_row_among_many(booster: lgb.Booster):
    single = SingleRow(booster)
    raw, parts = raw_scores(booster, MATRIX), contributions(booster, MATRIX)
    for place in range(len(MATRIX)):
        row = MATRIX[place : place + 1]
        assert single.raw(row).tolist() == raw[place : place + 1].tolist()
        assert single.contributions(row).tolist() == parts[place : place + 1].tolist()


def test_only_the_best_iteration_is_used_where_a_fit_stopped_early(booster: lgb.Booster):
    booster = lgb.Booster(model_str=booster.model_to_string())
    booster.best_iteration = 3
    single = SingleRow(booster)
    row = MATRIX[:1]
    assert single.raw(row).tolist() == booster.predict(row, raw_score=True, num_iteration=3).tolist()  # type: ignore[union-attr]
    assert single.raw(row).tolist() != booster.predict(row, raw_score=True, num_iteration=20).tolist()  # type: ignore[union-attr]


def test_a_row_that_is_not_contiguous_is_read_right(booster: lgb.Booster):
    strided = np.asfortranarray(MATRIX)[4:5]
    assert SingleRow(booster).raw(strided).tolist() == raw_scores(booster, MATRIX)[4:5].tolist()


@pytest.mark.parametrize("shape", [(1, 3), (2, MATRIX.shape[1]), (0, MATRIX.shape[1])])
def test_another_shape_is_refused_before_lightgbm_reads_past_its_end(booster: lgb.Booster, shape: tuple[int, int]):
    with pytest.raises(ValueError, match="got a matrix of shape"):
        SingleRow(booster).raw(np.zeros(shape))


def test_threads_may_share_it(booster: lgb.Booster):
    single, expected = SingleRow(booster), contributions(booster, MATRIX)
    with ThreadPoolExecutor(4) as threads:
        places = [place % len(MATRIX) for place in range(600)]
        found = threads.map(lambda place: single.contributions(MATRIX[place : place + 1]), places)
        assert all(
            one.tolist() == expected[place : place + 1].tolist() for place, one in zip(places, found, strict=True)
        )


def test_a_copy_makes_a_configuration_of_its_own(booster: lgb.Booster):
    again = pickle.loads(pickle.dumps(SingleRow(booster)))  # noqa: S301
    assert again.raw(MATRIX[:1]).tolist() == raw_scores(booster, MATRIX[:1]).tolist()
