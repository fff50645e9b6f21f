"""Which horizon is recommended: the shortest after which few come back and that leaves enough to learn from."""

from dataclasses import replace
from typing import Any

from training.horizon.rule import Candidate, HorizonRule
from training.horizon.survival import Share
from training.settings import AdviceSettings

RULE = HorizonRule(AdviceSettings(), 100, is_weekly=False)


def candidate(days: int, ever: float | None, **changes: Any) -> Candidate:
    back = None if ever is None else Share(ever, ever, ever)
    known: dict[str, Any] = {"snapshots": 10, "cutoffs": 5, "eligible": 1000, "smaller_class": 200}
    return Candidate(
        days, churn_rate=Share(0.2, 0.2, 0.2), returned=0.0, back_soon=back, back_ever=back, **known | changes
    )


def recommended(*candidates: Candidate, rule: HorizonRule = RULE) -> int | None:
    return rule.recommend([rule.with_objections(one) for one in candidates])[0]


def test_the_shortest_after_which_few_come_back_is_recommended():
    assert recommended(candidate(7, 0.4), candidate(14, 0.0999), candidate(28, 0.01)) == 14


def test_one_that_leaves_too_little_to_learn_from_is_not():
    few, small = candidate(7, 0.05, snapshots=2), candidate(14, 0.05, smaller_class=99)
    assert recommended(few, small, candidate(28, 0.05)) == 28
    assert recommended(few, small) is None


def test_what_the_closest_candidate_lacks_is_said_where_none_leaves_enough():
    few, one = candidate(7, 0.05, smaller_class=64), candidate(14, 0.05, smaller_class=1, snapshots=1)
    assert RULE.recommend([few, one]) == (
        None,
        "no candidate leaves enough to train on; 7 days leaves 64 users in the smaller class, 100 are needed",
    )
    assert RULE.with_objections(one).against == (
        "1 training snapshot, 3 are needed",
        "1 user in the smaller class, 100 are needed",
    )


def test_where_none_is_right_the_one_that_mislabels_least_is_named_as_such():
    judged = [RULE.with_objections(one) for one in (candidate(7, 0.4), candidate(14, 0.3), candidate(28, None))]
    days, why = RULE.recommend(judged)
    assert days == 14
    assert why.startswith("no candidate meets the rule, and this one mislabels least")
    assert "30% come back within the next 14 days" in why


def test_whole_weeks_are_taken_where_users_come_back_weekly():
    weekly = replace(RULE, is_weekly=True)
    assert recommended(candidate(30, 0.05), candidate(56, 0.04)) == 30
    assert recommended(candidate(30, 0.05), candidate(56, 0.04), rule=weekly) == 56
    assert recommended(candidate(28, 0.3), candidate(30, 0.2), rule=weekly) == 28
    assert "whole weeks" in weekly.description
    assert "whole weeks" not in RULE.description
