"""Features whose distribution drifts from the earliest to the latest training snapshot.

How well a feature alone separates late rows from early ones is an AUC: 0.5 not at all, 1 completely, so that it reveals the date.
Behaviour does change (a base rate rises, a season passes), and a model may follow it; so a number is dropped only where it reveals
the date. A category that drifts is another matter: a channel that was opened last month was never trained on, and last month's best
one may be the worst today. Its values that drifted are pooled with the unknown ones; where that is not enough, it is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs
from numpy.typing import NDArray

from features.profiles.specification import Specification
from models.encoding import Column
from models.evaluation import metrics
from training.settings import DriftSettings

_MAX_ROWS = 50_000
_MIN_ROWS = 200  # in each of the two snapshots; fewer do not show a distribution
_FACTOR = 2.0
_FAR = 4.0  # standard errors by which a share must have changed, so that rare values are not pooled by chance
_PRIOR = 5.0  # rows with the overall share that are added to the rows of each value

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Drift:
    """How far a feature drifted.

    Attributes
    ----------
    auc
        0.5 to 1: how well it alone separates the latest snapshot from the earliest.
    description
        In words.
    """

    auc: float
    description: str


@dataclass(frozen=True)
class _Ends:
    """Rows of the earliest and of the latest snapshot, sampled where there are many.

    Attributes
    ----------
    chosen
        Which rows of the profiles these are, shape (rows of the profiles,).
    is_late, half
        Of each chosen row: whether it is from the latest snapshot, and in which half of the users.
    """

    profiles: pa.Table
    chosen: Flags
    is_late: Flags
    half: Flags

    def column(self, name: str) -> Column:
        """Return a feature of the chosen rows."""
        return self.profiles.column(name).filter(pa.array(self.chosen))


def find_drift(profiles: pa.Table, specification: Specification, *, settings: DriftSettings) -> dict[str, Drift]:
    """Find the features that drift beyond their limit, the worst first.

    Most users are in both snapshots. That does not bias an AUC and only reduces its error, so no user is excluded. Categories are
    scored by halves of the users, each by the shares in the other, so that no user's own value counts.

    Parameters
    ----------
    profiles
        Training profiles only; more than 50,000 rows are sampled, by a hash of the user.
    """
    ends = _ends(profiles)
    if ends is None:
        return {}
    limits = {True: settings.max_category_auc, False: settings.max_number_auc}
    used = [feature for feature in specification.features if feature.name not in specification.unused]
    found = {
        one.name: _drift(ends, one.name, known=specification.categories.get(one.name), is_text=one.is_text)
        for one in used
    }
    past = {one.name: found[one.name] for one in used if found[one.name].auc > limits[one.is_text]}
    return dict(sorted(past.items(), key=lambda item: (-item[1].auc, item[0])))


def _ends(profiles: pa.Table) -> _Ends | None:
    """Take the earliest and the latest snapshot; None where there is only one, or too few rows."""
    cutoffs = profiles.column("cutoff").to_numpy()
    if len(cutoffs) == 0 or cutoffs.min() == cutoffs.max():
        return None
    chosen = (cutoffs == cutoffs.min()) | (cutoffs == cutoffs.max())
    hashes = user_hashes(profiles.column("user_id").filter(pa.array(chosen)))
    kept = hashes < _MAX_ROWS / len(hashes)
    chosen[chosen] = kept
    is_late = cutoffs[chosen] == cutoffs.max()
    if min(is_late.sum(), (~is_late).sum()) < _MIN_ROWS:
        return None
    return _Ends(profiles, chosen, is_late, (hashes[kept] * 2**20).astype(np.int64) % 2 == 1)


def user_hashes(users: Column) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each row, the same for all rows of a user, on every machine."""
    return pd.util.hash_array(users.to_numpy()) / 2.0**64


def _drift(ends: _Ends, name: str, *, known: tuple[str, ...] | None, is_text: bool) -> Drift:
    column = ends.column(name)
    if not is_text:
        auc = _two_sided(_auc(column.cast(pa.float64()).fill_null(float("-inf")).to_numpy(), ends.is_late))
        return Drift(
            auc, f"it alone separates the latest snapshot from the earliest (AUC {auc:.2f}): it reveals the date"
        )
    auc = _auc_of_codes(_codes(column, known), ends)
    return Drift(auc, f"its values separate the latest snapshot from the earliest (AUC {auc:.2f})")


