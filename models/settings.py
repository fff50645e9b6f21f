"""The knobs of this package."""

from __future__ import annotations

from features.settings import Section, knob


class ModelSettings(Section):
    """``[model]``: how LightGBM learns. Small trees: they win on real logs, and exact reasons stay cheap."""

    num_leaves: int = knob(8, "Leaves of a tree.", ge=2, le=255)
    learning_rate: float = knob(0.05, "Shrinkage of each tree.", gt=0, le=1)
    max_rounds: int = knob(400, "Most trees; early stopping usually ends before.", unit="trees", ge=1, le=10_000)
    early_stopping_rounds: int = knob(40, "Trees without a better log loss before stopping.", unit="trees", ge=1)
    min_rows_in_leaf: int = knob(100, "Fewest rows in a leaf.", unit="rows", ge=1)
    feature_share: float = knob(0.5, "Share of the features that each tree may use.", gt=0, le=1)
    row_share: float = knob(0.8, "Share of the rows that each tree sees.", gt=0, le=1)
    l2: float = knob(10.0, "L2 regularisation of leaf values.", ge=0)
    max_categories: int = knob(50, "Values of a text feature with a code of their own; the rest is UNKNOWN.", ge=1)
