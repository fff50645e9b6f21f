"""Challenger against champion on a later cutoff than either was trained on; the decision and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from scipy.stats import bootstrap
from sklearn.metrics import log_loss

from features import profiles
from features.activity import Activity
from features.errors import GuardRefused
from features.settings import ChurnSettings
from features.snapshots import LabelWindow
from models.baselines import RULES, rule_scores
from models.churn_model import ChurnModel
from models.metrics import auc
from training.dataset import Dataset, stack

_RESAMPLES = 500


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion, why, and the figures behind it."""

    is_promoted: bool
    why: str
    cutoff: date
    figures: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {"promoted": self.is_promoted, "why": self.why, "cutoff": str(self.cutoff), **self.figures}


def decide(
    activity: Activity, challenger: ChurnModel, *, champion: ChurnModel | None, churn: ChurnSettings
) -> Decision:
    """Compare on the latest finished cutoff, which both models must not have seen.

    Without a champion the better rule stands in for it.

    Raises
    ------
    GuardRefused
        When the models predict different things, or no finished cutoff is later than what either was trained on.
    """
    if champion and champion.frozen_churn != challenger.frozen_churn:
        raise GuardRefused(
            "challenger and champion were trained on different [churn] sections: they predict different things",
            hint="register the new definition under a name of its own: [project] name",
        )
    cutoff = _unseen_cutoff(activity, [challenger] + ([champion] if champion else []), churn=churn)
    test = stack(activity, challenger.specification, cutoffs=[cutoff], churn=churn)
    if champion is None:
        return _against_rules(test, challenger, cutoff=cutoff)
    return _against_champion(activity, test, challenger=challenger, champion=champion)


def _unseen_cutoff(activity: Activity, models: list[ChurnModel], *, churn: ChurnSettings) -> date:
    window = LabelWindow(churn.gap_days, churn.horizon_days)
    latest = window.latest_finished(activity.coverage.covered_until)
    seen = max(model.quality.trained_through for model in models)
    if latest < seen:
        raise GuardRefused(
            f"no finished cutoff is later than what the models were trained on: the latest is {latest}, they saw {seen}",
            hint=f"try again when the log covers {seen + timedelta(days=window.days_to_label)}",
        )
    return latest


def _against_rules(test: Dataset, challenger: ChurnModel, *, cutoff: date) -> Decision:
    own = auc(test.churned, challenger.predict_probability(test.profiles))
    rules = {rule: auc(test.churned, rule_scores(test.profiles, rule)) for rule in RULES}
    better = max(rules, key=lambda rule: rules[rule])
    is_promoted = own >= rules[better]
    why = (
        f"no champion yet; on cutoff {cutoff} the challenger's AUC is {own:.3f}, the {better} rule's {rules[better]:.3f}: "
        + ("it is not worse" if is_promoted else "a rule does better")
    )
    return Decision(is_promoted, why, cutoff, {"challenger.auc": own} | {f"{rule}.auc": rules[rule] for rule in RULES})


def _against_champion(activity: Activity, test: Dataset, *, challenger: ChurnModel, champion: ChurnModel) -> Decision:
    """Not worse: the 95 % interval of the paired difference in log loss does not lie wholly on the worse side."""
    cutoff: date = test.profiles.column("cutoff")[0].as_py()
    new = challenger.predict_probability(test.profiles)
    old = champion.predict_probability(_profiles_for(activity, champion, test=test, cutoff=cutoff))
    losses = _losses(test.churned, new) - _losses(test.churned, old)
    low, high = _interval_of_mean(losses)
    is_promoted = low <= 0
    why = (
        f"on cutoff {cutoff} ({len(losses)} users) the challenger's log loss is {losses.mean():+.4f} against the champion's "
        f"(95 % interval {low:+.4f} to {high:+.4f}): " + ("it is not worse" if is_promoted else "it is worse")
    )
    figures = {
        "challenger.auc": auc(test.churned, new),
        "champion.auc": auc(test.churned, old),
        "challenger.log_loss": float(log_loss(test.churned, new)),
        "champion.log_loss": float(log_loss(test.churned, old)),
        "difference.log_loss": float(losses.mean()),
        "difference.low": low,
        "difference.high": high,
    }
    return Decision(is_promoted, why, cutoff, figures)


def _profiles_for(activity: Activity, model: ChurnModel, *, test: Dataset, cutoff: date) -> Any:
    """Build the same users' profiles with another model's specification, in the same order."""
    built = profiles.build(activity, model.specification, cutoffs=[cutoff])
    return test.profiles.select(["user_id"]).join(built, keys="user_id").sort_by("user_id")


def _losses(churned: np.ndarray[Any, np.dtype[np.bool_]], probability: np.ndarray[Any, np.dtype[np.float64]]) -> Any:
    return -np.log(np.where(churned, probability, 1 - probability))


def _interval_of_mean(values: Any) -> tuple[float, float]:
    found = bootstrap(
        (values,), np.mean, n_resamples=_RESAMPLES, method="percentile", batch=50, rng=7
    ).confidence_interval
    return float(found.low), float(found.high)
