"""Members and others, counted by hand, and the adjustment for activity before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.settings import ComputeSettings, IdentitiesSettings, UsersSettings
from features.users.attributes import AttributesSettings, open_known_users
from insights.engine.active_days import ActiveDays, active_days
from insights.settings import ReportSettings
from insights.shop.members import adjusted_difference, counted, members
from insights.shop.membership import Membership
from tests.builders import Row, world_of, write
from tests.insights.logs import opened

FIRST = date(2026, 1, 5)
MEMBER = Membership("member")


def joined(
    folder: Path, rows: Sequence[str], table: Sequence[Row], *, until: int, aliases: Sequence[Row] = ()
) -> ActiveDays:
    """A log with a table of members, and of who is whom."""
    activity = world_of(folder, rows, covered_until=FIRST + timedelta(days=until)).activity()
    place = str(write(folder / "users.parquet", table))
    users = UsersSettings(path=place, columns={"member": "member", "valid_from": "since"})
    identities = IdentitiesSettings(path=str(write(folder / "ids.parquet", aliases)) if aliases else "")
    known = AttributesSettings(users, identities, "UTC", "UTC", Path(), ComputeSettings())
    tables = open_known_users(activity.connection, known, rejected=folder / "rejected")
    return active_days(replace(activity, tables=tables), left_censored_days=0)


def at(day: int, hour: int = 0) -> datetime:
    return datetime(FIRST.year, FIRST.month, FIRST.day, hour, tzinfo=UTC) + timedelta(days=day)


def test_a_day_has_the_state_that_held_when_it_began(tmp_path: Path):
    rows = [f"{user} {FIRST + timedelta(days=day)}T10:00 buy amount=1" for user in ("a", "b") for day in range(4)]
    rows.append(f"c {FIRST}T10:00 look")
    table = [
        {"user_id": "a", "member": "yes", "since": at(1, 9)},  # from the third day on
        {"user_id": "b", "member": "no", "since": at(0)},
        {"user_id": "b", "member": "gold", "since": at(2)},  # at the start of the third day
    ]
    log = joined(tmp_path, rows, table, until=4)
    days, bought, users = counted(log, MEMBER, within_days=10)
    assert days.sum(axis=(0, 1)).tolist() == [5.0, 4.0]
    assert bought.sum(axis=(0, 1)).tolist() == [4.0, 4.0]
    assert users == (3, 2)
    # on the first two days nobody had been active twice before, then on two or three
    assert days.sum(axis=(0, 2)).tolist() == [5.0, 4.0, 0.0, 0.0]


def test_days_begin_at_a_local_midnight(tmp_path: Path):
    rows = [f"a {FIRST + timedelta(days=day)}T02:00 buy amount=1" for day in range(3)]
    log = joined(tmp_path, rows, [{"user_id": "a", "member": "yes", "since": at(0, 20)}], until=3)
    assert counted(log, MEMBER, within_days=10)[0].sum(axis=(0, 1)).tolist() == [1.0, 2.0]
    # in Shanghai the second day had begun four hours earlier
    assert counted(log, MEMBER, within_days=10, zone="Asia/Shanghai")[0].sum(axis=(0, 1)).tolist() == [2.0, 1.0]


def test_members_who_only_come_more_often_are_no_better_than_others():
    days, bought = (np.zeros((100, 2, 2)) for _ in range(2))
    days[:, 0], days[:, 1] = (9, 1), (1, 9)  # others are rarely active, members often
    bought[:, 0], bought[:, 1] = days[:, 0] * 0.1, days[:, 1] * 0.5
    plain = bought.sum(axis=(0, 1)) / days.sum(axis=(0, 1))
    assert plain[1] - plain[0] == pytest.approx(0.32)
    assert adjusted_difference(days, bought) == pytest.approx((0.0, 0.0, 0.0))
    bought[:, :, 1] += 0.1 * days[:, :, 1]
    assert adjusted_difference(days, bought) == pytest.approx((0.1, 0.1, 0.1))


def test_the_answer_calls_it_an_association(tmp_path: Path):
    rows = [f"u{user} {FIRST + timedelta(days=day)}T10:00 look" for user in range(60) for day in range(20)]
    rows += [
        f"u{user} {FIRST + timedelta(days=day)}T11:00 buy amount=1"
        for user in range(60)
        for day in range(0, 20, 2 if user < 30 else 4)
    ]
    table = [{"user_id": f"u{user}", "member": "yes", "since": at(-5)} for user in range(30)]
    found = members(joined(tmp_path, rows, table, until=20), MEMBER, within_days=20)
    assert [row["buying"] for row in found.tables[0].rows] == [0.25, 0.5]
    assert found.facts["adjusted_difference"] == pytest.approx(0.25)
    assert "+25.0 % of their active days" in found.sentences[1]
    assert "an association" in found.sentences[1]


def test_a_log_without_members_says_what_it_would_need(tmp_path: Path):
    found = members(opened(tmp_path, ["a 2026-01-05T10:00 buy amount=1"]), MEMBER, within_days=5)
    assert list(found.needs.values()) == ["[users] member"]


def days_of(user: str, what: str, *, days: int = 4) -> list[str]:
    return [f"{user} {FIRST + timedelta(days=day)}T10:00 {what}" for day in range(days)]


def test_a_device_has_the_state_of_its_person(tmp_path: Path):
    bought = [f"d{user}" for user in range(30)]
    rows = [one for user in bought for one in days_of(user, "buy amount=1")]
    rows += [one for user in range(30, 60) for one in days_of(f"d{user}", "look")]
    rows += [one for user in range(30) for one in days_of(f"w{user}", "look")]
    aliases = [{"alias_id": f"d{user}", "user_id": f"p{user}", "valid_from": at(-9)} for user in range(60)]
    table = [{"user_id": f"p{user}", "member": "yes", "since": at(-5)} for user in range(60)]
    table += [{"user_id": f"w{user}", "member": "yes" if user < 20 else "no", "since": at(-5)} for user in range(30)]
    log = joined(tmp_path, rows, table, until=4, aliases=aliases)
    days, buys, users = counted(log, MEMBER, within_days=9)
    assert users == (10, 80)
    assert (buys.sum(axis=(0, 1)) / days.sum(axis=(0, 1))).tolist() == [0.0, 0.375]


@pytest.mark.parametrize("order", [1, -1])
def test_rows_of_an_alias_do_not_count_and_of_two_at_an_instant_the_larger_one_does(tmp_path: Path, order: int):
    rows = [*days_of("d", "look"), *days_of("p", "look"), *days_of("x", "look")]
    table = [{"user_id": user, "member": value, "since": at(-5)} for user, value in (("d", "yes"), ("p", "no"))]
    table += [{"user_id": "x", "member": value, "since": at(-5)} for value in ("no", "yes")]
    aliases = [{"alias_id": "d", "user_id": "p", "valid_from": at(-9)}]
    log = joined(tmp_path, rows, table[::order], until=4, aliases=aliases)
    assert counted(log, MEMBER, within_days=9)[2] == (1, 1)  # x; p is not


def test_words_for_no_do_not_mean_member(tmp_path: Path):
    words = ["no", "NO ", "false", "0.0", "-1", "none", "null", "-", "No member", "non-member", "NOT_A_MEMBER", "nein"]
    words += ["否", "非会员", "无", "無", "不是", "いいえ", "нет"]
    values = {f"u{place}": word for place, word in enumerate([*words, "是"])}
    table = [{"user_id": user, "member": word, "since": at(-5)} for user, word in values.items()]
    log = joined(tmp_path, [one for user in values for one in days_of(user, "look")], table, until=4)
    assert counted(log, MEMBER, within_days=9)[2] == (len(words), 1)


@pytest.mark.parametrize(
    ("values", "wanted", "members_then"),
    [
        (("Gold", "silver", "guest"), (), 3),
        (("Gold", "silver", "guest"), ("gold", "SILVER"), 2),
        ((2, 1, 0), (), 2),
        ((2, 1, 0), ("2", "9"), 1),
        ((True, True, False), ("yes",), 2),
        ((True, True, False), ("false",), 1),
    ],
)
def test_the_settings_may_say_which_values_mean_member(
    tmp_path: Path, values: tuple[object, ...], wanted: tuple[str, ...], members_then: int
):
    table = [{"user_id": user, "member": value, "since": at(-5)} for user, value in zip("abc", values, strict=True)]
    log = joined(tmp_path, [one for user in "abc" for one in days_of(user, "look")], table, until=4)
    settings = ReportSettings(member_values=wanted)
    assert counted(log, Membership.of(settings), within_days=9)[2] == (3 - members_then, members_then)


def test_values_that_count_as_member_are_named_unless_few_users_have_them(tmp_path: Path):
    sizes = {"gold": 30, "silver": 25, "M-1": 1, "M-2": 19, "否": 30}
    users = [f"{value}{place}" for value, n in sizes.items() for place in range(n)]
    rows = [one for user in users for one in days_of(user, "buy amount=1", days=1)]
    values = [value for value, n in sizes.items() for _ in range(n)]
    table = [{"user_id": user, "member": one, "since": at(-5)} for user, one in zip(users, values, strict=True)]
    log = joined(tmp_path, rows, table, until=1)
    found = members(log, MEMBER, within_days=9).sentences[-1]
    assert found == "Values of member that count as member: gold, silver, other (2) ([report] member_values)."
    nobody = members(log, Membership("member", ("bronze",)), within_days=9)
    assert nobody.sentences == [
        "Fewer than 20 members, or others, were active in the last 9 days.",
        "Values of member that count as member: none ([report] member_values).",
    ]


def test_numbers_that_count_as_member_are_those_above_zero_or_those_of_the_settings(tmp_path: Path):
    table = [{"user_id": f"u{user}", "member": user % 3, "since": at(-5)} for user in range(90)]
    log = joined(tmp_path, [f"u{user} {FIRST}T10:00 look" for user in range(90)], table, until=1)
    assert MEMBER.words(log) == "every number above 0"
    assert Membership("member", ("2.0", "1")).words(log) == "1, 2"


def test_members_and_others_who_were_never_as_active_are_not_compared(tmp_path: Path):
    rows = [one for user in range(30) for one in days_of(f"m{user}", "buy amount=1", days=40)]
    rows += [f"o{user} {FIRST + timedelta(days=35 + user % 5)}T10:00 look" for user in range(30)]
    table = [{"user_id": f"m{user}", "member": "yes", "since": at(-5)} for user in range(30)]
    found = members(joined(tmp_path, rows, table, until=40), MEMBER, within_days=10)
    assert "never been in the same class of activity" in found.sentences[1]
    assert np.isnan(found.facts["adjusted_difference"])
