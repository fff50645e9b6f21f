"""A planted change is found, named and dated once; standing differences are no finding."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest

from insights.engine.active_days import ActiveDays
from insights.engine.groups import make_groups
from insights.engine.steps import Steps, make_steps
from insights.engine.tables import Annotation
from insights.findings import Past, false_alarms, findings, worth_of_steps
from models.text.catalogues import in_language
from tests.builders import Row
from tests.insights.logs import opened
from tests.insights.worlds import START, Rate, broken, shop, standing

Open = Callable[[Rate, int], tuple[ActiveDays, Steps]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Open the log of a rate and a seed; the same once."""

    @cache
    def made(rate: Rate, seed: int) -> tuple[ActiveDays, Steps]:
        rows = shop(rate, seed=seed)
        report = {"purchase_event_types": ["purchase"], "left_censored_days": 0}
        log = opened(tmp_path_factory.mktemp("world"), rows, report=report)
        make_groups(log)
        return log, make_steps(log, funnel=(), purchase_event_types=["purchase"])

    return made


def test_a_broken_payment_is_named_dated_and_told_once(world: Open):
    found = findings(*world(broken, 1))
    (table,) = found.tables
    first = table.rows[0]
    assert (first["step"], first["next_step"], first["value_of"]) == ("pay", "purchase", "android")
    assert abs(first["first_day"] - date(2026, 3, 16)).days <= 2
    assert abs(first["last_day"] - date(2026, 3, 29)).days <= 2
    assert first["rate_then"] < 0.35
    assert first["rate_else"] > 0.6
    assert len(table.rows) == 1
    assert found.sentences[0] == "One change that chance does not explain."
    assert "android went on to purchase or later" in found.sentences[1]
    assert found.links == {found.sentences[1]: first["link"]}


def test_what_happened_at_that_time_is_named_and_what_an_earlier_report_did_not_have_is_new(world: Open):
    log, steps = world(broken, 1)
    notes = [
        Annotation(date(2026, 3, 14), date(2026, 3, 14), "Release 2.3"),
        Annotation(date(2026, 3, 22), date(2026, 3, 22), "Holiday"),
    ]
    found = findings(log, steps, annotations=notes, past=Past(date(2026, 3, 8), []))
    (row,) = found.tables[0].rows
    assert (row["nearby"], row["is_new"]) == ("Release 2.3", "new")
    assert found.sentences[0].endswith("new since the report up to Mar 8, 2026: 1.")
    assert found.sentences[1].endswith("At that time: Release 2.3. (New.)")
    known = {"cause": row["cause"], "first_day": "2026-03-14", "last_day": "2026-03-20"}
    again = findings(log, steps, past=Past(date(2026, 3, 20), [known]))
    assert again.tables[0].rows[0]["is_new"] == ""
    assert again.tables[0].rows[0]["link"] == row["link"]
    earlier = known | {"first_day": "2026-01-05", "last_day": "2026-02-01"}
    assert findings(log, steps, past=Past(date(2026, 3, 20), [earlier])).facts["new_findings"] == 1


def test_a_group_that_is_set_aside_does_not_change_the_mixture_of_the_others(world: Open):
    def rate(step: int, day: int, system: str) -> float:
        return 0.5 if step == 0 and system == "android" and 70 <= day < 84 else 0.9 if system == "android" else 0.3

    found = findings(*world(rate, 5))
    assert [(row["step"], row["value_of"]) for row in found.tables[0].rows] == [("view", "android")]


def visit(user: str, day: int, *, buys: bool) -> Iterator[Row]:
    for name in ("view", "purchase") if buys else ("view",):
        yield {"user_id": user, "event_time": START + timedelta(days=day), "event_type": name}


