"""Checks by column: features, alone or together, that predict what they cannot know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from zlib import crc32

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import norm

from models.arrays import Matrix, Values
from models.evaluation import metrics
from models.evaluation.baselines import ABOVE_RULE, RULES, rule_scores
from models.scorers.trees import Rows, TreeFitter, raw_scores
from training.audit.evidence import CheckResult, Evidence, Finding, Part
from training.data.dataset import Dataset
from training.settings import AuditSettings

_BINS = 32
_MIN_USERS = 50  # with fewer, an identifier looks like any number
_CANARY_ROUNDS = 30
_Z_ALARM = float(norm.isf(1e-5))  # one false alarm in 100,000 audits
_NOISE = 2.5  # two samples of one distribution are that many standard errors apart once in 100,000 comparisons
_MAX_TIMES_USUAL = 2  # how much farther than usual a distribution may move
_RULE_COLUMNS = {rule.column for rule in RULES.values()}
_TWO = 2  # snapshots: too few to know what is usual


# --- Single features -----------------------------------------------------------------------------------------------


def single_features(evidence: Evidence) -> CheckResult:
    """Check for a feature that alone separates churners from retained users, better than the rules that anybody would take."""
    training_rows, test = evidence.training_rows, evidence.test
    aucs = single_feature_aucs(training_rows, test)
    rule, rule_auc = _best_rule(evidence.test_sample)
    limits = _Limits(evidence.training.settings, aucs, rule_auc)
    return CheckResult(
        f"{len(aucs)} single features, on {len(test.churned):,} test rows; the best rule ({rule or 'none'}) has an AUC of {rule_auc:.3f}",
        tuple(Finding(f"column {name}", why) for name in _by_auc(aucs) if (why := limits.alarm(name))),
    )


def _by_auc(aucs: dict[str, float]) -> list[str]:
    return sorted(aucs, key=lambda name: (-aucs[name], name))


def _best_rule(test: Dataset) -> tuple[str, float]:
    """Return the rule with the highest AUC, and that AUC; empty and .5 where none applies."""
    known = [name for name, rule in RULES.items() if rule.column in test.profiles.column_names]
    aucs = {name: _two_sided(rule_scores(test.profiles, name), test.churned) for name in known}
    return max(aucs.items(), key=lambda pair: pair[1], default=("", 0.5))


@dataclass(frozen=True)
class _Limits:
    """When a feature is too good alone. A rule of recency or frequency may be that good; what is much better than it may not."""

    settings: AuditSettings
    aucs: dict[str, float]
    rule_auc: float

    def alarm(self, name: str) -> str:
        """Say why a feature is too good; empty: it is not."""
        auc, limit = self.aucs[name], self.settings.single_feature_auc
        if name in _RULE_COLUMNS:  # the best of them is no measure of itself
            return f"alone it reaches an AUC of {auc:.3f}, above {limit}" if auc > limit else ""
        above_rule = max(limit, self.rule_auc + ABOVE_RULE)
        if auc > above_rule:
            return f"alone it reaches an AUC of {auc:.3f}, above {above_rule:.3g}"
        second = max((other for one, other in self.aucs.items() if one != name), default=1.0)
        if auc - max(second, self.rule_auc) > self.settings.single_feature_margin:
            return f"alone it reaches an AUC of {auc:.3f}, the next best feature {second:.3f}"
        return ""


def single_feature_aucs(training_rows: Part, test: Part) -> dict[str, float]:
    """Return each feature's AUC alone: by its values, in either direction, or by the churn rate of a value in the training rows."""
    by_value = aucs_by_value(test.names, test.matrix, churned=test.churned)
    return {
        name: max(auc, _by_rates(training_rows, test, place=place))
        for place, (name, auc) in enumerate(by_value.items())
    }


def aucs_by_value(names: Sequence[str], matrix: Matrix, *, churned: NDArray[np.bool_]) -> dict[str, float]:
    """Return each column's AUC by its values, in either direction; empty where all labels are the same."""
    if churned.all() or not churned.any():
        return {}
    return {name: _two_sided(matrix[:, place], churned) for place, name in enumerate(names)}


def _two_sided(values: Values, churned: NDArray[np.bool_]) -> float:
    auc = metrics.auc(churned, np.nan_to_num(values, nan=np.inf))
    return max(auc, 1 - auc)


def _by_rates(training_rows: Part, test: Part, *, place: int) -> float:
    """Detect codes, missing values and non-monotonic effects, which the order of the values hides."""
    edges = edges_of(training_rows.matrix[:, place])
    known, tested = (binned(part.matrix[:, place], edges) for part in (training_rows, test))
    rows = np.bincount(known, minlength=_BINS + 2)
    rates = np.bincount(known, training_rows.churned, minlength=_BINS + 2) / np.maximum(rows, 1)
    return metrics.auc(test.churned, rates[tested])


