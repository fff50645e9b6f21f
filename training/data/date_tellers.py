"""Numbers that tell the date within a group of users, though not in all of them together.

The age of an app version runs from 0 to the next release of that product. Over all products it looks steady; within one product it
tells the snapshots apart, and with them everything that happened at that time. How well a number tells them is the share of its
variance (of its ranks) between snapshots, within the values of a category: 0 not at all, 1 the date alone decides it.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import rankdata

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
        shares = {
            category: _share(matrix[:, place], groups=codes, snapshot=snapshot) for category, codes in groups.items()
        }
        category = max(shares, key=lambda one: shares[one])
        if shares[category] > SUSPICIOUS:
            found[name] = shares[category], category
    return dict(sorted(found.items(), key=lambda item: (-item[1][0], item[0])))


def describe(share: float, category: str) -> str:
    """Return why a number is excluded, in a sentence."""
    within = f"within each {category} " if category else ""
    return f"{within}the snapshot alone decides {share:.0%} of its variance: {TELLS}"


def _share(values: Values, *, groups: NDArray[np.int64], snapshot: NDArray[np.int64]) -> float:
    """Return the share of the variance of ranks within groups that lies between snapshots, corrected for chance."""
    between = within = 0.0
    for group in np.unique(groups):
        rows = (groups == group) & ~np.isnan(values)
        if rows.sum() < _MIN_ROWS:
            continue
        ranks, at = rankdata(values[rows]), snapshot[rows]
        ranks -= ranks.mean()
        total = float(ranks @ ranks)
        counts = np.bincount(at)
        sums = np.bincount(at, ranks)
        known = counts > 0
        explained = float(np.sum(sums[known] ** 2 / counts[known]))
        by_chance = (known.sum() - 1) / (len(ranks) - 1) * total  # expected where snapshots do not matter
        between += max(0.0, explained - by_chance) / len(ranks) ** 2
        within += total / len(ranks) ** 2
    return between / within if within else 0.0
