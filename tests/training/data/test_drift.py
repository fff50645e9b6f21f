"""Features that drift between snapshots, planted; and a world in which nothing does."""

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs

from features.catalogue.definition import Unit
from features.catalogue.fitted import FittedConstants
from features.profiles.specification import Specification
from models.encoding import fit_categories
from training.data.drift import Drift, find_drift, stable_features, stable_values
from training.settings import DriftSettings

CUTOFFS = (date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1))
NAMES = ("tenure_days", "events_7d", "user_plan", "acquisition_channel")
PLAIN = DriftSettings()
USERS = 1500


def table(rng: np.random.Generator, *, users: int = USERS, **planted: Any) -> pa.Table:
    """The same users at each cutoff; a planted feature is a function of the snapshot's number."""
    columns = {
        "tenure_days": lambda _: rng.exponential(100, users),
        "events_7d": lambda _: np.where(rng.random(users) < 0.1, np.nan, rng.poisson(5, users)),
        "user_plan": lambda _: np.array(["free", "paid", None])[rng.integers(0, 3, users)],
        "acquisition_channel": lambda _: rng.choice(["ads", "search", "friend"], users),
    } | planted
    snapshots = [
        pa.table(
            {
                "user_id": [f"u{user}" for user in range(users)],
                "cutoff": pa.array([cutoff] * users, pa.date32()),
                **{name: pa.array(columns[name](place), from_pandas=True) for name in NAMES},
            }
        )
        for place, cutoff in enumerate(CUTOFFS)
    ]
    return pa.concat_tables(snapshots)


def specification_of(profiles: pa.Table) -> Specification:
    plain = Specification(NAMES, (7,), FittedConstants(attributes={"plan": Unit.TEXT}))
    return structs.replace(
        plain, categories=fit_categories(profiles, ["user_plan", "acquisition_channel"], maximum=200)
    )


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def found(profiles: pa.Table) -> dict[str, Drift]:
    return find_drift(profiles, specification_of(profiles), settings=PLAIN)


def test_a_stationary_world_has_no_drift(rng: np.random.Generator) -> None:
    assert found(table(rng)) == {}


def test_a_number_that_tells_the_date_is_named(rng: np.random.Generator) -> None:
    profiles = table(rng, tenure_days=lambda place: 40.0 * place + rng.uniform(0, 30, USERS))

    assert found(profiles) == {
        "tenure_days": Drift(
            1.0, "it alone separates the latest snapshot from the earliest (AUC 1.00): it reveals the date"
        )
    }


def test_a_number_that_falls_is_named_like_one_that_rises(rng: np.random.Generator) -> None:
    assert (
        found(table(rng, tenure_days=lambda place: -40.0 * place + rng.uniform(0, 30, USERS)))["tenure_days"].auc == 1
    )


def test_behaviour_that_moves_with_the_base_rate_is_left_alone(rng: np.random.Generator) -> None:
    assert found(table(rng, events_7d=lambda place: rng.poisson(5 + 3 * place, USERS).astype(float))) == {}


def test_the_auc_counts_pairs_ties_half_and_nulls_lowest() -> None:
    early, late = [None, 1.0, 2.0, 3.0] * 50, [2.0, 3.0, 4.0, 5.0] * 50
    profiles = table(np.random.default_rng(0), users=200, events_7d=lambda place: [early, early, late][place])

    every = DriftSettings(max_number_auc=0.5, max_category_auc=1)

    # of the 16 pairs the late one is greater in 13 (2: over null, 1; 3: over null, 1, 2; 4 and 5: over all) and ties in 2
    assert find_drift(profiles, specification_of(profiles), settings=every)["events_7d"].auc == pytest.approx(14 / 16)


def test_a_text_feature_of_a_thousand_stable_values_does_not_look_like_a_drift(rng: np.random.Generator) -> None:
    own = rng.choice([f"model{number}" for number in range(1000)], USERS)

    assert found(table(rng, user_plan=lambda _: own)) == {}
    assert found(table(rng, user_plan=lambda _: rng.permutation(own))) == {}


