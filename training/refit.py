"""A tested model, fitted once more on every finished snapshot: served, never tested."""

from __future__ import annotations

from dataclasses import replace

from features.activity.store import Say
from models.churn_model import Reference
from models.encoding import by_rows
from models.scorers.ensemble import LogisticPart
from training.data.dataset import Dataset
from training.data.snapshots import ProfileSet
from training.plan.plan import Strategy, TrainingPlan, complete_cutoffs
from training.trained import TrainingResult


def refit(trained: TrainingResult, profile_set: ProfileSet, *, say: Say) -> TrainingResult:
    """Refit on every finished snapshot, including the test, with rounds and calibration chosen beforehand.

    A model that was trained on a shorter horizon is not refitted: its calibration, and what it knows of the base rate, are those of scores
    for the shorter horizon, and would be wrong for scores that are fitted to the horizon itself.
    """
    plan = replace(trained.plan, recipe=trained.recipe)
    if plan.strategy is not Strategy.DIRECT:
        return trained
    cutoffs = complete_cutoffs(plan)
    say(f"refitting on {len(cutoffs)} finished snapshots")
    dataset = _as_trained(profile_set.dataset_at(cutoffs, plan), trained, profile_set=profile_set, plan=plan)
    weight = sum(weight for weight, part in trained.model.scorer.parts if isinstance(part, LogisticPart))
    scorer = trained.fitter.refit(dataset, rounds=trained.fit.rounds, weight=weight)
    quality = replace(trained.model.quality, trained_through=trained.recipe.window.end(max(cutoffs)))
    _, eligible = profile_set.eligible_at(plan.split)
    raw = by_rows(eligible, trained.model.specification, score=scorer.raw)
    reference = replace(trained.model.reference, raw_scores=Reference.quantiles(raw))
    refitted = replace(trained.model, scorer=scorer, reference=reference, quality=quality)
    return replace(trained, refitted=refitted, refit_cutoffs=cutoffs)


def _as_trained(rows: Dataset, trained: TrainingResult, *, profile_set: ProfileSet, plan: TrainingPlan) -> Dataset:
    """Exclude rows of contacted users where the training did, keep them where it kept them; where it had none, decide now."""
    if trained.training_rows.weights is not None:
        return profile_set.treatment.of(rows, plan.recipe.window).untreated()
    if plan.treated:
        return rows
    return profile_set.without_treated(rows, trained.test, plan=plan)[0]
