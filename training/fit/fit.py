"""From labelled rows to a scorer and its calibration: trees, ensembled with logistic regression, and the base rate followed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from features.profiles.specification import Specification
from models.encoding import by_rows
from models.scorers.base_rate import UNSHIFTED, KnownCutoff, Prediction, predict_shift, shifted
from models.scorers.calibration import CalibrationFit, fit_calibration
from models.scorers.ensemble import Scorer
from models.scorers.hazard import Hazard
from models.scorers.trees import Rows, TreeFitter
from models.settings import ModelSettings
from training.data.dataset import Dataset
from training.fit.ensemble import USUAL_WEIGHT, Chosen, EnsembleFitter, LinearFitter, choose
from training.fit.folds import Fold, folds_in_time, split_users
from training.plan.splits import Split
from training.settings import TrainingSettings

_FOLDS = 5
_FOLDS_IN_TIME = 2


@dataclass(frozen=True)
class Fit:
    """A scorer with its calibration.

    Attributes
    ----------
    rounds
        Number of trees.
    calibration
        Fitted on rows that the scorer, or its fold, was not trained on.
    known_cutoffs
        How far off the calibrated probabilities were at the cutoffs of such rows.
    shift
        What these let expect at the test cutoff.
    why
        How rounds and weights were chosen.
    hazard
        The shape of each user's curve; None: none was asked for, or there is too little to fit it on.
    model
        The settings as they were chosen; None: as they were set.
    """

    specification: Specification
    scorer: Scorer
    calibration: CalibrationFit
    rounds: int
    known_cutoffs: tuple[KnownCutoff, ...] = ()
    shift: Prediction = UNSHIFTED
    why: str = ""
    hazard: Hazard | None = None
    model: ModelSettings | None = None

    def predict_probability(self, profiles: pa.Table) -> NDArray[np.float64]:
        """Churn probability in (0, 1) of each profile at the test cutoff, shape (n,)."""
        return self.probability(self.raw(profiles))

    def probability(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Churn probability in (0, 1) of each raw score at the test cutoff, shape (n,)."""
        return shifted(self.calibration.calibration.probability(raw), self.shift.shift)

    def raw(self, profiles: pa.Table) -> NDArray[np.float64]:
        """Raw score of each profile, shape (n,)."""
        return by_rows(profiles, self.specification, score=self.scorer.raw)