def edges_of(column: Values) -> Values:
    """Return the edges of bins of about equal count."""
    known = column[~np.isnan(column)]
    return np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1))) if len(known) else np.zeros(1)


def binned(column: Values, edges: Values) -> NDArray[np.int64]:
    """Return the bin of each value, from 0; the last one holds missing values."""
    return np.where(np.isnan(column), _BINS + 1, np.searchsorted(edges, column, side="right").clip(0, _BINS))


# --- Identifiers and dates -----------------------------------------------------------------------------------------


def identifiers(evidence: Evidence) -> CheckResult:
    """Check for identifiers: about as many values as users, and, if they are numbers, integers that never change."""
    tested, part = evidence.test_of_training_users, evidence.training_rows
    profiles, users = evidence.training_sample.profiles, np.concatenate([part.users, tested.users])
    numbers = np.unique(users, return_inverse=True)[1]
    values = np.concatenate([part.matrix, tested.matrix])
    shares = {
        name: _share_of_texts(profiles.select(["user_id", name]))
        if pa.types.is_string(profiles.column(name).type)
        else _share_of_numbers(values[:, place], numbers)
        for place, name in enumerate(part.names)
    }
    limit = evidence.training.settings.identifier_share
    found = {name: share for name, share in shares.items() if share > limit}
    return CheckResult(
        f"{len(shares)} features of {numbers.max() + 1:,} users",
        tuple(
            Finding(f"column {name}", f"as many values as {share:.0%} of the users") for name, share in found.items()
        ),
    )


def _share_of_texts(column: pa.Table) -> float:
    known = column.drop_null()
    users, values = (len(known.column(place).unique()) for place in (0, 1))
    return values / users if users >= _MIN_USERS else 0.0


def _share_of_numbers(column: Values, users: NDArray[np.int64]) -> float:
    """Return distinct values per user; 0 for fractions and for values that change between snapshots: these are measurements."""
    known = ~np.isnan(column)
    values, owners = column[known], np.unique(users[known], return_inverse=True)[1]
    if np.any(values != np.round(values)) or len(np.unique(owners)) < _MIN_USERS:
        return 0.0
    one_each = np.zeros(owners.max() + 1)
    one_each[owners] = values
    is_constant = len(values) > len(one_each) and np.array_equal(one_each[owners], values)
    return len(np.unique(one_each)) / len(one_each) if is_constant else 0.0


def dates(evidence: Evidence) -> CheckResult:
    """Check for features that identify the snapshot: the same value for all users of a snapshot, different ones between them."""
    snapshots = evidence.snapshots
    return CheckResult(
        f"{len(evidence.training_rows.names)} features at {len(snapshots)} snapshots",
        tuple(
            Finding(f"column {name}", "all users have the same value at a snapshot, and another one at the next")
            for place, name in enumerate(evidence.training_rows.names)
            if _identifies_the_date([matrix[:, place] for _, matrix in snapshots])
        ),
    )


