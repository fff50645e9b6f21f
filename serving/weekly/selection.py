"""Who is on which list: ranked by risk, cut by band or by the number of contacts, and nobody on two lists.

Every decision is blind to the arm of the user whom it concerns: who is held out is entered into the account of the list exactly as
if they were to be contacted. Capacity counts contacts, so a list ends with the last user before whom there is still room.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serving.score import RISK_BANDS
from serving.settings import ListSettings

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranking:
    """All users as columns of the same length n, by user id.

    Attributes
    ----------
    raw_score
        NaN where there is none.
    band
        Place in :data:`serving.score.RISK_BANDS`, 0 the riskiest.
    held_out
        The arm.
    excluded
        Why nobody is to be contacted; null where there is no reason.
    """

    raw_score: NDArray[np.float64]
    band: NDArray[np.int64]
    held_out: Mask
    excluded: pa.Array[Any]

    @classmethod
    def of(cls, scores: pa.Table, *, held_out: Mask, excluded: pa.Array[Any]) -> Ranking:
        """Take the columns out of a table of scores."""
        raw = scores.column("raw_score").to_numpy()
        bands = scores.column("risk_band").to_numpy(zero_copy_only=False)
        places = np.array([RISK_BANDS.index(band) if band else len(RISK_BANDS) for band in bands], dtype=np.int64)
        return cls(np.asarray(raw, dtype=np.float64), places, held_out, excluded)


@dataclass(frozen=True)
class Selection:
    """The users of one list.

    Attributes
    ----------
    rows
        Places of all who are entered, of both arms, the riskiest first.
    held_out
        For each of them, whether nobody contacts them.
    value
        For each of them, NaN where it is not known.
    excluded
        Why others who were wanted are not on the list, and how many.
    not_reached
        Number of users who were wanted, and are below the cut.
    """

    settings: ListSettings
    rows: NDArray[np.int64]
    held_out: Mask
    value: NDArray[np.float64]
    excluded: dict[str, int]
    not_reached: int

    @property
    def treated(self) -> NDArray[np.int64]:
        """Places of those who are to be contacted, the riskiest first."""
        return self.rows[~self.held_out]


def select(ranked: Ranking, lists: Sequence[ListSettings], *, wanted: Sequence[pa.Table]) -> tuple[Selection, ...]:
    """Fill lists one after the other; who is on one is on no later one.

    Parameters
    ----------
    wanted
        For each list, ``is_wanted`` and ``value`` of every user.
    """
    taken = np.zeros(len(ranked.raw_score), dtype=np.bool_)
    found: list[Selection] = []
    for settings, columns in zip(lists, wanted, strict=True):
        found.append(_select(ranked, settings, columns=columns, taken=taken))
        taken[found[-1].rows] = True
    return tuple(found)


def _select(ranked: Ranking, settings: ListSettings, *, columns: pa.Table, taken: Mask) -> Selection:
    is_wanted = np.asarray(columns.column("is_wanted"), dtype=np.bool_)
    is_free = np.asarray(ranked.excluded.is_null())
    excluded = Counter(map(str, ranked.excluded.filter(pa.array(is_wanted & ~is_free)).to_pylist()))
    if on_earlier := int((is_wanted & is_free & taken).sum()):
        excluded["on an earlier list"] = on_earlier
    among = np.flatnonzero(is_wanted & is_free & ~taken)
    ordered = among[np.argsort(-ranked.raw_score[among], kind="stable")]
    rows = ordered[_is_within_the_cut(ranked, settings, ordered=ordered)]
    value = columns.column("value").to_numpy()[rows]
    return Selection(
        settings, rows, ranked.held_out[rows], value, dict(sorted(excluded.items())), len(ordered) - len(rows)
    )


def _is_within_the_cut(ranked: Ranking, settings: ListSettings, *, ordered: NDArray[np.int64]) -> Mask:
    """Tell who of a ranking is above the cut: by own band, or by how many are to be contacted before."""
    if settings.at_least is not None:
        return ranked.band[ordered] <= RISK_BANDS.index(settings.at_least)
    treated = ~ranked.held_out[ordered]
    return np.cumsum(treated) - treated < (settings.contacts or 0)
