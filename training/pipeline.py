"""train(): from activity to a tested model, a line a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pyarrow as pa

from features.activity.store import Activity
from features.errors import CheckFailed
from features.profiles.specification import Specification
from models.churn_model import ChurnModel, Quality, Reference
from models.definition import ChurnDefinition
from models.encoding import by_rows
from models.evaluation.baselines import Baseline, Labels, Values, fit_baselines
from training.audit.audit import audit
from training.audit.evidence import AuditedTraining
from training.data.dataset import Dataset
from training.data.drift import StableFeatures, stable_features
from training.data.snapshots import ProfileSet
from training.data.specification import with_categories
from training.evaluation.evaluate import Evaluation, evaluate
from training.fit.bg_nbd_fallback import fit_bg_nbd_fallback
from training.fit.fit import Fit, Fitter
from training.fit.minimum_data import check_classes
from training.fit.search import Budget, Choice, Folds, Searched, search
from training.plan.plan import Recipe, Strategy, TrainingPlan, complete_cutoffs, make_plan
from training.trained import Trained

Say = Callable[[str], None]


def train(activity: Activity, recipe: Recipe, *, say: Say) -> Trained:
    """Train, calibrate and test one model.

    Parameters
    ----------
    say
        Called with what is being done, one line a step.

    Raises
    ------
    InputError
        When the test cutoff does not fit the log.
    CheckFailed
        When a part has too few churners or retained, or the log is too short.
    """
    return train_horizons(activity, [recipe], say=say)[0]


def train_horizons(activity: Activity, recipes: Sequence[Recipe], *, say: Say) -> tuple[Trained, ...]:
    """Train a model for each recipe; they differ in their horizons only, and share one build of profiles.

    Raises
    ------
    InputError, CheckFailed
        As :func:`train`.
    """
    layouts = [make_plan(activity, recipe) for recipe in recipes]
    for layout in layouts:
        say(f"{layout.recipe.churn.horizon_days} days, test cutoff {layout.split.test}; {layout.why}")
    build = ProfileSet.of(activity, layouts, say=say)
    return tuple(_train(build, layout, say=say) for layout in layouts)


def to_audit(activity: Activity, recipe: Recipe, *, say: Say) -> AuditedTraining:
    """Put together what a training would learn from and be tested on, and fit nothing.

    Raises
    ------
    InputError
        When the test cutoff does not fit the log.
    CheckFailed
        When the log is too short, or nothing would be learnt from labels.
    """
    layout = make_plan(activity, recipe)
    if layout.way is Strategy.BUYING:
        raise CheckFailed(
            f"nothing is learnt from labels, so none can leak: {layout.why}", hint="train it: churn train"
        )
    build = ProfileSet.of(activity, [layout], say=say)
    training_rows, test = build.training_rows_of(layout), build.test_of(layout)
    calm = _steadied(training_rows.at(layout.split.train).profiles, build.specification, recipe=recipe)
    return _audited(build, layout, training_rows=training_rows, test=test, specification=calm.specification)


def _audited(
    build: ProfileSet, layout: TrainingPlan, *, training_rows: Dataset, test: Dataset, specification: Specification
) -> AuditedTraining:
    """All of it under the label that is learnt, the test too."""
    if layout.label_churn != layout.recipe.churn:
        test = build.test_of(replace(layout, recipe=replace(layout.recipe, churn=layout.label_churn)))
    return AuditedTraining(
        build.activity,
        specification,
        layout.split,
        training_rows,
        test,
        layout.label_churn,
        layout.recipe.model,
        layout.recipe.audit,
    )


def _train(build: ProfileSet, layout: TrainingPlan, *, say: Say) -> Trained:
    test = build.test_of(layout)
    if layout.way is Strategy.BUYING:
        return _without_labels(build, layout, test=test)
    training_rows, split = build.training_rows_of(layout), layout.split
    check_classes(
        training_rows, test, split=split, window=layout.recipe.window, minimum=layout.recipe.training.min_class_users
    )
    train = training_rows.at(split.train)
    calm = _steadied(train.profiles, build.specification, recipe=layout.recipe)
    searched = _searched(train, calm.specification, recipe=layout.recipe, say=say)
    recipe = _chosen(layout.recipe, searched)
    say(f"fitting on {len(training_rows.churned):,} rows")
    fit = Fitter(calm.specification, recipe.model, recipe.training).fit(training_rows, split)
    say(f"{fit.scorer.trees} trees; testing on {len(test.churned):,} users")
    calibration = training_rows.at(split.calibration)
    baselines = _baselines(fit, layout, usual=train, calibrate_on=(calibration.profiles, calibration.churned))
    model, evaluation = _measured(fit, layout, usual=train, test=test, baselines=baselines)
    left_out = build.left_out | calm.dropped
    found = Trained(model, evaluation, layout, recipe, left_out, training_rows, test, fit, baselines, calm.pooled)
    say("looking for leaks")
    audited = _audited(build, layout, training_rows=training_rows, test=test, specification=calm.specification)
    found = replace(found, audit=audit(audited, seed=recipe.training.seed), searched=searched)
    return _refitted(found, build, say=say) if recipe.training.refit else found


def _steadied(profiles: pa.Table, specification: Specification, *, recipe: Recipe) -> StableFeatures:
    """Freeze the categories, and leave out what drifts between the training snapshots."""
    known = with_categories(specification, profiles, most=recipe.model.max_categories)
    if not recipe.drift.exclude:
        return StableFeatures(known, {}, {})
    return stable_features(profiles, known, settings=recipe.drift)


def _searched(train: Dataset, specification: Specification, *, recipe: Recipe, say: Say) -> Searched | None:
    """Search for settings on the training cutoffs alone, where the recipe asks for it."""
    t = recipe.training
    if not t.search_trials:
        return None
    folds = Folds.of(train.rows(specification), train.cutoffs, purge_days=recipe.churn.purge_days)
    learner = Fitter(specification, recipe.model, t).learner
    start = Choice(recipe.model, t.recency_half_life_days)
    return search(folds, learner, start=start, budget=Budget(t.search_trials), say=say)


def _chosen(recipe: Recipe, searched: Searched | None) -> Recipe:
    if searched is None:
        return recipe
    half_life = searched.choice.recency_half_life_days
    training = recipe.training.model_copy(update={"recency_half_life_days": half_life})
    return replace(recipe, model=searched.choice.settings, training=training)


def _measured(
    fit: Fit, layout: TrainingPlan, *, usual: Dataset, test: Dataset, baselines: tuple[Baseline, ...]
) -> tuple[ChurnModel, Evaluation]:
    """Put together what is saved and served, with the figures of its test. ``usual`` are the users that are typical."""
    t, churn = layout.recipe.training, layout.recipe.churn
    raw = fit.raw(test.profiles)
    probability = fit.calibration.calibration.probability(raw)
    evaluation = evaluate(test, probability, baselines=baselines, seed=t.seed, capacity=t.capacity)
    quality = Quality(layout.split.test, layout.split.trained_through(layout.label_window), evaluation.metric_values)
    model = ChurnModel(
        fit.scorer,
        fit.specification,
        fit.calibration.calibration,
        ChurnDefinition.of(churn),
        Reference.of(raw, usual.profiles, specification=fit.specification),
        quality,
    )
    return model, evaluation


def _baselines(
    fit: Fit, layout: TrainingPlan, *, usual: Dataset, calibrate_on: tuple[pa.Table, Labels | Values]
) -> tuple[Baseline, ...]:
    """Fit what the model is measured beside, on the users that are typical; where it learns from no label, nor do these."""
    return fit_baselines(
        usual.profiles,
        None if layout.way is Strategy.BUYING else usual.churned,
        calibrate_on=calibrate_on,
        specification=fit.specification,
        window=layout.recipe.window,
    )


def _without_labels(build: ProfileSet, layout: TrainingPlan, *, test: Dataset) -> Trained:
    """Say who buys again: nothing is learnt from labels of the asked horizon, as none is known yet."""
    specification = with_categories(build.specification, test.profiles, most=layout.recipe.model.max_categories)
    halves = build.training_rows_of(layout)
    fit = fit_bg_nbd_fallback(build, layout, specification=specification, test=test, halves=halves)
    stand_in = fit.predict_probability(test.profiles)
    baselines = _baselines(fit, layout, usual=test, calibrate_on=(test.profiles, stand_in))
    model, evaluation = _measured(fit, layout, usual=test, test=test, baselines=baselines)
    return Trained(model, evaluation, layout, layout.recipe, build.left_out, halves, test, fit, baselines)


def _refitted(trained: Trained, build: ProfileSet, *, say: Say) -> Trained:
    """Fit again on every finished snapshot, the test's too, with rounds and calibration chosen beforehand."""
    layout = replace(trained.layout, recipe=trained.recipe)
    cutoffs = complete_cutoffs(layout)
    say(f"fitting again on {len(cutoffs)} finished snapshots")
    every = build.also_at(cutoffs, layout)
    scorer = trained.fitter.again(every, rounds=trained.fit.rounds)
    quality = replace(trained.model.quality, trained_through=trained.recipe.window.end(max(cutoffs)))
    raw = by_rows(trained.test.profiles, trained.model.specification, score=scorer.raw)
    reference = replace(trained.model.reference, raw_scores=Reference.quantiles(raw))
    served = replace(trained.model, scorer=scorer, reference=reference, quality=quality)
    return replace(trained, refitted=served, refitted_on=cutoffs)
