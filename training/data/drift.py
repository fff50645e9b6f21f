"""Features whose distribution drifts from the earliest to the latest training snapshot.

How well a feature alone tells a late row from an early one is an AUC: 0.5 cannot tell, 1 tells the date. Behaviour moves
honestly (a base rate rises, a season passes), and a model may follow it; so a number is named only where it tells the date. A
category that moves is another matter: a channel that was opened last month was never trained on, and yesterday's best one may
be today's worst. Its values that moved are pooled with the unknown ones; where that is not enough, the feature is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs
from numpy.typing import NDArray

from features.profiles.specification import Specification
from models.evaluation import metrics
from training.settings import DriftSettings

_MOST_ROWS = 50_000
_FEWEST_ROWS = 200  # of each end; fewer say nothing of a distribution
_FACTOR = 2.0
_FAR = 4.0  # deviations by which a share must have moved, so that rare values are not pooled by chance
_PRIOR = 5.0  # rows of either end that each value is taken to have had beside its own

Flags = NDArray[np.bool_]
Column = Any  # a pyarrow.ChunkedArray: its stubs refuse most operations on one whose type is not known beforehand


@dataclass(frozen=True)
class Drift:
    """How a feature moved.

    Attributes
    ----------
    auc
        0.5 to 1: how well it alone tells the latest snapshot from the earliest.
    says
        The same in words.
    """

    auc: float
    says: str


@dataclass(frozen=True)
class _Ends:
    """The rows of the earliest and of the latest snapshot that are looked at.

    Attributes
    ----------
    chosen
        Which rows of the profiles these are, shape (rows of the profiles,).
    is_late, half
        Of each chosen row: is it of the latest snapshot, and which half of the users is it of.
    """

    profiles: pa.Table
    chosen: Flags
    is_late: Flags
    half: Flags

    def column(self, name: str) -> Column:
        """Return a feature of the chosen rows."""
        return self.profiles.column(name).filter(pa.array(self.chosen))


def drifting(profiles: pa.Table, specification: Specification, *, settings: DriftSettings) -> dict[str, Drift]:
    """Find the features that drift past their limit, the worst first.

    Most users are in both snapshots. That leaves each AUC where it is and only narrows its error, so no user is taken out; the
    halves that score each other's categories are halves of users, so that nobody's own value tells.

    Parameters
    ----------
    profiles
        Training profiles only; of more than 50,000 rows some are taken, by a hash of the user.
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
    drawn = _draws(profiles.column("user_id").filter(pa.array(chosen)))
    kept = drawn < _MOST_ROWS / len(drawn)
    chosen[chosen] = kept
    is_late = cutoffs[chosen] == cutoffs.max()
    if min(is_late.sum(), (~is_late).sum()) < _FEWEST_ROWS:
        return None
    return _Ends(profiles, chosen, is_late, (drawn[kept] * 2**20).astype(np.int64) % 2 == 1)


