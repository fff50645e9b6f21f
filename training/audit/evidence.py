"""What an audit looks at: a training before anything is fitted, the part of it that statistics need, and what a check says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.activity.store import Activity
from features.profiles.specification import Specification
from features.settings import ChurnSettings
from features.snapshots import LabelWindow
from models.encoding import Matrix, encode
from models.settings import ModelSettings
from training.audit.rebuild import Past, Rebuilt, in_memory, with_late_rows
from training.data.dataset import Dataset
from training.plan.splits import Split
from training.settings import AuditSettings

_SHOWN = 3
_CUTOFFS = 4  # at which profiles are built again


@dataclass(frozen=True)
class AuditedTraining:
    """All that a training is made of.

    Attributes
    ----------
    specification
        With its categories.
    learnt, test
        What the model learns from, at every cutoff of the split except the test; and what it is tested on.
    model
        How it learns: the canaries are fitted the same way, in a few rounds.
    """

    activity: Activity
    specification: Specification
    split: Split
    training_rows: Dataset
    test: Dataset
    churn: ChurnSettings
    model: ModelSettings
    settings: AuditSettings

    @property
    def window(self) -> LabelWindow:
        """Where labels look."""
        return LabelWindow(self.churn.gap_days, self.churn.horizon_days)

    def at(self, cutoff: date) -> Dataset:
        """Return the rows of one cutoff, learnt from or tested on."""
        return (self.test if cutoff == self.split.test else self.training_rows).at([cutoff])


@dataclass(frozen=True)
class Finding:
    """Something that a check found.

    Attributes
    ----------
    where
        The offending column, cutoff or day.
    found
        What is wrong there, in words.
    """

    where: str
    found: str


@dataclass(frozen=True)
class CheckResult:
    """What a check looked at, in words, and what it found there."""

    at: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Part:
    """Some rows of a data set, as the model sees them.

    Attributes
    ----------
    matrix
        Shape (n, names): the columns that the model looks at.
    users, cutoffs
        Shape (n,): text, and days.
    """

    names: tuple[str, ...]
    matrix: Matrix
    churned: NDArray[np.bool_]
    users: NDArray[np.object_]
    cutoffs: NDArray[np.datetime64]


@dataclass(frozen=True)
class Evidence:
    """A training, and the bounded parts of it that several checks look at, each made once."""

    training: AuditedTraining
    seed: int

    @cached_property
    def learnt_profiles(self) -> Dataset:
        """Whole users of the learnt rows, drawn by the seed."""
        return of_some_users(self.training.training_rows, most=self.training.settings.max_rows, seed=self.seed)

    @cached_property
    def training_rows(self) -> Part:
        """The same as the model sees it."""
        return self._part(self.learnt_profiles)

    @cached_property
    def test(self) -> Part:
        """Users of the test, drawn by the seed."""
        return self._part(of_some_users(self.training.test, most=self.training.settings.max_rows, seed=self.seed))

    @cached_property
    def test_of_learnt_users(self) -> Part:
        """The test rows of the users whose learnt rows are looked at."""
        return self._part(of_users(self.training.test, users_of(self.learnt_profiles)))

    @cached_property
    def snapshots(self) -> list[tuple[date, Matrix]]:
        """Every cutoff with what the model sees there, the test last."""
        training_rows = [
            (cutoff.astype(object), self.training_rows.matrix[self.training_rows.cutoffs == cutoff])
            for cutoff in np.unique(self.training_rows.cutoffs)
        ]
        return [*training_rows, (self.training.split.test, self.test.matrix)]

    @cached_property
    def rebuilt(self) -> tuple[Rebuilt, ...]:
        """Profiles built again, at some of the learnt cutoffs and, last, at the test."""
        training, draw = self.training, np.random.default_rng(self.seed)
        others = [cutoff for cutoff in training.training_rows.snapshots if cutoff != training.split.test]
        chosen = sorted(draw.permutation(len(others))[: _CUTOFFS - 1].tolist())
        cutoffs = (*(others[place] for place in chosen), training.split.test)
        rows = {cutoff: self._drawn(cutoff, draw) for cutoff in cutoffs}
        activity = in_memory(training.activity, {user for some in rows.values() for user in users_of(some)})
        return tuple(
            Rebuilt(Past(activity, training.specification, cutoff, tuple(users_of(some))), some.profiles, some.churned)
            for cutoff, some in rows.items()
        )

    def _drawn(self, cutoff: date, draw: np.random.Generator) -> Dataset:
        """Draw rows of a cutoff; where rows of the log became known late, users who have some come first."""
        rows, late = self.training.at(cutoff), with_late_rows(self.training.activity, cutoff)
        users, most = users_of(rows), self.training.settings.rebuilt_profiles // _CUTOFFS
        drawn = sorted(draw.permutation(len(users)).tolist(), key=lambda place: users[place] not in late)[:most]
        return Dataset(rows.profiles.take(pa.array(sorted(drawn), pa.int64())), rows.churned[sorted(drawn)])

    def _part(self, dataset: Dataset) -> Part:
        specification, profiles = self.training.specification, dataset.profiles
        looked_at = [name not in specification.unused for name in specification.feature_names]
        return Part(
            names_looked_at(specification),
            encode(profiles, specification)[:, looked_at],
            dataset.churned,
            np.array(users_of(dataset), dtype=object),
            dataset.cutoffs,
        )


def users_of(dataset: Dataset) -> list[str]:
    """Return the user of each row."""
    found: list[Any] = dataset.profiles.column("user_id").to_pylist()
    return found


def names_looked_at(specification: Specification) -> tuple[str, ...]:
    """Return the columns of a profile that the model looks at."""
    return tuple(name for name in specification.feature_names if name not in specification.unused)


def of_some_users(dataset: Dataset, *, most: int, seed: int) -> Dataset:
    """Return all rows of as many users as have about ``most`` rows together."""
    if len(dataset.churned) <= most:
        return dataset
    users = dataset.profiles.column("user_id").combine_chunks().dictionary_encode()
    order = np.random.default_rng(seed).permutation(len(users.dictionary))
    rows = np.bincount(users.indices.to_numpy(), minlength=len(order))[order].cumsum()
    chosen = np.isin(users.indices.to_numpy(), order[rows <= most])
    return Dataset(dataset.profiles.filter(pa.array(chosen)), dataset.churned[chosen])


def of_users(dataset: Dataset, users: Sequence[str]) -> Dataset:
    """Return the rows of some users."""
    wanted = set(users)
    chosen = np.array([user in wanted for user in users_of(dataset)], dtype=bool)
    return Dataset(dataset.profiles.filter(pa.array(chosen)), dataset.churned[chosen])


def listed(names: Sequence[str]) -> str:
    """Name the first few.

    Examples
    --------
    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
