"""The minimum number of churned and of retained users: a handful is too few to train on, and to report on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from features.errors import CheckFailed
from features.snapshots import LabelWindow
from training.data.dataset import Dataset
from training.plan.splits import Split

_PAGE = "docs/guides/reading-the-results.md#when-a-check-fails"


def check_classes(training_rows: Dataset, test: Dataset, *, split: Split, window: LabelWindow, minimum: int) -> None:
    """Refuse parts with too few users of either class; each user counts once, in however many snapshots.

    Raises
    ------
    CheckFailed
        When there are fewer than ``minimum`` churned, or retained, users in a part.
    """
    for name, (users, churned) in _parts(training_rows, test, split=split).items():
        churners, retained = (len(np.unique(users[churned == kind])) for kind in (True, False))
        if min(churners, retained) < minimum:
            counts = _smaller_classes(training_rows, test)
            raise CheckFailed(
                f"the {name} part has {churners} churners and {retained} retained, expected at least {minimum} of each",
                hint=f"{_when_possible(counts, split=split, window=window, minimum=minimum)}; "
                f"the minimum is [training] min_class_users, see {_PAGE}",
            )


def _parts(
    training_rows: Dataset, test: Dataset, *, split: Split
) -> Mapping[str, tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Return users and labels of each part."""
    users, cutoffs = training_rows.users, training_rows.cutoffs
    named = {"training": split.train, "validation": split.validation, "calibration": split.calibration}
    among = {
        name: np.isin(cutoffs, np.asarray(chosen, dtype="datetime64[D]")) for name, chosen in named.items() if chosen
    }
    found = {name: (users[chosen], training_rows.churned[chosen]) for name, chosen in among.items()}
    return found | {"test": (test.users, test.churned)}


def _when_possible(counts: Mapping[date, int], *, split: Split, window: LabelWindow, minimum: int) -> str:
    """Describe from which date on training is possible, if the log continues in the same way."""
    enough = [cutoff for cutoff, users in sorted(counts.items()) if users >= minimum]
    if enough:
        later = max(window.end(enough[0]), split.test + timedelta(days=1))
        return f"cutoff {enough[0]} has {minimum} of each: if the log continues like this, training is possible from test cutoff {later} on"
    maximum = max(counts.values(), default=0)
    return (
        f"at no cutoff does the smaller class have more than {maximum} users: "
        "a log of more users, or another [churn] horizon_days, is needed"
    )


def _smaller_classes(*datasets: Dataset) -> dict[date, int]:
    """Number of users in the smaller class, by cutoff."""
    counts: dict[date, int] = {}
    for dataset in datasets:
        for cutoff in dataset.snapshots:
            counts[cutoff] = dataset.at([cutoff]).smaller_class
    return counts
