"""Train | purge | validation | purge | calibration | purge | test, all by cutoff; the test is always the latest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from features.errors import CheckFailed, HistoryTooShort, InputError
from features.settings import ChurnSettings
from features.snapshots import Coverage, LabelWindow, cutoffs_between
from models.definition import ChurnDefinition
from training.plan.new_users import SNAPSHOT_DAYS
from training.settings import TrainingSettings

WEEK = 7  # days
_FEW_SNAPSHOTS = 8


@dataclass(frozen=True)
class Split:
    """The cutoffs of each part. Labels of one part are known before the next part's cutoffs: the purge is gap + horizon.

    Attributes
    ----------
    validation
        For early stopping. Empty: early stopping uses folds of users, and the calibration cutoffs are among the training ones,
        scored by folds that did not contain the user.
    why
        Why there are separate periods, or folds of users.
    purge_days
        Days from a cutoff to the day on which its label is known, gap and horizon; 0: no label is used.
    """

    train: tuple[date, ...]
    validation: tuple[date, ...]
    calibration: tuple[date, ...]
    test: date
    why: str
    purge_days: int = 0

    @property
    def uses_folds(self) -> bool:
        """True where there are folds of users instead of separate periods."""
        return not self.validation

    @property
    def training_cutoffs(self) -> tuple[date, ...]:
        """Every cutoff except the test."""
        return tuple(sorted({*self.train, *self.validation, *self.calibration}))

    def trained_through(self, window: LabelWindow) -> date:
        """First day that no label of training, validation or calibration saw; without labels, the test cutoff."""
        return max((window.end(cutoff) for cutoff in self.training_cutoffs), default=self.test)


def any_cutoff(cutoff: date) -> bool:
    """Accept every cutoff."""
    del cutoff
    return True


def make_split(
    coverage: Coverage,
    churn: ChurnSettings,
    *,
    training: TrainingSettings,
    windows_days: Sequence[int] = (),
    is_sound: Callable[[date], bool] = any_cutoff,
) -> Split:
    """Assign cutoffs to training, validation, calibration and test.

    The first snapshot has as much history as eligibility (or the horizon) requires; one horizon is enough where that would leave few
    snapshots: users who were last active before the log are then not seen. It also has as much as the longest feature window that costs
    at most a third of the snapshots. Separate periods cost two purges; where these would take more than half of the
    snapshots, folds of users replace them.

    Parameters
    ----------
    is_sound
        False for cutoffs that may be used neither for training nor for the test, such as those whose windows touch an outage.

    Raises
    ------
    InputError
        When the test cutoff is not covered or its horizon not finished.
    CheckFailed
        When no label is known before the test cutoff, or the test cutoff is not sound.
    """
    window = ChurnDefinition.of(churn).window
    test = test_cutoff_of(coverage, churn, training=training)
    snapshots = _Snapshots(coverage, churn, training, is_sound)
    if not is_sound(test):
        test = _sound_test(test, snapshots)
    first, usable = snapshots.before(test)
    if not usable:
        raise HistoryTooShort(
            f"no snapshot can be used for training: the first with enough history is {first}, "
            f"the last whose label is known at the test cutoff {test} is {test - _purge(window)}",
            hint=_possible_from(first, window),
        )
    histories = [first, *(coverage.first_day + timedelta(days=days) for days in sorted(windows_days))]
    kept = [tuple(cutoff for cutoff in usable if cutoff >= history) for history in histories]
    chosen = [some for some in kept if 3 * len(some) >= 2 * len(usable)][-1]
    return _parts(chosen, test, window=window, calibrated=_calibrated(churn, training))


@dataclass(frozen=True)
class _Snapshots:
    """The snapshots that could be trained on."""

    coverage: Coverage
    churn: ChurnSettings
    training: TrainingSettings
    is_sound: Callable[[date], bool]

    def before(self, test: date) -> tuple[date, tuple[date, ...]]:
        """Return the first cutoff with enough history, and those that may be used before a test cutoff."""
        last = test - _purge(ChurnDefinition.of(self.churn).window)
        first = _first_cutoff(self.coverage, self.churn, last=last, training=self.training)
        every = snapshot_step(self.churn, self.training)
        sound = [cutoff for cutoff in cutoffs_between(first, last, every_days=every) if self.is_sound(cutoff)]
        return first, tuple(sound[-self.training.max_snapshots :])


def _history_days(churn: ChurnSettings) -> int:
    """Return the days of log that the first snapshot should have before it."""
    return churn.active_within_days or churn.horizon_days


def _least_history_days(churn: ChurnSettings) -> int:
    """Return the days of log that the first snapshot must have before it."""
    return min(_history_days(churn), churn.horizon_days)


def _first_cutoff(coverage: Coverage, churn: ChurnSettings, *, last: date, training: TrainingSettings) -> date:
    """Return the first cutoff with enough history; earlier, down to a horizon of history, where few snapshots would be left."""
    start = coverage.first_day + timedelta(days=churn.max_tenure_days)  # who is new at the start of a log is not known
    full = start + timedelta(days=_history_days(churn))
    least = start + timedelta(days=_least_history_days(churn))
    wanted = last - timedelta(days=(_FEW_SNAPSHOTS - 1) * snapshot_step(churn, training))
    return max(least, min(full, wanted))


def _possible_from(first: date, window: LabelWindow) -> str:
    return f"training is possible from test cutoff {window.end(first)} on"


def snapshot_step(churn: ChurnSettings, training: TrainingSettings) -> int:
    """Return the days between snapshots: as set, else a day for horizons up to a week, and a week for longer ones.

    New users are new for some days only: they are seen more often than once a week.
    """
    usual = SNAPSHOT_DAYS if churn.max_tenure_days else WEEK
    return training.snapshot_every_days or (1 if churn.horizon_days <= WEEK else usual)


def _calibrated(churn: ChurnSettings, training: TrainingSettings) -> int:
    """Return how many snapshots to calibrate on: all weekdays, where there is one a day and the churn rate depends on the weekday."""
    depends = snapshot_step(churn, training) == 1 and churn.horizon_days % WEEK
    return max(training.calibration_snapshots, WEEK) if depends else training.calibration_snapshots


def test_cutoff_of(coverage: Coverage, churn: ChurnSettings, *, training: TrainingSettings) -> date:
    """Return the test cutoff: the one that the settings name, or the latest whose horizon the log covers.

    Raises
    ------
    InputError
        When it is not covered or its horizon not finished.
    CheckFailed
        When the log is shorter than one horizon.
    """
    window = ChurnDefinition.of(churn).window
    latest = window.latest_finished(coverage.covered_until)
    test = training.test_cutoff or latest
    if test > latest:
        raise InputError(
            f"[training] test_cutoff {test}: its horizon ends on {window.end(test)}, the log covers up to {coverage.covered_until}",
            hint=f"take {latest} or earlier",
        )
    if latest <= coverage.first_day:
        raise HistoryTooShort(
            f"the log covers {coverage.first_day} up to {coverage.covered_until}: no horizon of {window.days_to_label} days fits",
            hint=_possible_from(coverage.first_day + timedelta(days=_least_history_days(churn)), window),
        )
    coverage.check_cutoff(test)
    return test


def _sound_test(test: date, snapshots: _Snapshots) -> date:
    """Go back to the latest cutoff that is sound and has snapshots before it, unless the settings name the test cutoff."""
    earlier = reversed(cutoffs_between(snapshots.coverage.first_day + timedelta(days=1), test, every_days=1))
    sound = next((cutoff for cutoff in earlier if snapshots.is_sound(cutoff) and snapshots.before(cutoff)[1]), None)
    if snapshots.training.test_cutoff or sound is None:
        raise CheckFailed(
            f"test cutoff {test}: its windows touch an outage of the log"
            + ("" if sound else ", as do those of all before it"),
            hint=(f"take {sound}, or s" if sound else "s") + "et outages.exclude = false if the log is sound there",
        )
    return sound


def _parts(usable: tuple[date, ...], test: date, *, window: LabelWindow, calibrated: int) -> Split:
    """Calibrate on as many of the latest snapshots as leave room for separate periods; where none does, use folds of users."""
    for latest in range(calibrated, 0, -1):
        calibration = usable[-latest:]
        validation = max((c for c in usable if c <= calibration[0] - _purge(window)), default=None)
        train = tuple(c for c in usable if validation and c <= validation - _purge(window))
        if validation and 2 * len(train) >= len(usable):
            why = f"separate periods: {len(train)} of {len(usable)} snapshots are left to train on"
            return Split(train, (validation,), calibration, test, why, window.days_to_label)
    why = (
        f"folds of users: separate periods would leave under half of the {len(usable)} snapshots to train on; "
        "early stopping and calibration use users that a fold has not seen, not a later time"
    )
    return Split(usable, (), usable[-calibrated:], test, why, window.days_to_label)


def with_folds_of_users(split: Split) -> Split:
    """Return the split with folds of users in place of separate periods, on the same cutoffs."""
    why = "folds of users: separate periods have too few users of a class"
    return Split(split.training_cutoffs, (), split.calibration, split.test, why, split.purge_days)


def _purge(window: LabelWindow) -> timedelta:
    return timedelta(days=window.days_to_label)
