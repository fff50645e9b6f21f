"""What the history of a log carries: horizon, eligibility and feature windows, by the rule of ``churn horizon``."""

from __future__ import annotations

from dataclasses import dataclass

from churn.first_look.draft import Line
from features.activity.store import Activity
from features.errors import CheckFailed
from features.settings import ChurnSettings, FeatureSettings
from models.settings import ModelSettings
from training.horizon.advice import Advice, advise
from training.plan.plan import Recipe
from training.settings import AdviceSettings, TrainingSettings

_LONG_WINDOWS = {180: 540, 365: 1095}  # days of a window, to the days of log from which on it is proposed
_WHY_ELIGIBLE = "as long as the horizon: who was away for longer has left already, by the same definition"
_WHY_AS_TRIED = "with the users who were active within the horizon alone there are too few to train on"
_WHY_LONGER = "twice the horizon, as many users come back after being away for one"
_TWICE = 2
_MONTH = 28


@dataclass(frozen=True)
class Proposal:
    """What leaving should mean in a log.

    Attributes
    ----------
    churn, features
        Settings with the reasons.
    horizon_days
        None: the log is too short to say.
    notes
        What speaks against it.
    """

    churn: dict[str, Line]
    features: dict[str, Line]
    horizon_days: int | None
    notes: tuple[str, ...]


def proposal_of(activity: Activity, churn: ChurnSettings) -> Proposal:
    """Return what the history of a log carries.

    Eligible are users whose last event is at most a horizon ago: those who were away for longer have left already, by the same
    definition. Where returns after a horizon are frequent, twice as long.
    """
    days = (activity.coverage.covered_until - activity.coverage.first_day).days
    features = _windows(days)
    try:
        advice = _advice(activity, churn)
    except CheckFailed as short:
        return Proposal({}, features, None, (f"no horizon can be proposed: {short.message}",))
    horizon, active_within = advice.recommended, advice.active_within_days
    if horizon is None or active_within is None:
        return Proposal({}, features, None, (f"no horizon can be proposed: {advice.why}",))
    proposed = {
        "horizon_days": Line(horizon, f"by the rule of churn horizon: {advice.why}"),
        "active_within_days": Line(active_within, _why_eligible(horizon, active_within)),
    }
    objections = "; ".join(advice.objections)
    notes = (f"horizon of {horizon} days: {objections}; see churn horizon",) if objections else ()
    return Proposal(proposed, features, horizon, notes)


def _why_eligible(horizon: int, active_within: int) -> str:
    return {horizon: _WHY_ELIGIBLE, _TWICE * horizon: _WHY_LONGER}.get(active_within, _WHY_AS_TRIED)


def _advice(activity: Activity, churn: ChurnSettings) -> Advice:
    settings = AdviceSettings()
    asked = churn.model_copy(update={"active_within_days": _MONTH, "horizon_days": settings.candidates_days[0]})
    recipe = Recipe(asked, FeatureSettings(), ModelSettings(), TrainingSettings())
    return advise(activity, recipe, settings=settings)


def _windows(days: int) -> dict[str, Line]:
    """Return the windows that the log is twice as long as, and longer ones where it is long."""
    usual = FeatureSettings().windows_days
    fitting = [window for window in usual if window * _TWICE <= days] or [usual[0]]
    fitting += [window for window, needed in _LONG_WINDOWS.items() if days >= needed]
    if tuple(fitting) == usual:
        return {}
    return {"windows_days": Line(fitting, f"the log covers {days} days")}
