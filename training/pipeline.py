"""The pipeline of a training: from activity to a tested model, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from features.activity.store import Activity, Say
from features.errors import CheckFailed
from features.profiles.specification import Specification
from models.arrays import Values
from models.churn_model import ChurnModel, Quality, Reference
from models.definition import ChurnDefinition
from models.evaluation.baselines import Baseline, LabelledProfiles, fit_baselines
from models.scorers.base_rate import KnownCutoff
from training.audit.audit import audit
from training.audit.evidence import AuditedTraining
from training.data.dataset import Dataset
from training.data.drift import StableFeatures
from training.data.snapshots import ProfileSet, profile_sets_of
from training.data.specification import with_categories
from training.data.treatment import Treatment
from training.evaluation.curve import evaluate_curve
from training.evaluation.evaluate import Evaluation, evaluate
from training.fit.bg_nbd_fallback import fit_bg_nbd_fallback
from training.fit.fit import Fit, Fitter
from training.fit.folds import Folds
from training.fit.hazard import fit_hazard
from training.fit.minimum_data import check_classes
from training.fit.search import Budget, Choice, SearchResult, search
from training.fit.used_features import select_stable, used_features
from training.plan.bots import find_bots
from training.plan.plan import Recipe, Strategy, TrainingPlan, make_plan
from training.plan.splits import with_folds_of_users
from training.refit import refit
from training.trained import TrainingResult


def train(activity: Activity, recipe: Recipe, *, say: Say) -> TrainingResult:
    """Train, calibrate and test one model.

    Parameters
    ----------
    say
        Called with one line for each step.

    Raises
    ------
    InputError
        When the test cutoff does not fit the log.
    CheckFailed
        When a part has too few churners or retained, or the log is too short.
    """
    return train_horizons(activity, [recipe], say=say)[0]


def train_horizons(
    activity: Activity, recipes: Sequence[Recipe], *, say: Say, treatment: Treatment | None = None
) -> tuple[TrainingResult, ...]:
    """Train a model for each recipe; they differ in their horizons only, and share their profiles where these see the same history.

    Parameters
    ----------
    treatment
        Whose label a contact may have changed; None: nobody's.

    Raises
    ------
    InputError, CheckFailed
        As :func:`train`.
    """
    plans = [_with_bots(make_plan(activity, recipe), activity) for recipe in recipes]
    for plan in plans:
        say(f"{plan.recipe.churn.horizon_days} days, test cutoff {plan.split.test}; {plan.why}")
        if plan.bots:
            say(plan.bots.describe())
    profile_sets = profile_sets_of(activity, plans, say=say, treatment=treatment)
    return tuple(_train(one, plan, say=say) for one, plan in zip(profile_sets, plans, strict=True))


def _with_bots(plan: TrainingPlan, activity: Activity) -> TrainingPlan:
    bots = find_bots(activity, before=plan.split.test, timezone=plan.recipe.churn.timezone)
    return replace(plan, bots=bots)


def to_audit(activity: Activity, recipe: Recipe, *, say: Say) -> AuditedTraining:
    """Collect the training and test rows of a training, without fitting anything.

    So they are what is decided before a fit: rows of contacted users are among them, and features that tell the date, which a training
    excludes only where it predicts a later period no worse without them.

    Raises
    ------
    InputError
        When the test cutoff does not fit the log.
    CheckFailed
        When the log is too short, or no label would be used.
    """
    plan = make_plan(activity, recipe)
    if plan.strategy is Strategy.BG_NBD:
        raise CheckFailed(f"no label is used, so none can leak: {plan.why}", hint="train it: churn train")
    profile_set = ProfileSet.of(activity, [plan], say=say)
    training_rows, test = profile_set.training_rows_of(plan), profile_set.test_of(plan)
    train = training_rows.at(plan.split.train).profiles
    limited = bool(plan.limited_history)
    stable = select_stable(train, profile_set.specification, recipe=recipe, is_history_limited=limited)
    return _audit_inputs(profile_set, plan, training_rows=training_rows, test=test, specification=stable.specification)


def _audit_inputs(
    profile_set: ProfileSet, plan: TrainingPlan, *, training_rows: Dataset, test: Dataset, specification: Specification
) -> AuditedTraining:
    """All of it under the label of the training, the test too."""
    if plan.label_churn != plan.recipe.churn:
        test = profile_set.test_of(replace(plan, recipe=replace(plan.recipe, churn=plan.label_churn)))
    return AuditedTraining(
        profile_set.activity,
        specification,
        plan.split,
        training_rows,
        test,
        plan.label_churn,
        plan.recipe.model,
        plan.recipe.audit,
    )


def fit_model(activity: Activity, recipe: Recipe, *, say: Say, treatment: Treatment | None = None) -> ChurnModel:
    """Train the model that :func:`train` trains, but neither compare nor audit it: for many trainings of one log.

    Parameters
    ----------
    treatment
        Whose label a contact may have changed; None: nobody's.

    Raises
    ------
    InputError, CheckFailed
        As :func:`train`.
    """
    plan = make_plan(activity, recipe)
    profile_set = ProfileSet.of(activity, [plan], say=say, treatment=treatment)
    if plan.strategy is Strategy.BG_NBD:
        return _train_bg_nbd(profile_set, plan, test=profile_set.test_of(plan)).model
    found = _fit(profile_set, plan, say=say)
    tested = _TestRows.of(profile_set, found.plan, fit=found.fit, typical=found.typical, test=found.test)
    return _model_of(found.fit, found.plan, tested=tested, metrics={})


@dataclass(frozen=True)
class _Fit:
    """What was fitted, on what, and what it is tested on.

    Attributes
    ----------
    typical
        Rows whose medians are the reference of reasons.
    """

    plan: TrainingPlan
    recipe: Recipe
    stable: StableFeatures
    training_rows: Dataset
    test: Dataset
    fit: Fit
    search_result: SearchResult | None

    @property
    def typical(self) -> Dataset:
        return self.training_rows.at(self.plan.split.train)


def _fit(profile_set: ProfileSet, plan: TrainingPlan, *, say: Say) -> _Fit:
    plan, training_rows, test = _without_treated(profile_set, plan)
    used = used_features(
        training_rows,
        profile_set.specification,
        split=plan.split,
        recipe=plan.recipe,
        is_history_limited=bool(plan.limited_history),
    )
    stable, train = used.stable, training_rows.at(plan.split.train)
    search_result = _search(train, stable.specification, recipe=plan.recipe, say=say)
    recipe = _apply_search(plan.recipe, search_result)
    say(f"fitting on {len(training_rows.churned):,} rows")
    fitter = Fitter(stable.specification, recipe.model, recipe.training)
    fit = fitter.fit(training_rows, plan.split, chosen=None if search_result else used.chosen)
    recipe = replace(recipe, model=fit.model or recipe.model)
    if recipe.training.curve:
        say("fitting the curves: how the probability depends on the horizon")
        fit = replace(fit, hazard=fit_hazard(profile_set, training_rows, plan=plan, fitter=fitter))
    return _Fit(plan, recipe, stable, training_rows, test, fit, search_result)


def _train(profile_set: ProfileSet, plan: TrainingPlan, *, say: Say) -> TrainingResult:
    if plan.strategy is Strategy.BG_NBD:
        return _train_bg_nbd(profile_set, plan, test=profile_set.test_of(plan))
    fitted = _fit(profile_set, plan, say=say)
    plan, recipe, fit = fitted.plan, fitted.recipe, fitted.fit
    training_rows, test, train = fitted.training_rows, fitted.test, fitted.typical
    say(f"{fit.scorer.trees} trees; testing on {len(test.churned):,} users")
    calibration = training_rows.at(plan.split.calibration)
    baselines = _fit_baselines(fit, plan, typical=train, calibrate_on=calibration.labelled)
    tested = _TestRows.of(profile_set, plan, fit=fit, typical=train, test=test)
    model, evaluation = _test_model(fit, plan, tested=tested, baselines=baselines)
    if model.hazard:
        say("measuring the curves on the test users")
        evaluation = replace(evaluation, curve=evaluate_curve(profile_set, model, test=test, plan=plan))
    excluded = profile_set.excluded | fitted.stable.dropped
    found = TrainingResult(
        model, evaluation, plan, recipe, excluded, training_rows, test, fit, baselines, fitted.stable.pooled
    )
    say("auditing for leaks")
    audited = _audit_inputs(
        profile_set, plan, training_rows=training_rows, test=test, specification=fitted.stable.specification
    )
    found = replace(found, audit=audit(audited, seed=recipe.training.seed), search=fitted.search_result)
    return refit(found, profile_set, say=say) if recipe.training.refit else found


def _without_treated(profile_set: ProfileSet, plan: TrainingPlan) -> tuple[TrainingPlan, Dataset, Dataset]:
    """Return training and test rows without those whose label a contact may have changed, unless too few were left."""
    all_rows, all_tested = profile_set.training_rows_of(plan), profile_set.test_of(plan)
    training_rows, test, words = profile_set.without_treated(all_rows, all_tested, plan=plan)
    try:
        checked = _with_enough_users(plan, training_rows=training_rows, test=test)
    except CheckFailed:
        if training_rows is all_rows:
            raise
        checked = _with_enough_users(plan, training_rows=all_rows, test=all_tested)
        kept = f"rows of contacted users are kept: without them, too few are left ({words})"
        return replace(checked, treated=kept), all_rows, all_tested
    return replace(checked, treated=words), training_rows, test


def _with_enough_users(plan: TrainingPlan, *, training_rows: Dataset, test: Dataset) -> TrainingPlan:
    """Check the parts; where periods of their own have too few users of a class, use folds of users of all their cutoffs."""
    minimum, window, split = plan.recipe.training.min_class_users, plan.recipe.window, plan.split
    try:
        check_classes(training_rows, test, split=split, window=window, minimum=minimum)
    except CheckFailed:
        if split.uses_folds:
            raise
        split = with_folds_of_users(split)
        check_classes(training_rows, test, split=split, window=window, minimum=minimum)
        return replace(plan, split=split, why=f"{plan.why}; {split.why}")
    return plan


def _search(train: Dataset, specification: Specification, *, recipe: Recipe, say: Say) -> SearchResult | None:
    """Search for hyperparameters on the training cutoffs alone, where the recipe requests it."""
    t = recipe.training
    if not t.search_trials:
        return None
    folds = Folds.of(train.rows(specification), train.cutoffs, purge_days=recipe.churn.purge_days, seed=t.seed)
    tree_fitter = Fitter(specification, recipe.model, t).tree_fitter
    start = Choice(recipe.model, t.recency_half_life_days)
    return search(folds, tree_fitter, start=start, budget=Budget(t.search_trials), say=say)


def _apply_search(recipe: Recipe, search_result: SearchResult | None) -> Recipe:
    if search_result is None:
        return recipe
    half_life = search_result.choice.recency_half_life_days
    training = recipe.training.model_copy(update={"recency_half_life_days": half_life})
    return replace(recipe, model=search_result.choice.settings, training=training)


@dataclass(frozen=True)
class _TestRows:
    """The test rows with their raw scores, and the capacity of the team among them; ``reference``: everybody who was eligible."""

    rows: Dataset
    raw: Values
    reference: Reference
    capacity: float | None

    @classmethod
    def of(cls, profile_set: ProfileSet, plan: TrainingPlan, *, fit: Fit, typical: Dataset, test: Dataset) -> _TestRows:
        """Score the test rows; ``typical``: the users whose medians are the reference, without contacted ones as the test rows."""
        raw = everybody = fit.raw(test.profiles)
        profiles = typical.profiles
        if test.weights is not None:
            profiles, tested = profile_set.eligible_at(plan.split)
            everybody = fit.raw(tested)
        reference = Reference.of(everybody, profiles, specification=fit.specification)
        return cls(test, raw, reference, profile_set.capacity_in(test, plan))


def _test_model(
    fit: Fit, plan: TrainingPlan, *, tested: _TestRows, baselines: tuple[Baseline, ...]
) -> tuple[ChurnModel, Evaluation]:
    """Return the model that is saved and served, and its evaluation."""
    probability, seed = fit.probability(tested.raw), plan.recipe.training.seed
    evaluation = evaluate(tested.rows, probability, baselines=baselines, seed=seed, capacity=tested.capacity)
    return _model_of(fit, plan, tested=tested, metrics=evaluation.metric_values), evaluation


def _model_of(fit: Fit, plan: TrainingPlan, *, tested: _TestRows, metrics: Mapping[str, float]) -> ChurnModel:
    """Return the model that is saved and served."""
    quality = Quality(plan.split.test, plan.split.trained_through(plan.label_window), dict(metrics))
    return ChurnModel(
        fit.scorer,
        fit.specification,
        fit.calibration.calibration,
        ChurnDefinition.of(plan.recipe.churn),
        tested.reference,
        quality,
        fit.shift.shift,
        _with_test(fit, plan, raw=tested.raw, test=tested.rows),
        hazard=fit.hazard,
    )


def _with_test(fit: Fit, plan: TrainingPlan, *, raw: Values, test: Dataset) -> tuple[KnownCutoff, ...]:
    """Return what the training knows of the base rate, and the test cutoff, whose labels are known by the end of the log.

    Where the training has labels of a shorter horizon, these say nothing of the target's base rate.
    """
    if not plan.split.purge_days:
        return ()
    probability = fit.calibration.calibration.probability(raw)
    before = fit.known_cutoffs if plan.strategy is Strategy.DIRECT else ()
    return (*before, *test.known_cutoffs(probability))


def _fit_baselines(
    fit: Fit, plan: TrainingPlan, *, typical: Dataset, calibrate_on: LabelledProfiles
) -> tuple[Baseline, ...]:
    """Fit the baselines that the model is compared with; where the model uses no labels, neither do these."""
    return fit_baselines(
        typical.profiles if plan.strategy is Strategy.BG_NBD else typical.labelled,
        calibrate_on=calibrate_on,
        specification=fit.specification,
        window=plan.recipe.window,
    )


def _train_bg_nbd(profile_set: ProfileSet, plan: TrainingPlan, *, test: Dataset) -> TrainingResult:
    """Predict who buys again: no label of the target horizon is known yet."""
    specification = with_categories(profile_set.specification, test.profiles, maximum=plan.recipe.model.max_categories)
    midpoint = profile_set.training_rows_of(plan)
    fit = fit_bg_nbd_fallback(profile_set, plan, specification=specification, test=test, midpoint=midpoint)
    own_probability = fit.predict_probability(test.profiles)
    baselines = _fit_baselines(fit, plan, typical=test, calibrate_on=LabelledProfiles(test.profiles, own_probability))
    tested = _TestRows.of(profile_set, plan, fit=fit, typical=test, test=test)
    model, evaluation = _test_model(fit, plan, tested=tested, baselines=baselines)
    return TrainingResult(model, evaluation, plan, plan.recipe, profile_set.excluded, midpoint, test, fit, baselines)
