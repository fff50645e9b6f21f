"""The ensemble that ranks users: a weighted sum of parts, each with a raw score in log-odds and exact contributions to it."""

from __future__ import annotations

import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import chain, combinations
from math import factorial
from typing import NamedTuple

import lightgbm as lgb
import numpy as np

from features.catalogue.fitted import BgNbd
from features.errors import InputError
from features.profiles.specification import Specification
from features.snapshots import LabelWindow
from models.arrays import Matrix, Values
from models.scorers.bg_nbd import Buyers, no_purchase_probability, purchase_risk, repeat_features
from models.scorers.logistic import Linear
from models.scorers.single_row import SingleRow
from models.scorers.trees import contributions, raw_scores


class Explanation(NamedTuple):
    """Raw scores in log-odds, shape (n,), and the contributions to them, shape (n, features)."""

    raw: Values
    contributions: Matrix


@dataclass(frozen=True)
class Trees:
    """Boosted trees."""

    booster: lgb.Booster

    @cached_property
    def _single_row(self) -> SingleRow:
        return SingleRow(self.booster)

    def raw(self, matrix: Matrix, *, threads: int) -> Values:
        """Log-odds, shape (n,)."""
        if len(matrix) == 1:
            return self._single_row.raw(matrix)
        return raw_scores(self.booster, matrix, threads=threads)

    def contributions(self, matrix: Matrix, *, threads: int) -> Matrix:
        """Contributions to the raw score, shape (n, features)."""
        if len(matrix) == 1:
            return self._single_row.contributions(matrix)
        return contributions(self.booster, matrix, threads=threads)

    def explain(self, matrix: Matrix, *, threads: int) -> Explanation:
        """Both; the raw score is the trees' own sum, which the contributions' equals but for the last bits."""
        return Explanation(self.raw(matrix, threads=threads), self.contributions(matrix, threads=threads))


@dataclass(frozen=True)
class LogisticPart:
    """Logistic regression."""

    linear: Linear

    def raw(self, matrix: Matrix, *, threads: int) -> Values:
        """Log-odds, shape (n,)."""
        del threads
        return self.linear.raw(matrix)

    def contributions(self, matrix: Matrix, *, threads: int) -> Matrix:
        """Contributions to the raw score, shape (n, features)."""
        del threads
        return self.linear.contributions(matrix)

    def explain(self, matrix: Matrix, *, threads: int) -> Explanation:
        """Both, from contributions that are computed once."""
        del threads
        found = self.linear.contributions(matrix)
        return Explanation(self.linear.base + found.sum(axis=1), found)


@dataclass(frozen=True)
class BgNbdPart:
    """How few purchases BG/NBD expects of a user in the horizon. It needs no label, so it is used where none is known.

    Attributes
    ----------
    places
        Indices of what :func:`models.scorers.bg_nbd.repeat_features` names among the features.
    usual
        Their values for a typical user, whom contributions are relative to.
    never
        Values used for a user who never bought: those of the riskiest buyer.
    """

    fitted: BgNbd
    places: tuple[int, int, int]
    usual: tuple[float, float, float]
    never: tuple[float, float, float]
    gap_days: int
    horizon_days: int

    def raw(self, matrix: Matrix, *, threads: int) -> Values:
        """Raw score, shape (n,)."""
        del threads
        return self.score(self._known(matrix))

    def no_purchase_probability(self, matrix: Matrix) -> Values:
        """Probability of no purchase in the horizon, shape (n,): what the raw score is calibrated to."""
        buyers = Buyers.of(self._known(matrix))
        return no_purchase_probability(self.fitted, buyers, gap_days=self.gap_days, horizon_days=self.horizon_days)

    def contributions(self, matrix: Matrix, *, threads: int) -> Matrix:
        """Shapley values of the three numbers against the typical user's, shape (n, features).

        Source: Shapley 1953, "A Value for n-Person Games"; all eight coalitions are evaluated.
        """
        del threads
        known, found, players = self._known(matrix), np.zeros_like(matrix), len(self.places)
        for player in range(players):
            for others in _subsets([other for other in range(players) if other != player]):
                share = factorial(len(others)) * factorial(players - 1 - len(others)) / factorial(players)
                gain = self._with(known, (*others, player)) - self._with(known, others)
                found[:, self.places[player]] += share * gain
        return found

    def explain(self, matrix: Matrix, *, threads: int) -> Explanation:
        """Both."""
        return Explanation(self.raw(matrix, threads=threads), self.contributions(matrix, threads=threads))

    def _known(self, matrix: Matrix) -> Matrix:
        known = matrix[:, self.places]
        return np.where(np.isnan(known).any(axis=1, keepdims=True), self.never, known)

    def _with(self, known: Matrix, players: tuple[int, ...]) -> Values:
        mixed = np.tile(np.array(self.usual), (len(known), 1))
        mixed[:, list(players)] = known[:, list(players)]
        return self.score(mixed)

    def score(self, known: Matrix) -> Values:
        """Raw score of the values of the three features, shape (n, 3) to (n,)."""
        return purchase_risk(self.fitted, Buyers.of(known), gap_days=self.gap_days, horizon_days=self.horizon_days)


