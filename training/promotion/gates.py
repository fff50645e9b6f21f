"""The gates that a challenger must pass. An undefined metric fails every gate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrays import Values
from models.evaluation.metrics import Interval, paired, summary
from models.evaluation.reliability import Reliability
from training.evaluation.slices import DIMENSIONS, MIN_OF_A_CLASS, MIN_USERS
from training.promotion.comparison import Comparison
from training.settings import PromotionSettings

CLEAN = "clean"
_WIDTH_95 = 2 * 1.96  # standard errors in an interval
_DETECTABLE = 1.96 + 0.84  # standard errors of a difference that is detected four times in five

# gate to the setting that it is about
SETTINGS = {
    "enough users": "[training] min_class_users",
    "log loss": "[promotion] max_worse_log_loss",
    "lift at 10 %": "[promotion] min_lift_ratio",
    "calibration error": "[promotion] max_calibration_error",
    "slices": "[promotion] max_slice_loss",
    "leakage audit": "[promotion] needs_clean_audit",
}

Chosen = NDArray[np.bool_]


@dataclass(frozen=True)
class Gate:
    """One requirement for a challenger, and its result, in words and metrics."""

    name: str
    passed: bool
    details: str
    metrics: dict[str, float] = field(default_factory=dict[str, float])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; an undefined metric is null."""
        return {"name": self.name, "passed": self.passed, "says": self.details, "figures": plain(self.metrics)}


def plain(metrics: dict[str, float]) -> dict[str, float | None]:
    """Replace NaN and infinity, which JSON does not have, by None."""
    return {name: value if math.isfinite(value) else None for name, value in metrics.items()}


