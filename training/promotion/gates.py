"""What a challenger must show, gate by gate. A figure that does not exist passes none."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics import Interval, paired, summary
from training.evaluation.grade import by_chance
from training.evaluation.slices import DIMENSIONS, MIN_OF_A_CLASS, MIN_USERS
from training.promotion.comparison import Comparison
from training.settings import PromotionSettings

CLEAN = "clean"
_LEEWAY = 1.5  # times the calibration error of chance, as in the grade
_OF_95 = 2 * 1.96  # standard errors in an interval
_FOUR_IN_FIVE = 1.96 + 0.84  # standard errors of a difference that is seen four times in five

Chosen = NDArray[np.bool_]


@dataclass(frozen=True)
class Gate:
    """One thing that a challenger must show, and what it showed, in words and figures."""

    name: str
    passed: bool
    says: str
    figures: dict[str, float] = field(default_factory=dict[str, float])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; a figure that does not exist is null."""
        return vars(self) | {"figures": plain(self.figures)}


def plain(figures: dict[str, float]) -> dict[str, float | None]:
    """JSON knows no NaN."""
    return {name: value if math.isfinite(value) else None for name, value in figures.items()}


@dataclass(frozen=True)
class Judge:
    """Looks at one comparison.

    Attributes
    ----------
    audit
        What the challenger's leakage audit found.
    minimum
        Churners, and retained, that there must be.
    """

    comparison: Comparison
    audit: str
    settings: PromotionSettings
    minimum: int
    seed: int

    @cached_property
    def _users(self) -> NDArray[np.int64]:
        return self.comparison.test.users

    def gates(self) -> tuple[Gate, ...]:
        """Every gate; where there are too few users, no other one that looks at them."""
        enough = self.enough()
        if not enough.passed:
            return enough, self.clean()
        return enough, self.log_loss(), self.lift(), self.calibration(), self.slices(), self.clean()

    def enough(self) -> Gate:
        """Enough users of either kind, and a probability from both sides for each."""
        found = self.comparison
        users, churned = self._users, found.test.churned
        churners, retained = (len(np.unique(users[churned == kind])) for kind in (True, False))
        sides = np.stack([found.challenger, found.other])
        unknown = int(np.count_nonzero(~((sides >= 0) & (sides <= 1)).all(axis=0)))
        says = f"{churners} churners and {retained} retained, at least {self.minimum} of each are needed"
        if unknown:
            says += f"; {unknown} probabilities are not numbers between 0 and 1"
        return Gate(
            "enough users",
            min(churners, retained) >= self.minimum and not unknown,
            says,
            {"churners": churners, "retained": retained},
        )

    def log_loss(self) -> Gate:
        """Surely not worse by more than the limit; against a rule, not worse at all."""
        found, limit = self.comparison, self.settings.max_worse_log_loss
        difference = self._paired("log_loss")
        passed = difference.high <= limit and (not found.is_rule or difference.value <= 0)
        if passed:
            verdict = "it is not worse"
        elif found.is_rule and difference.value > 0:
            verdict = "a rule does better"
        else:
            verdict = "it is worse" if difference.low > 0 else "it may be worse"
        says = (
            f"{difference.value:+.4f} against the {found.against} (95 % interval {difference.low:+.4f} to "
            f"{difference.high:+.4f}, which may reach {limit:+.4f}): {verdict}"
        )
        return Gate("log loss", passed, says, _named(difference))

    def lift(self) -> Gate:
        """Not seen to lose more of the lift at 10 % than the limit."""
        found = self.comparison
        own, other = (summary(found.test.churned, side)["lift_at_10"] for side in (found.challenger, found.other))
        difference, allowed = self._paired("lift_at_10"), (self.settings.min_lift_ratio - 1) * other
        passed, share = difference.high >= allowed, 100 * (1 - self.settings.min_lift_ratio)
        says = (
            f"{own:.2f} against {other:.2f} (difference {difference.low:+.2f} to {difference.high:+.2f}): "
            f"{'no loss' if passed else 'a loss'} of more than {share:.0f} % is seen"
        )
        return Gate("lift at 10 %", passed, says, _named(difference) | {"ratio": own / other if other else math.nan})

    def calibration(self) -> Gate:
        """Calibration error under the limit, or what chance shows on so few users, or not above the champion's."""
        found, limit = self.comparison, self.settings.max_calibration_error
        figures = [summary(found.test.churned, side) for side in (found.challenger, found.other)]
        own, other = (one["calibration_error"] for one in figures)
        chance = _LEEWAY * by_chance(figures[0]["churn_rate"], users=found.users)
        allowed = max(limit, chance, 0.0 if found.is_rule else other)
        says = f"{own:.3f}, at most {allowed:.3f}" + _why_more(allowed, limit=limit, chance=chance)
        return Gate("calibration error", own <= allowed, says, {"value": own, "other": other, "allowed": allowed})

    def slices(self) -> Gate:
        """In no slice of the users a log loss that is surely worse by more than the limit."""
        limit = self.settings.max_slice_loss
        found = {name: self._paired("log_loss", of) for name, of in self._cuts()}
        worse = [name for name, difference in found.items() if not difference.low <= limit]
        says = (
            f"worse by more than {limit:.3f} in log loss for {', '.join(worse)}"
            if worse
            else f"{len(found)} slices looked at, none surely worse by more than {limit:.3f} in log loss"
        )
        return Gate("slices", not worse, says, {name: difference.value for name, difference in found.items()})

    def clean(self) -> Gate:
        """A leakage audit that found nothing."""
        needed, audit = self.settings.needs_clean_audit, self.audit
        says = f"found {audit}" if audit and audit != CLEAN else audit or "nobody wrote down what it found"
        return Gate("leakage audit", audit == CLEAN or not needed, says + ("" if needed else "; not asked for"))

    def _cuts(self) -> Iterator[tuple[str, Chosen]]:
        """Yield the slices that are large enough: name, and who is in it, shape (n,)."""
        test = self.comparison.test
        for dimension in DIMENSIONS:
            values = dimension.values(test.profiles)
            for value in sorted(set(values.tolist())) if values is not None else ():
                of: Chosen = values == value
                users, kinds = self._users[of], test.churned[of]
                rarer = min(len(np.unique(users[kinds == kind])) for kind in (True, False))
                if len(np.unique(users)) >= MIN_USERS and rarer >= MIN_OF_A_CLASS:
                    yield f"{dimension.name} {value}", of

    def _paired(self, figure: str, of: Chosen | None = None) -> Interval:
        """Challenger less the other, all rows of a user drawn together."""
        found = self.comparison
        rows = np.ones(len(found.challenger), dtype=np.bool_) if of is None else of
        sides = found.challenger[rows], found.other[rows]
        return paired(found.test.churned[rows], *sides, of=figure, seed=self.seed, users=self._users[rows])


