"""Reasons: the families that moved the score most, signed, each in the words of its strongest feature."""

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.catalogue.catalogue import catalogue
from features.catalogue.definition import Unit
from features.catalogue.fitted import FittedConstants
from features.profiles.specification import Specification
from models.encoding import encode
from models.reasons import Narrator, Reason, show, worded
from models.text.catalogues import in_language
from tests.models.model_builder import profiles_of, rows_of, tiny_model

# recency: the first two; usage: the next three; device and purchases: one each
NAMES = (
    "days_since_last_event",
    "tenure_days",
    "events_7d",
    "events_28d",
    "events_decayed_7d",
    "last_device_os",
    "is_repeat_purchaser",
    "overdue_deviations",
    "overdue_ratio",
)
NARRATOR = Narrator(
    Specification(NAMES, (7, 28)), {"days_since_last_event": 1.5, "tenure_days": 80.0, "overdue_ratio": 0.5}
)
PROFILE: dict[str, Any] = {
    "days_since_last_event": 6.0,
    "tenure_days": 40.0,
    "events_7d": 2.0,
    "events_28d": 40.0,
    "events_decayed_7d": 3.25,
    "last_device_os": "ios",
    "is_repeat_purchaser": 0.0,
    "overdue_deviations": 4.0,
    "overdue_ratio": 3.0,
}


def reasons(profile: dict[str, Any] | None = None, **contributions: float) -> list[Reason]:
    contributed = np.array([[contributions.get(name, 0.0) for name in NAMES]])
    return NARRATOR.explain(contributed, [PROFILE | (profile or {})])[0]


def text(profile: dict[str, Any] | None = None, **contributions: float) -> str:
    (found,) = reasons(profile, **contributions)
    return found.text


# --- Which, and how strong -----------------------------------------------------------------------------------------


def test_a_reason_is_the_signed_sum_of_its_family():
    found = reasons(days_since_last_event=0.875, tenure_days=-0.25, events_7d=-0.5, last_device_os=0.125)
    assert [(one.code, one.contribution) for one in found] == [("recency", 0.625), ("usage", -0.5), ("device", 0.125)]


def test_above_zero_raises_the_risk_and_below_lowers_it():
    found = {one.code: one.contribution for one in reasons(events_7d=-1.0, days_since_last_event=0.5)}
    assert found == {"usage": -1.0, "recency": 0.5}


def test_the_strongest_family_comes_first_whatever_its_sign():
    found = reasons(events_7d=-1.0, days_since_last_event=0.5, last_device_os=0.75)
    assert [one.code for one in found] == ["usage", "device", "recency"]


def test_there_are_at_most_three():
    four: dict[str, Any] = {
        "events_7d": 1.0,
        "days_since_last_event": 0.5,
        "last_device_os": 0.75,
        "is_repeat_purchaser": 0.25,
    }
    assert [one.code for one in reasons(**four)] == ["usage", "device", "recency"]


def test_a_family_without_effect_is_not_a_reason():
    assert reasons() == []
    assert [one.code for one in reasons(events_7d=0.25, days_since_last_event=1.0, tenure_days=-1.0)] == ["usage"]


def test_a_family_speaks_through_the_feature_that_pulled_hardest_its_way():
    # tenure pulled harder, but the other way
    (found,) = reasons(days_since_last_event=1.0, tenure_days=-0.75)
    assert (found.feature, found.contribution) == ("days_since_last_event", 0.25)


# --- In words ------------------------------------------------------------------------------------------------------


def test_what_is_usual_is_the_users_own_companion():
    # 40 events in 28 days are 10 in 7
    assert text(events_7d=0.5) == "2 events in the last 7 days (usual for this user: 10)"


def test_without_a_companion_of_its_own_the_reference_is_typical():
    assert text(tenure_days=0.5) == "first active 40 days ago (typical: 80)"


