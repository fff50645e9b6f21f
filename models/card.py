"""The model card: what the model predicts, how well, for whom, and what to mind; as Markdown, for people who do not train models."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import groupby
from typing import Any

from models.churn_model import Definition
from models.evaluation.metrics import FIGURES, Interval
from models.evaluation.results import Evaluation, Slice

_OF_A_SLICE = ("churn_rate", "mean_probability", "auc", "calibration_error")


@dataclass(frozen=True)
class Meaning:
    """What churned means for this model, in settings: ``qualifying`` and ``event`` are SQL over the event contract."""

    definition: Definition
    timezone: str
    qualifying: str = ""
    event: str = ""


@dataclass(frozen=True)
class Dates:
    """Which dates did what.

    Attributes
    ----------
    why
        Why there are separate periods, or folds of users.
    refitted
        The cutoffs that a refitted version learnt from; empty: what was tested is what is registered.
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
    """What the model reads, and what it does not.

    Attributes
    ----------
    used
        How many features.
    sensitive
        Sensitive attributes that were allowed, so that the model reads them.
    withheld
        Sensitive attributes that the log has and the model does not read.
    left_out
        Feature to why it is left out.
    """

    used: int
    sensitive: tuple[str, ...] = ()
    withheld: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True)
class Origin:
    """How to make the same model again."""

    commit: str
    seed: int
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class CardFacts:
    """Everything that a card says.

    Attributes
    ----------
    calibration
        How raw scores became probabilities, in words.
    audit
        Check to what it found.
    notes
        Further sentences on limits: a falling backtest, days of an outage, a shortened horizon.
    """

    name: str
    meaning: Meaning
    dates: Dates
    columns: Columns
    evaluation: Evaluation
    calibration: str
    origin: Origin
    audit: Mapping[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()

    @property
    def is_refitted(self) -> bool:
        """True where the version that serves is not the one that was tested."""
        return bool(self.dates.refitted)


def card(facts: CardFacts) -> str:
    """Write the card.

    Returns
    -------
    Markdown that ends with a line break; equal facts give equal text.
    """
    parts = [f"# {facts.name}, tested on {facts.dates.test}", _summary(facts)]
    parts += [f"## {title}\n\n{write(facts)}" for title, write in _SECTIONS.items()]
    return "\n\n".join(parts) + "\n"


def _summary(facts: CardFacts) -> str:
    grade = facts.evaluation.grade
    return f"**Grade: {grade.name}.** {_sentence(grade.rule)} {_sentence(grade.why)}"


def _predicts(facts: CardFacts) -> str:
    d, meaning = facts.meaning.definition, facts.meaning
    counts = f"`{meaning.qualifying}`" if meaning.qualifying else "any event counts"
    what = f"`{meaning.event}` happens" if meaning.event else f"no event that counts ({counts}) happens"
    gap = f" after a gap of {d.gap_days} days" if d.gap_days else ""
    who = (
        f"active in the {d.active_within_days} days before the cutoff"
        if d.active_within_days
        else "seen before the cutoff"
    )
    tenure = f" and first seen at least {d.min_tenure_days} days before it" if d.min_tenure_days else ""
    return (
        f"The probability that a user churns: that {what} in the {d.horizon_days} days{gap} from the cutoff on. "
        f"It is meant for users {who}{tenure}; days are local days of {meaning.timezone}. "
        "This definition is frozen with the model: scoring uses it, whatever the settings say later.\n\n"
        "It says who is likely to leave, not whom a message would keep: measure that with a holdout."
    )


def _data(facts: CardFacts) -> str:
    d = facts.dates
    rows = {
        "the log covers": f"{d.first_day} up to, not including, {d.covered_until}",
        "trained": _days(d.train),
        "stopped the training (validation)": _days(d.validation) or "folds of users",
        "calibrated": _days(d.calibration),
        "tested": f"{d.test}, {facts.evaluation.users:,} users",
    } | ({"fitted again": _days(d.refitted)} if d.refitted else {})
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


def _belongs(facts: CardFacts) -> str:
    if not facts.is_refitted:
        return "All figures of this card were measured on the model that is registered: what is registered is what was tested."
    return (
        "All figures of this card were measured on the version that the tag `tested_version` names. The one that serves is the "
        f"same recipe, fitted again on {_days(facts.dates.refitted)} with the rounds and the calibration chosen beforehand. It "
        "saw the test's labels, so no figure here is its own; expect it to do about as well."
    )


def _figures(facts: CardFacts) -> str:
    found = facts.evaluation.figures.items()
    rows = ((name, _with_ends(figure), FIGURES[name].meaning) for name, figure in found)
    return f"{_belongs(facts)} Brackets: 95 % intervals, bootstrap over users.\n\n{_table(('figure', 'model', 'meaning'), rows)}"


def _beside(facts: CardFacts) -> str:
    found = facts.evaluation.baselines
    if not found:
        return "No baseline fits this log."
    columns = ("auc", "log_loss", "calibration_error", "difference_auc", "difference_log_loss")
    rows = [(f"**{name}**: {one.says}", *(_with_ends(one.figures[c]) for c in columns)) for name, one in found.items()]
    head = ("baseline", "AUC", "log loss", "calibration error", "model less it, AUC", "model less it, log loss")
    better = f" The better rule is {facts.evaluation.better_rule}." if facts.evaluation.better_rule else ""
    return f"{_table(head, rows)}\n\nDifferences are paired: the same users were drawn for both.{better}"


def _slices(facts: CardFacts) -> str:
    if not facts.evaluation.slices:
        return "This log has no columns to cut the users by."
    head = ("which users", "how many", *(name.replace("_", " ") for name in _OF_A_SLICE))
    tables = [
        f"**By {dimension}**\n\n" + _table(head, [_slice_row(part) for part in parts])
        for dimension, parts in groupby(facts.evaluation.slices, key=lambda part: part.dimension)
    ]
    return "\n\n".join(tables)


def _slice_row(part: Slice) -> tuple[str, ...]:
    measured = [_with_ends(part.figures[name]) if part.figures else "too few" for name in _OF_A_SLICE]
    return (part.value, f"{part.users:,}", *measured)


def _calibration(facts: CardFacts) -> str:
    error, slope = facts.evaluation.figures["calibration_error"], facts.evaluation.figures.get("calibration_slope")
    steep = (
        f" Calibration slope {_with_ends(slope)}; 1 is right, below 1 probabilities are too extreme." if slope else ""
    )
    return (
        f"{_sentence(facts.calibration)} On the test, a probability is off by {error.value:.3f} on average "
        f"({error.low:.3f} to {error.high:.3f}), over ten bins of equal count.{steep}"
    )


def _audit(facts: CardFacts) -> str:
    return _table(("check", "result"), facts.audit.items()) if facts.audit else "The leakage audit was not run."


def _columns(facts: CardFacts) -> str:
    c = facts.columns
    lines = [
        f"The model reads {c.used} features.",
        f"Sensitive attributes that it reads: {', '.join(c.sensitive) or 'none'}.",
        f"Sensitive attributes that were withheld: {', '.join(c.withheld) or 'none'}.",
    ]
    left_out = _table(("left out", "why"), c.left_out.items()) if c.left_out else "No feature was left out."
    return " ".join(lines) + "\n\n" + left_out


def _limits(facts: CardFacts) -> str:
    always = (
        "The figures are of one test cutoff; a change in the product, the channels or the tracking can make them worse.",
        "A probability is no cause: reasons say what the score rests on, not what to change.",
        "Users outside the definition above are not scored.",
    )
    return "\n".join(f"* {_sentence(line)}" for line in (*facts.notes, *always))


def _origin(facts: CardFacts) -> str:
    o = facts.origin
    rows = {"git commit": f"`{o.commit}`", "seed": str(o.seed)} | {
        name: f"`{value}`" for name, value in o.settings.items()
    }
    how = "Check out the commit and run `churn train` with these settings on the same log."
    return f"{how}\n\n{_table(('setting', 'value'), rows.items())}"


_SECTIONS: dict[str, Callable[[CardFacts], str]] = {
    "What it predicts, and for whom": _predicts,
    "Data and dates": _data,
    "Figures": _figures,
    "Beside what needs no model": _beside,
    "Where it does well, and where not": _slices,
    "Calibration": _calibration,
    "Leakage audit": _audit,
    "What it reads": _columns,
    "Limits": _limits,
    "How to make it again": _origin,
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


def _with_ends(figure: Interval) -> str:
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"


def _sentence(text: str) -> str:
    """Begin large and end with a full stop.

    Examples
    --------
    >>> _sentence("folds of users")
    'Folds of users.'
    """
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")
