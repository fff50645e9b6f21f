"""Leaks of real systems, each planted into a training that has none and heard; and honest columns that look like them, unheard.

Where a leak lies in the log and not in a column, its test is with its check: a final event, rows that became known late, users who had
left, rows on both sides, a future that profiles hold.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from msgspec import structs
from numpy.typing import NDArray

from tests.training.planting import DAY, found, planted
from training.audit.audit import CHECKS, AuditedTraining
from training.audit.evidence import users_of
from training.data.dataset import Dataset, label

COLUMNS = (
    "SINGLE_FEATURE_AUC",
    "IDENTIFIER_FEATURE",
    "DATE_FEATURE",
    "FEATURE_JUMP",
    "REWRITTEN_HISTORY",
    "COMING_DAYS",
)
NUMBER, TEXT = "usage_minutes_7d", "last_channel"


def heard(training: AuditedTraining, *codes: str) -> set[tuple[str, str]]:
    """Check and column of every finding of some checks about columns."""
    assert set(codes) <= {check.code for check in CHECKS}
    return {(code, finding.where.split(" at ")[0]) for code in codes for finding in found(code, training)}


def by_user(seed: int) -> Callable[[Dataset], NDArray[np.float64]]:
    """A number for each user, the same at every cutoff."""

    def numbers(part: Dataset) -> NDArray[np.float64]:
        users, places = np.unique(users_of(part), return_inverse=True)
        return np.array([np.random.default_rng((seed, int(user.strip("u")))).random() for user in users])[places]

    return numbers


def leaving(training: AuditedTraining) -> Callable[[Dataset], NDArray[np.bool_]]:
    """Who leaves after the test, known at every cutoff: what was written when they had left, and dated back."""
    gone = {user for user, churned in zip(users_of(training.test), training.test.churned, strict=True) if churned}
    return lambda part: np.array([user in gone for user in users_of(part)])


def away_in_the_coming(training: AuditedTraining, days: int) -> Callable[[Dataset], NDArray[np.bool_]]:
    """Who does not come in the next days, which nobody knows at the cutoff."""
    churn = training.churn.model_copy(update={"horizon_days": days})
    return lambda part: label(training.activity, part.profiles, churn=churn).churned


def with_texts(training: AuditedTraining, *values: str) -> AuditedTraining:
    categories = training.specification.categories | {TEXT: values}
    return replace(training, specification=structs.replace(training.specification, categories=categories))


def plan_of_today(clean: AuditedTraining) -> AuditedTraining:
    """An attribute with the values of today and the date of sign-up: most of those who left have another plan."""
    left, chance = leaving(clean), by_user(1)
    return with_texts(
        planted(clean, TEXT, lambda part: np.where(left(part) == (chance(part) < 0.93), "none", "paid")), "none", "paid"
    )


def device_of_deleted_accounts(clean: AuditedTraining) -> AuditedTraining:
    """The device is missing in all history of those who left."""
    left, chance = leaving(clean), by_user(2)
    return with_texts(
        planted(
            clean, TEXT, lambda part: pa.array(["ios"] * len(part.churned), mask=left(part) & (chance(part) < 0.97))
        ),
        "ios",
    )


def snapshot_of_today(clean: AuditedTraining) -> AuditedTraining:
    """A number of an undated table: logins until today, of which those who left have few."""
    left, chance = leaving(clean), by_user(3)
    return planted(clean, NUMBER, lambda part: 40 - 30 * left(part) + 20 * chance(part))


def weekly_job(clean: AuditedTraining) -> AuditedTraining:
    """A score that another team computes from the coming week, and dates before it."""
    away, chance = away_in_the_coming(clean, 7), np.random.default_rng(4)
    return planted(clean, NUMBER, lambda part: away(part) + chance.normal(0, 0.15, len(part.churned)))


def archive_flag(clean: AuditedTraining) -> AuditedTraining:
    """Rows of closed accounts were moved to an archive, which their source names."""
    left, chance = leaving(clean), by_user(5)
    return planted(clean, NUMBER, lambda part: (left(part) & (chance(part) < 0.95)).astype(float))


def answer_that_was_filled_in_later(clean: AuditedTraining) -> AuditedTraining:
    """A survey that only those answered who stayed, joined to all their history."""
    left, chance = leaving(clean), by_user(6)
    return planted(clean, NUMBER, lambda part: pa.array(10 * chance(part), mask=left(part)))


def closing_balance(clean: AuditedTraining) -> AuditedTraining:
    """A column that is filled when somebody leaves, at the cutoff before it."""
    return planted(clean, NUMBER, lambda part: part.churned * np.random.default_rng(7).gamma(2, 20, len(part.churned)))


def tomorrow(clean: AuditedTraining) -> AuditedTraining:
    """Counts up to the end of the day after the cutoff, by a join that is off by some days."""
    away = away_in_the_coming(clean, 4)
    random = np.random.default_rng(8)
    return planted(clean, NUMBER, lambda part: random.poisson(np.where(away(part), 0.05, 6.0)).astype(float))


LEAKS: dict[Callable[[AuditedTraining], AuditedTraining], tuple[str, str]] = {
    plan_of_today: ("REWRITTEN_HISTORY", TEXT),
    device_of_deleted_accounts: ("REWRITTEN_HISTORY", TEXT),
    snapshot_of_today: ("REWRITTEN_HISTORY", NUMBER),
    weekly_job: ("COMING_DAYS", NUMBER),
    archive_flag: ("REWRITTEN_HISTORY", NUMBER),
    answer_that_was_filled_in_later: ("REWRITTEN_HISTORY", NUMBER),
    closing_balance: ("SINGLE_FEATURE_AUC", NUMBER),
    tomorrow: ("COMING_DAYS", NUMBER),
}


@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.__name__)
def test_a_leak_is_heard_and_its_column_named(
    clean: AuditedTraining, leak: Callable[[AuditedTraining], AuditedTraining]
):
    code, column = LEAKS[leak]
    assert (code, f"column {column}") in heard(leak(clean), code)


# --- Honest columns ------------------------------------------------------------------------------------------------

Plant = Callable[[AuditedTraining], AuditedTraining]


def of_users(clean: AuditedTraining, seed: int, values: Callable[[NDArray[np.float64]], Any]) -> AuditedTraining:
    return planted(clean, NUMBER, lambda part: values(by_user(seed)(part)))


def known_before(clean: AuditedTraining, days: int) -> Callable[[Dataset], NDArray[np.float64]]:
    """Who stayed away in the days before the cutoff: strong, and known."""

    def away(part: Dataset) -> NDArray[np.float64]:
        found: Any = part.profiles.column("days_since_last_event").to_numpy()
        return np.asarray(found > days, dtype=np.float64)

    return away


def drifting(clean: AuditedTraining) -> AuditedTraining:
    first: date = clean.activity.coverage.first_day

    def older(part: Dataset) -> NDArray[np.float64]:
        days: Any = part.profiles["cutoff"].to_pylist()
        return np.array([(day - first) / DAY for day in days]) + 60 * by_user(15)(part)

    return planted(clean, NUMBER, older)


HONEST: dict[str, Plant] = {
    "a number that says nothing": lambda clean: of_users(clean, 11, lambda chance: chance),
    "an age in years": lambda clean: of_users(clean, 12, lambda chance: np.floor(18 + 50 * chance)),
    "a rare flag": lambda clean: of_users(clean, 13, lambda chance: (chance < 0.02).astype(float)),
    "a heavy tail": lambda clean: of_users(clean, 14, lambda chance: 1 / (0.001 + chance)),
    "a number that grows by a day a day": drifting,
    "a number that is mostly missing": lambda clean: planted(
        clean, NUMBER, lambda part: pa.array(by_user(16)(part), mask=by_user(17)(part) < 0.9)
    ),
    "recency as a flag": lambda clean: planted(clean, NUMBER, known_before(clean, 3)),
    "a lasting trait that foretells weakly": lambda clean: planted(
        clean, NUMBER, lambda part: by_user(18)(part) + 0.25 * leaving(clean)(part)
    ),
    "a good score of what is known": lambda clean: planted(
        clean, NUMBER, lambda part: part.profiles.column("days_since_last_event").to_numpy() ** 0.5
    ),
    "a channel that was launched": lambda clean: with_texts(
        planted(
            clean,
            TEXT,
            lambda part: np.where(
                (part.cutoffs > np.datetime64(clean.split.train[-1])) & (by_user(19)(part) < 0.2), "new", "old"
            ),
        ),
        "new",
        "old",
    ),
}


ONE_MORE_NUMBER = {"an age in years", "a heavy tail", "a number that is mostly missing"}


@pytest.mark.parametrize(
    "name", [pytest.param(one, marks=[pytest.mark.slow] * (one in ONE_MORE_NUMBER)) for one in HONEST]
)
def test_an_honest_column_is_not_heard(clean: AuditedTraining, name: str):
    assert heard(HONEST[name](clean), *COLUMNS) == set()
