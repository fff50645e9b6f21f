"""The settings of this package."""

from __future__ import annotations

from typing import Literal

from features.settings import Section, setting


class ModelSettings(Section):
    """``[model]``: parameters of LightGBM. Small trees: they win on real logs, and exact reasons stay cheap."""

    num_leaves: int = setting(6, "Leaves of a tree.", ge=2, le=255)
    max_leaves: int = setting(
        31,
        "Leaves of a tree where trees of num_leaves still improve at max_rounds, as with hundreds of thousands of rows, and larger ones, "
        "with twice the learning rate, predict a later period better; at most num_leaves: never.",
        ge=2,
        le=255,
    )
    learning_rate: float = setting(0.03, "Shrinkage of each tree.", gt=0, le=1)
    max_rounds: int = setting(
        700, "Maximum number of trees; early stopping usually stops earlier.", unit="trees", ge=1, le=10_000
    )
    early_stopping_rounds: int = setting(
        40, "Trees without a better log loss before training stops.", unit="trees", ge=1
    )
    min_data_in_leaf: int = setting(
        100, "Minimum number of rows in a leaf.", unit="rows", ge=1, was="model.min_rows_in_leaf"
    )
    feature_fraction: float = setting(
        0.3, "Share of the features that each tree may use.", gt=0, le=1, was="model.feature_share"
    )
    bagging_fraction: float = setting(0.8, "Share of the rows that each tree sees.", gt=0, le=1, was="model.row_share")
    lambda_l2: float = setting(10.0, "L2 regularisation of leaf values.", ge=0, was="model.l2")
    monotone: Literal["known", "none"] = setting(
        "known",
        'Whether features with an undisputed direction, such as active days, may only push one way; "none": unconstrained.',
    )
    max_explaining_cost: int = setting(
        250_000,
        "Maximum of trees x leaves x depth^2: limits depth, then trees, so that the exact reasons of a user stay under 1 ms.",
        ge=1000,
    )
    logistic_weight: float | None = setting(
        None,
        "Weight of a logistic regression in the raw score, ensembled with the trees; 0: trees alone, 1: logistic regression alone; "
        "default: chosen on later periods where history allows, else 0.25.",
        ge=0,
        le=1,
        was="model.line_share",
    )
    max_categories: int = setting(
        50, "Maximum number of values of a text feature with a code of their own; the rest is UNKNOWN.", ge=1
    )
