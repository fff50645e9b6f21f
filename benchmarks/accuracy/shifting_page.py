"""The measurements of the shifting worlds as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.bars import Bar
from benchmarks.accuracy.page import bars_table, table
from benchmarks.accuracy.shifting_worlds import WORLDS

STEADY_ERROR, ERROR_AFTER_STEP = 0.015, 0.03
STEPS = ("step_up", "step_down", "doubling")
INTRODUCTION = """# Accuracy when something changes

Written by `make bench-accuracy` from `shifting.json`; do not edit. Each world (`benchmarks/accuracy/shifting_worlds.py`) is simulated,
trained on once with defaults, and scored with that model at the test cutoff and one, two and four weeks later, as `churn score` does:
only labels that are known at a cutoff are used. What happened afterwards is known from the simulation.

The *shift* is added to the log-odds of all probabilities to follow the base rate; the *intercept* is what was still missing.
*By chance* is the calibration error that a model with the true probabilities would show on so many users. How fast the shift follows
was chosen on these worlds with other seeds, and fewer users.
"""

Measured = Mapping[str, Any]


def write_page(found: Mapping[str, Measured], folder: Path) -> None:
    """Write ``shifting.md``."""
    worlds = {name: found[name] for name in WORLDS if name in found}
    parts = [INTRODUCTION, bars_table(list(bars(worlds))), *(_section(name, one) for name, one in worlds.items())]
    (folder / "shifting.md").write_text("\n".join(parts))


def bars(found: Mapping[str, Measured]) -> Iterator[Bar]:
    """Return every target with what was found."""
    for name, one in found.items():
        errors = [week["calibration_error"] for week in one["weeks"]]
        if WORLDS[name].is_steady:
            what = f"{name}: calibration error, worst of four cutoffs"
            yield _at_most(what, STEADY_ERROR, value=max(errors))
        if name in STEPS:
            yield _at_most(f"{name}: calibration error four weeks after the test", ERROR_AFTER_STEP, value=errors[-1])
        if name == "trend":
            yield _trend(one)
        yield _against_baselines(name, one)


def _at_most(what: str, limit: float, *, value: float) -> Bar:
    return Bar(what, f"under {limit:g}", f"{value:.4f}", value < limit)


def _trend(one: Measured) -> Bar:
    """The product against the best single way, over all cutoffs."""
    ways = {name: _mean_loss(one, name) for name in ("last known", "linear trend", "expectation-maximisation")}
    best = min(ways, key=lambda name: ways[name])
    ours = sum(week["log_loss"] for week in one["weeks"]) / len(one["weeks"])
    bound = f"at most {ways[best]:.4f} ({best})"
    return Bar("trend: mean log loss of four cutoffs", bound, f"{ours:.4f}", ours <= ways[best])


def _mean_loss(one: Measured, way: str) -> float:
    return sum(week["other_ways"][way]["log_loss"] for week in one["weeks"]) / len(one["weeks"])


def _against_baselines(name: str, one: Measured) -> Bar:
    worst, found = max(one["baselines"].items(), key=lambda item: item[1]["difference"][0])
    value, low, high = found["difference"]
    what, result = f"{name}: log loss, model - best baseline ({worst})", f"{value:+.4f} ({low:+.4f} to {high:+.4f})"
    return Bar(what, "interval reaches 0 or below", result, low <= 0)


def _section(name: str, one: Measured) -> str:
    trained = one["trained"]
    parts = ", ".join(f"{weight:g} {kind}" for weight, kind in trained["parts"])
    facts = (
        f"{WORLDS[name].says.capitalize()}. {one['people']:,} simulated people; {trained['snapshots']} snapshots, {trained['split']}; "
        f"{trained['trees']} trees ({parts}), calibration {trained['calibration']}.\n"
    )
    header = (
        *("weeks after the test", "users", "churn rate", "mean probability", "shift", "intercept", "AUC", "log loss"),
        *("slope", "calibration error", "by chance", "calibration error without shift"),
    )
    baselines = [
        [base, f"{of['auc']:.4f}", f"{of['log_loss']:.4f}", "{:+.4f} ({:+.4f} to {:+.4f})".format(*of["difference"])]
        for base, of in one["baselines"].items()
    ]
    return (
        f"## {name}\n\n{facts}\n{table(header, [_week(week) for week in one['weeks']])}\n"
        f"{table(('baseline at the test', 'AUC', 'log loss', 'model - baseline, log loss'), baselines)}"
    )


def _week(week: Measured) -> Sequence[str]:
    return [
        f"{week['weeks_after']}",
        f"{week['users']:,}",
        *(f"{week[name]:.3f}" for name in ("churn_rate", "mean_probability")),
        *(f"{week[name]:+.3f}" for name in ("shift", "intercept")),
        *(f"{week[name]:.4f}" for name in ("auc", "log_loss")),
        f"{week['calibration_slope']:.2f}",
        f"**{week['calibration_error']:.4f}**",
        f"{week['by_chance']:.4f}",
        f"{week['other_ways']['none']['calibration_error']:.4f}",
    ]
