"""Did contacting help? The account of past lists, compared with what a few lines of numpy say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import statsmodels.api as sm

from serving.weekly.account.effect_account import ANOTHER_TOOL, Contacts, EffectAccount, Reading, effect_accounts
from serving.weekly.account.outcomes import (
    ScoredWeek,
)
from serving.weekly.arms import HELD_OUT, TREATED
from tests.serving.weekly.weeks_builder import (
    AS_OF,
    CUTOFFS,
    EPOCH,
    SHARE,
    USERS,
    WEEKS,
    TenWeeks,
    is_held_out,
)

CLOSE: dict[str, Any] = {"rel": 0, "abs": 1e-9}


def account(weeks: list[ScoredWeek], **reading: Any) -> EffectAccount:
    (found,) = effect_accounts(weeks, Reading(AS_OF, **reading))
    return found


def test_a_user_counts_once_at_the_first_entry_and_the_effect_is_that_of_a_regression(
    made: TenWeeks, weeks: list[ScoredWeek]
):
    rows: dict[str, tuple[bool, bool, float]] = {}
    churned = made.churned()
    for week in range(WEEKS):
        for place, user in enumerate(made.users):
            if made.band[week][place] != "low" and user not in rows:
                p = made.probability[week][place]
                rows[user] = (not is_held_out(user), churned[week][place], float(np.log(p / (1 - p))))
    treated, left, odds = (np.array(column, dtype=float) for column in zip(*rows.values(), strict=True))
    centred = odds - odds.mean()
    fit = sm.OLS(left, sm.add_constant(np.column_stack([treated, centred, treated * centred]))).fit(cov_type="HC2")
    found = account(weeks)
    assert found.first_entries == len(rows)
    assert found.effect.overall.estimate == pytest.approx(fit.params[1], **CLOSE)
    assert found.effect.overall.standard_error == pytest.approx(fit.bse[1], **CLOSE)
    assert found.looks[-1].difference == found.effect.overall
    assert found.words.startswith("2026-Q1, 40% held out: ")
    assert not found.mismatch.rings


def test_without_contacts_treated_users_count_as_contacted_and_with_them_those_who_were(weeks: list[ScoredWeek]):
    nobody = account(weeks)
    assert (nobody.effect.contacted_share, nobody.contamination.contacted) == (1, 0)
    listed = weeks[0].users.filter(pa.array(weeks[0].column("list") == "at_risk")).to_pylist()
    held_out = next(row["user_id"] for row in listed if row["arm"] == HELD_OUT)
    treated = [row["user_id"] for row in listed if row["arm"] == TREATED]
    within = datetime(2026, 1, 7, tzinfo=UTC)
    contacts = Contacts({held_out: [within], treated[0]: [within], treated[1]: [within + timedelta(days=7)]}, 2.5)
    found = account(weeks, contacts=contacts)
    assert found.contamination.contacted == 1
    assert found.effect.contacted_share * found.effect.overall.treated == pytest.approx(1)


def test_every_contact_within_the_window_counts_recorded_or_by_a_list(weeks: list[ScoredWeek]):
    month = [replace(week, ends_on=week.cutoff + timedelta(days=28)) for week in weeks]
    on = {(at, user) for at, one in enumerate(weeks) for user in one.column("user_id")[one.column("list") == "at_risk"]}
    treated = {user for _, user in on if not is_held_out(user)}
    first = {user: min(at for at, one in on if one == user) for user in treated}
    listed = [sum((first[user] + week, user) in on for week in range(4)) for user in treated]
    found = account(month)
    assert max(listed) > 1
    assert found.effect.contacts_per_user == pytest.approx(np.mean(listed))
    of_another_share = [*month[:5], *(replace(week, epoch="2026-Q2", share=0.2) for week in month[5:])]
    both = effect_accounts(of_another_share, Reading(AS_OF))[
        -1
    ]  # windows of the first five weeks reach into the others
    early = [count for user, count in zip(treated, listed, strict=True) if first[user] < 5]
    assert both.effect.contacts_per_user == pytest.approx(np.mean(early))

    times = [
        datetime(2026, 1, day, tzinfo=UTC) for day in (5, 6, 11, 12)
    ]  # the last is after the window of the first week
    recorded = account(weeks, contacts=Contacts(dict.fromkeys(treated, times)))
    assert recorded.effect.contacts_per_user * len(treated) == sum(3 if at == 0 else at == 1 for at in first.values())


def test_epochs_with_different_shares_are_read_apart_the_latest_first(weeks: list[ScoredWeek]):
    later = [replace(week, epoch="2026-Q2", share=0.2) for week in weeks[5:]]
    found = effect_accounts([*weeks[:5], *later], Reading(AS_OF))
    assert [(one.epochs, one.share) for one in found] == [(("2026-Q2",), 0.2), (("2026-Q1",), 0.4)]
    same = [replace(week, epoch="2026-Q2") for week in weeks[5:]]
    (together,) = effect_accounts([*weeks[:5], *same], Reading(AS_OF))
    assert together.epochs == ("2026-Q1", "2026-Q2")
    assert together.first_entries == sum(account(part).first_entries for part in (weeks[:5], weeks[5:]))


def test_arms_of_an_earlier_epoch_count_there_only(weeks: list[ScoredWeek]):
    first = weeks[0]
    kept = replace(
        first,
        users=first.users.set_column(
            first.users.schema.get_field_index("arm_from"), "arm_from", pa.array(["kept"] * USERS)
        ),
    )
    found, usual = account([kept, *weeks[1:]]), account(weeks[1:])
    assert found.first_entries == usual.first_entries
    assert found.not_counted > 0
    assert effect_accounts([kept], Reading(AS_OF)) == ()


@pytest.mark.parametrize("share", [0.0, SHARE])
def test_arms_of_another_tool_are_read_apart_with_the_share_that_it_holds_out(weeks: list[ScoredWeek], share: float):
    given = np.arange(USERS) < USERS // 2
    arms = np.where(given, np.where(np.arange(USERS) % 4 == 0, HELD_OUT, TREATED), weeks[0].column("arm"))

    def with_given(week: ScoredWeek) -> ScoredWeek:
        users = week.users.drop_columns(["arm", "arm_from"]).append_column("arm", pa.array(arms.tolist()))
        users = users.append_column("arm_from", pa.array(np.where(given, "given", "own").tolist()))
        return replace(week, share=share, users=users)

    found = {one.epochs: one for one in effect_accounts([with_given(week) for week in weeks], Reading(AS_OF))}
    assert [*found] == [
        *([(EPOCH,)] if share else []),
        (ANOTHER_TOOL,),
    ]  # with a share of 0 the lists hold out nobody else
    other = found[(ANOTHER_TOOL,)]
    assert other.share == pytest.approx(np.mean(arms[given] == HELD_OUT))
    assert other.words.startswith("arms of another tool, 25% held out: ")
    listed = {user for week in weeks for user in week.column("user_id")[week.column("list") == "at_risk"]}
    among = set(np.asarray(weeks[0].column("user_id"))[given])
    assert (other.first_entries, other.not_counted) == (len(listed & among), 0)
    if share:
        assert found[(EPOCH,)].first_entries == len(listed - among)


def test_first_entries_may_begin_after_the_first_outcomes_are_known(weeks: list[ScoredWeek]):
    """As on a list that hardly changes, where users had arms of an earlier epoch at first."""
    at = weeks[0].users.schema.get_field_index("arm_from")
    kept = [replace(week, users=week.users.set_column(at, "arm_from", pa.array(["kept"] * USERS))) for week in weeks]
    known_after = -(-max((week.final_on - week.cutoff).days for week in weeks) // 7)
    assert known_after < len(weeks) - 1
    found, usual = account([*kept[:known_after], *weeks[known_after:]]), account(weeks[known_after:])
    assert found.first_entries == usual.first_entries > 0


def test_users_of_one_arm_who_are_lost_are_noticed(weeks: list[ScoredWeek]):
    def without_treated(week: ScoredWeek) -> ScoredWeek:
        lost = (week.column("arm") == TREATED) & (np.arange(USERS) % 10 > 0)
        return replace(week, users=week.users.filter(pa.array(~lost)))

    found = account([without_treated(week) for week in weeks])
    assert found.mismatch.rings
    assert found.verdict.status == "withheld"


def test_the_interval_shrinks_and_the_season_is_planned_before_an_outcome_is_known(weeks: list[ScoredWeek]):
    found = account(weeks)
    widths = [one.difference.high - one.difference.low for one in found.looks]
    assert widths[-1] < widths[0] or np.isnan(widths[0])
    assert [one.day for one in found.looks] == [*CUTOFFS[2:], AS_OF]
    flipped = [
        replace(week, users=week.users.drop_columns(["churned"]).append_column("churned", pa.array([False] * USERS)))
        for week in weeks
    ]
    assert account(flipped).planned == found.planned
