"""The account of past lists, compared with what a few lines of numpy say."""

from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.errors import InputError
from features.storage.versions import Place, current_of
from serving.batch.scored_batch import Batch, write_ledger, write_manifest
from serving.weekly.account.confidence_sequence import ConfidenceSequence
from serving.weekly.account.effect_account import Reading, effect_accounts
from serving.weekly.account.model_account import Comparison, errors_of, model_account
from serving.weekly.account.outcomes import (
    OUTCOMES,
    ScoredWeek,
    Split,
    final_week,
    keep_final,
    open_week,
    scored_batches,
)
from serving.weekly.arms import HELD_OUT, TREATED, Arms
from tests.races import race
from tests.serving.weekly.weeks_builder import (
    AS_OF,
    CUTOFFS,
    DEFINITION,
    EPOCH,
    GRACE_DAYS,
    KEY,
    SHARE,
    USERS,
    WEEKS,
    TenWeeks,
    is_held_out,
)

CLOSE: dict[str, Any] = {"rel": 0, "abs": 1e-9}


class ByHand:
    """Scores and outcomes of all users who were left alone, by numpy; shape (weeks, users)."""

    def __init__(self, made: TenWeeks) -> None:
        self.alone = np.array([is_held_out(user) for user in made.users])
        self.p, self.y = made.probability[:, self.alone], made.churned()[:, self.alone]
        self.band = made.band[:, self.alone]

    def reach(self, which: np.ndarray[Any, Any], errors: float) -> float:
        of_users = np.where(which, self.y - self.p, 0).sum(axis=0)
        implied = np.where(which, self.p * (1 - self.p), 0).sum()
        return errors * np.sqrt(max((of_users**2).sum(), implied))

    def check(self, found: Comparison, *, which: np.ndarray[Any, Any], errors: float) -> None:
        actual = self.y[which].sum()
        assert (found.rows, found.actual) == (which.sum(), actual)
        assert found.users == which.any(axis=0).sum()
        assert found.expected == pytest.approx(self.p[which].sum(), **CLOSE)
        assert found.low == pytest.approx(max(actual - self.reach(which, errors), 0), **CLOSE)
        assert found.high == pytest.approx(min(actual + self.reach(which, errors), which.sum()), **CLOSE)


@pytest.fixture(scope="module")
def by_hand(made: TenWeeks) -> ByHand:
    return ByHand(made)


def test_events_count_that_come_late_and_within_the_grace_and_no_later_ones(made: TenWeeks, weeks: list[ScoredWeek]):
    found = np.array([week.column("churned").astype(bool) for week in weeks])
    assert len(weeks) == WEEKS
    assert (found == made.churned()).all()
    assert (made.churned() != made.churned(grace_days=0)).sum() > 0  # some came within the grace
    assert (made.churned() != made.churned(grace_days=1000)).sum() > 0  # and some after it


def test_expected_and_actual_churners_are_those_of_numpy(weeks: list[ScoredWeek], by_hand: ByHand):
    found = model_account(weeks, seed=1)
    everything = np.ones_like(by_hand.y)
    held_out = int(by_hand.alone.sum())
    by_hand.check(found.overall, which=everything, errors=float(ConfidenceSequence(held_out).multiplier(held_out)))
    for one in found.parts["band"]:
        of_band = by_hand.band == one.name
        sequence = ConfidenceSequence(held_out * of_band.sum() / by_hand.y.size, 0.05 / 3)
        by_hand.check(one, which=of_band, errors=float(sequence.multiplier(of_band.any(axis=0).sum())))
    for one, week in zip(found.parts["week"], range(WEEKS), strict=True):
        by_hand.check(one, which=everything & (np.arange(WEEKS) == week)[:, None], errors=errors_of(26))
    assert [one.name for one in found.parts["week"]] == list(map(str, CUTOFFS))
    assert sum(one.rows for one in found.quantiles) == by_hand.y.size
    ratio = by_hand.p.sum() / by_hand.y.sum()
    assert found.score_over_base_rate.value == pytest.approx(ratio, **CLOSE)
    assert "device" not in found.parts  # the log does not know any
    assert {one.name for one in found.parts["channel"]} == {f"<script>c{place}</script>" for place in range(3)}


