"""Challenger against champion: the decision and why. Nothing here accesses MLflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from features.errors import CheckFailed
from models.evaluation.metrics import summary
from training.data.treatment import Exclusion, Treatment
from training.plan.plan import Recipe, outages_of
from training.promotion.comparison import Comparison, Contender, compare_models, unseen_cutoffs
from training.promotion.gates import SETTINGS, Gate, PromotionGates, plain, power
from training.promotion.recipe_comparison import PastWeeks, compare_recipes
from training.settings import PromotionSettings

__all__ = ["Contender", "Decision", "decide"]

_METRICS = ("auc", "log_loss", "calibration_error", "lift_at_10", "churn_rate")
_ON_WEEKS = {
    "models": "on weeks that no compared model has seen",
    "recipes": "on past weeks, before each of which every recipe was retrained: the models have seen every finished week",
}
_PAGE = "docs/guides/promotion.md#the-gates"


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion, why, and the metrics behind it.

    Attributes
    ----------
    against
        The champion, or the rule in its absence.
    of
        Whether the models were compared, or their recipes.
    has_champion
        False where a rule took its place.
    users
        Each counted once, however many of the cutoffs it was scored at.
    metrics
        Of the challenger, and of the other side.
    power
        Which difference so many users can detect.
    treated
        What is done with users who were contacted; empty where there are none.
    """

    challenger: str
    against: str
    of: Literal["models", "recipes"]
    cutoffs: tuple[date, ...]
    users: int
    gates: tuple[Gate, ...]
    metrics: dict[str, dict[str, float]]
    power: str
    has_champion: bool = True
    treated: str = ""

    @property
    def is_promoted(self) -> bool:
        """True where every gate passed."""
        return all(gate.passed for gate in self.gates)

    @property
    def why(self) -> str:
        """The reason in a sentence: the gates that failed, else the log loss."""
        decisive = [gate for gate in self.gates if not gate.passed] or [g for g in self.gates if g.name == "log loss"]
        return f"{self._scope}: " + "; ".join(f"{gate.name}: {gate.details}" for gate in decisive)

    @property
    def way_out(self) -> str:
        """The settings of the gates that failed, and what becomes of the champion."""
        settings = ", ".join(SETTINGS[gate.name] for gate in self.gates if not gate.passed)
        rest = "the champion stays" if self.has_champion else "there is still no champion"
        return f"train another challenger; {rest}. The gates are set by {settings}: see {_PAGE}"

    @property
    def _scope(self) -> str:
        days = (
            " to ".join(str(day) for day in dict.fromkeys((self.cutoffs[0], self.cutoffs[-1]))) if self.cutoffs else ""
        )
        return f"{self.users:,} users at {len(self.cutoffs)} cutoff{'' if len(self.cutoffs) == 1 else 's'} {days}"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "promoted": self.is_promoted,
            "why": self.why,
            "challenger": self.challenger,
            "against": self.against,
            "compared": self.of,
            "cutoffs": [str(cutoff) for cutoff in self.cutoffs],
            "users": self.users,
            "gates": [gate.to_json() for gate in self.gates],
            "figures": {side: plain(found) for side, found in self.metrics.items()},
            "power": self.power,
            "treated": self.treated,
        }

    def to_markdown(self) -> str:
        """The gates and the metrics as tables, for people."""
        gates = "".join(
            f"| {gate.name} | {'passed' if gate.passed else '**failed**'} | {gate.details} |\n" for gate in self.gates
        )
        own, other = self.metrics.values()
        rows = "".join(f"| {name} | {own[name]:.4f} | {other[name]:.4f} |\n" for name in own)
        return (
            f"# {'Promoted' if self.is_promoted else 'Not promoted'}: version {self.challenger} against the {self.against}\n\n"
            f"Compared {_ON_WEEKS[self.of]}: {self._scope}.{f' {self.treated}.' if self.treated else ''}\n\n"
            f"| gate | result | details |\n|---|---|---|\n{gates}\n"
            f"| | challenger | {self.against} |\n|---|---|---|\n{rows}\n{self.power}\n"
        )


def decide(
    challenger: Contender,
    *,
    champion: Contender | None,
    recipe: Recipe,
    settings: PromotionSettings,
    treatment: Treatment | None = None,
) -> Decision:
    """Compare on every finished week that neither model has seen; where there is none, compare their recipes on past weeks.

    Without a champion the best rule takes its place.

    Parameters
    ----------
    recipe
        Today's settings, with the ``[churn]`` section of the challenger.
    treatment
        Whose label a contact may have changed; None: nobody's.

    Raises
    ------
    CheckFailed
        When the models predict different things, or there is nothing to compare them on.
    """
    if champion and champion.model.frozen_churn != challenger.model.frozen_churn:
        raise CheckFailed(
            "challenger and champion were trained on different [churn] sections: they predict different things",
            hint="register the new definition under its own name: [project] name",
        )
    models = [one.model for one in (challenger, champion) if one]
    outages = outages_of(challenger.activity, recipe)
    cutoffs = unseen_cutoffs(challenger.activity, models, recipe=recipe, outages=outages)
    t = recipe.training
    treated = treatment if treatment and t.treated_users == "exclude" else Treatment()
    exclusion = Exclusion(treated, recipe.window, t.min_class_users)
    if cutoffs:
        compared = compare_models(challenger, champion, cutoffs=cutoffs, recipe=recipe, exclusion=exclusion)
    else:
        past = PastWeeks(recipe, outages, settings.backtest_weeks, exclusion)
        compared = compare_recipes(challenger, champion, weeks=past)
    gates = PromotionGates(compared, challenger.audit, settings, t.min_class_users, t.seed).all()
    return _decision(challenger.version, compared, gates=gates, limit=settings.max_worse_log_loss)


def _decision(challenger: str, compared: Comparison, *, gates: tuple[Gate, ...], limit: float) -> Decision:
    return Decision(
        challenger=challenger,
        against=compared.against,
        of=compared.of,
        cutoffs=compared.cutoffs,
        users=compared.users,
        gates=gates,
        metrics=_metrics(compared),
        power=_power(gates, users=compared.users, limit=limit),
        has_champion=not compared.is_rule,
        treated=compared.treated,
    )


def _metrics(compared: Comparison) -> dict[str, dict[str, float]]:
    sides = {"challenger": compared.challenger, "against": compared.other}
    if not compared.users:
        return {side: {} for side in sides}
    test = compared.test
    found = {side: summary(test.churned, one, weights=test.weights) for side, one in sides.items()}
    return {side: {name: metrics[name] for name in _METRICS} for side, metrics in found.items()}


def _power(gates: tuple[Gate, ...], *, users: int, limit: float) -> str:
    for gate in gates:
        if gate.name == "log loss":
            return power(gate.metrics["low"], gate.metrics["high"], users=users, limit=limit)
    return "Too few users to measure a difference."