def _named(difference: Interval) -> dict[str, float]:
    return {"difference": difference.value, "low": difference.low, "high": difference.high}


def _why_more(allowed: float, *, limit: float, chance: float) -> str:
    if allowed == limit:
        return ""
    return ", as much as chance shows on so few users" if allowed == chance else ", as much as the champion's"


def power(low: float, high: float, *, users: int, limit: float) -> str:
    """Say which difference in log loss so many users show, and how many it takes for the limit.

    Source: a two-sided test at 5 % sees a difference of 1.96 + 0.84 standard errors four times in five (Cohen 1988,
    Statistical Power Analysis for the Behavioral Sciences, chapter 2); an interval is 2 x 1.96 standard errors wide.

    Examples
    --------
    >>> power(-0.0098, 0.0098, users=1000, limit=0.007)
    'With 1,000 users a difference in log loss of 0.0140 would have been seen four times in five; for one of 0.0070 it takes about 4,000.'
    """
    seen = _FOUR_IN_FIVE * (high - low) / _OF_95
    if seen == 0:
        return f"Both say the same of all {users:,} users: there is no difference to be seen."
    says = f"With {users:,} users a difference in log loss of {seen:.4f} would have been seen four times in five"
    if not limit:
        return f"{says}."
    enough = users * (seen / limit) ** 2
    takes = f"it takes about {enough:,.0f}" if enough > users else "there are enough"
    return f"{says}; for one of {limit:.4f} {takes}."