@pytest.mark.parametrize("absent", [{"gap_days_mean": None}, {}])
def test_a_user_without_the_companions_value_is_measured_against_the_reference(absent: dict[str, Any]):
    assert text(absent, days_since_last_event=0.5) == "last active 6 days ago (typical: 1.5)"


def test_a_feature_may_be_shown_through_one_that_people_know():
    assert text(events_decayed_7d=0.5) == text(events_7d=0.5)
    assert (
        text(overdue_deviations=0.5)
        == text(overdue_ratio=0.5)
        == "inactive 3x longer than their usual gap (typical: 0.5x)"
    )


def test_a_category_is_shown_by_its_value():
    assert text(last_device_os=-0.5) == "operating system is ios"


def test_a_flag_that_is_not_set_is_negated():
    assert text({"is_repeat_purchaser": 1.0}, is_repeat_purchaser=0.5) == "repeat purchaser"
    assert text(is_repeat_purchaser=0.5) == "not: repeat purchaser"


def test_a_feature_without_a_value_lets_the_next_of_its_family_speak():
    (found,) = reasons({"days_since_last_event": None}, days_since_last_event=1.0, tenure_days=0.25)
    assert (found.feature, found.contribution) == ("tenure_days", 1.25)


def test_a_feature_that_pulled_the_other_way_never_speaks_for_its_family():
    (found,) = reasons({"days_since_last_event": None}, days_since_last_event=1.0, tenure_days=-0.25)
    assert (found.feature, found.contribution) == ("days_since_last_event", 0.75)


@pytest.mark.parametrize("name", ["is_repeat_purchaser", "last_device_os", "overdue_ratio", "days_since_last_event"])
def test_what_is_not_known_is_never_stated_as_a_fact(name: str):
    profile = dict.fromkeys(NAMES) | {"gap_days_mean": None}
    found = text(profile, **{name: 0.5})
    assert "unknown" in found or "not known" in found


def test_a_value_is_put_into_the_words_as_it_is():
    odd = "{value} <b>%s</b> {window}"
    assert text({"last_device_os": odd}, last_device_os=0.5) == f"operating system is {odd}"


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.0, Unit.DAYS, "0"),
        (2.0, Unit.SESSIONS, "2"),
        (2.349, Unit.DAYS, "2.3"),
        (99.95, Unit.MINUTES, "100.0"),
        (123.4, Unit.MINUTES, "123"),
        (12345.6, Unit.EVENTS, "12,346"),
        (1234.5, Unit.MONEY, "1,234.50"),
        (0.5, Unit.SHARE, "50 %"),
        (1.0, Unit.SHARE, "100 %"),
        (-1.5, Unit.RATIO, "-1.5"),
        (None, Unit.DAYS, "unknown"),
        ("ios", Unit.TEXT, "ios"),
    ],
)
def test_values_are_shown_as_people_read_them(value: object, unit: Unit, said: str):
    assert show(value, unit) == said


@pytest.mark.parametrize(
    ("reason", "value", "said"),
    [
        ("usage {change} of the previous week", 0.0, "usage down to 0 % of the previous week"),
        ("usage {change} of the previous week", 1.0, "usage steady at 100 % of the previous week"),
        ("usage {change} of the previous week", 1.5, "usage up to 150 % of the previous week"),
        ("inactive {longer} their usual gap", 9.7, "inactive 9.7x longer than their usual gap"),
        ("inactive {longer} their usual gap", 0.4, "inactive 0.4x as long as their usual gap"),
        ("last purchase {longer_ago} usual", 3.0, "last purchase 3x longer ago than usual"),
        ("last purchase {longer_ago} usual", 1.0, "last purchase 1x as long ago as usual"),
        ("active days trending {trend} per week", -0.1, "active days trending down 0.1 per week"),
        ("active days trending {trend} per week", 0.04, "active days trending up 0.04 per week"),
        ("active days trending {trend} per week", -0.001, "active days trending by 0 per week"),
        ("events per day trending {trend} per week", -1234.5, "events per day trending down 1,234 per week"),
        ("{more} sessions than in the previous week", -2.0, "2 fewer sessions than in the previous week"),
        ("{more} sessions than in the previous week", 0.0, "0 more sessions than in the previous week"),
        ("{deviations} than usual", 2.34, "2.3 standard deviations later than usual"),
        ("{deviations} than usual", -0.5, "0.5 standard deviations earlier than usual"),
        ("varies by {percent} of its mean", 0.25, "varies by 25 % of its mean"),
    ],
)
def test_a_placeholder_puts_the_value_in_words(reason: str, value: float, said: str):
    assert worded(reason, value, unit=Unit.RATIO) == said