@dataclass(frozen=True)
class PromotionGates:
    """The gates of one comparison.

    Attributes
    ----------
    audit
        The result of the challenger's leakage audit.
    minimum
        Minimum number of churners, and of retained users.
    """

    comparison: Comparison
    audit: str
    settings: PromotionSettings
    minimum: int
    seed: int

    @cached_property
    def _users(self) -> NDArray[np.int64]:
        return self.comparison.test.users

    def all(self) -> tuple[Gate, ...]:
        """Every gate; where there are too few users, only the gates that do not depend on them."""
        enough = self.enough()
        if not enough.passed:
            return enough, self.clean()
        return enough, self.log_loss(), self.lift(), self.calibration(), self.slices(), self.clean()

    def enough(self) -> Gate:
        """Enough users of each class, and a probability from both sides for every user."""
        found = self.comparison
        users, churned = self._users, found.test.churned
        churners, retained = (len(np.unique(users[churned == kind])) for kind in (True, False))
        sides = np.stack([found.challenger, found.other])
        unknown = int(np.count_nonzero(~((sides >= 0) & (sides <= 1)).all(axis=0)))
        details = f"{churners} churners and {retained} retained users, at least {self.minimum} of each are required"
        if unknown:
            details += f"; {unknown} probabilities are not numbers between 0 and 1"
        return Gate(
            "enough users",
            min(churners, retained) >= self.minimum and not unknown,
            details,
            {"churners": churners, "retained": retained},
        )

    def log_loss(self) -> Gate:
        """Significantly not worse by more than the limit; against a rule, not worse at all."""
        found, limit = self.comparison, self.settings.max_worse_log_loss
        difference = self._paired("log_loss")
        passed = difference.high <= limit and (not found.is_rule or difference.value <= 0)
        if passed:
            verdict = "it is not worse"
        elif found.is_rule and difference.value > 0:
            verdict = "a rule does better"
        else:
            verdict = "it is worse" if difference.low > 0 else "it may be worse"
        details = (
            f"{difference.value:+.4f} against the {found.against} (95 % interval {difference.low:+.4f} to "
            f"{difference.high:+.4f}, limit {limit:+.4f}): {verdict}"
        )
        return Gate("log loss", passed, details, _named(difference))

    def lift(self) -> Gate:
        """No significant loss of the lift at 10 % beyond the limit."""
        found = self.comparison
        own, other = (self._metrics(side)["lift_at_10"] for side in (found.challenger, found.other))
        difference, allowed = self._paired("lift_at_10"), (self.settings.min_lift_ratio - 1) * other
        passed, share = difference.high >= allowed, 100 * (1 - self.settings.min_lift_ratio)
        details = (
            f"{own:.2f} against {other:.2f} (difference {difference.low:+.2f} to {difference.high:+.2f}): "
            f"{'no significant loss' if passed else 'a significant loss'} of more than {share:.0f} %"
        )
        return Gate("lift at 10 %", passed, details, _named(difference) | {"ratio": own / other if other else math.nan})

    def calibration(self) -> Gate:
        """Calibration error within the limit, or within chance for so few users, or not above the champion's."""
        found, limit = self.comparison, self.settings.max_calibration_error
        own, other = (self._metrics(side)["calibration_error"] for side in (found.challenger, found.other))
        chance = self._calibration_error_by_chance()
        allowed = max(limit, chance, 0.0 if found.is_rule else other)
        details = f"{own:.3f}, at most {allowed:.3f}" + _why_above_limit(allowed, limit=limit, chance=chance)
        return Gate("calibration error", own <= allowed, details, {"value": own, "other": other, "allowed": allowed})

    def _calibration_error_by_chance(self) -> float:
        """The 95 % point of what true probabilities show; several rows of a user count as one."""
        found = self.comparison
        weights = found.test.weights
        by_rows = Reliability.of(found.test.churned, found.challenger, seed=self.seed, weights=weights).by_chance_95
        return by_rows * math.sqrt(len(found.challenger) / found.users)

    def slices(self) -> Gate:
        """No slice with a log loss that is significantly worse by more than the limit."""
        limit = self.settings.max_slice_loss
        found = {name: self._paired("log_loss", of) for name, of in self._cuts()}
        worse = [name for name, difference in found.items() if not difference.low <= limit]
        details = (
            f"worse by more than {limit:.3f} in log loss for {', '.join(worse)}"
            if worse
            else f"{len(found)} slices compared, none significantly worse by more than {limit:.3f} in log loss"
        )
        return Gate("slices", not worse, details, {name: difference.value for name, difference in found.items()})

    def clean(self) -> Gate:
        """A leakage audit without findings."""
        needed, audit = self.settings.needs_clean_audit, self.audit
        details = f"found {audit}" if audit and audit != CLEAN else audit or "no result was recorded"
        return Gate("leakage audit", audit == CLEAN or not needed, details + ("" if needed else "; not required"))

    def _cuts(self) -> Iterator[tuple[str, Chosen]]:
        """Yield the slices that are large enough: name and mask of users, shape (n,)."""
        test = self.comparison.test
        for dimension in DIMENSIONS:
            values = dimension.values(test.profiles)
            for value in sorted(set(values.tolist())) if values is not None else ():
                of: Chosen = values == value
                users, kinds = self._users[of], test.churned[of]
                rarer = min(len(np.unique(users[kinds == kind])) for kind in (True, False))
                if len(np.unique(users)) >= MIN_USERS and rarer >= MIN_OF_A_CLASS:
                    yield f"{dimension.name} {value}", of

    def _paired(self, metric: str, of: Chosen | None = None) -> Interval:
        """Challenger less the other, all rows of a user resampled together."""
        found = self.comparison
        rows = np.ones(len(found.challenger), dtype=np.bool_) if of is None else of
        sides, test = (found.challenger[rows], found.other[rows]), found.test.only(rows)
        return paired(test.churned, *sides, of=metric, seed=self.seed, users=self._users[rows], weights=test.weights)

    def _metrics(self, probability: Values) -> dict[str, float]:
        test = self.comparison.test
        return summary(test.churned, probability, weights=test.weights)


def _named(difference: Interval) -> dict[str, float]:
    return {"difference": difference.value, "low": difference.low, "high": difference.high}


def _why_above_limit(allowed: float, *, limit: float, chance: float) -> str:
    if allowed == limit:
        return ""
    return ", by chance on so few users" if allowed == chance else ", as high as the champion's"


def power(low: float, high: float, *, users: int, limit: float) -> str:
    """Describe which difference in log loss so many users can detect, and how many the limit takes.

    Source: a two-sided test at 5 % detects a difference of 1.96 + 0.84 standard errors four times in five (Cohen 1988,
    Statistical Power Analysis for the Behavioral Sciences, chapter 2); an interval is 2 x 1.96 standard errors wide.

    Examples
    --------
    >>> power(-0.0098, 0.0098, users=1000, limit=0.007)
    'With 1,000 users a difference in log loss of 0.0140 is detected four times in five; one of 0.0070 takes about 4,000.'
    """
    detectable = _DETECTABLE * (high - low) / _WIDTH_95
    if detectable == 0:
        return f"Both give all {users:,} users the same probability: there is no difference to detect."
    details = f"With {users:,} users a difference in log loss of {detectable:.4f} is detected four times in five"
    if not limit:
        return f"{details}."
    enough = users * (detectable / limit) ** 2
    takes = f"takes about {enough:,.0f}" if enough > users else "does not take more"
    return f"{details}; one of {limit:.4f} {takes}."
