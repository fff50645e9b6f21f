"""Users by week and step: the first day counts, and later steps of the same day."""

from pathlib import Path

from insights.engine.steps import detected_funnel, make_steps
from tests.insights.logs import opened

NEW = {"report": {"left_censored_days": 0}}
# Weeks from Monday January 5; the last one is not whole.
ROWS = [
    *("a 2026-01-05T10:00 view", "a 2026-01-06T10:00 view", "a 2026-01-06T10:01 cart"),
    *("a 2026-01-12T10:00 cart", "a 2026-01-12T10:01 view", "a 2026-01-12T10:02 buy"),
    *("b 2026-01-13T10:00 view", "b 2026-01-20T10:00 view", "b 2026-01-20T10:00 buy"),
    *("c 2026-01-26T10:00 view", "c 2026-01-28T10:00 help"),
]


def test_the_first_day_of_a_week_counts_and_any_later_step_of_it(tmp_path: Path):
    log = opened(tmp_path, ROWS, **NEW)
    steps = make_steps(log, funnel=["view", "cart", "buy"], purchase_event_types=["buy"])
    assert (steps.first_week, steps.weeks, steps.new_users) == (0, 3, 2)
    found = log.rows("select week, uid, step, converted from reached where step < 2 order by all")
    assert found == [
        (0, 1, 0, False),  # on the first day there was no cart
        (0, 1, 1, False),
        (1, 1, 0, True),
        (1, 1, 1, True),
        (1, 2, 0, False),
        (2, 2, 0, True),  # bought without a cart
    ]


def test_new_users_are_followed_into_their_fifth_week(tmp_path: Path):
    rows = [
        "a 2026-01-05T10:00",
        "a 2026-02-02T10:00",
        "b 2026-01-05T10:00",
        "b 2026-02-01T10:00",
        "c 2026-01-06T10:00",
    ]
    rows += ["c 2026-02-09T10:00", "d 2026-01-07T10:00", "d 2026-02-08T10:00"]
    log = opened(tmp_path, rows, **NEW)
    steps = make_steps(log, funnel=[], purchase_event_types=["buy"])
    found = log.rows("select user_id, converted from reached join persons using (uid) where step = 1 order by all")
    assert found == [("a", True), ("b", False), ("c", True)]  # of d the days are not over
    assert steps.count == 2


def test_new_users_are_followed_for_two_weeks(tmp_path: Path):
    log = opened(tmp_path, ROWS, **NEW)
    make_steps(log, funnel=["view", "cart", "buy"], purchase_event_types=["buy"])
    rows = log.rows("select uid, d, converted from reached where step = 2 order by all")
    assert rows == [(1, 0, True), (2, 8, True)]


def test_the_way_to_a_purchase_is_what_most_buyers_pass(tmp_path: Path):
    rows = [
        f"u{n} 2026-01-05T10:00 {kind}"
        for kind, users in (("view", 30), ("cart", 20), ("buy", 10))
        for n in range(users)
    ]
    rows += [f"u{n} 2026-01-05T10:00 help" for n in range(15, 30)]
    log = opened(tmp_path, rows, **NEW)
    assert detected_funnel(log, ["buy"]) == ("view", "cart", "buy")
    assert detected_funnel(log, ["order"]) == ()


def test_of_systems_that_are_used_as_often_on_a_day_the_order_of_the_rows_does_not_decide(tmp_path: Path):
    systems = ["android", "ios"]
    rows = [
        f"u{user} 2026-01-05T10:00 view device_os={system}"
        for user in range(30)
        for system in (systems if user % 2 else reversed(systems))
    ]
    log = opened(tmp_path, [*rows, "z 2026-01-11T10:00 look"], **NEW)
    make_steps(log, funnel=["view", "buy"], purchase_event_types=["buy"])
    assert log.rows("select device_os, count(*) from reached where step = 0 group by device_os") == [("ios", 30)]


def test_what_only_follows_purchases_is_not_on_the_way_to_them(tmp_path: Path):
    users = [f"u{n}" for n in range(30)]
    rows = [
        f"{user} 2026-01-{day:02d}T10:00 {kind}"
        for user in users[:20]
        for day in (6, 9)
        for kind in ("view", "buy", "back")
    ]
    rows += [
        f"{user} 2026-01-{day:02d}T10:00 {kind}"
        for user in users[:20]
        for day in (10, 11)
        for kind in ("view", "track")
    ]
    rows += [f"{user} 2026-01-06T10:00 track" for user in users[:18]]
    rows += [f"{user} 2026-01-09T10:00 track" for user in users[:15]]
    rows += [f"{user} 2026-01-06T10:00 view" for user in users[20:]]
    assert detected_funnel(opened(tmp_path, rows, **NEW), ["buy"]) == ("view", "buy")


def test_a_step_at_which_some_are_lost_before_they_ever_buy_is_on_the_way(tmp_path: Path):
    rows = [f"u{n} 2026-01-06T10:00 {kind}" for n in range(100) for kind in ("pay", "buy") if n or kind == "pay"]
    rows += [f"u{n} 2026-01-07T10:00 pay" for n in range(50, 60)]  # who have bought
    assert detected_funnel(opened(tmp_path, rows, **NEW), ["buy"]) == ("pay", "buy")
