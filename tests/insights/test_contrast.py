"""Active, silent and gone; effects are ranked and corrected."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from insights.contrast import Difference, Limits, contrast, ranked
from insights.engine.active_days import ActiveDays
from insights.engine.groups import make_groups
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


def test_attributes_of_users_are_compared_too(tmp_path: Path):
    from dataclasses import replace

    from features.settings import ComputeSettings, IdentitiesSettings, UsersSettings
    from features.users.attributes import AttributesSettings, open_known_users
    from insights.engine.active_days import active_days
    from tests.builders import world_of, write

    rows = list(people(random.Random(4)))
    activity = world_of(tmp_path, rows, covered_until=None).activity()
    table = [{"user_id": f"u{user}", "gender": "fm"[user % 2]} for user in range(400)]
    place = str(write(tmp_path / "users.parquet", table))
    users = UsersSettings(path=place, columns={"gender": "gender"}, trust_undated=True)
    known = AttributesSettings(users, IdentitiesSettings(), "UTC", "UTC", Path(), ComputeSettings())
    tables = open_known_users(activity.connection, known, rejected=tmp_path / "rejected")
    log = active_days(replace(activity, tables=tables))
    make_groups(log)
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