@pytest.mark.parametrize(
    ("value", "medians", "said"),
    [
        (1.4, {"channel_entropy_bits": 0.5}, "uses many channels"),
        (0.0, {"channel_entropy_bits": 0.5}, "uses few channels"),
        (0.5, {"channel_entropy_bits": 0.5}, "uses the usual number of channels"),
        (1.4, {}, "uses many channels"),
    ],
)
def test_variety_is_compared_with_the_reference_in_words(value: float, medians: dict[str, float], said: str):
    narrator = Narrator(Specification(("channel_entropy_bits",), (7, 28)), medians)
    ((found,),) = narrator.explain(np.array([[0.5]]), [{"channel_entropy_bits": value}])
    assert found.text == said


def test_reasons_are_told_in_the_language_that_is_spoken():
    narrator = Narrator(Specification(("events_7d",), (7, 28)), {"events_7d": 4.0, "days_since_last_event": 0.0})
    feature = {one.name: one for one in narrator.features}
    with in_language("zh"):
        assert narrator.words(feature["events_7d"], 2.0) == "最近 7 天有 2 次事件（一般为 4）"  # noqa: RUF001
        assert narrator.words(feature["events_7d"], None) == "events 7d：尚不清楚"  # noqa: RUF001
        assert (
            worded("不活跃的时间为其通常间隔的 {longer}", 9.7, unit=Unit.RATIO) == "不活跃的时间为其通常间隔的 9.7 倍"
        )
        assert worded("活动量{change}", 0.5, unit=Unit.RATIO) == "活动量降至 50 %"
    assert narrator.words(feature["events_7d"], 2.0) == "2 events in the last 7 days (typical: 4)"


def test_no_reason_speaks_of_bits_spreads_or_slopes():
    for feature in catalogue((7, 28), FittedConstants()):
        assert not re.search(r"\b(bits?|spreads?|slopes?)\b", feature.reason), feature.name


@pytest.mark.parametrize(
    ("value", "gap", "typical", "said"),
    [
        (0.0, 4.0, 1.5, "last active 0 days ago (usual for this user: 4)"),
        (0.0, 0.0, 1.5, "last active 0 days ago (typical: 1.5)"),
        (0.0, 0.04, 1.5, "last active 0 days ago (typical: 1.5)"),  # which is shown as 0.0
        (0.0, 0.0, 0.0, "last active 0 days ago"),
        (0.0, None, 0.04, "last active 0 days ago"),
        (6.0, 0.0, 1.5, "last active 6 days ago (usual for this user: 0)"),
    ],
)
def test_a_usual_or_typical_0_never_explains_a_0(value: float, gap: float | None, typical: float, said: str):
    narrator = Narrator(Specification(NAMES, (7, 28)), {"days_since_last_event": typical})
    alone = np.array([0.5, *[0.0] * 8])
    ((found,),) = narrator.explain(alone[None, :], [{"days_since_last_event": value, "gap_days_mean": gap}])
    assert found.text == said


# --- Of many users at once -----------------------------------------------------------------------------------------


