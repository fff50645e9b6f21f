"""Why users are on a list: what raises their risk, and what nearly all have in common once, above it."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from models.churn_model import ChurnModel
from models.encoding import encode
from serving.batch.score import reasons
from serving.weekly.list_reasons import MIN_ROWS, ListReasons, list_reasons
from tests.builders import values_of
from tests.models.model_builder import profiles_of, rows_of, tiny_model

RANKS = (1, 2, 3)
COMMON = {
    "recency": ("days_since_last_event", "days_since_last_qualifying_day", "tenure_days"),
    "purchases": ("purchases_28d", "purchases_7d", "days_since_last_purchase"),
    "usage": ("events_7d", "events_28d", "active_days_7d"),
}


def alike(users: int, *, seed: int, families: tuple[str, ...], odd: int = 0) -> pa.Table:
    """Users who differ in everything but some families, in which all but an odd few are like the first."""
    profiles = profiles_of(users, seed=seed)
    for feature in tiny_model().specification.features:
        if feature.family in families:
            column = profiles.column(feature.name).to_pylist()
            place = profiles.column_names.index(feature.name)
            same = column[:odd] + [column[odd]] * (users - odd)
            profiles = profiles.set_column(
                place, profiles.schema.field(place), pa.array(same, profiles.schema.field(place).type)
            )
    return profiles


def raising(model: ChurnModel, profiles: pa.Table) -> list[list[tuple[str, float]]]:
    """For each user the words and the sum of every family that raises the risk, each asked for alone, the strongest first."""
    families = np.array([feature.family for feature in model.specification.features])
    found: list[list[tuple[str, float]]] = []
    for own, row in zip(model.contributions(encode(profiles, model.specification)), rows_of(profiles), strict=True):
        alone = [
            model.narrator.explain(np.where(families == family, own, 0)[None, :], [row])[0]
            for family in sorted(set(families))
        ]
        known = [(one.text, one.contribution) for told in alone for one in told if one.contribution > 0]
        found.append(sorted(known, key=lambda pair: -pair[1]))
    return found


def texts(found: ListReasons) -> list[list[str]]:
    columns = [found.table.column(f"reason_{rank}").to_pylist() for rank in RANKS]
    return [[text for text in row if text is not None] for row in zip(*columns, strict=True)]


def test_a_short_list_has_what_raises_each_users_risk_and_shares_nothing():
    profiles = alike(MIN_ROWS - 1, seed=1, families=("recency", "usage", "purchases"))
    found = list_reasons(tiny_model(), profiles)
    assert found.shared == ()
    assert found.table.equals(reasons(tiny_model(), profiles, raising=True))
    assert max(Counter(text for row in texts(found) for text in row).values()) == MIN_ROWS - 1


def test_of_all_reasons_only_those_that_raise_the_risk_are_told():
    profiles = profiles_of(200, seed=2)
    table = list_reasons(tiny_model(), profiles).table
    for rank in RANKS:
        assert min(one for one in values_of(table, f"reason_{rank}_contribution") if one is not None) > 0
    both = reasons(tiny_model(), profiles)
    assert any(value < 0 for value in values_of(both, "reason_1_contribution"))  # which argue for staying


def test_what_all_share_is_said_once_and_no_row_repeats_it():
    profiles = alike(60, seed=3, families=("recency",))
    expected = raising(tiny_model(), profiles)
    everybody = Counter(text for row in expected for text, _ in row[:3])
    found = list_reasons(tiny_model(), profiles)
    assert found.shared == tuple(text for text, count in everybody.items() if count > 48)
    assert len(found.shared) == 1
    assert not {text for row in texts(found) for text in row} & {*found.shared}


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    families=st.sets(st.sampled_from(["recency", "usage", "purchases", "device", "channel"]), min_size=1),
    odd=st.integers(0, 8),
)
def test_each_row_has_its_three_strongest_reasons_that_are_not_shared_and_no_reason_leads_on(
    seed: int, families: set[str], odd: int
):
    profiles = alike(40, seed=seed, families=tuple(families), odd=odd)
    found, expected = list_reasons(tiny_model(), profiles), raising(tiny_model(), profiles)
    assert texts(found) == [[text for text, _ in row if text not in found.shared][:3] for row in expected]
    told = Counter(text for row in texts(found) for text in row)
    assert all(count <= 32 for count in told.values())
    assert len(set(found.shared)) == len(found.shared)
    for text in found.shared:
        assert sum(text in dict(row) for row in expected) > 32


def test_reasons_are_the_strongest_first_with_code_and_feature():
    table = list_reasons(tiny_model(), profiles_of(30, seed=6)).table
    features = {feature.name: feature.family for feature in tiny_model().specification.features}
    for row in table.to_pylist():
        sums = [row[f"reason_{rank}_contribution"] for rank in RANKS if row[f"reason_{rank}"]]
        assert all(first >= second for first, second in pairwise(sums))
        assert all(row[f"reason_{rank}_code"] == features.get(row[f"reason_{rank}_feature"]) for rank in RANKS)


def test_an_empty_list_has_no_reasons():
    found = list_reasons(tiny_model(), profiles_of(3).slice(0, 0))
    assert (found.table.num_rows, found.shared) == (0, ())