def test_metrics_are_those_of_numpy(weeks: list[ScoredWeek], by_hand: ByHand):
    found = model_account(weeks, seed=1).metrics
    p, y = by_hand.p.ravel(), by_hand.y.ravel()
    pairs = np.sign(p[y][:, None] - p[~y][None, :])
    assert found["auc"].value == pytest.approx((pairs + 1).mean() / 2, **CLOSE)
    assert found["brier"].value == pytest.approx(((p - y) ** 2).mean(), **CLOSE)
    top = 0.1 * len(p)
    border = np.sort(p)[::-1][int(np.ceil(top)) - 1]
    above, tied = p > border, p == border
    churners = y[above].sum() + y[tied].mean() * (top - above.sum())  # ties share what is left of the tenth
    assert tied.sum() > 1
    assert found["lift_at_10"].value == pytest.approx(churners / top / y.mean(), **CLOSE)
    assert found["auc"].low < found["auc"].value < found["auc"].high


def test_nobody_who_was_to_be_contacted_is_part_of_was_the_model_right(weeks: list[ScoredWeek]):
    def swapped(week: ScoredWeek) -> ScoredWeek:
        treated = pa.array(week.column("arm") == TREATED)
        flipped = pa.array(~week.column("churned").astype(bool))
        users = week.users.drop_columns(["churned"])
        import pyarrow.compute as pc

        return replace(week, users=users.append_column("churned", pc.if_else(treated, flipped, week.users["churned"])))

    before, after = (model_account(found, seed=1) for found in (weeks, [swapped(week) for week in weeks]))
    assert replace(before, treated=()) == replace(after, treated=())
    assert before.treated != after.treated
    listed = [week.column("list") == "at_risk" for week in weeks]
    expected = sum(
        week.column("churn_probability")[on & (week.column("arm") == TREATED)].sum()
        for week, on in zip(weeks, listed, strict=True)
    )
    assert before.treated[0].expected == pytest.approx(expected, **CLOSE)


def test_a_window_that_reaches_into_the_next_epoch_needs_users_who_are_held_out_there_too(made: TenWeeks):
    later = Arms(KEY, "2026-Q2", 0.5)
    both = Split(EPOCH, SHARE, Arms(KEY, EPOCH, SHARE), later=(later,)).columns(made.users)
    expected = [is_held_out(user) and later.of(user) == HELD_OUT for user in made.users]
    assert both["is_left_alone"].to_pylist() == expected
    nobody_listed = Split("2025-Q4").columns(made.users)
    assert nobody_listed["is_left_alone"].to_pylist() == [True] * USERS
    assert set(nobody_listed["arm"].to_pylist()) == {None}


def test_who_is_to_be_contacted_within_the_window_was_not_left_alone_though_the_epoch_is_the_same(made: TenWeeks):
    held_out = [user for user in made.users if is_held_out(user)]
    split = Split(EPOCH, SHARE, Arms(KEY, EPOCH, SHARE), contacted_later=frozenset(held_out[:2]))
    assert split.columns(held_out)["is_left_alone"].to_pylist() == [False] * 2 + [True] * (len(held_out) - 2)


def test_weeks_that_the_model_was_trained_on_say_nothing_on_whether_it_was_right(weeks: list[ScoredWeek]):
    """As where past weeks are scored with the champion of today."""
    seen = [replace(week, trained_through=CUTOFFS[4]) for week in weeks]
    assert [week.was_trained_on for week in seen] == [True] * 4 + [False] * (WEEKS - 4)
    assert model_account(seen, seed=1) == model_account(weeks[4:], seed=1)
    (of_seen,), (of_all,) = (effect_accounts(some, Reading(AS_OF)) for some in (seen, weeks))
    assert of_seen.effect.overall == of_all.effect.overall


def test_few_outcomes_are_too_few_to_say(weeks: list[ScoredWeek]):
    few = replace(weeks[0], users=weeks[0].users.slice(0, 30))
    found = model_account([few], seed=1)
    assert (found.status, found.metrics) == ("too early", {})
    assert found.words.startswith("too early to say: ")
    nothing = model_account([], seed=1)
    assert (nothing.status, nothing.overall.rows) == ("too early", 0)


# --- Kept for good ---------------------------------------------------------------------------------------------------


