"""Where no label of the target horizon is known yet: BG/NBD says who buys again, calibrated on the later half of the history."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from features.profiles.specification import Specification
from models.encoding import Matrix, encode
from models.scorers.calibration import CalibrationFit, fit_platt
from models.scorers.ensemble import BgNbdPart, Scorer, bg_nbd_part
from training.data.dataset import Dataset
from training.data.snapshots import ProfileSet
from training.fit.fit import Fit
from training.plan.buyers import bg_nbd
from training.plan.plan import TrainingPlan


def fit_bg_nbd_fallback(
    build: ProfileSet, layout: TrainingPlan, *, specification: Specification, test: Dataset, halves: Dataset
) -> Fit:
    """Take the parameters from before the test cutoff, and Platt's from how those of the first half did in the second.

    Parameters
    ----------
    halves
        Users at the middle of the history, labelled by the days from there to the test cutoff. Too few churners or retained: the
        probabilities are those of BG/NBD itself, as far as the rank of the raw score allows.
    """
    matrix = encode(test.profiles, specification)
    part = bg_nbd_part(specification, matrix, window=layout.recipe.window)
    earlier = _at_the_middle(build, layout, specification=specification, matrix=encode(halves.profiles, specification))
    if earlier is None or halves.rarer < layout.recipe.training.min_class_users:
        calibration = fit_platt(part.raw(matrix, threads=0), part.no_purchase_probability(matrix))
    else:
        calibration = fit_platt(earlier.raw(encode(halves.profiles, specification), threads=0), halves.churned)
    return Fit(specification, Scorer(((1.0, part),)), CalibrationFit(calibration, {}), 0)


def _at_the_middle(
    build: ProfileSet, layout: TrainingPlan, *, specification: Specification, matrix: Matrix
) -> BgNbdPart | None:
    """Return what the same model would have said in the middle of the history, of the days up to the test cutoff."""
    (middle,) = layout.split.calibration
    fitted = bg_nbd(build.activity, before=middle, since=specification.observation_days)
    if fitted is None:
        return None
    then = structs.replace(specification, fitted=replace(specification.fitted, bg_nbd=fitted))
    return bg_nbd_part(then, matrix, window=layout.label_window)
