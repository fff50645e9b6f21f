"""The line: what it learns, what it makes of nulls and categories, and that its contributions add up."""

import msgspec
import numpy as np
import pytest

from features.eligibility import RECENT
from features.profiles.specification import Specification
from models.encoding import encode
from models.evaluation.metrics import auc
from models.scorers.logistic import Linear, fit_linear
from tests.models.model_builder import churned_among, profiles_of, specification

USERS = 3_000
OS = ("android", "ios")
SPEC = Specification(("away", "rare", "constant", "nobody", "os"), (7,), categories={"os": OS})


def matrix_of(users: int = USERS, *, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    rare = np.where(random.random(users) < 0.3, np.nan, random.gamma(2, 3, users))
    os = np.where(random.random(users) < 0.1, np.nan, random.integers(0, 3, users))
    return np.column_stack([random.gamma(2, 5, users), rare, np.full(users, 7.0), np.full(users, np.nan), os])


def churned_of(matrix: np.ndarray, *, seed: int = 1) -> np.ndarray:
    """The longer away, the likelier; who lacks ``rare`` too, and who has an ios phone."""
    odds = 1.5 * np.log1p(matrix[:, 0]) - 4 + 2.0 * np.isnan(matrix[:, 1]) + 1.5 * (matrix[:, 4] == 1)
    return np.random.default_rng(seed).random(len(matrix)) < 1 / (1 + np.exp(-odds))


@pytest.fixture(scope="module")
def fitted() -> tuple[Linear, np.ndarray]:
    matrix = matrix_of()
    return fit_linear(matrix, churned_of(matrix), specification=SPEC, seed=0), matrix


def test_rows_count_by_their_weight_and_contributions_have_a_weighted_mean_of_zero():
    matrix = matrix_of()
    churned, weights = churned_of(matrix), np.repeat([1.0, 0.0], len(matrix))
    twice = np.concatenate([matrix, matrix])
    found = fit_linear(twice, np.concatenate([churned, ~churned]), specification=SPEC, seed=0, weights=weights)
    assert found.raw(matrix) == pytest.approx(
        fit_linear(matrix, churned, specification=SPEC, seed=0).raw(matrix), abs=1e-3
    )
    uneven = np.where(churned, 3.0, 1.0)
    found = fit_linear(matrix, churned, specification=SPEC, seed=0, weights=uneven)
    assert np.average(found.contributions(matrix), axis=0, weights=uneven) == pytest.approx(0, abs=1e-9)


def contribution(linear: Linear, **values: float) -> np.ndarray:
    usual = {"away": 8.0, "rare": 6.0, "constant": 7.0, "nobody": np.nan, "os": 0.0}
    return linear.contributions(np.array([list((usual | values).values())]))[0]


def test_logistic_regression_by_hand():
    # number: 2 * (ln 4 - 1) / .5 + .1 at 3, .7 at null; category: .3 at code 0, -.2 unknown, .4 at null
    line = Linear(-1.0, (0,), (1.0,), (0.5,), (2.0,), (0.1,), (0.7,), (1,), ((0.3, -0.2, 0.4),))
    matrix = np.array([[3.0, 0.0], [np.nan, 1.0], [0.0, np.nan]])
    expected = [[2 * (np.log(4) - 1) / 0.5 + 0.1, 0.3], [0.7, -0.2], [2 * -1 / 0.5 + 0.1, 0.4]]
    assert line.contributions(matrix) == pytest.approx(np.array(expected))
    assert line.raw(matrix) == pytest.approx(np.sum(expected, axis=1) - 1)


def test_it_learns_what_made_the_labels(fitted: tuple[Linear, np.ndarray]):
    linear, _ = fitted
    unseen = matrix_of(seed=5)
    truth = 1.5 * np.log1p(unseen[:, 0]) + 2.0 * np.isnan(unseen[:, 1]) + 1.5 * (unseen[:, 4] == 1)
    churned = churned_of(unseen, seed=6)
    assert auc(churned, linear.raw(unseen)) == pytest.approx(auc(churned, truth), abs=0.015)


def test_who_lacks_a_number_has_a_weight_of_their_own(fitted: tuple[Linear, np.ndarray]):
    place = SPEC.feature_names.index("rare")
    lacking, typical = (contribution(fitted[0], rare=value)[place] for value in (np.nan, 6.0))
    assert lacking - typical > 1


def test_a_category_has_a_weight_for_each_value_for_unknown_and_for_null(fitted: tuple[Linear, np.ndarray]):
    levels = fitted[0].levels[0]
    assert len(levels) == len(OS) + 2
    assert np.argmax(levels) == OS.index("ios")
    assert contribution(fitted[0], os=np.nan)[-1] == levels[-1]


@pytest.mark.parametrize("name", ["constant", "nobody"])
def test_what_says_nothing_of_anybody_has_no_say(fitted: tuple[Linear, np.ndarray], name: str):
    place = SPEC.feature_names.index(name)
    for value in (0.0, 7.0, 1e6):
        assert contribution(fitted[0], **{name: value})[place] == pytest.approx(0, abs=1e-9)


def test_the_contributions_have_mean_zero_and_add_up_with_the_base(fitted: tuple[Linear, np.ndarray]):
    linear, matrix = fitted
    found = linear.contributions(matrix)
    assert found.mean(axis=0) == pytest.approx(np.zeros(5), abs=1e-9)
    assert found.sum(axis=1) + linear.base == pytest.approx(linear.raw(matrix))


def test_the_mean_probability_is_the_churn_rate(fitted: tuple[Linear, np.ndarray]):
    linear, matrix = fitted
    assert (1 / (1 + np.exp(-linear.raw(matrix)))).mean() == pytest.approx(churned_of(matrix).mean(), abs=1e-3)


def test_a_million_more_does_not_bend_the_line(fitted: tuple[Linear, np.ndarray]):
    far, farther = (contribution(fitted[0], away=value)[0] for value in (1e6, 1e12))
    assert far == farther


def test_a_row_alone_scores_as_among_others(fitted: tuple[Linear, np.ndarray]):
    linear, matrix = fitted
    assert linear.raw(matrix[3:4])[0] == linear.raw(matrix)[3]


def test_it_survives_json(fitted: tuple[Linear, np.ndarray]):
    assert msgspec.json.decode(msgspec.json.encode(fitted[0]), type=Linear) == fitted[0]


def test_fitting_twice_gives_the_same_bits_also_where_rows_are_sampled(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("models.scorers.logistic._MAX_ROWS", 1_000)
    matrix = matrix_of()
    lines = [fit_linear(matrix, churned_of(matrix), specification=SPEC, seed=seed) for seed in (0, 0, 1)]
    assert lines[0] == lines[1]
    assert lines[0] != lines[2]


def test_on_profiles_it_ranks_nearly_as_well_as_what_made_the_labels():
    profiles, unseen = profiles_of(2_000), profiles_of(2_000, seed=1)
    line = fit_linear(encode(profiles, specification()), churned_among(profiles), specification=specification(), seed=0)
    truth = 0.25 * unseen.column(RECENT).to_numpy() - 0.4 * unseen.column("events_7d").to_numpy()
    churned = churned_among(unseen, seed=1)
    assert auc(churned, line.raw(encode(unseen, specification()))) > auc(churned, truth) - 0.04


def test_columns_that_say_the_same_share_the_say():
    matrix = matrix_of()
    twice = np.column_stack([matrix[:, 0], matrix[:, 0]])
    both = fit_linear(twice, churned_of(matrix), specification=Specification(("one", "other"), (7,)), seed=0)
    assert both.weights[0] == pytest.approx(both.weights[1])
    assert both.weights[0] > 0
