"""The model card: what the model predicts, how well, for whom, and its limits; as Markdown, for people who do not train models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

from models.definition import ChurnDefinition
from models.evaluation.metrics import METRICS, Interval
from models.evaluation.results import Evaluation, Slice

_SLICE_METRICS = (
    *("churn_rate", "mean_probability", "auc"),
    *("calibration_error", "calibration_slope", "calibration_intercept"),
)


@dataclass(frozen=True)
class Dates:
    """Which cutoffs were used for what.

    Attributes
    ----------
    why
        Why there are separate periods, or folds of users.
    refitted
        The cutoffs that a refit version was trained on; empty: the tested version is the registered one.
    """

    first_day: date
    covered_until: date
    train: tuple[date, ...]
    validation: tuple[date, ...]
    calibration: tuple[date, ...]
    test: date
    why: str
    refitted: tuple[date, ...] = ()


@dataclass(frozen=True)
class Columns:
    """Features and attributes that the model uses, and those it does not.

    Attributes
    ----------
    used
        Number of features.
    sensitive
        Sensitive attributes that were allowed, so that the model uses them.
    withheld
        Sensitive attributes in the log that the model does not use.
    excluded
        Feature to the reason why it is excluded.
    """

    used: int
    sensitive: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    excluded: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Origin:
    """How to reproduce the model."""

    commit: str
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card states.

    Attributes
    ----------
    calibration
        How raw scores became probabilities, in words.
    audit
        Check to its result.
    notes
        Further sentences on limits: a falling backtest, days of an outage, a shortened horizon.
    """

    name: str
    definition: ChurnDefinition
    dates: Dates
    columns: Columns
    evaluation: Evaluation
    calibration: str
    origin: Origin
    audit: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()

    @property
    def is_refitted(self) -> bool:
        """True where the serving version is not the tested one."""
        return bool(self.dates.refitted)


def card(facts: CardFacts) -> str:
    """Write the card.

    Returns
    -------
    Markdown that ends with a newline; equal facts give equal text.
    """
    parts = [f"# {facts.name}, tested on {facts.dates.test}", _summary(facts)]
    parts += [f"## {title}\n\n{text}" for title, write in _SECTIONS.items() if (text := write(facts))]
    return "\n\n".join(parts) + "\n"


def _summary(facts: CardFacts) -> str:
    grade = facts.evaluation.grade
    return f"**Grade: {grade.name}.** {_sentence(grade.rule)} {_sentence(grade.why)}"


def _predicts(facts: CardFacts) -> str:
    d = facts.definition
    counts = f"`{d.qualifying}`" if d.qualifying else "any event counts"
    what = f"`{d.event}` happens" if d.event else f"no event that counts ({counts}) happens"
    gap = f" after a gap of {d.gap_days} days" if d.gap_days else ""
    who = (
        f"active in the {d.active_within_days} days before the cutoff"
        if d.active_within_days
        else "seen before the cutoff"
    )
    tenure = f" and first seen at least {d.min_tenure_days} days before it" if d.min_tenure_days else ""
    if d.max_tenure_days:
        tenure = f" and first seen {d.min_tenure_days} to {d.max_tenure_days} days before it"
    return (
        f"The probability that a user churns: that {what} in the {d.horizon_days} days{gap} from the cutoff on. "
        f"It is meant for users {who}{tenure}; days are local days of {d.timezone}. "
        "This definition is frozen with the model: scoring uses it, whatever the settings are later.\n\n"
        "It predicts who is likely to leave, not who can be retained by a message: measure that with a holdout."
    )


def _data(facts: CardFacts) -> str:
    d = facts.dates
    rows = {
        "the log covers": f"{d.first_day} up to, not including, {d.covered_until}",
        "trained": _days(d.train),
        "early stopping (validation)": _days(d.validation) or "folds of users",
        "calibrated": _days(d.calibration),
        "tested": f"{d.test}, {facts.evaluation.users:,} users",
    } | ({"refit": _days(d.refitted)} if d.refitted else {})
    known = (
        "Every label was known before the next step's cutoffs."
        if d.validation
        else "Every label was known at the test cutoff."
    )
    return f"{_table(('step', 'cutoffs'), rows.items())}\n\n{_sentence(d.why)} {known}"


def _days(cutoffs: Sequence[date]) -> str:
    if len(cutoffs) > 1:
        return f"{len(cutoffs)} cutoffs, {min(cutoffs)} to {max(cutoffs)}"
    return str(cutoffs[0]) if cutoffs else ""


def _measured_on(facts: CardFacts) -> str:
    if not facts.is_refitted:
        return (
            "All metrics of this card were measured on the registered model: the registered version is the tested one."
        )
    return (
        "All metrics of this card were measured on the version that the tag `tested_version` names. The serving version is the "
        f"same recipe, refit on {_days(facts.dates.refitted)} with the number of trees and the calibration chosen before. It was "
        "trained on the labels of the test too, so no metric here is its own; expect it to do about as well."
    )


def _metrics(facts: CardFacts) -> str:
    found = facts.evaluation.metrics.items()
    rows = ((name, _with_ends(metric), METRICS[name].meaning) for name, metric in found)
    return f"{_measured_on(facts)} Brackets: 95 % intervals, bootstrap over users.\n\n{_table(('metric', 'model', 'meaning'), rows)}"