def _identifies_the_date(snapshots: list[Values]) -> bool:
    several = [values for values in snapshots if len(values) > 1]
    if any(values.min() != values.max() for values in several):  # also where one is missing: NaN differs from itself
        return False
    return len({float(values[0]) for values in several}) > max(1, len(several) // 2)


# --- Jumps ---------------------------------------------------------------------------------------------------------


def jumps(evidence: Evidence) -> CheckResult:
    """Check for features whose distribution moves much farther from one snapshot to the next than is usual for them."""
    snapshots, limit = evidence.snapshots, evidence.training.settings.jump
    cutoffs = np.array([cutoff for cutoff, _ in snapshots], dtype="datetime64[D]")
    noise = _NOISE * np.sqrt([1 / len(some) + 1 / len(others) for (_, some), (_, others) in pairwise(snapshots)])
    # a release changes all users at once: these features are meant to show it
    released = {f.name for f in evidence.training.specification.features if "app_version" in f.needs}
    found: list[Finding] = []
    for place, name in enumerate(evidence.training_rows.names):
        if len(snapshots) <= _TWO or name in released:
            continue
        apart = distances([matrix[:, place] for _, matrix in snapshots])
        moved, usual = np.diag(apart, 1), _usual(apart, (cutoffs - cutoffs[0]).astype(int))
        found += [
            Finding(
                f"column {name} at cutoff {cutoffs[step + 1]}",
                f"its distribution moved by {moved[step]:.2f} since {cutoffs[step]}; {usual[step]:.2f} is usual in that time",
            )
            for step in np.flatnonzero(moved > limit + _MAX_TIMES_USUAL * usual + noise)
        ]
    return CheckResult(f"{len(evidence.training_rows.names)} features over {len(snapshots)} snapshots", tuple(found))


def distances(snapshots: Sequence[Values]) -> Values:
    """Return the Kolmogorov-Smirnov distance between each two snapshots, over bins of equal count; shape (n, n)."""
    edges = edges_of(np.concatenate(snapshots))
    counts = np.array([np.bincount(binned(values, edges), minlength=_BINS + 2) for values in snapshots], dtype=float)
    below = np.cumsum(counts / counts.sum(axis=1, keepdims=True), axis=1)
    return np.abs(below[:, None] - below).max(axis=2)


def _usual(apart: Values, days: NDArray[np.int64]) -> Values:
    """Return the usual distance at each step: of snapshots as many days apart, both before or both after it; shape (n - 1,)."""
    first, second = np.triu_indices(len(days), 1)
    spans, moved = days[second] - days[first], apart[first, second]
    usual: list[float] = []
    for step in range(len(days) - 1):
        same_side = (second <= step) | (first > step)
        span = days[step + 1] - days[step]
        longest = min(span, spans[same_side].max())  # extrapolate steady drift where no two snapshots are as far apart
        nearest = spans[same_side & (spans >= longest)].min()
        usual.append(float(np.median(moved[same_side & (spans == nearest)])) * span / longest)
    return np.array(usual)


# --- The canary of random labels -----------------------------------------------------------------------------------


def random_labels(evidence: Evidence) -> CheckResult:
    """Label every row by a coin toss, equal rows by the same one, and check that the labels cannot be predicted.

    Coin tosses are unpredictable, so a model can only know the label of a test row that it was trained on.
    """
    training_rows, test = evidence.training_rows, evidence.test_of_training_users
    coins = _coins([*_fingerprints(training_rows), *_fingerprints(test)], seed=evidence.seed)
    training_coins, test_coins = coins[: len(training_rows.churned)], coins[len(training_rows.churned) :]
    rows = f"{len(training_coins):,} training and {len(test_coins):,} test rows"
    if not 0 < test_coins.sum() < len(test_coins):
        return CheckResult(f"{rows}: too few")
    auc = metrics.auc(test_coins, _memorised(evidence, training_coins))
    limit = 0.5 + _Z_ALARM * _null_spread(test_coins)
    scope = f"{rows}; random labels: AUC {auc:.3f}, by chance up to {limit:.3f}"
    if auc <= limit:
        return CheckResult(scope)
    found = f"random labels are predicted there with an AUC of {auc:.3f}: test rows were trained on"
    return CheckResult(scope, (Finding(f"cutoff {evidence.training.split.test}", found),))


def _fingerprints(part: Part) -> list[int]:
    """Hash rows by user and content, whatever their cutoff column says."""
    return [crc32(row.tobytes(), crc32(user.encode())) for user, row in zip(part.users, part.matrix, strict=True)]


def _coins(rows: list[int], *, seed: int) -> NDArray[np.bool_]:
    values, place = np.unique(rows, return_inverse=True)
    return np.random.default_rng(seed).integers(0, 2, len(values)).astype(bool)[place]


def _memorised(evidence: Evidence, coins: NDArray[np.bool_]) -> Values:
    """Score the test rows with the training's own settings, but with leaves small enough to memorise single rows."""
    training_rows, specification = evidence.training_rows, evidence.training.specification
    small_leaves = {
        "num_leaves": 63,
        "min_data_in_leaf": 2,
        "learning_rate": 0.2,
        "feature_fraction": 0.5,
        "lambda_l2": 0.0,
        "monotone": "none",
    }
    categorical = tuple(name for name in specification.categories if name in training_rows.names)
    fitter = TreeFitter(
        evidence.training.model.model_copy(update=small_leaves), evidence.seed, training_rows.names, categorical
    )
    users = np.unique(training_rows.users, return_inverse=True)[1]
    booster = fitter.fit(Rows(training_rows.matrix, coins, users), rounds=_CANARY_ROUNDS)
    return raw_scores(booster, evidence.test_of_training_users.matrix)


def _null_spread(coins: NDArray[np.bool_]) -> float:
    """Standard deviation of the AUC of random scores (Mann and Whitney 1947)."""
    heads, tails = int(coins.sum()), int((~coins).sum())
    return float(np.sqrt((heads + tails + 1) / (12 * heads * tails)))
