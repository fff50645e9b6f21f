"""Where no label of the target horizon is known yet: BG/NBD predicts who buys again, calibrated on the later half of the history."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from msgspec import structs

from features.profiles.specification import Specification
from models.arrays import Matrix
from models.encoding import encode
from models.scorers.calibration import CalibrationFit, fit_platt
from models.scorers.ensemble import BgNbdPart, Scorer, bg_nbd_part
from training.data.dataset import Dataset
from training.data.snapshots import ProfileSet
from training.fit.fit import Fit
from training.plan.buyers import fit_bg_nbd
from training.plan.plan import TrainingPlan


def fit_bg_nbd_fallback(
    profile_set: ProfileSet, plan: TrainingPlan, *, specification: Specification, test: Dataset, midpoint: Dataset
) -> Fit:
    """Fit BG/NBD before the test cutoff; calibrate a fit on the first half of the history by the outcomes of the second.

    Parameters
    ----------
    midpoint
        Users at the middle of the history, labelled by the days from there to the test cutoff. With too few churners or
        retained users, the probabilities are those of BG/NBD itself, as far as the order of the raw scores allows.
    """
    if specification.fitted.bg_nbd is None:  # the log has no amounts, so no feature reads it
        specification = _fitted_before(plan.split.test, profile_set, specification=specification) or specification
    matrix = encode(test.profiles, specification)
    part = bg_nbd_part(specification, matrix, window=plan.recipe.window)
    earlier = _midpoint_part(
        profile_set, plan, specification=specification, matrix=encode(midpoint.profiles, specification)
    )
    if earlier is None or midpoint.smaller_class < plan.recipe.training.min_class_users:
        calibration = fit_platt(part.raw(matrix, threads=0), part.no_purchase_probability(matrix))
    else:
        calibration = fit_platt(earlier.raw(encode(midpoint.profiles, specification), threads=0), midpoint.churned)
    return Fit(specification, Scorer(((1.0, part),)), CalibrationFit(calibration, {}), 0)


def _midpoint_part(
    profile_set: ProfileSet, plan: TrainingPlan, *, specification: Specification, matrix: Matrix
) -> BgNbdPart | None:
    """Return the part as fitted at the middle of the history, for the days from there to the test cutoff."""
    (middle,) = plan.split.calibration
    earlier = _fitted_before(middle, profile_set, specification=specification)
    return earlier and bg_nbd_part(earlier, matrix, window=plan.label_window)


def _fitted_before(day: date, profile_set: ProfileSet, *, specification: Specification) -> Specification | None:
    """Return the specification with BG/NBD fitted before a day; None where too few buy again."""
    since, timezone = specification.observation_days, specification.timezone
    fitted = fit_bg_nbd(profile_set.activity, before=day, since=since, timezone=timezone)
    if fitted is None:
        return None
    return structs.replace(specification, fitted=replace(specification.fitted, bg_nbd=fitted))