def test_what_is_final_stays_though_it_is_computed_otherwise_later(weeks: list[ScoredWeek], tmp_path: Path):
    place = Place(tmp_path / "final")
    first = keep_final(weeks[0], place)
    assert first == replace(weeks[0], users=first.users)
    assert first.users.equals(weeks[0].users)
    later = replace(weeks[1], cutoff=weeks[0].cutoff)
    assert keep_final(later, place).users.equals(weeks[0].users)
    assert final_week(tmp_path / "other") is None
    folder = current_of(place.folder)
    assert folder
    (folder / "outcomes.parquet").write_bytes(b"")
    with pytest.raises(InputError, match="is damaged"):
        final_week(place.folder)


def test_a_kept_week_says_through_when_its_model_was_trained_and_one_of_before_may_not(
    weeks: list[ScoredWeek], tmp_path: Path
):
    kept = keep_final(replace(weeks[0], trained_through=CUTOFFS[1]), Place(tmp_path / "final"))
    assert kept.trained_through == CUTOFFS[1]

    def write(draft: Path) -> None:
        pq.write_table(kept.users, draft / OUTCOMES)
        about = {name: value for name, value in vars(kept).items() if name not in ("users", "trained_through")}
        write_manifest(draft, about=about, rows={OUTCOMES: USERS})

    Place(tmp_path / "of_before").add(write)
    earlier = final_week(tmp_path / "of_before")
    assert earlier is not None
    assert (earlier.trained_through, earlier.was_trained_on) == (None, False)


def test_of_two_writers_the_first_decides_for_good(weeks: list[ScoredWeek], tmp_path: Path):
    other = replace(weeks[1], cutoff=weeks[0].cutoff)
    for turn in range(6):
        place = Place(tmp_path / str(turn) / "final")
        seen: list[ScoredWeek | None] = []
        writers = [partial(keep_final, one, place) for one in (weeks[0], other)]
        codes = race(*writers, read=partial(_look, seen, place.folder), apart_ms=turn)
        assert codes == [0, 0]
        found = [one.ends_on for one in [*seen, final_week(place.folder)] if one]
        assert len(set(found)) == 1


def _look(seen: list[ScoredWeek | None], place: Path) -> None:
    seen.append(final_week(place))


def test_before_its_grace_is_over_nothing_is_known_of_a_week(weeks: list[ScoredWeek]):
    week = weeks[0]
    assert week.final_on == week.cutoff + timedelta(days=DEFINITION.horizon_days + GRACE_DAYS)
    assert week.as_known_on(week.final_on).is_final
    early = week.as_known_on(week.final_on - timedelta(days=1))
    assert not early.is_final
    assert early.users.schema.names == week.users.schema.names


def test_of_several_models_the_one_of_the_list_counts_else_the_latest(made: TenWeeks, tmp_path: Path):
    made.folder, before = tmp_path, made.folder
    try:
        made.write()
        for cutoff, version in ((CUTOFFS[0], "2"), (date(2026, 6, 1), "9"), (date(2026, 6, 1), "10")):
            place = Place(made.ledger / f"cutoff={cutoff}" / f"model=churn-v{version}")
            write_ledger(Batch(cutoff, "churn", version, ""), scores=made.scores(0), place=place)
        found = {one.cutoff: one.version for one in scored_batches(made.ledger, before=date.max)}
        assert (found[CUTOFFS[0]], found[date(2026, 6, 1)], len(found)) == ("1", "10", WEEKS + 1)
        assert len(scored_batches(made.ledger, before=CUTOFFS[2])) == 2
    finally:
        made.folder = before


def test_a_ledger_of_an_earlier_format_has_no_raw_score(made: TenWeeks, tmp_path: Path):
    scores = made.scores(0)
    place = Place(tmp_path / "ledger/cutoff=2026-01-05/model=churn-v1")
    folder = write_ledger(Batch(CUTOFFS[0], "churn", "1", ""), scores=scores, place=place)
    renamed = folder.with_name("earlier")
    renamed.mkdir()
    (renamed / "manifest.json").write_bytes((folder / "manifest.json").read_bytes())
    pq.write_table(scores.drop_columns(["raw_score"]), renamed / "scores.parquet")
    (place.folder / "current").unlink()
    (place.folder / "current").symlink_to("earlier")
    (batch,) = scored_batches(tmp_path / "ledger", before=date.max)
    week = open_week(batch, Split(EPOCH), definition=DEFINITION, grace_days=GRACE_DAYS)
    assert week.column("raw_score") == pytest.approx(scores["raw_score"].to_numpy(), **CLOSE)
