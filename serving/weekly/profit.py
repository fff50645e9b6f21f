"""What contacting users is expected to earn: the ranking of a list whose costs are known, and where it is cut.

Of the leavers who are contacted, some are saved, which brings what they are worth less the incentive; of the stayers, some take
the incentive too, although they needed none; and every contact costs. A list ends where the next contact would earn nothing.

Source: Neslin, Gupta, Kamakura, Lu and Mason 2006, "Defection Detection", Journal of Marketing Research 43(2), equation 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serving.settings import ListSettings

Numbers = NDArray[np.float64]
_POINTS = 120  # of a curve, so that a picture stays small
_OTHER_SAVE_RATES = (0.5, 1.5)  # times what is assumed: how wrong a save rate may well be


@dataclass(frozen=True)
class ContactCosts:
    """What is known of contacting.

    Attributes
    ----------
    save_rate
        Share of contacted leavers who stay.
    per_contact, incentive
        Money.
    taken_by_stayers
        Share of contacted stayers who take the incentive.
    """

    save_rate: float
    per_contact: float = 0.0
    incentive: float = 0.0
    taken_by_stayers: float = 1.0

    @classmethod
    def of(cls, settings: ListSettings) -> ContactCosts | None:
        """Return what a list says of it; None: it has no save rate, and is ranked by risk."""
        return None if settings.save_rate is None else cls.at(settings.save_rate, settings)

    @classmethod
    def at(cls, save_rate: float, settings: ListSettings) -> ContactCosts:
        """Return what a list says of it, at any save rate."""
        return cls(save_rate, settings.cost_per_contact or 0.0, settings.incentive or 0.0, settings.taken_by_stayers)

    def profit(self, churn_probability: Numbers, value: Numbers) -> Numbers:
        """Return the expected profit of each contact, in the money of the values; who has no value is worth nothing."""
        worth = np.nan_to_num(value, nan=0.0)
        saved = self.save_rate * churn_probability * (worth - self.incentive)
        return saved - self.taken_by_stayers * self.incentive * (1 - churn_probability) - self.per_contact

    def spent_and_earned(self, churn_probability: Numbers, value: Numbers) -> tuple[float, float]:
        """Return what contacting some users costs where it saves nobody, and what it brings where it saves every leaver."""
        worth = np.nan_to_num(value, nan=0.0)
        earned = float((churn_probability * (worth - self.incentive)).sum())
        return -float(replace(self, save_rate=0.0).profit(churn_probability, worth).sum()), earned


@dataclass(frozen=True)
class ProfitRanking:
    """Users who are wanted on a list and whom nothing excludes, the most profitable first, and where the list is cut.

    Attributes
    ----------
    churn_probability, value
        Shape (n,).
    size
        Number of the first users who are on the list.
    also_by_risk
        Number of these who would be on a list as long that is ranked by risk.
    """

    costs: ContactCosts
    churn_probability: Numbers
    value: Numbers
    size: int
    also_by_risk: int

    @classmethod
    def of(
        cls,
        costs: ContactCosts,
        users: tuple[Numbers, Numbers],
        *,
        ordered: NDArray[np.int64],
        rows: NDArray[np.int64],
        by_risk: NDArray[np.int64],
    ) -> ProfitRanking:
        """Describe a ranking of some of all users.

        Parameters
        ----------
        users
            Churn probability and value of all.
        ordered, rows
            Places of the ranking, and of its first ones, who are on the list.
        by_risk
            Places of as many who would be on a list by risk.
        """
        probability, value = users
        return cls(costs, probability[ordered], value[ordered], len(rows), len(np.intersect1d(rows, by_risk)))

    @property
    def profit(self) -> Numbers:
        """Expected profit of each contact, shape (n,)."""
        return self.costs.profit(self.churn_probability, self.value)

    @property
    def total(self) -> float:
        """Expected profit of the list, were all its users contacted."""
        return float(self.profit[: self.size].sum())

    def pays_from(self) -> float:
        """Return the save rate from which the list pays; infinite where none would, as where nobody on it is worth anything."""
        return pays_from([self.costs.spent_and_earned(self.churn_probability[: self.size], self.value[: self.size])])

    def curves(self) -> Iterator[tuple[float, list[tuple[int, float]]]]:
        """Return the save rate as assumed, and were it another; for each, the profit of the first users, by their number."""
        n = len(self.churn_probability)
        at = np.unique(np.linspace(0, n, min(n, _POINTS) + 1).astype(int))
        at = np.unique(np.append(at, self.size))
        for factor in (1.0, *_OTHER_SAVE_RATES):
            rate = min(factor * self.costs.save_rate, 1.0)
            profit = replace(self.costs, save_rate=rate).profit(self.churn_probability, self.value)
            total = np.concatenate([[0.0], np.cumsum(profit)])
            yield rate, [(int(count), float(total[count])) for count in at]


def pays_from(lists: Sequence[tuple[float, float]]) -> float:
    """Return the save rate at which contacts earn nothing; infinite where users are worth no more than the incentive.

    Parameters
    ----------
    lists
        What each list spends, and would earn, as :meth:`ContactCosts.spent_and_earned` finds it.
    """
    spent, earned = (sum(one[place] for one in lists) for place in (0, 1))
    return spent / earned if earned > 0 else float("inf")
