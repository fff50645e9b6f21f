"""What an audit checks: a training before anything is fitted, the samples of it that statistics need, and the result of a check."""

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
from models.arrays import Matrix
from models.definition import ChurnDefinition
from models.encoding import encode
from models.settings import ModelSettings
from training.audit.rebuild import Past, RebuiltRows, in_memory, with_late_rows
from training.data.dataset import Dataset
from training.plan.splits import Split
from training.settings import AuditSettings

_SHOWN = 3
_REBUILT_CUTOFFS = 4  # at which profiles are rebuilt


@dataclass(frozen=True)
class AuditedTraining:
    """The data and settings of a training.

    Attributes
    ----------
    specification
        With its categories.
    training_rows, test
        The rows at every cutoff of the split except the test; and the test rows.
    model
        Parameters of LightGBM: the canary is fitted with almost the same ones, in a few rounds.
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
        """The label window."""
        return ChurnDefinition.of(self.churn).window

    def at(self, cutoff: date) -> Dataset:
        """Return the rows of one cutoff, of the training or the test."""
        return (self.test if cutoff == self.split.test else self.training_rows).at([cutoff])


@dataclass(frozen=True)
class Finding:
    """A problem that a check found.

    Attributes
    ----------
    where
        The offending column, cutoff or day.
    found
        The problem, in words.
    """

    where: str
    found: str


@dataclass(frozen=True)
class CheckResult:
    """What a check covered, in words, and what it found there."""

    scope: str
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Part:
    """Some rows of a data set, as the model sees them.

    Attributes
    ----------
    matrix
        Shape (n, names): the columns that the model uses.
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
    """A training, and the samples of it that several checks need, each made once."""

    training: AuditedTraining
    seed: int

    @cached_property
    def training_sample(self) -> Dataset:
        """All training rows of some users, sampled by the seed."""
        return of_some_users(self.training.training_rows, max_rows=self.training.settings.max_rows, seed=self.seed)

    @cached_property
    def training_rows(self) -> Part:
        """The same as the model sees it."""
        return self._part(self.training_sample)

    @cached_property
    def test_sample(self) -> Dataset:
        """Test users, sampled by the seed."""
        return of_some_users(self.training.test, max_rows=self.training.settings.max_rows, seed=self.seed)

    @cached_property
    def test(self) -> Part:
        """The same as the model sees it."""
        return self._part(self.test_sample)

    @cached_property
    def test_of_training_users(self) -> Part:
        """Test rows of the users in the training sample."""
        return self._part(of_users(self.training.test, users_of(self.training_sample)))

    @cached_property
    def snapshots(self) -> list[tuple[date, Matrix]]:
        """Every cutoff with what the model sees there, the test last."""
        training_rows = [
            (cutoff.astype(object), self.training_rows.matrix[self.training_rows.cutoffs == cutoff])
            for cutoff in np.unique(self.training_rows.cutoffs)
        ]
        return [*training_rows, (self.training.split.test, self.test.matrix)]

    @cached_property
    def rebuilt(self) -> tuple[RebuiltRows, ...]:
        """Profiles rebuilt from their past, at some of the training cutoffs and, last, at the test."""
        training, random = self.training, np.random.default_rng(self.seed)
        others = [cutoff for cutoff in training.training_rows.snapshots if cutoff != training.split.test]
        chosen = sorted(random.permutation(len(others))[: _REBUILT_CUTOFFS - 1].tolist())
        cutoffs = (*(others[place] for place in chosen), training.split.test)
        rows = {cutoff: self._sample(cutoff, random) for cutoff in cutoffs}
        activity = in_memory(training.activity, {user for some in rows.values() for user in users_of(some)})
        return tuple(
            RebuiltRows(
                Past(activity, training.specification, cutoff, tuple(users_of(some))), some.profiles, some.churned
            )
            for cutoff, some in rows.items()
        )

    def _sample(self, cutoff: date, random: np.random.Generator) -> Dataset:
        """Sample rows of a cutoff; users with events that became known late come first."""
        rows, late = self.training.at(cutoff), with_late_rows(self.training.activity, cutoff)
        users, maximum = users_of(rows), self.training.settings.rebuilt_profiles // _REBUILT_CUTOFFS
        sample = sorted(random.permutation(len(users)).tolist(), key=lambda place: users[place] not in late)[:maximum]
        return Dataset(rows.profiles.take(pa.array(sorted(sample), pa.int64())), rows.churned[sorted(sample)])

    def _part(self, dataset: Dataset) -> Part:
        specification, profiles = self.training.specification, dataset.profiles
        is_used = [name not in specification.unused for name in specification.feature_names]
        return Part(
            model_features(specification),
            encode(profiles, specification)[:, is_used],
            dataset.churned,
            np.array(users_of(dataset), dtype=object),
            dataset.cutoffs,
        )


def users_of(dataset: Dataset) -> list[str]:
    """Return the user of each row."""
    found: list[Any] = dataset.profiles.column("user_id").to_pylist()
    return found


def model_features(specification: Specification) -> tuple[str, ...]:
    """Return the columns of a profile that the model uses."""
    return specification.used_names


def of_some_users(dataset: Dataset, *, max_rows: int, seed: int) -> Dataset:
    """Return all rows of as many users as have about ``max_rows`` rows together."""
    if len(dataset.churned) <= max_rows:
        return dataset
    users = dataset.profiles.column("user_id").combine_chunks().dictionary_encode()
    order = np.random.default_rng(seed).permutation(len(users.dictionary))
    rows = np.bincount(users.indices.to_numpy(), minlength=len(order))[order].cumsum()
    chosen = np.isin(users.indices.to_numpy(), order[rows <= max_rows])
    return Dataset(dataset.profiles.filter(pa.array(chosen)), dataset.churned[chosen])


def of_users(dataset: Dataset, users: Sequence[str]) -> Dataset:
    """Return the rows of some users."""
    wanted = set(users)
    chosen = np.array([user in wanted for user in users_of(dataset)], dtype=bool)
    return Dataset(dataset.profiles.filter(pa.array(chosen)), dataset.churned[chosen])


def listed(names: Sequence[str]) -> str:
    """List the first few.

    Examples
    --------
    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
