"""The model of a training as an estimator of scikit-learn: trees and logistic regression, chosen, fitted and calibrated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any, Self, cast

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (  # pyright: ignore[reportMissingTypeStubs]
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    column_or_1d,
    validate_data,
)

from features.profiles.build import KEYS
from features.profiles.specification import Specification
from models.encoding import encode, fit_categories
from models.settings import ModelSettings
from training.data.dataset import WEIGHT, Dataset
from training.fit.fit import Fit, Fitter
from training.plan.splits import Split
from training.settings import TrainingSettings

_SETTINGS = ModelSettings()
_SEED = TrainingSettings().seed
_MIN_USERS = 5  # folds
_TWO = 2
_PLAIN = re.compile(r"\w+")  # what LightGBM takes for the name of a feature
_EPOCH = date(1970, 1, 1)
_KINDS = "numbers, booleans or texts; make days or seconds of times, and texts of other values"
_RESERVED = {*KEYS, WEIGHT}  # columns that are added to the features, or that mean something else than one


class ChurnClassifier(ClassifierMixin, BaseEstimator):
    """Boosted trees, ensembled with logistic regression, with calibrated probabilities: the model that ``churn train`` fits.

    Rounds, weight and calibration are chosen on rows that the parts were not fitted on: folds of users, and where ``time`` is
    given, later cutoffs. What a training does beyond the fit (excluding features that drift, following the base rate) is not done.

    Parameters
    ----------
    num_leaves, max_leaves, learning_rate, max_rounds, early_stopping_rounds, min_data_in_leaf, feature_fraction, bagging_fraction
        As in ``[model]``, with the same defaults; so is ``lambda_l2``.
    monotone
        ``known``: features of the catalogue with an undisputed direction may only push one way; ``none``: unconstrained.
    logistic_weight
        Weight of logistic regression in the raw score, 0 to 1; None: chosen.
    max_categories
        Values of a text column with a code of their own; the others share one.
    purge_days
        Days from a cutoff to the day on which its label is known, gap and horizon. With ``time``, rows are fitted that far before
        those that they are measured on; 0: ``time`` is not used.
    random_state
        Seed of trees and folds.

    Attributes
    ----------
    classes_
        Both labels, shape (2,), sorted; the second one is churned.
    n_features_in_
        Number of columns.
    feature_names_in_
        Their names, where ``X`` was a DataFrame.
    n_rounds_
        Number of trees.
    why_
        How rounds and weight were chosen.

    Examples
    --------
    ::

        data = project.training_data()
        known = data.part != "test"
        model = churn.ChurnClassifier(purge_days=data.purge_days)
        model.fit(data.X[known], data.y[known], groups=data.groups[known], time=data.time[known])
        model.predict_proba(data.X[~known])[:, 1]
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        num_leaves: int = _SETTINGS.num_leaves,
        max_leaves: int = _SETTINGS.max_leaves,
        learning_rate: float = _SETTINGS.learning_rate,
        max_rounds: int = _SETTINGS.max_rounds,
        early_stopping_rounds: int = _SETTINGS.early_stopping_rounds,
        min_data_in_leaf: int = _SETTINGS.min_data_in_leaf,
        feature_fraction: float = _SETTINGS.feature_fraction,
        bagging_fraction: float = _SETTINGS.bagging_fraction,
        lambda_l2: float = _SETTINGS.lambda_l2,
        monotone: str = _SETTINGS.monotone,
        logistic_weight: float | None = _SETTINGS.logistic_weight,
        max_categories: int = _SETTINGS.max_categories,
        purge_days: int = 0,
        random_state: int | None = _SEED,
    ) -> None:
        self.num_leaves = num_leaves
        self.max_leaves = max_leaves
        self.learning_rate = learning_rate
        self.max_rounds = max_rounds
        self.early_stopping_rounds = early_stopping_rounds
        self.min_data_in_leaf = min_data_in_leaf
        self.feature_fraction = feature_fraction
        self.bagging_fraction = bagging_fraction
        self.lambda_l2 = lambda_l2
        self.monotone = monotone
        self.logistic_weight = logistic_weight
        self.max_categories = max_categories
        self.purge_days = purge_days
        self.random_state = random_state

    def fit(
        self,
        X: Any,  # noqa: N803
        y: ArrayLike | None,
        *,
        groups: ArrayLike | None = None,
        time: ArrayLike | None = None,
    ) -> Self:
        """Fit on labelled rows.

        Parameters
        ----------
        X
            Array or DataFrame, shape (n, features); NaN where a value is absent. In a DataFrame, texts are categories, and so
            are columns of pandas' type ``category``, whatever their values are.
        y
            Two different labels, shape (n,).
        groups
            The user of each row, shape (n,): a user is on one side of every fold. Default: each row is a user.
        time
            The cutoff of each row, shape (n,).

        Raises
        ------
        ValueError
            When there are not two classes, fewer than five users, or arrays of different lengths; when a column of ``X`` holds neither
            numbers nor texts, or is named as what is not a feature: ``user_id``, ``cutoff`` or ``sample_weight``; or when a row has no
            user or no cutoff.
        """
        table = self._table(X, is_fit=True)
        labels = self._labels(y)
        check_consistent_length(labels, table, groups, time)
        users = _users(groups, len(labels))
        self._check_users(users, labels)
        dataset = _dataset(table, labels == self.classes_[1], users=users, time=_cutoffs(time, len(labels)))
        categories = fit_categories(table, _texts(table), maximum=self.max_categories)
        specification = Specification(tuple(table.column_names), windows_days=(), categories=categories)
        self._fit = self._fitter(specification).fit(dataset, self._split(dataset))
        self.n_rounds_, self.why_ = self._fit.rounds, self._fit.why
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the calibrated probability of each class, shape (n, 2), in the order of ``classes_``."""
        churned = self._fitted.calibration.calibration.probability(self.raw_score(X))
        return np.column_stack([1 - churned, churned])

    def decision_function(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the log-odds of the calibrated probability of each row, shape (n,): above zero where churned is more probable."""
        return np.asarray(logit(self.predict_proba(X)[:, 1]), dtype=np.float64)

    def raw_score(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """Return the score of each row before calibration, shape (n,), in log-odds: what ranks users."""
        fit = self._fitted
        return fit.scorer.raw(encode(self._table(X, is_fit=False), fit.specification))

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803
        """Return the more probable class of each row, shape (n,)."""
        is_churned = self.predict_proba(X)[:, 1] > 0.5  # noqa: PLR2004
        return self.classes_[is_churned.astype(np.intp)]

    def explain(self, X: Any) -> pd.DataFrame:  # noqa: N803
        """Return the contribution of each column to each row's raw score, shape (n, features): exact, in log-odds."""
        fit = self._fitted
        found = fit.scorer.contributions(encode(self._table(X, is_fit=False), fit.specification))
        return pd.DataFrame(found, columns=self.get_feature_names_out())

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the columns, shape (features,), as :meth:`explain` has them; ``x0`` and so on where there were none."""
        check_is_fitted(self, "n_features_in_")
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            names = np.array([f"x{place}" for place in range(cast("Any", self).n_features_in_)], dtype=object)
        if input_features is not None and not np.array_equal(np.asarray(input_features, dtype=object), names):
            raise ValueError("input_features is not equal to feature_names_in_")
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        """Tell scikit-learn that there are two classes, and that values may be absent."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags

    @property
    def _fitted(self) -> Fit:
        check_is_fitted(self, "classes_")
        return self._fit

    def _table(self, X: Any, *, is_fit: bool) -> pa.Table:  # noqa: N803
        """Return the columns as Arrow has them, under names that LightGBM takes."""
        if not isinstance(X, pd.DataFrame):
            matrix = cast(
                "NDArray[np.float64]",
                validate_data(self, X, reset=is_fit, dtype=np.float64, ensure_all_finite="allow-nan"),
            )
            columns = [pa.array(column, from_pandas=False) for column in matrix.T]
            return pa.table(columns, self._names(len(columns), is_fit=is_fit))
        validate_data(self, cast("Any", X), reset=is_fit, skip_check_array=True)
        if reserved := sorted(_RESERVED & set(X.columns)):
            raise ValueError(
                f"Input X has the columns {', '.join(reserved)}: expected features only; users are passed as groups, cutoffs as time, and "
                "rows have no weights; rename a feature that has such a name"
            )
        columns = [_column(X[name], str(name)) for name in X.columns]
        return pa.table(columns, self._names(len(columns), is_fit=is_fit))

    def _names(self, width: int, *, is_fit: bool) -> list[str]:
        if not is_fit:
            return list(self._fit.specification.feature_names)
        return _plain_names([str(one) for one in getattr(self, "feature_names_in_", [""] * width)])

    def _labels(self, y: ArrayLike | None) -> NDArray[Any]:
        if y is None:
            raise ValueError("This ChurnClassifier estimator requires y to be passed, but the target y is None")
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        self.classes_ = np.unique(labels)
        if type_of_target(labels) != "binary" or len(self.classes_) != _TWO:
            kinds = f"{len(self.classes_)} class{'' if len(self.classes_) == 1 else 'es'}"
            raise ValueError(f"Only binary classification is supported: expected churned and retained, got {kinds}")
        return labels

    @staticmethod
    def _check_users(users: NDArray[Any], labels: NDArray[Any]) -> None:
        if len(np.unique(users)) < _MIN_USERS:
            raise ValueError(
                f"n_samples={len(labels)} rows of {len(np.unique(users))} users: expected {_MIN_USERS} users or more, for as many folds"
            )

    def _fitter(self, specification: Specification) -> Fitter:
        names = ModelSettings.model_fields.keys() & self.get_params().keys()
        settings = ModelSettings.model_validate({name: getattr(self, name) for name in names})
        return Fitter(specification, settings, TrainingSettings(seed=self.random_state or 0))

    def _split(self, dataset: Dataset) -> Split:
        """Every row trains; folds of users calibrate, and later cutoffs choose where there are any that far apart."""
        cutoffs = dataset.snapshots
        test = cutoffs[-1] + timedelta(days=self.purge_days)
        return Split(cutoffs, (), cutoffs, test, "folds of users", self.purge_days)


def _dataset(
    table: pa.Table, churned: NDArray[np.bool_], *, users: NDArray[Any], time: NDArray[np.datetime64]
) -> Dataset:
    _, numbers = np.unique(users, return_inverse=True)
    keyed = table.append_column("user_id", pa.array(numbers.astype(str)))
    return Dataset(keyed.append_column("cutoff", pa.array(time)), np.asarray(churned, dtype=np.bool_))


def _users(groups: ArrayLike | None, rows: int) -> NDArray[Any]:
    if groups is None:
        return np.arange(rows)
    users = np.asarray(groups)
    if pd.isna(users).any():
        raise ValueError("groups has absent values: expected the user of every row")
    try:
        np.unique(users)
    except TypeError as error:
        raise ValueError("groups has values of several types: expected users as texts, or as numbers") from error
    return users


def _cutoffs(time: ArrayLike | None, rows: int) -> NDArray[np.datetime64]:
    if time is None:
        return np.full(rows, np.datetime64(_EPOCH))
    try:
        days = np.asarray(time, dtype="datetime64[D]")
    except (TypeError, ValueError) as error:
        raise ValueError("time has a value that is not a date: expected the cutoff of every row, as dates") from error
    if np.isnat(days).any():
        raise ValueError("time has absent values: expected the cutoff of every row, as dates")
    return days


def _plain_names(names: Sequence[str]) -> list[str]:
    """Return the names, with another one for each that LightGBM does not take: what is known of a feature goes by its name.

    Examples
    --------
    >>> _plain_names(["tenure_days", "my column", "x2", "a:b"])
    ['tenure_days', 'x1', 'x2', 'x3']
    """
    taken, found = set(names), list[str]()
    for place, name in enumerate(names):
        plain = name if _PLAIN.fullmatch(name) else f"x{place}"
        while plain != name and plain in taken:
            plain += "_"
        taken.add(plain)
        found.append(plain)
    return found


def _column(values: pd.Series[Any], name: str) -> pa.Array[Any]:
    """Return a column as Arrow has it."""
    try:
        found = pa.array(values, from_pandas=True)
    except pa.ArrowException as error:
        raise ValueError(f'Input X has values of several types in the column "{name}": expected {_KINDS}') from error
    if isinstance(found, pa.DictionaryArray):
        return _category(found, name)
    if _is_text(found.type):
        return found
    if not (_is_number(found.type) or pa.types.is_null(found.type)):
        raise ValueError(f'Input X has the type {found.type} in the column "{name}": expected {_KINDS}')
    if np.isinf(found.cast(pa.float64()).to_numpy(zero_copy_only=False)).any():
        raise ValueError(
            f'Input X contains infinity in the column "{name}": expected numbers, NaN where a value is absent'
        )
    return found


def _category(values: pa.DictionaryArray[Any, Any], name: str) -> pa.Array[Any]:
    """Return a category whose values can be made texts; of instants and durations the texts, which do not depend on their unit."""
    kind: Any = values.type.value_type
    try:
        if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
            one_unit = pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else pa.duration("us")
            return values.dictionary_decode().cast(one_unit, safe=False).cast(pa.string())
        values.dictionary.cast(pa.string())
    except pa.ArrowException as error:
        raise ValueError(
            f'Input X has categories of the type {kind} in the column "{name}": expected {_KINDS}'
        ) from error
    return values


def _texts(table: pa.Table) -> list[str]:
    return [name for name in table.column_names if _is_text(table.schema.field(name).type)]


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_dictionary(kind)


def _is_number(kind: pa.DataType) -> bool:
    is_exact = pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind)
    return is_exact or pa.types.is_floating(kind)
