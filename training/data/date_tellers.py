"""Numbers that tell the date within a group of users, though not in all of them together.

The age of an app version runs from 0 to the next release of that product. Over all products it looks steady; within one product it
tells the snapshots apart, and with them everything that happened at that time. How well a number tells them is the share of its
variance (of its ranks) between snapshots, within the values of a category: 0 not at all, 1 the date alone decides it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.profiles.specification import Specification
from models.arrays import Values
from models.encoding import encode
from training.data.drift import user_hashes

SUSPICIOUS, CERTAIN = 0.3, 0.8  # share of the variance
TELLS = "it tells the date"
_MAX_ROWS = 20_000
_MIN_ROWS = 100  # of a group; in fewer, chance tells snapshots apart
_MIN_SNAPSHOTS = 2


def date_tellers(profiles: pa.Table, specification: Specification) -> dict[str, tuple[float, str]]:
    """Find the numbers that tell the date, alone or within the values of a category; the most certain first.

    Parameters
    ----------
    profiles
        Training profiles only; more than 20,000 rows are sampled, by a hash of the user.

    Returns
    -------
    Feature to the share of its variance that the date decides, and the category within whose values (empty: in all users).
    """
    chosen = user_hashes(profiles.column("user_id")) < _MAX_ROWS / max(profiles.num_rows, 1)
    sample = profiles.filter(pa.array(chosen))
    snapshot = np.unique(sample.column("cutoff").to_numpy(), return_inverse=True)[1]
    if len(snapshot) < _MIN_ROWS or snapshot.max() + 1 < _MIN_SNAPSHOTS:
        return {}
    matrix, names = encode(sample, specification), specification.feature_names
    groups = {"": np.zeros(len(snapshot), dtype=np.int64)} | {
        name: np.nan_to_num(matrix[:, names.index(name)], nan=-1).astype(np.int64)
        for name in specification.categories
        if name not in specification.unused
    }
    found: dict[str, tuple[float, str]] = {}
    for place, name in enumerate(names):
        if name in specification.unused or name in specification.categories:
            continue
        shares = _shares(matrix[:, place], groups=groups, snapshot=snapshot)
        category = max(shares, key=lambda one: shares[one])
        if shares[category] > SUSPICIOUS:
            found[name] = shares[category], category
    return dict(sorted(found.items(), key=lambda item: (-item[1][0], item[0])))


def describe(share: float, category: str) -> str:
    """Return why a number is excluded, in a sentence."""
    within = f"within each {category} " if category else ""
    return f"{within}the snapshot alone decides {share:.0%} of its variance: {TELLS}"


def _shares(
    values: Values, *, groups: Mapping[str, NDArray[np.int64]], snapshot: NDArray[np.int64]
) -> dict[str, float]:
    """Return category to the share that the snapshots decide within its values; the numbers are sorted once for all of them."""
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    ascending, at = values[order], snapshot[order]
    return {category: _share(ascending, groups=codes[order], snapshot=at) for category, codes in groups.items()}


def _share(ascending: Values, *, groups: NDArray[np.int64], snapshot: NDArray[np.int64]) -> float:
    """Return the share of the variance of ranks within groups that lies between snapshots, corrected for chance."""
    by_group = np.argsort(groups, kind="stable")  # within a group, numbers still ascend
    values, snapshot = ascending[by_group], snapshot[by_group]
    _, starts, group, sizes = np.unique(groups[by_group], return_index=True, return_inverse=True, return_counts=True)
    ranks = _mean_ranks(values, group, place=np.arange(len(values)) - starts[group]) - (sizes[group] - 1) / 2
    shape = len(sizes), int(snapshot.max(initial=0)) + 1
    cell, cells = group * shape[1] + snapshot, shape[0] * shape[1]
    counts = np.bincount(cell, minlength=cells).reshape(shape)
    sums = np.bincount(cell, ranks, minlength=cells).reshape(shape)
    total = np.bincount(group, ranks**2, minlength=shape[0])
    explained = (sums**2 / np.maximum(counts, 1)).sum(axis=1)
    by_chance = ((counts > 0).sum(axis=1) - 1) / np.maximum(sizes - 1, 1) * total  # where snapshots do not matter
    is_large = sizes >= _MIN_ROWS
    between = (np.maximum(0.0, explained - by_chance) / sizes**2)[is_large].sum()
    within = (total / sizes**2)[is_large].sum()
    return float(between / within) if within else 0.0


def _mean_ranks(values: Values, group: NDArray[np.int64], *, place: NDArray[np.int64]) -> Values:
    """Return each number's place in its group; equal numbers share the mean of theirs."""
    is_new = (values[1:] != values[:-1]) | (group[1:] != group[:-1])
    tie = np.concatenate([np.zeros(min(1, len(values)), dtype=np.int64), np.cumsum(is_new)])
    return (np.bincount(tie, place) / np.bincount(tie))[tie]
