"""Pictures for a notebook, as Altair charts: each function returns one, which shows itself and can be changed or saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from features.errors import InputError
from models.arrays import Labels
from models.charts import BLUE, CARD_WIDTH, GREY, Axis, Layers, Row, Series, bars, card, intervals, line, lines, picture

if TYPE_CHECKING:
    import pandas as pd

    from churn.progress import Say
    from churn.project import Project
    from churn.results import Scoring
    from training.report.charts import Chart

__all__ = ["calibration", "gains", "reasons", "retention"]


def retention(project: Project, *, say: Say = lambda _: None) -> Layers:
    """Draw which share of new users is active n days after their first, and which share on that day or later.

    Parameters
    ----------
    project
        Its log is read, unless its activity is kept.
    say
        Hears how far that is.
    """
    from insights.report import opened
    from insights.retention import curve_chart, curve_of

    return curve_chart(curve_of(opened(project.activity(say=say), project.settings.report)))


def calibration(churned: ArrayLike, probability: ArrayLike) -> Layers:
    """Draw the churn rate by predicted probability, in ten bins of equal count with 95 % intervals.

    Parameters
    ----------
    churned
        Whether each user churned, shape (n,): booleans, or 1 and 0.
    probability
        In [0, 1], shape (n,).

    Raises
    ------
    InputError
        When a label is neither.
    """
    from training.report.charts import calibration_chart

    chart = calibration_chart(_labels(churned), np.asarray(probability, dtype=np.float64))
    found = next(one for one in chart.series if one.intervals)
    rows = [
        {"x": at, "y": rate, "low": ends.low, "high": ends.high}
        for at, rate, ends in zip(found.positions, found.values, found.intervals, strict=True)
    ]
    x, y = Axis("x", chart.position_label, format=".0%"), Axis("y", chart.value_label, format=".0%")
    perfect = line([{"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}], x, y=y, colour=GREY, dashed=True)
    return picture(perfect, intervals(rows, x, y=y, ends=("low", "high"), colour=BLUE))


def gains(churned: ArrayLike, scores: Mapping[str, ArrayLike]) -> Layers:
    """Draw the share of churners found when the riskiest users are contacted first, for each model.

    Parameters
    ----------
    churned
        Whether each user churned, shape (n,): booleans, or 1 and 0.
    scores
        Name of a model to its scores, shape (n,): higher is riskier.

    Raises
    ------
    InputError
        When a label is neither.
    """
    from training.report.charts import gains_chart

    given = {name: np.asarray(one, dtype=np.float64) for name, one in scores.items()}
    return _lines(gains_chart(_labels(churned), given))


def _labels(churned: ArrayLike) -> Labels:
    """Return who churned; what is not known, or a text, would be taken for true."""
    given = np.asarray(churned)
    if not set(given.ravel().tolist()) <= {False, True}:
        raise InputError(
            "churned: expected True or False, or 1 or 0, for every user, got other values",
            hint="exclude users whose outcome is not known; make booleans of texts, as in churned == 'yes'",
        )
    return given.astype(np.bool_)


def _lines(chart: Chart) -> Layers:
    rows: list[Row] = [
        {"x": at, "y": value, "model": one.name}
        for one in chart.series
        for at, value in zip(one.positions, one.values, strict=True)
    ]
    x, y = Axis("x", chart.position_label, format=".0%"), Axis("y", chart.value_label, format=".0%")
    return picture(lines(rows, x, y=y, by=Series("model", {one.name: one.colour for one in chart.series})))


def reasons(scores: Scoring | pd.DataFrame, user_id: str) -> Layers:
    """Draw what raises and what lowers the score of one user: the top three reasons, in log-odds.

    Parameters
    ----------
    scores
        As :meth:`churn.Project.score` returns them, or their DataFrame.

    Raises
    ------
    InputError
        When the user has no score.
    """
    given: Any = scores
    frame = given if hasattr(given, "loc") else given.to_pandas()
    rows = _reasons_of(frame.loc[frame["user_id"] == user_id].to_dict("records"))
    if not rows:
        raise InputError(
            "this user has no score at this cutoff", hint="status in the scores says why not, where there is a row"
        )
    x, y = Axis("effect", "effect on the score, in log-odds"), Axis("reason", "", kind="name")
    return card(bars(rows, x, y=y), rows=len(rows)).properties(width=CARD_WIDTH)


def _reasons_of(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    return [
        {"reason": row[f"reason_{rank}"], "effect": row[f"reason_{rank}_contribution"]}
        for row in found[:1]
        for rank in (1, 2, 3)
        if isinstance(row[f"reason_{rank}"], str)
    ]
