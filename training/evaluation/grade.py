"""How good a model is in one word, with the rule of that word."""

from __future__ import annotations

import math
from collections.abc import Mapping

from models.evaluation.metrics import Interval
from models.evaluation.results import BaselineResults, Grade

SUSPICIOUS_AUC = 0.90
ABOVE_RULE = 0.05  # a rule that is that good itself leaves no more than that to a leak
WEAK_AUC = 0.60
STRONG_GAIN = 0.01
STRONG_CALIBRATION, GOOD_CALIBRATION = 0.03, 0.05
_BINS = 10
LEEWAY = 1.5  # times the calibration error that chance produces

RULES = {
    "suspicious (likely leak)": f"AUC of {SUSPICIOUS_AUC:.2f} or more, and {ABOVE_RULE:.2f} above the better rule: churn is not "
    "that easy to predict, so a feature probably knows the future, or users are scored who had already left",
    "no better than a rule": "the interval of the gain in AUC over the better rule reaches down to 0 or below",
    "weak": f"better than every rule, but AUC under {WEAK_AUC:.2f} or calibration error above {GOOD_CALIBRATION:.2f}",
    "strong": f"the whole interval of the gain in AUC over the better rule is {STRONG_GAIN:.2f} or more, and the calibration "
    f"error is at most {STRONG_CALIBRATION:.2f}",
    "good": f"better than every rule by more than chance, AUC of {WEAK_AUC:.2f} or more, and calibration error at most "
    f"{GOOD_CALIBRATION:.2f}",
}
SMALL_TESTS = f"Where a test is so small that a perfectly calibrated model would show a larger error, {LEEWAY:g} times that is allowed."


def grade(
    metrics: Mapping[str, Interval], *, users: int, better: BaselineResults | None, variance: float | None = None
) -> Grade:
    """Grade a model by its metrics; where no rule applies to the log, it is compared with chance (AUC .5).

    Parameters
    ----------
    variance
        Mean of p (1 - p) over the probabilities; default: that of the churn rate for all, which is larger.
    """
    auc, error = metrics["auc"], metrics["calibration_error"].value
    gain = better.difference_auc if better else Interval(auc.value - 0.5, auc.low - 0.5, auc.high - 0.5)
    rate = metrics["churn_rate"].value
    chance = by_chance(rate * (1 - rate) if variance is None else variance, users=users)
    is_suspicious = auc.value >= max(SUSPICIOUS_AUC, better.auc.value + ABOVE_RULE if better else 0)
    name = _name(auc.value, is_suspicious=is_suspicious, gain=gain.low, error=error, chance=chance)
    why = (
        f"AUC {auc.value:.3f}, {gain.value:+.3f} over the better rule ({gain.low:+.3f} to {gain.high:+.3f}), "
        f"calibration error {error:.3f} (a perfect model would show about {chance:.3f} by chance; up to "
        f"{max(GOOD_CALIBRATION, LEEWAY * chance):.3f} is good)"
    )
    return Grade(name, RULES[name], why)


def by_chance(variance: float, *, users: int) -> float:
    """Calibration error that a perfectly calibrated model shows on so many users, by chance alone.

    Parameters
    ----------
    variance
        Mean of p (1 - p) over the probabilities.

    Source: the mean absolute deviation of a normal variable, sqrt(2 / pi) sigma, with the sigma of a share in a bin.

    Examples
    --------
    >>> round(by_chance(0.25, users=1000), 4)
    0.0399
    """
    return math.sqrt(2 / math.pi * variance * _BINS / users)


def _name(auc: float, *, is_suspicious: bool, gain: float, error: float, chance: float) -> str:
    if is_suspicious:
        return "suspicious (likely leak)"
    if not gain > 0:
        return "no better than a rule"
    if auc < WEAK_AUC or error > max(GOOD_CALIBRATION, LEEWAY * chance):
        return "weak"
    is_strong = gain >= STRONG_GAIN and error <= max(STRONG_CALIBRATION, LEEWAY * chance)
    return "strong" if is_strong else "good"