def _baselines(facts: CardFacts) -> str:
    found = facts.evaluation.baselines
    if not found:
        return "No baseline applies to this log."
    columns = ("auc", "log_loss", "calibration_error", "difference_auc", "difference_log_loss")
    rows = [
        (f"**{name}**: {one.description}", *(_with_ends(one.metrics[c]) for c in columns))
        for name, one in found.items()
    ]
    differences = ("AUC difference (model - baseline)", "log loss difference (model - baseline)")
    head = ("baseline", "AUC", "log loss", "calibration error", *differences)
    better = f" The best rule is {facts.evaluation.better_rule}." if facts.evaluation.better_rule else ""
    return f"{_table(head, rows)}\n\nDifferences are paired: both were measured on the same resampled users.{better}"


def _slices(facts: CardFacts) -> str:
    if not facts.evaluation.slices:
        return "This log has no columns to slice the users by."
    head = ("slice", "users", *(name.replace("_", " ") for name in _SLICE_METRICS), "error by chance")
    tables = [
        f"**By {dimension}**\n\n" + _table(head, [_slice_row(part) for part in parts])
        for dimension, parts in groupby(facts.evaluation.slices, key=lambda part: part.dimension)
    ]
    by_chance = (
        "The error by chance is what true probabilities would show on as many users: the mean, and what 95 of 100 draws of labels "
        "do not exceed."
    )
    return "\n\n".join([*tables, by_chance])


def _slice_row(part: Slice) -> tuple[str, ...]:
    measured = [_with_ends(part.metrics[name]) if part.metrics else "too few" for name in _SLICE_METRICS]
    found = part.reliability
    by_chance = f"{found.by_chance:.4f}, up to {found.by_chance_95:.4f}" if found else "too few"
    return (part.value, f"{part.users:,}", *measured, by_chance)


def _calibration(facts: CardFacts) -> str:
    found = facts.evaluation.metrics
    error = found["calibration_error"]
    off = f"{error.value:.3f} on average ({error.low:.3f} to {error.high:.3f}), over ten bins of equal count"
    sentences = [_sentence(facts.calibration), f"On the test, a probability is off by {off}."]
    if chance := facts.evaluation.reliability:
        sentences.append(
            f"True probabilities would show {chance.by_chance:.3f} by chance, and up to {chance.by_chance_95:.3f} in 95 of 100 draws "
            f"of labels; without what chance explains, {chance.debiased:.3f} is left."
        )
    if slope := found.get("calibration_slope"):
        sentences.append(f"Calibration slope {_with_ends(slope)}; 1 is ideal, below 1 probabilities are too extreme.")
    if intercept := found.get("calibration_intercept"):
        sentences.append(
            f"Calibration intercept {_with_ends(intercept)} in log-odds; 0 is ideal, above 0 more users churn than predicted."
        )
    return " ".join(sentences)


def _curve(facts: CardFacts) -> str:
    """Empty where the model has no curves."""
    found = facts.evaluation.curve
    if not found:
        return ""
    names = ("churn_rate", "auc", "log_loss", "calibration_error")
    rows = [
        (f"{one.days} days", f"{one.mean_probability:.4f}", *(_with_ends(one.metrics[name]) for name in names))
        for one in found
    ]
    head = ("horizon", "mean probability", *(name.replace("_", " ") for name in names))
    return (
        f"One curve per user, through the probability at {facts.definition.horizon_days} days. Measured on the test at each horizon "
        f"that the log covers from there; longer ones are not known yet.\n\n{_table(head, rows)}"
    )


def _audit(facts: CardFacts) -> str:
    return _table(("check", "result"), facts.audit.items()) if facts.audit else "The leakage audit was not run."


def _columns(facts: CardFacts) -> str:
    c = facts.columns
    lines = [
        f"The model uses {c.used} features.",
        f"Sensitive attributes that it uses: {', '.join(c.sensitive) or 'none'}.",
        f"Sensitive attributes that were withheld: {', '.join(c.withheld) or 'none'}.",
    ]
    excluded = _table(("excluded", "why"), c.excluded.items()) if c.excluded else "No feature was excluded."
    return " ".join(lines) + "\n\n" + excluded


def _limits(facts: CardFacts) -> str:
    always = (
        "The metrics are from one test cutoff; a change in the product, the channels or the tracking can make them worse.",
        "Reasons are not causes: they explain the score, not how to change it.",
        "Users outside the definition above are not scored.",
    )
    return "\n".join(f"* {_sentence(line)}" for line in (*facts.notes, *always))


def _origin(facts: CardFacts) -> str:
    o = facts.origin
    rows = {"git commit": f"`{o.commit}`", "seed": str(o.seed)} | {
        name: f"`{value}`" for name, value in o.settings.items()
    }
    steps = "Check out the commit and run `churn train` with these settings on the same log."
    return f"{steps}\n\n{_table(('setting', 'value'), rows.items())}"


_SECTIONS: dict[str, Callable[[CardFacts], str]] = {
    "What it predicts, and for whom": _predicts,
    "Data and dates": _data,
    "Metrics": _metrics,
    "Compared with baselines": _baselines,
    "By slice": _slices,
    "Calibration": _calibration,
    "At other horizons": _curve,
    "Leakage audit": _audit,
    "Features used": _columns,
    "Limits": _limits,
    "How to reproduce": _origin,
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _with_ends(metric: Interval) -> str:
    return f"{metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f})"


def _sentence(text: str) -> str:
    """Start with a capital letter and end with a full stop.

    Examples
    --------
    >>> _sentence("folds of users")
    'Folds of users.'
    """
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
