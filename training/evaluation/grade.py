"""How good a model is in one word, with the rule of that word."""

from __future__ import annotations

from collections.abc import Mapping

from models.evaluation.baselines import ABOVE_RULE
from models.evaluation.metrics import Interval
from models.evaluation.results import BaselineResults, Grade

SUSPICIOUS_AUC = 0.90
WEAK_AUC = 0.60
STRONG_GAIN = 0.01
STRONG_CALIBRATION, GOOD_CALIBRATION = 0.03, 0.05

RULES = {
    "suspicious (likely leak)": f"AUC of {SUSPICIOUS_AUC:.2f} or more, and {ABOVE_RULE:.2f} above the best rule: churn is not "
    "that easy to predict, so a feature probably knows the future, or users are scored who had already left",
    "no better than a rule": "the interval of the gain in AUC over the best rule reaches down to 0 or below",
    "weak": f"better than every rule, but AUC under {WEAK_AUC:.2f} or calibration error above {GOOD_CALIBRATION:.2f}",
    "strong": f"the whole interval of the gain in AUC over the best rule is {STRONG_GAIN:.2f} or more, and the calibration "
    f"error is at most {STRONG_CALIBRATION:.2f}",
    "good": f"better than every rule by more than chance, AUC of {WEAK_AUC:.2f} or more, and calibration error at most "
    f"{GOOD_CALIBRATION:.2f}",
}


def grade(metrics: Mapping[str, Interval], *, better: BaselineResults | None, by_chance: float) -> Grade:
    """Grade a model by its metrics; where no rule applies to the log, it is compared with chance (AUC .5).

    Parameters
    ----------
    by_chance
        Calibration error that true probabilities show in 95 of 100 draws of labels, at most: allowed where it is above the limit.
    """
    auc, error = metrics["auc"], metrics["calibration_error"].value
    gain = better.difference_auc if better else Interval(auc.value - 0.5, auc.low - 0.5, auc.high - 0.5)
    is_suspicious = auc.value >= max(SUSPICIOUS_AUC, better.auc.value + ABOVE_RULE if better else 0)
    name = _name(auc.value, is_suspicious=is_suspicious, gain=gain.low, error=error, by_chance=by_chance)
    limit = STRONG_CALIBRATION if name == "strong" else GOOD_CALIBRATION
    why = (
        f"AUC {auc.value:.3f}, {gain.value:+.3f} over the best rule ({gain.low:+.3f} to {gain.high:+.3f}), "
        f"calibration error {error:.3f}, {_allowance(limit, by_chance)}"
    )
    return Grade(name, RULES[name], why)


def _allowance(limit: float, by_chance: float) -> str:
    """Say which calibration error was allowed, and why.

    Examples
    --------
    >>> _allowance(0.05, 0.02), _allowance(0.05, 0.0613)
    ('where 0.05 is allowed', 'where 0.061 is allowed: true probabilities show as much by chance on so few users')
    """
    if by_chance <= limit:
        return f"where {limit:.2f} is allowed"
    return f"where {by_chance:.3f} is allowed: true probabilities show as much by chance on so few users"


def _name(auc: float, *, is_suspicious: bool, gain: float, error: float, by_chance: float) -> str:
    if is_suspicious:
        return "suspicious (likely leak)"
    if not gain > 0:
        return "no better than a rule"
    if auc < WEAK_AUC or error > max(GOOD_CALIBRATION, by_chance):
        return "weak"
    is_strong = gain >= STRONG_GAIN and error <= max(STRONG_CALIBRATION, by_chance)
    return "strong" if is_strong else "good"
