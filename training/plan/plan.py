"""The plan of a training, made before any profile is built: its cutoffs, its label, and what to do where history is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from features.activity.store import Activity
from features.errors import CheckFailed, HistoryTooShort, InputError
from features.settings import ChurnSettings, FeatureSettings, Section
from features.snapshots import LabelWindow, cutoffs_between
from models.definition import ChurnDefinition
from models.settings import ModelSettings
from training.plan.bots import Bots
from training.plan.buyers import fit_bg_nbd
from training.plan.outages import Outage, find_outages, touching
from training.plan.splits import Split, any_cutoff, make_split, snapshot_step, test_cutoff_of
from training.settings import AuditSettings, BotsSettings, DriftSettings, OutagesSettings, TrainingSettings

_SHORTEST_SHARE = 0.25  # of the target horizon; a shorter one is too different
_LONGER = 1.5  # history at the test cutoff over the longest in training: beyond that, it is limited
_SHARE_THAT_BUYS = 0.95  # of the qualifying days, to take a log for one of purchases


@dataclass(frozen=True)
class Recipe:
    """The sections that decide how a model is trained."""

    churn: ChurnSettings
    features: FeatureSettings
    model: ModelSettings
    training: TrainingSettings
    audit: AuditSettings = field(default_factory=AuditSettings)
    outages: OutagesSettings = field(default_factory=OutagesSettings)
    bots: BotsSettings = field(default_factory=BotsSettings)
    drift: DriftSettings = field(default_factory=DriftSettings)

    @property
    def window(self) -> LabelWindow:
        """The days that labels see."""
        return ChurnDefinition.of(self.churn).window

    @property
    def sections(self) -> dict[str, Section]:
        """The sections that a run records: those that decide which rows and features are used, and how."""
        names = ("churn", "features", "model", "training", "outages", "bots", "drift")
        return {name: getattr(self, name) for name in names}


class Strategy(StrEnum):
    """What a model is trained on."""

    DIRECT = "the target horizon"
    SHORTER = "a shorter horizon"
    BG_NBD = "purchases (BG/NBD)"


@dataclass(frozen=True)
class TrainingPlan:
    """The plan of a training.

    Attributes
    ----------
    label_churn
        The label of the training: that of the target horizon, or of a shorter one. The test always has the target horizon.
    why
        Why these cutoffs and this strategy, in a sentence.
    lost_snapshots
        Number of snapshots that could be used if the log had no outages.
    limited_history
        Why profiles see less history than the settings ask for; empty where they do not.
    treated
        What is done with rows of users who were contacted; empty where there are none.
    bots
        Users of the test whose rhythm is inhuman; None: nobody has counted them.
    """

    recipe: Recipe
    split: Split
    strategy: Strategy
    label_churn: ChurnSettings
    why: str
    outages: tuple[Outage, ...] = ()
    lost_snapshots: int = 0
    limited_history: str = ""
    treated: str = ""
    bots: Bots | None = None

    @property
    def label_window(self) -> LabelWindow:
        """The days that the labels of the training see."""
        return ChurnDefinition.of(self.label_churn).window


def make_plan(activity: Activity, recipe: Recipe) -> TrainingPlan:
    """Plan the training.

    Where no label of the target horizon is known before the test cutoff, a log of purchases falls back on BG/NBD, which needs no
    label; any other log is trained on the longest shorter horizon that fits, and falls back on BG/NBD of active days where none does.

    Raises
    ------
    InputError
        When the test cutoff does not fit the log.
    CheckFailed
        When the log is too short for any strategy.
    """
    recipe = _without_constraints_on_events(recipe)
    outages = outages_of(activity, recipe)
    try:
        return _plan(activity, recipe, outages=outages)
    except HistoryTooShort as short:
        days = _longest_horizon(activity, recipe, outages=outages)
        shorter = f", or with [churn] horizon_days = {days}" if days else ""
        raise HistoryTooShort(short.message, hint=f"{short.hint}{shorter}") from short


def _longest_horizon(activity: Activity, recipe: Recipe, *, outages: Sequence[Outage]) -> int | None:
    """Return the longest horizon for which there is a snapshot to train on; None where there is none."""
    for days in range(recipe.churn.horizon_days - 1, 0, -1):
        shorter = replace(recipe, churn=recipe.churn.model_copy(update={"horizon_days": days}))
        with suppress(CheckFailed, InputError):
            if split_of(activity, shorter, sound=is_sound(shorter, outages)).training_cutoffs:
                return days
    return None


def _plan(activity: Activity, recipe: Recipe, *, outages: tuple[Outage, ...]) -> TrainingPlan:
    sound = is_sound(recipe, outages)
    try:
        split = split_of(activity, recipe, sound=sound)
    except HistoryTooShort as short:
        fallback = _fallback(activity, recipe, short=short, outages=outages)
        if fallback is None:
            raise
        return replace(fallback, outages=outages)
    recipe, limited = _comparable_history(recipe, split, first_day=activity.coverage.first_day)
    lost = _lost_snapshots(activity, recipe, split=split) if outages else 0
    return TrainingPlan(recipe, split, Strategy.DIRECT, recipe.churn, split.why, outages, lost, limited)


def _fallback(
    activity: Activity, recipe: Recipe, *, short: HistoryTooShort, outages: Sequence[Outage]
) -> TrainingPlan | None:
    """Without amounts it is not known whether a log is one of purchases: then BG/NBD is the last resort."""
    if "amount" in activity.facts:
        return _bg_nbd_plan(activity, recipe, short=short) or _shorter_plan(
            activity, recipe, short=short, outages=outages
        )
    return _shorter_plan(activity, recipe, short=short, outages=outages) or _bg_nbd_plan(activity, recipe, short=short)


def _lost_snapshots(activity: Activity, recipe: Recipe, *, split: Split) -> int:
    try:
        without = split_of(activity, recipe, sound=any_cutoff)
    except (CheckFailed, InputError):
        return 0
    return max(0, len(without.training_cutoffs) - len(split.training_cutoffs))


def _comparable_history(recipe: Recipe, split: Split, *, first_day: date) -> tuple[Recipe, str]:
    """Limit the days that a profile sees to the shortest history in training, where the test would see far more.

    A tenure of nine days is that of most users at the start of a log, and of new users a week later: what was learned of the one is
    false of the other. A model of new users needs no limit: nobody's history is longer than they are new.
    """
    if recipe.churn.max_tenure_days:
        return recipe, ""
    known, trained, tested = _histories(split, first_day=first_day)
    observed = recipe.features.observation_days
    if tested < _LONGER * trained or (observed and observed <= known):
        return recipe, ""
    why = (
        f"profiles see only the last {known} days, the history of the first snapshot: at the test cutoff there are {tested} days, "
        f"in training at most {trained}"
    )
    return replace(recipe, features=recipe.features.model_copy(update={"observation_days": known})), why


def is_history_limited(recipe: Recipe, split: Split, *, first_day: date) -> bool:
    """Whether a plan for a past test would limit the history, of a recipe whose ``observation_days`` a later plan may have set.

    That plan took the history of its own first snapshot, which differs from that of the past one by less than a step.
    """
    if recipe.churn.max_tenure_days:
        return False
    known, trained, tested = _histories(split, first_day=first_day)
    observed, step = recipe.features.observation_days, snapshot_step(recipe.churn, recipe.training)
    return tested >= _LONGER * trained and not (observed and observed <= known - step)


def _histories(split: Split, *, first_day: date) -> tuple[int, int, int]:
    """Return the days of log before the first training cutoff, before the last one, and before the test."""
    cutoffs = split.training_cutoffs
    known, trained, tested = ((cutoff - first_day).days for cutoff in (cutoffs[0], cutoffs[-1], split.test))
    return known, trained, tested


def _without_constraints_on_events(recipe: Recipe) -> Recipe:
    """Drop the monotone constraints where churn is an event: users may have to come back in order to cancel."""
    if not recipe.churn.event:
        return recipe
    return replace(recipe, model=recipe.model.model_copy(update={"monotone": "none"}))


def outages_of(activity: Activity, recipe: Recipe) -> tuple[Outage, ...]:
    """Find the outages to exclude; none where the recipe does not exclude them."""
    if not recipe.outages.exclude:
        return ()
    return find_outages(activity, recipe.outages, horizon_days=recipe.churn.horizon_days)


def is_sound(recipe: Recipe, outages: Sequence[Outage]) -> Callable[[date], bool]:
    """Return a function that checks whether a cutoff is unaffected by the outages of the log."""
    return lambda cutoff: not touching(outages, cutoff, window=recipe.window, settings=recipe.outages)


def split_of(activity: Activity, recipe: Recipe, *, sound: Callable[[date], bool]) -> Split:
    """Assign cutoffs to training, validation, calibration and test.

    Raises
    ------
    InputError, CheckFailed
        As :func:`training.plan.splits.make_split`.
    """
    return make_split(
        activity.coverage,
        recipe.churn,
        training=recipe.training,
        windows_days=recipe.features.windows_days,
        is_sound=sound,
    )


def complete_cutoffs(plan: TrainingPlan) -> tuple[date, ...]:
    """Return every snapshot whose label is known today, unaffected by outages: counted back from the test to the first training cutoff.

    The training cutoffs are counted back from the last whose label was known at the test: they are among these only where gap and horizon
    are a multiple of the step. Both together would be two snapshots where there is one.
    """
    recipe, split = plan.recipe, plan.split
    every = snapshot_step(recipe.churn, recipe.training)
    sound = is_sound(recipe, plan.outages)
    found = cutoffs_between(split.training_cutoffs[0], split.test, every_days=every)
    return tuple(cutoff for cutoff in found if sound(cutoff))[-recipe.training.max_snapshots :]


def _bg_nbd_plan(activity: Activity, recipe: Recipe, *, short: HistoryTooShort) -> TrainingPlan | None:
    """Fall back on BG/NBD, where only purchases (without amounts: active days) count as staying and enough users have a second one."""
    since = recipe.features.observation_days
    has_amount = "amount" in activity.facts
    if recipe.churn.event or (since and not has_amount):  # the first active day may precede the observed ones
        return None
    test = test_cutoff_of(activity.coverage, recipe.churn, training=recipe.training)
    if _share_that_counts(activity, before=test) < _SHARE_THAT_BUYS:
        return None
    if fit_bg_nbd(activity, before=test, since=since, timezone=recipe.churn.timezone) is None:
        return None
    half = (test - activity.coverage.first_day) // 2
    counted = (
        "only purchases count as staying"
        if has_amount
        else "the log has no amounts, so each active day counts as a purchase"
    )
    why = (
        f"{short.message}; {counted}: BG/NBD, which needs no label, predicts who buys again; its "
        f"probabilities are calibrated on its predictions at {test - half} for the days from there to the test cutoff"
    )
    label = recipe.churn.model_copy(update={"horizon_days": half.days, "gap_days": 0})
    return TrainingPlan(recipe, Split((), (), (test - half,), test, why), Strategy.BG_NBD, label, why)


def _share_that_counts(activity: Activity, *, before: date) -> float:
    """Share of the qualifying days with a purchase; without amounts, of the active days that qualify."""
    counts, among = (
        ("purchases", "qualifying_events > 0") if "amount" in activity.facts else ("qualifying_events", "true")
    )
    known = activity.known("days", before="$before")
    ((share,),) = activity.connection.execute(
        f"select avg(cast({counts} > 0 as integer)) from {known} where {among}", {"before": before}
    ).fetchall()
    return share or 0.0


def _shorter_plan(
    activity: Activity, recipe: Recipe, *, short: HistoryTooShort, outages: Sequence[Outage]
) -> TrainingPlan | None:
    """Train on the longest shorter horizon whose labels are known in time; test on the target horizon."""
    test_is_sound = is_sound(recipe, outages)
    test = test_cutoff_of(activity.coverage, recipe.churn, training=recipe.training)
    training = recipe.training.model_copy(update={"test_cutoff": test})
    target = recipe.churn.horizon_days
    for days in range(target - 1, max(1, round(_SHORTEST_SHARE * target)) - 1, -1):
        churn = recipe.churn.model_copy(update={"horizon_days": days})
        shorter = replace(recipe, churn=churn, training=training)
        sound = _sound_by_role(test, test_is_sound, others=is_sound(shorter, outages))
        try:
            split = split_of(activity, shorter, sound=sound)
        except HistoryTooShort:
            continue
        why = (
            f"{short.message}; a horizon of {days} days is the longest that fits: the model is trained on it in place of {target} days, "
            f"so probabilities are closer to those of {days} days; {split.why}"
        )
        return TrainingPlan(recipe, split, Strategy.SHORTER, churn, why)
    return None


def _sound_by_role(
    test: date, test_is_sound: Callable[[date], bool], *, others: Callable[[date], bool]
) -> Callable[[date], bool]:
    """The label of the test is that of the target horizon; a day that it alone sees spoils no other cutoff."""
    return lambda cutoff: test_is_sound(cutoff) if cutoff == test else others(cutoff)
