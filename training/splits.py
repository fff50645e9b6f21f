"""Train | purge | validation | purge | calibration | purge | test, all by cutoff; the test is always the latest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from features.errors import GuardRefused, InputError
from features.settings import ChurnSettings
from features.snapshots import Coverage, LabelWindow, cutoffs_between
from training.settings import TrainingSettings

_WEEK = 7


@dataclass(frozen=True)
class Split:
    """Which cutoffs do what. Labels of one part are known before the next part's cutoffs: the purge is gap + horizon.

    Attributes
    ----------
    validation
        Stops the boosting early. Empty: folds of users do, and the calibration cutoffs are among the training ones, scored
        by folds that never saw the user.
    why
        Why there are periods, or folds.
    """

    train: tuple[date, ...]
    validation: tuple[date, ...]
    calibration: tuple[date, ...]
    test: date
    why: str

    @property
    def uses_folds(self) -> bool:
        """True where folds of users stand in for separate periods."""
        return not self.validation

    @property
    def learnt_from(self) -> tuple[date, ...]:
        """Every cutoff except the test."""
        return tuple(sorted({*self.train, *self.validation, *self.calibration}))

    def trained_through(self, window: LabelWindow) -> date:
        """First day that no label of training, validation or calibration saw."""
        return max(window.end(cutoff) for cutoff in self.learnt_from)


def plan(
    coverage: Coverage, churn: ChurnSettings, *, training: TrainingSettings, windows_days: Sequence[int] = ()
) -> Split:
    """Lay out the parts.

    The first snapshot leaves as much history as eligibility (or the horizon) asks for, and as the longest feature window that
    costs at most a third of the snapshots. Separate periods cost two purges; where that would throw away more than half of the
    snapshots, folds of users take their place.

    Raises
    ------
    InputError
        When the test cutoff is not covered or its horizon not finished.
    GuardRefused
        When no label is known before the test cutoff.
    """
    window = LabelWindow(churn.gap_days, churn.horizon_days)
    first = coverage.first_day + timedelta(days=churn.active_within_days or churn.horizon_days)
    test = _test_cutoff(coverage, window, training=training, first=first)
    every = training.snapshot_every_days or (1 if churn.horizon_days <= _WEEK else _WEEK)
    last = test - timedelta(days=window.days_to_label)
    usable = cutoffs_between(first, last, every_days=every)[-training.max_snapshots :]
    if not usable:
        raise GuardRefused(
            f"no snapshot can be learnt from: the first with enough history is {first}, "
            f"the last whose label is known at the test cutoff {test} is {last}",
            hint=_possible_from(first, window),
        )
    histories = [first, *(coverage.first_day + timedelta(days=days) for days in sorted(windows_days))]
    kept = [tuple(cutoff for cutoff in usable if cutoff >= history) for history in histories]
    return _parts([some for some in kept if 3 * len(some) >= 2 * len(usable)][-1], test, window=window)


def _possible_from(first: date, window: LabelWindow) -> str:
    return f"training is possible from test cutoff {window.end(first)} on, or with a shorter [churn] horizon_days"


def _test_cutoff(coverage: Coverage, window: LabelWindow, *, training: TrainingSettings, first: date) -> date:
    latest = window.latest_finished(coverage.covered_until)
    test = training.test_cutoff or latest
    if test > latest:
        raise InputError(
            f"[training] test_cutoff {test}: its horizon ends on {window.end(test)}, the log covers up to {coverage.covered_until}",
            hint=f"take {latest} or earlier",
        )
    if latest <= coverage.first_day:
        raise GuardRefused(
            f"the log covers {coverage.first_day} up to {coverage.covered_until}: no horizon of {window.days_to_label} days fits",
            hint=_possible_from(first, window),
        )
    coverage.check_cutoff(test)
    return test


def _parts(usable: tuple[date, ...], test: date, *, window: LabelWindow) -> Split:
    purge = timedelta(days=window.days_to_label)
    calibration = usable[-1]
    validation = max((c for c in usable if c <= calibration - purge), default=None)
    train = tuple(c for c in usable if validation and c <= validation - purge)
    if validation and 2 * len(train) >= len(usable):
        why = f"separate periods: {len(train)} of {len(usable)} snapshots are left to train on"
        return Split(train, (validation,), (calibration,), test, why)
    why = (
        f"folds of users: separate periods would leave {len(train)} of {len(usable)} snapshots to train on, under half; "
        "early stopping and calibration use users that a fold has not seen, not a later time"
    )
    return Split(usable, (), (calibration,), test, why)