def without_new_users(*, weeks: int = 16) -> Iterator[Row]:
    """60 % of 250 known users buy, and a fifth of 400 new ones a week; for three weeks nobody is new, and 45 % of the known buy."""
    for week in range(weeks):
        is_pause = 11 <= week < 14
        for user in range(250):
            buys = (user // 7 + 7 * week) % 20 < (9 if is_pause else 12)
            yield from visit(f"known{user}", 7 * week + user % 7, buys=buys)
        for user in range(0 if is_pause else 400):
            yield from visit(f"new{week}-{user}", 7 * week + user % 7, buys=user // 7 % 5 == 0)


def test_a_fall_is_not_told_as_a_rise_when_users_of_a_low_rate_stay_away(tmp_path: Path):
    log = opened(tmp_path, without_new_users(), report={"purchase_event_types": ["purchase"]})
    found = findings(log, make_steps(log, funnel=["view", "purchase"], purchase_event_types=["purchase"]))
    (row,) = found.tables[0].rows
    assert (row["step"], row["direction"]) == ("view", "fell")
    assert (row["first_day"], row["last_day"]) == (date(2026, 3, 23), date(2026, 4, 12))
    assert row["users_reached"] == 750
    assert row["rate_then"] == pytest.approx(0.45, abs=0.02)
    assert row["rate_else"] == pytest.approx(0.6, abs=0.02)  # of all on other days, a third buys
    assert row["missing"] == pytest.approx(750 * (row["rate_else"] - row["rate_then"]))
    assert found.sentences[1].endswith(" fewer.")


def test_a_finding_of_users_of_whom_nothing_is_known_is_the_same_in_every_language(tmp_path: Path):
    rows = [dict(row) | {"device_os": None if row["device_os"] == "android" else "ios"} for row in shop(broken, seed=1)]
    log = opened(tmp_path, rows, report={"purchase_event_types": ["purchase"], "left_censored_days": 0})
    make_groups(log)
    steps = make_steps(log, funnel=(), purchase_event_types=["purchase"])
    causes: list[str] = []
    for language, unknown in (("en", "unknown"), ("zh", "未知")):
        with in_language(language):
            (row,) = findings(log, steps).tables[0].rows
        assert row["value_of"] == unknown
        causes.append(row["cause"])
    assert causes[0] == causes[1]


def test_going_on_is_worth_what_those_who_do_spend_more(tmp_path: Path):
    rows = [
        *("a 2026-01-05T10:00 view", "a 2026-01-05T10:00 cart", "a 2026-01-09T10:00 pay amount=30"),
        *("b 2026-01-05T10:00 view", "b 2026-01-06T10:00 pay amount=10"),
        *(
            "c 2026-01-05T10:00 view",
            "c 2026-01-05T10:00 cart",
            "c 2026-01-20T10:00 pay amount=99",
            "c 2026-02-01T10:00",
        ),
    ]
    log = opened(tmp_path, rows, report={"left_censored_days": 0})
    steps = make_steps(log, funnel=["view", "cart", "pay"], purchase_event_types=[])
    assert worth_of_steps(log, steps)[0] == (30 + 0) / 2 - 10
    assert worth_of_steps(log, steps)[1] == 0.0  # nobody went on from the cart on its day


@pytest.mark.parametrize("seed", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_standing_differences_are_no_finding(world: Open, seed: int):
    found = findings(*world(standing, seed))
    assert found.facts["findings"] == 0
    assert "No change stands out" in found.sentences[0]
    assert "at most 5.0 %" in found.sentences[1]


def test_a_log_of_a_few_weeks_is_not_searched(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00", "b 2026-01-25T10:00"])
    found = findings(log, make_steps(log, funnel=(), purchase_event_types=["purchase"]))
    assert not found.tables
    needs = "Nothing was searched: it takes 8 whole weeks after the left-censored days, and there"
    assert found.sentences == [f"{needs} are 2."]
    assert found.facts == {"findings": None, "new_findings": None, "weeks": 2}
    short = opened(tmp_path / "short", ["a 2026-01-05T10:00", "b 2026-01-18T10:00"])
    steps = make_steps(short, funnel=(), purchase_event_types=["purchase"])
    assert findings(short, steps).sentences == [f"{needs} is one."]


def test_a_log_without_steps_and_new_users_is_not_searched(tmp_path: Path):
    log = opened(tmp_path, ["a 2026-01-05T10:00", "b 2026-01-06T10:00", "a 2026-04-30T10:00"])
    found = findings(log, make_steps(log, funnel=(), purchase_event_types=["purchase"]))
    assert found.facts["weeks"] > 8
    (sentence,) = found.sentences
    assert sentence.startswith("Nothing was searched: the log has neither steps to a purchase")


@pytest.mark.parametrize("others", [0, 1, 5])
def test_the_tests_of_a_report_share_the_chance_of_a_false_alarm(others: int):
    dimensions = ["all", *(f"dimension {number}" for number in range(others))]
    parts = [false_alarms(one, others=others, is_fall=is_fall) for one in dimensions for is_fall in (True, False)]
    assert sum(parts) == pytest.approx(0.04)  # the rest is that of the alarm on core users
    assert all(part >= 0.001 for part in parts if part)  # the smallest p-value that the simulations can give
