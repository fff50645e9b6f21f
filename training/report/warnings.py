"""What a reader of a training should know before trusting it, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from models.scorers.trees import explainable
from training.data.date_tellers import TELLS
from training.plan.outages import describe_outages
from training.plan.plan import Strategy
from training.trained import TrainingResult

_FAR = 0.05  # between the mean probability on the test and the churn rate at the latest cutoff with known labels


def warnings_of(trained: TrainingResult) -> tuple[str, ...]:
    """Return the warnings of a training; none for an ordinary one."""
    return tuple(_warnings(trained))


def _warnings(trained: TrainingResult) -> Iterator[str]:
    plan, fit = trained.plan, trained.fit
    if plan.limited_history:
        yield plan.limited_history
    if plan.treated:
        yield plan.treated
    if plan.bots and (plan.bots.users or plan.bots.too_common):
        done = "excluded" if plan.recipe.bots.exclude else "kept"
        yield f"{plan.bots.describe()}; bots are {done} in training and test ([bots] exclude)"
    if plan.strategy is not Strategy.BG_NBD:
        yield from _of_fit(trained)
    told = [name for name, why in trained.excluded.items() if why.endswith(TELLS)]
    if told:
        yield f"excluded because they tell the date: {', '.join(told)}"
    if plan.outages:
        yield (
            f"incomplete days: {describe_outages(plan.outages)}; {plan.lost_snapshots} snapshots near them are excluded; "
            "if nothing was open then, name these days in [outages] closed"
        )
    yield from _of_what_was_skipped(trained)
    if fit.shift.shift:
        yield f"probabilities are shifted by {fit.shift.shift:+.2f} in log-odds to the base rate: {fit.shift.why}"


def _of_what_was_skipped(trained: TrainingResult) -> Iterator[str]:
    if trained.recipe.training.curve and not trained.model.hazard:
        why = (
            "too few users were seen for the horizon"
            if trained.plan.strategy is Strategy.DIRECT
            else "no label of the horizon was known"
        )
        yield f"no curve was fitted: {why}"
    if trained.recipe.training.backtest_weeks and trained.plan.strategy is not Strategy.DIRECT:
        yield "no backtest was made: no label of the horizon was known before the test, nor before any earlier week"
    if trained.recipe.training.refit and trained.plan.strategy is not Strategy.DIRECT:
        why = (
            "it was trained on a shorter horizon, and its calibration would be wrong for scores that are fitted to the horizon itself"
            if trained.plan.strategy is Strategy.SHORTER
            else "it uses no label"
        )
        yield f"the tested model serves, and is not refitted: {why}"


def _of_fit(trained: TrainingResult) -> Iterator[str]:
    split, scorer = trained.split, trained.fit.scorer
    if len(split.train) == 1:
        yield f"one snapshot to train on, {split.train[0]}: what is special about that week is learned as if it were always so"
    if scorer.trees >= explainable(trained.recipe.model)[1]:
        yield f"boosting stopped at its limit of {scorer.trees} trees: more [model] max_rounds or learning_rate may be better"
    for name, found in trained.evaluation.baselines.items():
        if found.difference_log_loss.low > 0:
            loss = found.difference_log_loss
            yield (
                f"{name} has a lower log loss than the model on the test ({loss.value:+.4f}, {loss.low:+.4f} to {loss.high:+.4f})"
            )
    mean = trained.evaluation.mean_probability
    known = [one for one in trained.fit.known_cutoffs if one.cutoff < split.test]
    if known and abs(mean - known[-1].churn_rate) > _FAR:
        yield (
            f"the mean probability on the test is {mean:.1%}, the churn rate at {known[-1].cutoff}, the latest cutoff with known "
            f"labels, was {known[-1].churn_rate:.1%}"
        )
