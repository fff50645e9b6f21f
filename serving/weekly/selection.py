"""Who is on which list: ranked by risk or by profit, cut by band, by the number of contacts or by profit, and nobody on two lists.

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

from serving.score import RISK_BANDS, SCORED_BY
from serving.settings import Band, ListSettings
from serving.weekly.profit import ContactCosts, ProfitRanking

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ranking:
    """All users as columns of the same length n, by user id.

    Attributes
    ----------
    raw_score, churn_probability
        NaN where there is none. Where two models scored, ``raw_score`` is the place among all by churn probability.
    band
        Place in :data:`serving.score.RISK_BANDS`, 0 the riskiest.
    held_out
        The arm.
    excluded
        Why nobody is to be contacted; null where there is no reason.
    """

    raw_score: NDArray[np.float64]
    churn_probability: NDArray[np.float64]
    band: NDArray[np.int64]
    held_out: Mask
    excluded: pa.Array[Any]

    @classmethod
    def of(cls, scores: pa.Table, *, held_out: Mask, excluded: pa.Array[Any]) -> Ranking:
        """Take the columns out of a table of scores."""
        raw, probability = (
            np.asarray(scores.column(name).to_numpy(), dtype=np.float64) for name in ("raw_score", "churn_probability")
        )
        if SCORED_BY in scores.column_names:  # raw scores of two models do not compare, probabilities do
            _, places = np.unique(np.column_stack([probability, raw]), axis=0, return_inverse=True)
            raw = np.where(np.isnan(raw), np.nan, places.ravel())
        bands = scores.column("risk_band").to_numpy(zero_copy_only=False)
        places = np.array([RISK_BANDS.index(band) if band else len(RISK_BANDS) for band in bands], dtype=np.int64)
        return cls(raw, probability, places, held_out, excluded)


@dataclass(frozen=True)
class Selection:
    """The users of one list.

    Attributes
    ----------
    rows
        Places of all who are entered, of both arms, the riskiest or the most profitable first.
    held_out
        For each of them, whether nobody contacts them.
    value
        For each of them, NaN where it is not known.
    excluded
        Why others who were wanted are not on the list, and how many.
    not_reached
        Number of users who were wanted, and are below the cut.
    by_profit
        The ranking, where the list's costs are known; None: it is ranked by risk.
    """

    settings: ListSettings
    rows: NDArray[np.int64]
    held_out: Mask
    value: NDArray[np.float64]
    excluded: dict[str, int]
    not_reached: int
    by_profit: ProfitRanking | None = None

    @property
    def treated(self) -> NDArray[np.int64]:
        """Places of those who are to be contacted, in the order of the list."""
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
    users = ranked.churn_probability, columns.column("value").to_numpy()
    costs = ContactCosts.of(settings)
    profit = costs.profit(*users) if costs else None
    by_risk = _by_risk(ranked, among, at_least=settings.at_least)
    ordered = by_risk if profit is None else by_risk[np.argsort(-profit[by_risk], kind="stable")]
    rows = ordered[: _size(ranked, settings, ordered=ordered, profit=profit)]
    return Selection(
        settings,
        rows,
        ranked.held_out[rows],
        users[1][rows],
        dict(sorted(excluded.items())),
        len(among) - len(rows),
        costs and ProfitRanking.of(costs, users, ordered=ordered, rows=rows, by_risk=by_risk[: len(rows)]),
    )


def _by_risk(ranked: Ranking, among: NDArray[np.int64], *, at_least: Band | None) -> NDArray[np.int64]:
    """Order users by raw score, the riskiest first; only those of a band or a riskier one."""
    lowest = len(RISK_BANDS) if at_least is None else RISK_BANDS.index(at_least)
    wanted = among[ranked.band[among] <= lowest]
    return wanted[np.argsort(-ranked.raw_score[wanted], kind="stable")]


def _size(
    ranked: Ranking, settings: ListSettings, *, ordered: NDArray[np.int64], profit: NDArray[np.float64] | None
) -> int:
    """Return how many of a ranking are above the cut: before whom there is room, and who earn something."""
    treated, size = ~ranked.held_out[ordered], len(ordered)
    if settings.contacts is not None:
        size = int((np.cumsum(treated) - treated < settings.contacts).sum())
    return size if profit is None else min(size, int((profit[ordered] > 0).sum()))