def test_only_what_raises_the_risk_is_chosen_where_a_list_asks_for_it():
    # families in the order of their names: device, purchases, recency, usage
    contributions = np.array([[0.5, 0.0, -2.0, 0.0, 0.0, 0.25, 0.0, 0.0, 0.0], [-0.5, 0.0, -2.0, *[0.0] * 6]])
    found = NARRATOR.choose(contributions, known=np.ones((2, 9), dtype=np.bool_), raising=True)
    assert found.features.tolist() == [[0, 5, -1], [-1, -1, -1]]
    assert found.contributions.tolist() == [[0.5, 0.25, 0.0], [0.0, 0.0, 0.0]]
    both = NARRATOR.choose(contributions, known=np.ones((2, 9), dtype=np.bool_))
    assert both.features.tolist() == [[2, 0, 5], [2, 0, -1]]
    assert both.contributions.tolist() == [[-2.0, 0.5, 0.25], [-2.0, -0.5, 0.0]]


def test_families_that_moved_a_score_equally_are_sorted_by_name():
    contributions = np.array([[0.5, 0.0, -0.5, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0]])
    (places,) = NARRATOR.choose(contributions, known=np.ones((1, 9), dtype=np.bool_)).features.tolist()
    assert [NAMES[place] for place in places] == ["last_device_os", "days_since_last_event", "events_7d"]


@given(seed=st.integers(0, 1_000), users=st.integers(2, 60), raising=st.booleans())
def test_many_users_get_bit_for_bit_what_each_gets_alone(seed: int, users: int, raising: bool):
    narrator, random = tiny_model().narrator, np.random.default_rng(seed)
    contributions = random.normal(size=(users, len(narrator.features)))
    contributions[random.random(contributions.shape) < 0.3] = 0
    known = random.random(contributions.shape) < 0.7
    many = narrator.choose(contributions, known=known, raising=raising)
    for row in range(users):
        alone = narrator.choose(contributions[row : row + 1], known=known[row : row + 1], raising=raising)
        assert alone.features.tolist() == many.features[row : row + 1].tolist()
        assert alone.contributions.tolist() == many.contributions[row : row + 1].tolist()


# --- Of a real model -----------------------------------------------------------------------------------------------


@given(seed=st.integers(0, 1_000))
def test_reasons_of_a_model_are_the_largest_sums_of_its_families(seed: int):
    model, profiles = tiny_model(), profiles_of(3, seed=seed)
    contributions = model.contributions(encode(profiles, model.specification))
    families = [feature.family for feature in model.specification.features]
    for place, profile in enumerate(rows_of(profiles)):
        sums = {
            family: sum(value for value, own in zip(contributions[place], families, strict=True) if own == family)
            for family in set(families)
        }
        largest = sorted((family for family in sums if sums[family]), key=lambda family: -abs(sums[family]))[:3]
        (found,) = model.narrator.explain(contributions[place][None, :], [profile])
        assert [one.code for one in found] == largest
        assert [one.contribution for one in found] == pytest.approx([sums[family] for family in largest], abs=1e-6)


def test_the_code_of_a_reason_is_the_family_whose_sum_it_is():
    # a feature shown through another must not change the family
    features = {feature.name: feature for feature in catalogue((7, 28), FittedConstants(("view",)))}
    assert all(features[f.shown_as].family == f.family for f in features.values() if f.shown_as in features)


def test_no_words_of_any_feature_are_left_unfilled():
    for feature in catalogue((1, 7, 28), FittedConstants(("view",))):
        filled = worded(feature.reason, 1.5, unit=feature.unit).replace("{many}", "many")
        assert not re.search(r"[{}]", filled), feature.name
        assert filled.strip(), feature.name


def test_every_companion_is_a_feature_of_the_catalogue():
    features = {feature.name for feature in catalogue((7, 28), FittedConstants(("view",)))}
    assert {f.usual[0] for f in catalogue((7, 28), FittedConstants(("view",))) if f.usual} <= features