def _subsets(players: list[int]) -> Iterator[tuple[int, ...]]:
    yield from chain.from_iterable(combinations(players, size) for size in range(len(players) + 1))


Part = Trees | LogisticPart | BgNbdPart

# as runs record them in the tag "parts", so these words stay
_KINDS: dict[type[Part], str] = {Trees: "trees", LogisticPart: "line", BgNbdPart: "buying"}


@dataclass(frozen=True)
class Scorer:
    """The weighted parts of a model; often there is one.

    Examples
    --------
    Half trees, half logistic regression: ``Scorer(((0.5, Trees(booster)), (0.5, LogisticPart(linear))))``
    """

    parts: tuple[tuple[float, Part], ...]

    @classmethod
    def of_trees(cls, booster: lgb.Booster) -> Scorer:
        """Trees only."""
        return cls(((1.0, Trees(booster)),))

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kind of each part: ``trees``, ``line`` (logistic regression), ``buying`` (BG/NBD)."""
        return tuple(_KINDS[type(part)] for _, part in self.parts)

    @property
    def trees(self) -> int:
        """Number of trees."""
        return sum(part.booster.num_trees() for _, part in self.parts if isinstance(part, Trees))

    def raw(self, matrix: Matrix, *, threads: int = 0) -> Values:
        """Raw score in log-odds, shape (n,)."""
        return _total([weight * part.raw(matrix, threads=threads) for weight, part in self.parts])

    def contributions(self, matrix: Matrix, *, threads: int = 0) -> Matrix:
        """Signed contributions to the raw score, shape (n, features)."""
        return _total([weight * part.contributions(matrix, threads=threads) for weight, part in self.parts])

    def explain(self, matrix: Matrix, *, threads: int = 0) -> Explanation:
        """Both, the same as :meth:`raw` and :meth:`contributions` return."""
        found = [(weight, part.explain(matrix, threads=threads)) for weight, part in self.parts]
        raw = _total([weight * one.raw for weight, one in found])
        return Explanation(raw, _total([weight * one.contributions for weight, one in found]))


def _total(parts: Sequence[Values]) -> Values:
    """Add up arrays of one shape; ``np.sum`` would stack them first."""
    return reduce(operator.add, parts)


def bg_nbd_part(specification: Specification, matrix: Matrix, *, window: LabelWindow) -> BgNbdPart:
    """Return the BG/NBD part, which needs no labels, by the parameters that the specification holds.

    Parameters
    ----------
    matrix
        Encoded profiles, shape (n, features): the population in which a user is typical, or the riskiest.

    Raises
    ------
    InputError
        When the specification holds no parameters, because too few users have a second purchase.
    """
    fitted = specification.fitted.bg_nbd
    if fitted is None:
        raise InputError("too few users have a second purchase: BG/NBD cannot be fitted", hint="map [events] amount")
    first, second, third = (
        specification.feature_names.index(name) for name in repeat_features(specification.feature_names)
    )
    known = matrix[:, (first, second, third)]
    known = known[~np.isnan(known).any(axis=1)]
    middle = np.median(known, axis=0)
    part = BgNbdPart(
        fitted, (first, second, third), _three(middle), _three(middle), window.gap_days, window.horizon_days
    )
    return replace(part, never=_three(known[int(np.argmax(part.score(known)))]))


def _three(values: Values) -> tuple[float, float, float]:
    one, two, three = values.tolist()
    return one, two, three
