"""The record of one training, before a store keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from models.churn_model import ChurnModel

RECIPE = "recipe.json"  # the parameters of a run, whole, among its artifacts
_LONGEST_TEXT = 5_000  # characters that every store of MLflow takes as a description
_LONGEST_PARAMETER = 6_000  # characters that MLflow keeps of a parameter: it cuts the rest without a word
_CUT = f" ... (cut; {RECIPE} has all of it)"


@dataclass(frozen=True)
class DatasetRecord:
    """Rows that a training used, as its run records them.

    Attributes
    ----------
    digest
        Over all values; MLflow keeps the first 36 characters.
    source
        Where the log is stored, without secrets.
    profile
        Facts shown next to the name: ``num_rows``, ``churn_rate``, ``cutoffs``.
    """

    digest: str
    source: str = ""
    profile: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class MetricHistory:
    """A metric over steps: rounds of boosting, or the weeks of a backtest.

    Attributes
    ----------
    values
        One a step, from step 1 on.
    days
        The day of each value, where a step belongs to a day: the chart can then be plotted over time.
    """

    values: Sequence[float]
    days: Sequence[date] = ()


@dataclass(frozen=True)
class ChildRun:
    """A run inside the run: one trial of a search."""

    name: str
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class RunRecord:
    """Everything that is recorded of one training.

    Attributes
    ----------
    model
        The tested one, which the metrics belong to.
    datasets
        Context (``training``, ``validation``, ``calibration``, ``test``) to its rows, or to their digest alone.
    artifacts
        Folder whose files are logged as they are.
    name
        What the run is called in lists: ``2026-06-15 7d``.
    description
        Markdown, shown on the page of the run and of the version.
    refitted
        The model refit on everything, by the same recipe. Both are registered.
    steps
        Name to a metric over steps.
    children
        The trials of a search.
    """

    model: ChurnModel
    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    datasets: Mapping[str, DatasetRecord | str]
    artifacts: Path
    name: str = ""
    description: str = ""
    refitted: ChurnModel | None = None
    steps: Mapping[str, MetricHistory] = field(default_factory=dict[str, MetricHistory])
    children: Sequence[ChildRun] = ()


def shortened(text: str) -> str:
    """Cut Markdown after a line, to what every store takes."""
    if len(text) <= _LONGEST_TEXT:
        return text
    return text[: _LONGEST_TEXT - 10].rpartition("\n")[0] + "\n\n..."


def parameter_text(value: Any) -> str:
    """Return a parameter as MLflow takes it; one that is too long says that it was cut."""
    text = str(value)
    return text if len(text) <= _LONGEST_PARAMETER else text[: _LONGEST_PARAMETER - len(_CUT)] + _CUT


def is_cut(text: str) -> bool:
    """Whether a parameter that was read back is as long as one that was cut, by :func:`parameter_text` or by MLflow itself."""
    return len(text) == _LONGEST_PARAMETER