@dataclass(frozen=True)
class Fitter:
    """One way to fit: for the model itself, for past weeks, and on growing shares of the users."""

    specification: Specification
    model: ModelSettings
    training: TrainingSettings

    def fit(self, training_rows: Dataset, split: Split, *, chosen: Chosen | None = None) -> Fit:
        """Fit on the training rows, choose rounds and weight on later periods where history allows, and calibrate.

        With separate periods, they are chosen on the validation rows; with folds of users, on folds in time among the training rows.
        Where there is no such fold, by early stopping on users that a fold has not seen.

        Parameters
        ----------
        chosen
            What this way to fit has chosen on :meth:`later_folds` of the same rows already.

        Raises
        ------
        TooFewUsers
            When folds of users are needed, and there are fewer than two users of a class.
        """
        fit = self._fit_by_folds if split.uses_folds else self._fit_by_periods
        return fit(training_rows, split, chosen=chosen)

    def refit(self, dataset: Dataset, *, rounds: int, weight: float) -> Scorer:
        """Fit on all rows, with a number of rounds and a weight of logistic regression that were chosen before."""
        return self.ensemble_fitter.fit(self.rows(dataset), weight=weight, rounds=rounds)[0]

    def later_folds(self, training_rows: Dataset, split: Split) -> tuple[Fold, ...]:
        """Return folds in which a later period is predicted; none where history is too short, or a class too rare."""
        if not split.uses_folds:
            return (self._validation_fold(training_rows, split),)
        if not split.purge_days:
            return ()
        rows, cutoffs = self.rows(training_rows), training_rows.cutoffs
        found = folds_in_time(rows, cutoffs, purge_days=split.purge_days, maximum=_FOLDS_IN_TIME).parts
        return tuple(fold for fold in found if fold.smallest_class >= self.training.min_class_users)

    def choose(self, folds: Sequence[Fold]) -> Chosen:
        """Choose rounds and weight on later periods."""
        return choose(folds, self.ensemble_fitter)

    def _validation_fold(self, training_rows: Dataset, split: Split) -> Fold:
        train, validation = training_rows.at(split.train), training_rows.at(split.validation)
        return Fold(self.rows(train), train.cutoffs, self.rows(validation))

    def _fit_by_periods(self, training_rows: Dataset, split: Split, *, chosen: Chosen | None) -> Fit:
        chosen = chosen or self.choose(self.later_folds(training_rows, split))
        unseen = training_rows.at((*split.validation, *split.calibration))
        raw = chosen.scorer.raw(self.rows(unseen).matrix)
        calibration, known, shift = self._calibrate(raw, unseen, split=split)
        of, scorer, rounds = self.specification, chosen.scorer, chosen.rounds
        return Fit(of, scorer, calibration, rounds, known, shift, chosen.why, model=chosen.settings)

    def _fit_by_folds(self, training_rows: Dataset, split: Split, *, chosen: Chosen | None) -> Fit:
        later = () if chosen else self.later_folds(training_rows, split)
        chosen = self.choose(later) if later else chosen
        rows, fitter, rounds = self.rows(training_rows), self, None
        if chosen:
            rounds, weight = chosen.rounds, chosen.weight
            fitter = replace(self, model=chosen.settings)
        else:
            weight = USUAL_WEIGHT if self.model.logistic_weight is None else self.model.logistic_weight
        raw, best = fitter.predict_out_of_fold(rows, weight=weight, rounds=rounds)
        rounds = rounds or best
        scorer, _ = fitter.ensemble_fitter.fit(rows, weight=weight, rounds=rounds)
        calibration, known, shift = self._calibrate(raw, training_rows, split=split)
        by_users = f"{rounds} trees, chosen on users that a fold has not seen: no later period could be predicted"
        why = chosen.why if chosen else by_users
        return Fit(self.specification, scorer, calibration, rounds, known, shift, why, model=fitter.model)

    def predict_out_of_fold(
        self, rows: Rows, *, weight: float, rounds: int | None = None
    ) -> tuple[NDArray[np.float64], int]:
        """Score each row, shape (n,), by the fold that was not trained on its user; return also the mean of the best rounds.

        Raises
        ------
        TooFewUsers
            When there are fewer than two users of a class.
        """
        raw, best = np.empty(len(rows.churned)), list[int]()
        for seen, held_out in split_users(rows, maximum=_FOLDS, seed=self.training.seed):
            validation = None if rounds else rows.take(held_out)
            scorer, found = self.ensemble_fitter.fit(
                rows.take(seen), weight=weight, validation=validation, rounds=rounds
            )
            raw[held_out] = scorer.raw(rows.matrix[held_out])
            best.append(found)
        return raw, max(1, round(float(np.mean(best))))

    def _calibrate(
        self, raw: NDArray[np.float64], unseen: Dataset, *, split: Split
    ) -> tuple[CalibrationFit, tuple[KnownCutoff, ...], Prediction]:
        """Calibrate on the calibration cutoffs; ``raw`` are scores of rows that the scorer, or its fold, was not trained on.

        Rows that stand for several users weigh as many; the age of a snapshot, which weighs the fit of the scorer, does not.

        Returns
        -------
        The calibration, how far off it is at the cutoff of each row, and the shift to expect at the test.
        """
        latest, calibrating = _is_in(unseen.cutoffs, split.calibration), unseen.at(split.calibration)
        users, weights = calibrating.users, calibrating.weights
        calibration = fit_calibration(
            raw[latest], calibrating.churned, seed=self.training.seed, users=users, weights=weights
        )
        known = unseen.known_cutoffs(calibration.calibration.probability(raw))
        shift = predict_shift(known, at=split.test, purge_days=split.purge_days) if split.purge_days else UNSHIFTED
        return calibration, known, shift

    def rows(self, dataset: Dataset) -> Rows:
        """Encode, and weight by the age of the snapshot where the settings say so."""
        return dataset.rows(self.specification).with_recency_weights(
            dataset.cutoffs, self.training.recency_half_life_days
        )

    @property
    def ensemble_fitter(self) -> EnsembleFitter:
        """Fits trees and logistic regression."""
        linear = LinearFitter(self.specification, self.training.seed)
        return EnsembleFitter(self.tree_fitter, linear, self.model.logistic_weight)

    @property
    def tree_fitter(self) -> TreeFitter:
        """Fits the trees."""
        spec = self.specification
        return TreeFitter(self.model, self.training.seed, spec.feature_names, tuple(spec.categories))


def _is_in(cutoffs: NDArray[np.datetime64], chosen: Sequence[date]) -> NDArray[np.bool_]:
    return np.isin(cutoffs, np.asarray(chosen, dtype="datetime64[D]"))
