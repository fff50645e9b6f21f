"""Events that users leave by, and a past that was rewritten after they had left."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from features.settings import IdentitiesSettings
from features.users.attributes import AttributesSettings, open_known_users
from tests.builders import world_of, write
from tests.features.users.test_identities import joined
from tests.training.planting import DAY, found, planted, said
from training.audit.audit import AuditedTraining
from training.audit.evidence import Evidence, users_of
from training.audit.history_checks import away_in_each_half, coming_days
from training.data.dataset import Dataset

START = date(2026, 1, 5)
DAYS = 120
DAWN = datetime(2020, 1, 1, tzinfo=UTC)


def visits(*, leaves_with: str = "", launched: int = 0) -> Iterator[dict[str, Any]]:
    """Users who come every other day; every third leaves on a day of their own, some with an event that says so."""
    for user in range(150):
        last = 30 + user % 60 if user % 3 == 0 else DAYS
        for day in range(user % 2, last, 2):
            yield row(user, day, "open")
            if launched and day >= launched:
                yield row(user, day, "new_feature")
        if leaves_with and last < DAYS:
            yield row(user, last, leaves_with)


def row(user: int, day: int, name: str) -> dict[str, Any]:
    time = datetime(START.year, START.month, START.day, 12, tzinfo=UTC) + timedelta(days=day)
    return {"user_id": f"u{user}", "event_time": time, "event_type": name}


def of_log(clean: AuditedTraining, folder: Path, rows: Iterator[dict[str, Any]]) -> AuditedTraining:
    """The same training on another log; only the activity and the test cutoff are used by the check of final events."""
    activity = world_of(folder, list(rows)).activity()
    return replace(clean, activity=activity, split=replace(clean.split, test=START + timedelta(days=DAYS - 14)))


def test_an_event_after_which_nobody_returns_is_caught(clean: AuditedTraining, tmp_path: Path):
    words = said("FINAL_EVENT", of_log(clean, tmp_path, visits(leaves_with="account_closed_survey")))
    assert words.startswith(
        "event type account_closed_survey: 100% of the days with it are the last of a user for 14 days"
    )


def test_an_event_type_that_is_new_is_no_final_event(clean: AuditedTraining, tmp_path: Path):
    assert found("FINAL_EVENT", of_log(clean, tmp_path, visits(launched=DAYS - 16))) == ()


def test_the_ordinary_events_of_users_who_leave_are_not_final(clean: AuditedTraining, tmp_path: Path):
    assert found("FINAL_EVENT", of_log(clean, tmp_path, visits())) == ()


def test_an_id_that_was_given_up_at_a_sign_in_is_not_a_user_who_left(clean: AuditedTraining, tmp_path: Path):
    cookies = [row(user, 20, "sign_in") | {"user_id": f"c{user}"} for user in range(150)]
    world = world_of(tmp_path, [*visits(), *cookies])
    split = replace(clean.split, test=START + timedelta(days=DAYS - 14))
    alone = replace(clean, activity=world.activity(), split=split)
    assert said("FINAL_EVENT", alone).startswith("event type sign_in: 100% of the days with it are the last")
    links = [f"c{user} u{user} {START + timedelta(days=20)}T13:00" for user in range(150)]
    assert found("FINAL_EVENT", replace(alone, activity=joined(world, links))) == ()


def known_from_the_end(training: AuditedTraining, *, share: float) -> AuditedTraining:
    """A flag in all history of most users who leave after the test, as a device that was deleted with the account."""
    leaving = {user for user, churned in zip(users_of(training.test), training.test.churned, strict=True) if churned}

    def flag(part: Dataset) -> list[float]:
        users = users_of(part)
        noise = {user: np.random.default_rng(int(user.strip("u"))).random() for user in set(users)}
        return [float((user in leaving) == (noise[user] < share)) for user in users]

    return planted(training, "usage_minutes_7d", flag)


def test_a_feature_that_foretells_the_end_from_the_beginning_is_caught(clean: AuditedTraining):
    words = said("REWRITTEN_HISTORY", known_from_the_end(clean, share=0.97))
    first, test = clean.training_rows.snapshots[0], clean.split.test
    assert (test - first).days >= 3 * clean.window.days_to_label
    assert words.startswith(f"column usage_minutes_7d: its value at {first} foretells who leaves after {test}")


def test_a_sign_that_is_only_there_shortly_before_is_not_rewritten_history(clean: AuditedTraining):
    def close_to_the_end(part: Dataset) -> Any:
        random = np.random.default_rng(1).random(len(part.churned))
        return np.where(part.cutoffs == np.datetime64(clean.split.test), part.churned + random / 4, random)

    assert found("REWRITTEN_HISTORY", planted(clean, "usage_minutes_7d", close_to_the_end)) == ()


@pytest.mark.parametrize("code", ["FINAL_EVENT", "REWRITTEN_HISTORY"])
def test_nothing_is_found_in_an_honest_log(clean: AuditedTraining, code: str):
    assert found(code, clean) == ()


def test_a_history_of_less_than_three_horizons_is_not_judged(clean: AuditedTraining):
    short = known_from_the_end(clean, share=1.0)
    late = short.split.test - 20 * DAY
    assert (
        found(
            "REWRITTEN_HISTORY",
            replace(
                short,
                training_rows=short.training_rows.at([one for one in short.training_rows.snapshots if one >= late]),
            ),
        )
        == ()
    )


def test_days_to_come_are_not_asked_for_where_churn_is_an_event_or_the_horizon_a_day(clean: AuditedTraining):
    for update in ({"event": "event_type = 'cancel'"}, {"horizon_days": 1}):
        other = replace(clean, churn=clean.churn.model_copy(update=update))
        assert coming_days(Evidence(other, seed=7)).scope.startswith("churn is an event, or the horizon is a day")


def test_each_half_of_the_horizon_has_its_own_days(clean: AuditedTraining):
    test = clean.split.test
    evidence = Evidence(clean, seed=7)
    near, far = away_in_each_half(evidence, half_days=7)
    seen = clean.activity.connection.execute(
        f"select user_id, day from {clean.activity.relation('days')} where day >= $test and qualifying_events > 0",
        {"test": test},
    ).fetchall()
    came = [{user for user, day in seen if first <= (day - test).days < first + 7} for first in (0, 7)]
    users = evidence.test.users.tolist()
    assert near.tolist() == [user not in came[0] for user in users]
    assert far.tolist() == [user not in came[1] for user in users]
    assert (near & far).tolist() == evidence.test.churned.tolist()


def test_who_comes_under_another_id_is_not_away(clean: AuditedTraining, tmp_path: Path):
    near, _ = away_in_each_half(Evidence(clean, seed=7), half_days=7)
    users = Evidence(clean, seed=7).test.users
    away, coming = users[near][0], users[~near][0]
    place = write(tmp_path / "ids.parquet", [{"alias_id": coming, "user_id": away, "valid_from": DAWN}])
    sections = AttributesSettings(identities=IdentitiesSettings(path=str(place)))
    tables = open_known_users(clean.activity.connection, sections, rejected=tmp_path)
    both = replace(clean, activity=replace(clean.activity, tables=tables))
    found_near, _ = away_in_each_half(Evidence(both, seed=7), half_days=7)
    assert users[near & ~found_near].tolist() == [away]
    assert not (found_near & ~near).any()
