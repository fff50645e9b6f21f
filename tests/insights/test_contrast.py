"""Active, silent and gone; effects are ranked and corrected."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from features.settings import ComputeSettings, IdentitiesSettings, UsersSettings
from features.users.attributes import AttributesSettings, open_known_users
from insights.contrast import Difference, Limits, contrast, ranked
from insights.engine.active_days import ActiveDays, active_days
from insights.engine.groups import make_groups
from tests.builders import Row, world_of, write
from tests.insights.logs import opened


def people(chance: random.Random) -> Iterator[str]:
    """Users of android leave early, those of ios stay; networks are tossed."""
    for user in range(400):
        os, network = ("android", "ios")[user % 2], chance.choice(["wifi", "4g"])
        last = chance.choice([35, 40]) if os == "android" and chance.random() < 0.8 else chance.choice([68, 69, 80])
        for day in {0, *chance.sample(range(28), 3 if last < 60 else 6), last}:
            yield f"u{user} 2026-0{1 + day // 31}-{1 + day % 31:02d}T10:00 open device_os={os} network={network}"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> ActiveDays:
    log = opened(
        tmp_path_factory.mktemp("people"),
        [*people(random.Random(3)), "last 2026-03-25T10:00 open device_os=ios network=wifi"],
    )
    make_groups(log)
    return log


def test_groups_by_idle_days(tmp_path: Path):
    rows = [f"u{ago} 2026-01-{31 - ago:02d}T10:00" for ago in (0, 6, 7, 13, 14)]
    log = opened(tmp_path, rows)
    make_groups(log)
    found = contrast(log, Limits(7, 14))
    assert {row["group"]: row["users"] for row in found.tables[0].rows} == {"active": 2, "silent": 2, "gone": 1}


@pytest.mark.parametrize(
    ("active", "horizon", "limit"), [(14, 30, 14), (60, 30, 15), (0, 14, 7), (14, 14, 7), (1, 1, 1)]
)
def test_active_is_shorter_than_the_horizon(active: int, horizon: int, limit: int):
    assert Limits.of(active_within_days=active, horizon_days=horizon) == Limits(limit, horizon)


def test_a_planted_difference_is_found_and_a_tossed_one_is_not(log: ActiveDays):
    found = contrast(log, Limits(20, 30))
    rows = [row for row in found.tables[1].rows if row["group"] == "gone"]
    by_value = {row["value"] or row["measure"]: row for row in rows}
    assert by_value["android"]["is_certain"]
    assert by_value["android"]["effect"] > 0.5
    assert by_value["ios"]["effect"] < -0.5
    assert by_value["active days in the first 28"]["effect"] < -0.5
    assert not by_value["wifi"]["is_certain"]
    effects = [abs(row["effect"]) for row in rows]
    assert effects == sorted(effects, reverse=True)


def test_leaving_early_is_not_taken_for_a_cause_of_leaving(tmp_path: Path):
    chance = random.Random(5)
    rows = ["last 2026-04-10T10:00"]
    for user in range(600):  # active on a quarter of the days, until they leave by chance alone
        end = min(100, int(chance.expovariate(1 / 60)))
        rows += [f"u{user} 2026-01-01T10:00"]
        rows += [
            f"u{user} {date(2026, 1, 1) + timedelta(day)}T10:00" for day in range(1, end) if chance.random() < 0.25
        ]
    log = opened(tmp_path, rows)
    make_groups(log)
    (found,) = (row for row in contrast(log, Limits(10, 20)).tables[1].rows if row["group"] == "gone")
    assert not found["is_certain"]
    assert abs(found["effect"]) < 0.3


def test_p_values_are_corrected_as_statsmodels_does():
    from statsmodels.stats.multitest import multipletests

    raw = [0.001, 0.01, 0.03, 0.5]
    found = ranked([Difference(str(p), "", 0, 0, p, p) for p in raw], "gone")
    expected = np.asarray(multipletests(raw, method="fdr_by")[1])
    assert sorted(row["p_value"] for row in found) == pytest.approx(sorted(expected))


def with_users(folder: Path, rows: Sequence[str], table: Sequence[Row], aliases: Sequence[Row] = ()) -> ActiveDays:
    """A log with a table of users, and of who is whom."""
    activity = world_of(folder, rows, covered_until=None).activity()
    place = str(write(folder / "users.parquet", table))
    columns = {name: name for name in table[0] if name != "user_id"}
    users = UsersSettings(path=place, columns=columns, trust_undated=True)
    identities = IdentitiesSettings(path=str(write(folder / "ids.parquet", aliases)) if aliases else "")
    known = AttributesSettings(users, identities, "UTC", "UTC", Path(), ComputeSettings())
    tables = open_known_users(activity.connection, known, rejected=folder / "rejected")
    log = active_days(replace(activity, tables=tables))
    make_groups(log)
    return log


def test_attributes_of_users_are_compared_too(tmp_path: Path):
    table = [{"user_id": f"u{user}", "gender": "fm"[user % 2]} for user in range(400)]
    log = with_users(tmp_path, list(people(random.Random(4))), table)
    found = contrast(log, Limits(20, 30))
    genders = {
        row["value"]: row for row in found.tables[1].rows if row["measure"] == "gender" and row["group"] == "gone"
    }
    assert genders["f"]["effect"] > 0.5
    assert not found.needs


def test_a_small_group_is_shown_only_where_it_differs():
    found = ranked(
        [Difference("phone", "p1", 0.9, 0.1, 2.0, 1e-9, False), Difference("phone", "p2", 0, 0, 0.1, 0.5, False)],
        "gone",
    )
    assert [row["value"] for row in found] == ["p1"]


def test_a_phone_of_few_users_who_left_is_found_among_many_phones(tmp_path: Path):
    chance = random.Random(5)
    lines = [
        f"u{user} 2026-0{1 + day // 31}-{1 + day % 31:02d}T10:00 open device_model=p{user % 40} app_version={day // 20}"
        for user in range(1200)
        for day in (chance.randrange(5), 35 if user % 40 == 30 else chance.choice([35, 80, 80, 80]))
    ]
    log = opened(tmp_path, lines)
    make_groups(log)
    rows = [row for row in contrast(log, Limits(20, 30)).tables[1].rows if row["group"] == "gone"]
    assert [row["value"] for row in rows if row["is_certain"]] == ["p30"]
    assert len(rows) < 15
    assert "app version" not in {row["measure"] for row in rows}  # the gone had older ones, whatever made them leave


def gone_and_active(of_gone: Sequence[str], of_active: Sequence[str]) -> list[str]:
    """A hundred who came on the first day, and a hundred on the sixtieth, of different systems."""
    rows = [f"g{user} 2026-01-05T10:00 open device_os={of_gone[user]}" for user in range(100)]
    return rows + [f"a{user} 2026-03-05T10:00 open device_os={of_active[user]}" for user in range(100)]


def sentence(folder: Path, rows: Sequence[str]) -> str:
    log = opened(folder, rows)
    make_groups(log)
    return contrast(log, Limits(7, 14)).sentences[1]


def test_what_is_less_common_among_the_gone_is_not_associated_with_being_gone(tmp_path: Path):
    rows = gone_and_active(["ios"] * 80 + ["android"] * 20, ["ios"] * 20 + ["android"] * 80)
    expected = "What is most strongly associated with being gone: operating system: ios."
    assert sentence(tmp_path, rows) == expected


def test_where_nothing_is_more_common_among_the_gone_the_opposite_is_said(tmp_path: Path):
    others = [f"os{place % 5}" for place in range(100)]
    found = sentence(tmp_path, gone_and_active(others, ["android"] * 25 + others[25:]))
    assert found == "What is most strongly associated with still being active: operating system: android."


@pytest.mark.parametrize(("often", "word"), [("g", "more"), ("a", "fewer")])
def test_of_a_number_it_is_said_whether_it_is_more_or_less(tmp_path: Path, often: str, word: str):
    rows = [
        f"{kind}{user} {date(2026, 1, 1) + timedelta(day)}T10:00 open"
        for kind, last in (("g", 35), ("a", 80))
        for user in range(60)
        for day in (0, *(range(1, 11 + user % 3) if kind == often else range(1, 3 + user % 3)), last)
    ]
    found = sentence(tmp_path, rows)
    assert found == f"What is most strongly associated with being gone: {word} active days in the first 28."


def test_a_device_has_the_attributes_of_its_person(tmp_path: Path):
    rows = gone_and_active(["ios"] * 100, ["ios"] * 100)
    since = datetime(2026, 1, 1, tzinfo=UTC)
    aliases = [{"alias_id": one, "user_id": f"p{one}", "valid_from": since} for one in (row.split()[0] for row in rows)]
    table = [{"user_id": f"p{kind}{user}", "state": kind} for kind in "ga" for user in range(100)]
    table += [{"user_id": f"{kind}{user}", "state": "device"} for kind in "ga" for user in range(100)]
    found = contrast(with_users(tmp_path, rows, table, aliases), Limits(7, 14))
    shares = {row["value"]: row["of_group"] for row in found.tables[1].rows if row["measure"] == "state"}
    assert shares == {"g": 1.0, "a": 0.0}
    assert found.sentences[1] == "What is most strongly associated with being gone: state: g."