def _draws(users: Column) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each row, the same for all rows of a user, on every machine."""
    return pd.util.hash_array(users.to_numpy()) / 2.0**64


def _drift(ends: _Ends, name: str, *, known: tuple[str, ...] | None, is_text: bool) -> Drift:
    column = ends.column(name)
    if not is_text:
        auc = _folded(_auc(column.cast(pa.float64()).fill_null(float("-inf")).to_numpy(), ends.is_late))
        return Drift(auc, f"it alone tells the latest snapshot from the earliest (AUC {auc:.2f}): it tells the date")
    auc = _auc_of_codes(_codes(column, known), ends)
    return Drift(auc, f"its values tell the latest snapshot from the earliest (AUC {auc:.2f})")


def _codes(column: Column, known: tuple[str, ...] | None) -> NDArray[np.int64]:
    """Number the values as the model sees them: 0 is null, 1 whatever is not in the frozen map, where there is one."""
    text = column.cast(pa.string())
    values = pa.array(known, pa.string()) if known is not None else pc.unique(text.drop_null())
    places: Column = pc.index_in(text, value_set=values, skip_nulls=True)
    return pc.if_else(pc.is_null(text), 0, pc.add(places.fill_null(-1), 2)).to_numpy().astype(np.int64)


def _auc_of_codes(codes: NDArray[np.int64], ends: _Ends) -> float:
    """Score each half of the users by the shares in the other, so that a thousand rare values do not look like a drift."""
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
    """Return how much of each value is late; a rare value leans on the share of all."""
    rows, late = (np.bincount(some, minlength=places) for some in (codes, codes[is_late]))
    return (late + _PRIOR * is_late.mean()) / (rows + _PRIOR)


def _auc(values: NDArray[np.float64], is_late: Flags) -> float:
    """Return the chance that a late row has the greater value, ties counting half; of one kind of rows, half."""
    return 0.5 if is_late.all() or not is_late.any() else metrics.auc(is_late, values)


def _folded(auc: float) -> float:
    return max(auc, 1 - auc)


def steady_values(
    profiles: pa.Table, specification: Specification, *, drifts: Mapping[str, Drift]
) -> dict[str, tuple[str, ...]]:
    """Return the categories of the text features that drift, without the values whose share at least doubled or halved.

    What is no longer in the map shares the code of values that were never seen.
    """
    ends = _ends(profiles)
    texts = [name for name in drifts if name in specification.categories]
    if ends is None:
        return {}
    return {name: _steady(ends, name, known=specification.categories[name]) for name in texts}


def _steady(ends: _Ends, name: str, *, known: tuple[str, ...]) -> tuple[str, ...]:
    """Keep the values whose share stayed, or moved by no more than chance moves it."""
    codes = _codes(ends.column(name), known)
    late, early = (np.bincount(codes[some], minlength=len(known) + 2)[2:] for some in (ends.is_late, ~ends.is_late))
    rows_late, rows_early = ends.is_late.sum(), (~ends.is_late).sum()
    after, before = late / rows_late, early / rows_early
    share = (late + early) / len(codes)
    error = np.sqrt(share * (1 - share) * (1 / rows_late + 1 / rows_early))
    has_moved = (np.maximum(after, before) >= _FACTOR * np.minimum(after, before)) & (
        np.abs(after - before) > _FAR * error
    )
    return tuple(value for value, moved in zip(known, has_moved, strict=True) if not moved)


def to_drop(drifts: Mapping[str, Drift]) -> dict[str, str]:
    """Say why each feature that drifts, with its categories pooled already, is better not looked at."""
    return {name: drift.says for name, drift in drifts.items()}


@dataclass(frozen=True)
class StableFeatures:
    """A specification without what drifts.

    Attributes
    ----------
    dropped
        Feature to why the model does not look at it.
    pooled
        Text feature to the values that now share the code of unknown ones.
    """

    specification: Specification
    dropped: dict[str, str]
    pooled: dict[str, tuple[str, ...]]


def stable_features(profiles: pa.Table, specification: Specification, *, settings: DriftSettings) -> StableFeatures:
    """Pool the categories that drift, and drop what drifts all the same.

    Parameters
    ----------
    profiles
        Training profiles only.
    specification
        With its categories frozen.
    """
    drifts = drifting(profiles, specification, settings=settings)
    categories = steady_values(profiles, specification, drifts=drifts)
    trial = structs.replace(specification, categories=specification.categories | categories)
    tried = [name for name, values in categories.items() if values]
    again = structs.replace(trial, unused=tuple(name for name in trial.feature_names if name not in tried))
    still = drifting(profiles, again, settings=settings)
    helped = {name: _without(specification.categories[name], categories[name]) for name in tried if name not in still}
    dropped = to_drop({name: drift for name, drift in drifts.items() if name not in helped})
    return StableFeatures(structs.replace(trial, unused=(*specification.unused, *dropped)), dropped, helped)


def _without(values: tuple[str, ...], kept: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(value for value in values if value not in kept)
