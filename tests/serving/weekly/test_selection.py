"""Who is on which list: ranked by risk, cut in three ways, nobody twice, and every decision blind to the arm it concerns."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.settings import ListSettings
from serving.weekly.selection import Ranking, Selection, select
from tests.serving.weekly.list_builder import score_rows

RAW = [3.0, 1.0, 2.0, -1.0, 2.0, None]  # a, c, e (as risky as c), b, d; f has no score
NAMES = "abcdef"


def ranked(raw: Sequence[float | None] = RAW, *, held_out: str = "", excluded: dict[str, str] | None = None) -> Ranking:
    names = [chr(97 + place) for place in range(len(raw))]
    why = [
        (excluded or {}).get(name) or ("not scored" if one is None else None)
        for name, one in zip(names, raw, strict=True)
    ]
    mask = np.array([name in held_out for name in names], dtype=np.bool_)
    return Ranking.of(score_rows(raw), held_out=mask, excluded=pa.array(why, pa.string()))


def wanted(who: str = NAMES, value: Sequence[float | None] = (None,) * 6) -> pa.Table:
    return pa.table({"is_wanted": [name in who for name in NAMES], "value": pa.array(value, pa.float64())})


def one_list(of: Ranking, who: str = NAMES, **cut: Any) -> Selection:
    (found,) = select(of, [ListSettings(**cut)], wanted=[wanted(who)])
    return found


def names(rows: np.ndarray) -> str:
    return "".join(NAMES[row] for row in rows)


def test_where_two_models_scored_users_are_ranked_by_probability_and_ties_by_the_same_model_by_user_id():
    scores = score_rows(RAW)
    likely = pa.array(
        [0.3, 0.6, 0.5, 0.4, 0.5, None]
    )  # of a raw score of 1.0 the other model makes more than this one of 3.0
    scores = scores.set_column(scores.column_names.index("churn_probability"), "churn_probability", likely)
    scores = scores.append_column("scored_by", pa.array([None, "shop-new/2", None, "shop-new/2", None, None]))
    nobody, why = np.zeros(6, dtype=np.bool_), pa.array([None] * 5 + ["not scored"], pa.string())
    found = one_list(Ranking.of(scores, held_out=nobody, excluded=why), at_least="low")
    assert names(found.rows) == "bceda"


# --- Three ways to cut -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at_least", "entered", "not_reached"), [("high", "aceb", 1), ("low", "acebd", 0)])
def test_a_band_cuts_by_the_risk_of_each_user_alone_and_ties_are_sorted_by_user_id(
    at_least: str, entered: str, not_reached: int
):
    found = one_list(ranked(), at_least=at_least)
    assert (names(found.rows), found.not_reached) == (entered, not_reached)


def test_medium_is_the_riskiest_two_of_three_bands():
    scores = score_rows([3.0, 2.0, 1.0], ["high", "medium", "low"])
    of = Ranking.of(scores, held_out=np.zeros(3, dtype=np.bool_), excluded=pa.array([None] * 3, pa.string()))
    every = pa.table({"is_wanted": [True] * 3, "value": pa.array([None] * 3, pa.float64())})
    (found,) = select(of, [ListSettings(at_least="medium")], wanted=[every])
    assert found.rows.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("held_out", "capacity", "entered", "treated"),
    [
        ("", 2, "ac", "ac"),
        ("a", 2, "ace", "ce"),
        ("ac", 2, "aceb", "eb"),
        ("e", 2, "ac", "ac"),  # the list ends with the last one before whom there is room
        ("e", 3, "aceb", "acb"),
        ("d", 5, "acebd", "aceb"),
        ("abcde", 1, "acebd", ""),
    ],
)
def test_capacity_counts_those_who_are_contacted(held_out: str, capacity: int, entered: str, treated: str):
    found = one_list(ranked(held_out=held_out), capacity=capacity)
    assert (names(found.rows), names(found.treated)) == (entered, treated)
    assert found.not_reached == 5 - len(entered)


@pytest.mark.parametrize(
    ("budget", "cost", "contacts"), [(10.0, 5.0, 2), (9.99, 5.0, 1), (0.3, 0.1, 3), (4.0, 5.0, 0), (1000.0, 0.01, 5)]
)
def test_a_budget_pays_for_as_many_contacts_as_it_can(budget: float, cost: float, contacts: int):
    found = one_list(ranked(), budget=budget, cost_per_contact=cost)
    assert names(found.rows) == "acebd"[:contacts]


def test_value_and_arm_are_those_of_the_entered_users():
    (found,) = select(
        ranked(held_out="c"),
        [ListSettings(at_least="high")],
        wanted=[wanted(value=[1.0, 2.0, 3.0, 4.0, None, 6.0])],
    )
    assert (names(found.rows), found.held_out.tolist()) == ("aceb", [False, True, False, False])
    assert found.value.tolist()[:2] == [1.0, 3.0]
    assert np.isnan(found.value[2])


def test_nobody_may_be_wanted_and_there_may_be_nobody():
    found = one_list(ranked(), who="", capacity=3)
    assert (found.rows.tolist(), found.excluded, found.not_reached) == ([], {}, 0)
    (empty,) = select(
        ranked([]),
        [ListSettings(at_least="low")],
        wanted=[pa.table({"is_wanted": pa.array([], pa.bool_()), "value": pa.array([], pa.float64())})],
    )
    assert (empty.rows.tolist(), empty.treated.tolist()) == ([], [])


# --- Several lists, and why somebody is on none -----------------------------------------------------------------------


def test_the_order_of_the_lists_decides_and_nobody_is_on_two():
    lists = [ListSettings(name="vip", capacity=1), ListSettings(name="rest", at_least="low")]
    first, second = select(ranked(held_out="a"), lists, wanted=[wanted("abc"), wanted()])
    assert (names(first.rows), names(second.rows)) == ("ac", "ebd")  # a is held out, and still on no other list
    assert first.excluded == {}
    assert second.excluded == {"not scored": 1, "on an earlier list": 2}


def test_everybody_excluded_is_counted_once_under_one_reason_and_only_where_wanted():
    of = ranked(excluded={"a": "opted out", "b": "contacted lately", "c": "opted out"})
    found = one_list(of, who="abcdf", at_least="low")
    assert names(found.rows) == "d"
    assert found.excluded == {"contacted lately": 1, "not scored": 1, "opted out": 2}


def test_who_is_excluded_is_not_on_an_earlier_list_as_well():
    lists = [ListSettings(name="one", capacity=1), ListSettings(name="two", capacity=1)]
    first, second = select(ranked(excluded={"a": "opted out"}), lists, wanted=[wanted(), wanted()])
    assert (names(first.rows), names(second.rows)) == ("c", "e")
    assert second.excluded == {"not scored": 1, "on an earlier list": 1, "opted out": 1}


USERS = st.lists(
    st.tuples(st.integers(-2, 2), st.booleans(), st.sampled_from([None, None, "opted out"])), min_size=1, max_size=15
)
CUTS = st.one_of(
    st.fixed_dictionaries({"at_least": st.sampled_from(["high", "low"])}),
    st.fixed_dictionaries({"capacity": st.integers(1, 6)}),
    st.fixed_dictionaries({"budget": st.floats(0.5, 6), "cost_per_contact": st.just(1.0)}),
)
LISTS = st.lists(st.tuples(CUTS, st.integers(0, 2**15 - 1)), min_size=1, max_size=3)


def world(
    users: list[tuple[int, bool, str | None]], lists: list[tuple[dict[str, Any], int]]
) -> tuple[Ranking, Any, Any]:
    count = len(users)
    held_out, excluded = np.array([one[1] for one in users]), pa.array([one[2] for one in users], pa.string())
    of = Ranking.of(score_rows([float(one[0]) for one in users]), held_out=held_out, excluded=excluded)
    columns = [
        pa.table({"is_wanted": [bool(bits >> place & 1) for place in range(count)], "value": [0.0] * count})
        for _, bits in lists
    ]
    return of, [ListSettings(**cut) for cut, _ in lists], columns


@given(users=USERS, lists=LISTS, flipped=st.integers(0, 14))
def test_ones_own_arm_decides_neither_entry_nor_list_nor_rank(users: Any, lists: Any, flipped: int):
    of, settings, columns = world(users, lists)
    place = flipped % len(users)
    arms = of.held_out.copy()
    arms[place] = ~arms[place]

    def where(found: Sequence[Selection]) -> list[list[int]]:
        return [np.flatnonzero(one.rows == place).tolist() for one in found]

    assert where(select(of, settings, wanted=columns)) == where(
        select(replace(of, held_out=arms), settings, wanted=columns)
    )


@given(users=USERS, lists=LISTS)
def test_every_wanted_user_is_entered_or_excluded_or_below_the_cut_exactly_once(users: Any, lists: Any):
    of, settings, columns = world(users, lists)
    found = select(of, settings, wanted=columns)
    everybody = np.concatenate([one.rows for one in found])
    assert len(set(everybody.tolist())) == len(everybody)
    for one, column in zip(found, columns, strict=True):
        assert len(one.rows) + sum(one.excluded.values()) + one.not_reached == sum(column["is_wanted"].to_pylist())
        assert of.raw_score[one.rows].tolist() == sorted(of.raw_score[one.rows].tolist(), reverse=True)
        assert all(users[row][2] is None for row in one.rows)
        if one.settings.contacts is not None:
            assert len(one.treated) <= one.settings.contacts
            assert not one.not_reached or len(one.treated) == one.settings.contacts