def _codes(column: Column, known: tuple[str, ...] | None) -> NDArray[np.int64]:
    """Number the values as the model sees them: 0 is null, 1 is any value that the frozen map, where there is one, does not hold."""
    text = column.cast(pa.string())
    values = pa.array(known, pa.string()) if known is not None else pc.unique(text.drop_null())
    places: Column = pc.index_in(text, value_set=values, skip_nulls=True)
    return pc.if_else(pc.is_null(text), 0, pc.add(places.fill_null(-1), 2)).to_numpy().astype(np.int64)


def _auc_of_codes(codes: NDArray[np.int64], ends: _Ends) -> float:
    """Score each half of the users by the shares in the other, so that many rare values do not look like drift."""
    halves = (ends.half, ~ends.half)
    found = [
        _auc(
            _late_shares(codes[other], ends.is_late[other], places=int(codes.max()) + 1)[codes[half]],
            ends.is_late[half],
        )
        for half, other in (halves, halves[::-1])
    ]
    return max(0.5, float(np.mean(found)))


def _late_shares(codes: NDArray[np.int64], is_late: Flags, *, places: int) -> NDArray[np.float64]:
    """Return the late share of each value, shrunk towards the overall share where the value is rare."""
    rows, late = (np.bincount(some, minlength=places) for some in (codes, codes[is_late]))
    return (late + _PRIOR * is_late.mean()) / (rows + _PRIOR)


def _auc(values: NDArray[np.float64], is_late: Flags) -> float:
    """Return the probability that a late row has the greater value, a tie counting half; 0.5 where all rows are of one kind."""
    return 0.5 if is_late.all() or not is_late.any() else metrics.auc(is_late, values)


def _two_sided(auc: float) -> float:
    return max(auc, 1 - auc)


def stable_values(
    profiles: pa.Table, specification: Specification, *, drifts: Mapping[str, Drift]
) -> dict[str, tuple[str, ...]]:
    """Return the categories of the text features that drift, without the values whose share at least doubled or halved.

    A value that is no longer in the map has the code of unknown values.
    """
    ends = _ends(profiles)
    texts = [name for name in drifts if name in specification.categories]
    if ends is None:
        return {}
    return {name: _stable(ends, name, known=specification.categories[name]) for name in texts}


def _stable(ends: _Ends, name: str, *, known: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values whose share is stable, or changed by no more than chance explains."""
    codes = _codes(ends.column(name), known)
    late, early = (np.bincount(codes[some], minlength=len(known) + 2)[2:] for some in (ends.is_late, ~ends.is_late))
    rows_late, rows_early = ends.is_late.sum(), (~ends.is_late).sum()
    after, before = late / rows_late, early / rows_early
    share = (late + early) / len(codes)
    error = np.sqrt(share * (1 - share) * (1 / rows_late + 1 / rows_early))
    has_changed = (np.maximum(after, before) >= _FACTOR * np.minimum(after, before)) & (
        np.abs(after - before) > _FAR * error
    )
    return tuple(value for value, changed in zip(known, has_changed, strict=True) if not changed)


@dataclass(frozen=True)
class StableFeatures:
    """A specification without the features and categories that drift.

    Attributes
    ----------
    dropped
        Feature to the reason why the model does not use it.
    pooled
        Text feature to the values that now have the code of unknown ones.
    """

    specification: Specification
    dropped: dict[str, str]
    pooled: dict[str, tuple[str, ...]]

    def without(self, dropped: Mapping[str, str]) -> StableFeatures:
        """Exclude more features, each for a reason."""
        unused = (*self.specification.unused, *dropped)
        return StableFeatures(
            structs.replace(self.specification, unused=unused), {**self.dropped, **dropped}, self.pooled
        )


def stable_features(profiles: pa.Table, specification: Specification, *, settings: DriftSettings) -> StableFeatures:
    """Pool the categories that drift, and drop the features that drift nevertheless.

    Parameters
    ----------
    profiles
        Training profiles only.
    specification
        With its categories frozen.
    """
    drifts = find_drift(profiles, specification, settings=settings)
    categories = stable_values(profiles, specification, drifts=drifts)
    pooled = structs.replace(specification, categories=specification.categories | categories)
    names = [name for name, values in categories.items() if values]
    only_pooled = structs.replace(pooled, unused=tuple(name for name in pooled.feature_names if name not in names))
    remaining = find_drift(profiles, only_pooled, settings=settings)
    stable = {
        name: _without(specification.categories[name], categories[name]) for name in names if name not in remaining
    }
    dropped = {name: drift.description for name, drift in drifts.items() if name not in stable}
    return StableFeatures(pooled, {}, stable).without(dropped)


def _without(values: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in values if value not in others)
