"""The chart of the horizon advice: who is still inactive, and who returns after all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from training.horizon.advice import Advice
from training.horizon.survival import Share


def draw(advice: Advice, path: Path) -> None:
    """Write the chart.

    Raises
    ------
    OSError
        When the file cannot be written.
    """
    figure = Figure(figsize=(9, 8), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True)
    _idle(above, advice)
    _choices(below, advice)
    for axes in (above, below):
        _mark(axes, advice)
        axes.set(ylim=(0, 1))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.legend(loc="upper right")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _idle(axes: Axes, advice: Advice) -> None:
    _curve(axes, {row.idle_days: row.away for row in advice.rows}, label="of all idle spells, still inactive")
    _curve(
        axes, {row.idle_days: row.returns for row in advice.rows}, label="of those still inactive, return within reach"
    )
    axes.set_title(
        f"Idle spells, Kaplan-Meier with 95 % intervals over users; the log reaches {advice.reach_days} days"
    )
    axes.set_xlabel("idle days")
    axes.tick_params(labelbottom=True)


def _choices(axes: Axes, advice: Advice) -> None:
    ever = {choice.horizon_days: choice.back_ever for choice in advice.choices if choice.back_ever}
    _points(axes, {choice.horizon_days: choice.churn_rate for choice in advice.choices}, label="labelled churned")
    _points(axes, ever, label="of those labelled churned, return within reach")
    axes.axhline(advice.return_share, color="grey", linestyle=":", label=f"limit of {advice.return_share:.0%}")
    axes.set_title("Each candidate horizon, means over past cutoffs")
    axes.set_xlabel("horizon, days")


def _mark(axes: Axes, advice: Advice) -> None:
    for choice in advice.choices:
        axes.axvline(choice.horizon_days, color="grey", linewidth=0.5, alpha=0.5, zorder=0)
    axes.axvline(advice.configured, color="firebrick", linestyle="--", label=f"configured: {advice.configured} days")
    if advice.recommended is not None:
        axes.axvline(advice.recommended, color="seagreen", label=f"recommended: {advice.recommended} days")


def _curve(axes: Axes, shares: Mapping[int, Share], *, label: str) -> None:
    (line,) = axes.step(list(shares), [share.value for share in shares.values()], where="post", label=label)
    axes.fill_between(list(shares), *_ends(shares), step="post", color=line.get_color(), alpha=0.25)


def _points(axes: Axes, shares: Mapping[int, Share], *, label: str) -> None:
    (line,) = axes.plot(list(shares), [share.value for share in shares.values()], marker="o", label=label)
    axes.fill_between(list(shares), *_ends(shares), color=line.get_color(), alpha=0.25)


def _ends(shares: Mapping[int, Share]) -> tuple[list[float], list[float]]:
    """Return the lower and the upper ends; NaN, which is not shown, where there is no interval."""
    low = [np.nan if share.low is None else share.low for share in shares.values()]
    return low, [np.nan if share.high is None else share.high for share in shares.values()]
