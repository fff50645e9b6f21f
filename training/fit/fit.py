"""From labelled rows to a scorer and its calibration: trees, ensembled with logistic regression where the settings say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from features.profiles.specification import Specification
from models.encoding import by_rows
from models.scorers.calibration import CalibrationFit, fit_calibration
from models.scorers.ensemble import LogisticPart, Scorer, Trees
from models.scorers.logistic import fit_linear
from models.scorers.trees import Rows, TreeFitter
from models.settings import ModelSettings
from training.data.dataset import Dataset
from training.plan.splits import Split
from training.settings import TrainingSettings

_FOLDS = 5


@dataclass(frozen=True)
class Fit:
    """A scorer with its calibration.

    Attributes
    ----------
    rounds
        Number of trees, found by early stopping.
    calibration
        Fitted on rows that the scorer, or its fold, was not trained on.
    """

    specification: Specification
    scorer: Scorer
    calibration: CalibrationFit
    rounds: int

    def predict_probability(self, profiles: pa.Table) -> NDArray[np.float64]:
        """Churn probability in (0, 1) of each profile, shape (n,)."""
        return self.calibration.calibration.probability(self.raw(profiles))

    def raw(self, profiles: pa.Table) -> NDArray[np.float64]:
        """Raw score of each profile, shape (n,)."""
        return by_rows(profiles, self.specification, score=self.scorer.raw)


@dataclass(frozen=True)
class Fitter:
    """One way to fit: for the model itself, for past weeks, and on growing shares of the users."""

    specification: Specification
    model: ModelSettings
    training: TrainingSettings

    def fit(self, training_rows: Dataset, split: Split) -> Fit:
        """Fit on the training rows, stop on the validation rows, calibrate on the calibration rows; or by folds of users."""
        if split.uses_folds:
            return self._fit_by_folds(training_rows, split)
        train, validation = self.rows(training_rows.at(split.train)), self.rows(training_rows.at(split.validation))
        scorer, rounds = self._fit_scorer(train, validation=validation)
        calibration = training_rows.at(split.calibration)
        raw = scorer.raw(self.rows(calibration).matrix)
        return Fit(self.specification, scorer, self._calibration(raw, calibration), rounds)

    def refit(self, dataset: Dataset, *, rounds: int) -> Scorer:
        """Fit on all rows, for a number of rounds that was chosen before."""
        scorer, _ = self._fit_scorer(self.rows(dataset), rounds=rounds)
        return scorer

    def _fit_by_folds(self, training_rows: Dataset, split: Split) -> Fit:
        rows = self.rows(training_rows)
        raw, rounds = self.predict_out_of_fold(rows)
        scorer, _ = self._fit_scorer(rows, rounds=rounds)
        latest = _is_in(training_rows.cutoffs, split.calibration)
        return Fit(
            self.specification, scorer, self._calibration(raw[latest], training_rows.at(split.calibration)), rounds
        )

    def predict_out_of_fold(self, rows: Rows) -> tuple[NDArray[np.float64], int]:
        """Score each row, shape (n,), by the fold that was not trained on its user; return also the mean of the best rounds."""
        raw, best = np.empty(len(rows.churned)), list[int]()
        for seen, held_out in GroupKFold(n_splits=_FOLDS).split(rows.users, groups=rows.users):
            scorer, rounds = self._fit_scorer(rows.take(seen), validation=rows.take(held_out))
            raw[held_out] = scorer.raw(rows.matrix[held_out])
            best.append(rounds)
        return raw, max(1, round(float(np.mean(best))))

    def _calibration(self, raw: NDArray[np.float64], dataset: Dataset) -> CalibrationFit:
        return fit_calibration(raw, dataset.churned, seed=self.training.seed, users=dataset.users)

    def rows(self, dataset: Dataset) -> Rows:
        """Encode, and weight by the age of the snapshot where the settings say so."""
        return dataset.rows(self.specification).with_recency_weights(
            dataset.cutoffs, self.training.recency_half_life_days
        )

    def _fit_scorer(
        self, train: Rows, *, validation: Rows | None = None, rounds: int | None = None
    ) -> tuple[Scorer, int]:
        booster = self.tree_fitter.fit(train, validation=validation, rounds=rounds)
        trees, weight = Trees(booster), self.model.logistic_weight
        found = booster.best_iteration if validation else booster.num_trees()
        if not weight:
            return Scorer(((1.0, trees),)), found
        logistic = LogisticPart(
            fit_linear(train.matrix, train.churned, specification=self.specification, seed=self.training.seed)
        )
        return Scorer(((1 - weight, trees), (weight, logistic))), found

    @property
    def tree_fitter(self) -> TreeFitter:
        """Fits the trees."""
        spec = self.specification
        return TreeFitter(self.model, self.training.seed, spec.feature_names, tuple(spec.categories))


def _is_in(cutoffs: NDArray[np.datetime64], chosen: Sequence[date]) -> NDArray[np.bool_]:
    return np.isin(cutoffs, np.asarray(chosen, dtype="datetime64[D]"))
