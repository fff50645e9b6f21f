"""What a training will do, decided before any profile is built: which cutoffs, which label, and what to do where history is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from features.activity.store import Activity
from features.errors import HistoryTooShort
from features.settings import ChurnSettings, FeatureSettings, Section
from features.snapshots import LabelWindow, cutoffs_between
from models.settings import ModelSettings
from training.plan.buyers import bg_nbd
from training.plan.outages import Outage, find_outages, touching
from training.plan.splits import Split, plan, snapshot_step, test_cutoff_of
from training.settings import AuditSettings, BotsSettings, DriftSettings, OutagesSettings, TrainingSettings

_SHORTEST_SHARE = 0.25  # of the target horizon, below which another one says nothing of it
_SHARE_THAT_BUYS = 0.95  # of the days that count as staying


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
        """Where labels look."""
        return LabelWindow(self.churn.gap_days, self.churn.horizon_days)

    @property
    def sections(self) -> dict[str, Section]:
        """What a run records: the sections that decide which rows and features are used, and how."""
        names = ("churn", "features", "model", "training", "outages", "bots", "drift")
        return {name: getattr(self, name) for name in names}


class Strategy(StrEnum):
    """What a model is trained on."""

    DIRECT = "the target horizon"
    SHORTER = "a shorter horizon"
    BG_NBD = "purchases (BG/NBD)"


@dataclass(frozen=True)
class TrainingPlan:
    """What a training will do.

    Attributes
    ----------
    label_churn
        The label of the training: that of the target horizon, or of a shorter one. The test is always on the target.
    why
        Why these cutoffs, and why this way, in a sentence.
    """

    recipe: Recipe
    split: Split
    way: Strategy
    label_churn: ChurnSettings
    why: str
    outages: tuple[Outage, ...] = ()

    @property
    def label_window(self) -> LabelWindow:
        """The days that the labels of the training see."""
        return LabelWindow(self.label_churn.gap_days, self.label_churn.horizon_days)


def make_plan(activity: Activity, recipe: Recipe) -> TrainingPlan:
    """Decide what the training will do.

    Where no label of the target horizon is known before the test cutoff, a log of purchases falls back on BG/NBD, which needs no
    label; any other log learns the longest shorter horizon that fits.

    Raises
    ------
    InputError
        When the test cutoff does not fit the log.
    CheckFailed
        When the log is too short for any of it.
    """
    recipe = _directed(recipe)
    outages = outages_of(activity, recipe)
    sound = is_sound(recipe, outages)
    try:
        split = plan_of(activity, recipe, sound=sound)
    except HistoryTooShort as short:
        fallback = _buying(activity, recipe, short=short) or _shorter(activity, recipe, short=short, sound=sound)
        if fallback is None:
            raise
        return replace(fallback, outages=outages)
    return TrainingPlan(recipe, split, Strategy.DIRECT, recipe.churn, split.why, outages)


def _directed(recipe: Recipe) -> Recipe:
    """Let directions go where churn is an event: who cancels may have to come back to do it."""
    if not recipe.churn.event:
        return recipe
    return replace(recipe, model=recipe.model.model_copy(update={"monotone": "none"}))


def outages_of(activity: Activity, recipe: Recipe) -> tuple[Outage, ...]:
    """Find the outages that the recipe asks to keep away from."""
    return find_outages(activity, recipe.outages) if recipe.outages.exclude else ()


def is_sound(recipe: Recipe, outages: Sequence[Outage]) -> Callable[[date], bool]:
    """Return what tells whether a cutoff keeps away from the outages of the log."""
    return lambda cutoff: not touching(outages, cutoff, window=recipe.window, settings=recipe.outages)


def plan_of(activity: Activity, recipe: Recipe, *, sound: Callable[[date], bool]) -> Split:
    """Plan which cutoffs do what.

    Raises
    ------
    InputError, CheckFailed
        As :func:`training.plan.splits.plan`.
    """
    return plan(
        activity.coverage,
        recipe.churn,
        training=recipe.training,
        windows_days=recipe.features.windows_days,
        is_sound=sound,
    )


def complete_cutoffs(layout: TrainingPlan) -> tuple[date, ...]:
    """Return every snapshot whose label is known today, from the first training cutoff to the test, without outages."""
    recipe, split = layout.recipe, layout.split
    every = snapshot_step(recipe.churn, recipe.training)
    sound = is_sound(recipe, layout.outages)
    found = (
        cutoff for cutoff in cutoffs_between(split.training_cutoffs[0], split.test, every_days=every) if sound(cutoff)
    )
    return tuple(sorted({*found, *split.training_cutoffs, split.test}))[-recipe.training.max_snapshots :]


def _buying(activity: Activity, recipe: Recipe, *, short: HistoryTooShort) -> TrainingPlan | None:
    """Fall back on how people buy, where nothing but buying counts as staying and enough of them came back."""
    if recipe.churn.event or "amount" not in activity.facts:
        return None
    test = test_cutoff_of(activity.coverage, recipe.churn, training=recipe.training)
    known = activity.known("days", before="$before")
    ((share,),) = activity.connection.execute(
        f"select avg(cast(purchases > 0 as integer)) from {known} where qualifying_events > 0", {"before": test}
    ).fetchall()
    since = recipe.features.observation_days
    if (share or 0) < _SHARE_THAT_BUYS or bg_nbd(activity, before=test, since=since) is None:
        return None
    half = (test - activity.coverage.first_day) // 2
    why = (
        f"{short.message}; nothing but buying counts as staying, so BG/NBD says who buys again: it needs no label; its "
        f"probabilities are calibrated by how it did from {test - half} on, known by {test - half} only"
    )
    label = recipe.churn.model_copy(update={"horizon_days": half.days, "gap_days": 0})
    return TrainingPlan(recipe, Split((), (), (test - half,), test, why), Strategy.BG_NBD, label, why)


def _shorter(
    activity: Activity, recipe: Recipe, *, short: HistoryTooShort, sound: Callable[[date], bool]
) -> TrainingPlan | None:
    """Train on the longest shorter horizon whose labels are known in time; test on the target."""
    test = test_cutoff_of(activity.coverage, recipe.churn, training=recipe.training)
    training = recipe.training.model_copy(update={"test_cutoff": test})
    asked = recipe.churn.horizon_days
    for days in range(asked - 1, max(1, round(_SHORTEST_SHARE * asked)) - 1, -1):
        churn = recipe.churn.model_copy(update={"horizon_days": days})
        try:
            split = plan_of(activity, replace(recipe, churn=churn, training=training), sound=sound)
        except HistoryTooShort:
            continue
        why = (
            f"{short.message}; a horizon of {days} days is the longest that fits: the model is trained on it in place of {asked} days, "
            f"so probabilities are rather those of {days} days; {split.why}"
        )
        return TrainingPlan(recipe, split, Strategy.SHORTER, churn, why)
    return None
