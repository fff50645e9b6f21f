"""A handful of churners is nothing to learn from, and nothing to report on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from features.errors import GuardRefused
from features.snapshots import LabelWindow
from training.data.dataset import Dataset
from training.plan.splits import Split


def check_classes(learnt: Dataset, test: Dataset, *, split: Split, window: LabelWindow, fewest: int) -> None:
    """Refuse parts with too few users of either class; each user counts once, in however many snapshots.

    Raises
    ------
    GuardRefused
        When there are fewer than ``fewest`` churners, or stayers, in a part.
    """
    for name, (users, churned) in _parts(learnt, test, split=split).items():
        churners, stayers = (len(np.unique(users[churned == kind])) for kind in (True, False))
        if min(churners, stayers) < fewest:
            raise GuardRefused(
                f"the {name} part has {churners} churners and {stayers} stayers, expected at least {fewest} of each",
                hint=_when_possible(_rarer_class(learnt, test), split=split, window=window, fewest=fewest),
            )


def _parts(
    learnt: Dataset, test: Dataset, *, split: Split
) -> Mapping[str, tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """Return users and labels of each part."""
    users, cutoffs = learnt.users, learnt.cutoffs
    named = {"training": split.train, "validation": split.validation, "calibration": split.calibration}
    among = {
        name: np.isin(cutoffs, np.asarray(chosen, dtype="datetime64[D]")) for name, chosen in named.items() if chosen
    }
    found = {name: (users[chosen], learnt.churned[chosen]) for name, chosen in among.items()}
    return found | {"test": (test.users, test.churned)}


def _when_possible(counts: Mapping[date, int], *, split: Split, window: LabelWindow, fewest: int) -> str:
    """Say from which date on the log would do, if it goes on as it does."""
    enough = [cutoff for cutoff, rarer in sorted(counts.items()) if rarer >= fewest]
    if enough:
        later = max(window.end(enough[0]), split.test + timedelta(days=1))
        return f"cutoff {enough[0]} has {fewest} of each: if the log goes on like this, training is possible from test cutoff {later} on"
    most = max(counts.values(), default=0)
    return f"at no cutoff has the rarer class more than {most} users: a log of more users, or another [churn] horizon_days, is needed"


def _rarer_class(*datasets: Dataset) -> dict[date, int]:
    """How many users of the rarer class each cutoff has."""
    counts: dict[date, int] = {}
    for dataset in datasets:
        for cutoff in dataset.snapshots:
            counts[cutoff] = dataset.at([cutoff]).rarer
    return counts
