"""What the figures have to reach, and whether they do: computed from what was measured, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training.plan.plan import Strategy

Found = Mapping[str, Mapping[str, Any]]  # log to what was measured on it; "twice" to what two trainings have in common

PROTOTYPE = {"kuaishou": 0.823, "cdnow": 0.730}  # of a throw-away model with some 60 features
NEAR_PROTOTYPE = 0.005
CALIBRATION_ERROR = 0.03
BG_NBD = 0.7725  # Fader, Hardie and Lee 2005, on the published protocol
NEAR_TRUTH = 0.01


@dataclass(frozen=True)
class Bar:
    """One figure against its bound; ``is_met`` is None where it was not measured.

    Attributes
    ----------
    note
        What a reader has to know to judge it.
    """

    what: str
    bound: str
    found: str = ""
    is_met: bool | None = None
    note: str = ""


def bars(found: Found) -> tuple[Bar, ...]:
    """Return every bound with what was found."""
    against = [
        bar
        for name, prototype in PROTOTYPE.items()
        for bar in (_rule(found, name), _auc(found, name, prototype=prototype))
    ]
    calibrated = [_calibration(found, name) for name in (*PROTOTYPE, "cdnow_sample", "simulated")]
    return (*against, *calibrated, _published(found), _ceiling(found), *_twice(found.get("twice", {})))


def _rule(found: Found, name: str) -> Bar:
    what, bound = f"{name}: AUC over the best rule, lower end of the interval", "above 0"
    log = _of(found, name)
    if not log:
        return Bar(what, bound)
    gain, low, _ = log["differences"][log["better_rule"]]["auc"]
    return Bar(what, bound, f"{low:+.4f}", low > 0, f"{gain:+.4f} over {log['better_rule']}")


def _auc(found: Found, name: str, *, prototype: float) -> Bar:
    least = prototype - NEAR_PROTOTYPE
    return _least(f"{name}: AUC", least, found=_figure(found, name), note=f"a prototype reached {prototype:.3f}")


def _calibration(found: Found, name: str) -> Bar:
    what, bound = f"{name}: calibration error", f"under {CALIBRATION_ERROR:g}"
    error = _figure(found, name, of="calibration_error")
    if error is None:
        return Bar(what, bound)
    note = (
        "calibrated on how BG/NBD did in the later half of the history" if found[name]["way"] == Strategy.BG_NBD else ""
    )
    return Bar(what, bound, f"{error:.4f}", error < CALIBRATION_ERROR, note)


def _published(found: Found) -> Bar:
    """At the four digits that are published; a model that is BG/NBD itself can only tie with it."""
    auc = _figure(found, "cdnow_sample")
    tie = (
        "a tie: the model fell back on BG/NBD itself" if auc and found["cdnow_sample"]["way"] == Strategy.BG_NBD else ""
    )
    return _least("cdnow_sample: AUC", BG_NBD, found=None if auc is None else round(auc, 4), note=tie)


def _ceiling(found: Found) -> Bar:
    what, bound = "simulated: AUC of the true probabilities, less the model's", f"at most {NEAR_TRUTH:g}"
    log = _of(found, "simulated")
    if not log:
        return Bar(what, bound)
    lost = -log["differences"]["truth"]["auc"][0]
    return Bar(what, bound, f"{lost:.4f}", lost <= NEAR_TRUTH, f"{log['people']:,} simulated people")


def _twice(twice: Mapping[str, Any]) -> list[Bar]:
    same, other = "two trainings, the same seed: files that differ", "another seed: AUC"
    if not twice:
        return [Bar(same, "none"), Bar(other, "within the first one's interval")]
    (_, low, high), auc = twice["auc"], twice["auc_of_another_seed"]
    differing = twice["differing"]
    return [
        Bar(same, "none", ", ".join(differing) or "none", not differing, f"of {twice['files']} logged files"),
        Bar(other, f"{low:.4f} to {high:.4f}", f"{auc:.4f}", low <= auc <= high, "the first one's interval"),
    ]


def _least(what: str, least: float, *, found: float | None, note: str = "") -> Bar:
    bound = f"at least {least:.4f}"
    return Bar(what, bound) if found is None else Bar(what, bound, f"{found:.4f}", found >= least, note)


def _figure(found: Found, name: str, *, of: str = "auc") -> float | None:
    log = _of(found, name)
    return float(log["figures"]["model"][of][0]) if log else None


def _of(found: Found, name: str) -> Mapping[str, Any]:
    """Return what was measured on a log; empty where nothing was."""
    log = found.get(name, {})
    return {} if "why_not" in log else log