def test_a_channel_that_takes_over_is_dropped_and_said(rng: np.random.Generator) -> None:
    shares = ([0.1, 0.9], [0.5, 0.5], [0.7, 0.3])
    profiles = table(rng, acquisition_channel=lambda place: rng.choice(["new", "old"], USERS, p=shares[place]))

    done = stable_features(profiles, specification_of(profiles), settings=PLAIN)

    assert done.specification.unused == ("acquisition_channel",)
    assert done.pooled == {}
    assert done.dropped["acquisition_channel"].startswith(
        "its values separate the latest snapshot from the earliest (AUC 0.8"
    )


def test_a_value_that_trebles_at_the_cost_of_many_is_not_worth_keeping(rng: np.random.Generator) -> None:
    shares = ([0.1, 0.45, 0.45], [0.3, 0.35, 0.35], [0.5, 0.25, 0.25])
    profiles = table(rng, acquisition_channel=lambda place: rng.choice(["new", "ads", "old"], USERS, p=shares[place]))
    specification = specification_of(profiles)

    drifts = find_drift(profiles, specification, settings=PLAIN)
    done = stable_features(profiles, specification, settings=PLAIN)

    assert set(stable_values(profiles, specification, drifts=drifts)["acquisition_channel"]) == {"ads", "old"}
    assert list(done.dropped) == ["acquisition_channel"]  # pooled, the unknown value still reveals the date


def test_versions_that_follow_each_other_are_pooled_and_the_rest_is_kept(rng: np.random.Generator) -> None:
    versions = (["1.0", "web", "tv"], ["1.0", "web", "tv"], ["2.0", "web", "tv"])
    profiles = table(rng, user_plan=lambda place: rng.choice(versions[place], USERS, p=[0.5, 0.3, 0.2]))

    done = stable_features(profiles, specification_of(profiles), settings=PLAIN)

    assert set(done.specification.categories["user_plan"]) == {"web", "tv"}
    assert {name: set(values) for name, values in done.pooled.items()} == {"user_plan": {"1.0", "2.0"}}
    assert done.specification.unused == ()
    assert done.dropped == {}


def test_a_rare_value_that_doubled_by_chance_is_not_pooled(rng: np.random.Generator) -> None:
    def plan(place: int) -> Any:
        rare = [3, 3, 7][place]
        return np.array(["rare"] * rare + [["old", "old", "new"][place]] * (USERS - rare))

    profiles = table(rng, user_plan=plan)
    specification = specification_of(profiles)

    drifts = find_drift(profiles, specification, settings=PLAIN)

    assert stable_values(profiles, specification, drifts=drifts) == {"user_plan": ("rare",)}


def test_what_the_model_does_not_look_at_cannot_drift(rng: np.random.Generator) -> None:
    profiles = table(rng, tenure_days=lambda place: 40.0 * place + rng.uniform(0, 30, USERS))
    blind = structs.replace(specification_of(profiles), unused=("tenure_days",))

    assert find_drift(profiles, blind, settings=PLAIN) == {}
    assert stable_features(profiles, blind, settings=PLAIN).specification == blind


def test_one_snapshot_or_a_handful_of_users_shows_no_drift(rng: np.random.Generator) -> None:
    profiles = table(rng, tenure_days=lambda place: 40.0 * place + rng.uniform(0, 30, USERS))
    few = table(rng, users=199, tenure_days=lambda place: 40.0 * place + rng.uniform(0, 30, 199))

    assert found(profiles.slice(0, USERS)) == {}
    assert found(profiles.slice(0, 0)) == {}
    assert found(few) == {}


def test_the_order_of_rows_changes_nothing(rng: np.random.Generator) -> None:
    shares = ([0.1, 0.9], [0.5, 0.5], [0.7, 0.3])
    profiles = table(
        rng,
        users=20_000,
        acquisition_channel=lambda place: rng.choice(["new", "old"], 20_000, p=shares[place]),
        tenure_days=lambda place: 40.0 * place + rng.uniform(0, 30, 20_000),
        events_7d=lambda _: rng.poisson(5, 20_000),
        user_plan=lambda _: rng.choice(["a", "b"], 20_000),
    )
    large = pa.concat_tables([profiles, profiles])  # 80,000 rows at both ends: some are sampled
    shuffled = large.take(rng.permutation(large.num_rows))

    assert found(large) == found(shuffled)
    assert list(found(large)) == ["tenure_days", "acquisition_channel"]
