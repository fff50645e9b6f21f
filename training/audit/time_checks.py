"""Checks of time: what was known when, on the side of the profile and on that of the label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs
from numpy.typing import NDArray

from features.eligibility import Eligibility
from features.settings import ChurnSettings
from models.definition import ChurnDefinition
from models.encoding import encode
from training.audit.column_checks import aucs_by_value
from training.audit.evidence import AuditedTraining, CheckResult, Evidence, Finding, listed
from training.audit.rebuild import Cells, RebuiltRows, differing
from training.data.dataset import Dataset

_MOSTLY = 0.5


# --- The sides of the cutoff ---------------------------------------------------------------------------------------


def sides_of_the_cutoff(evidence: Evidence) -> CheckResult:
    """Check for profiles with more than the days before their cutoff, and for labels from other days than their window."""
    found = [
        finding
        for one in evidence.rebuilt
        for finding in _cells(one, one.unexplained, what="hold more than what was known before it")
    ]
    labels = [finding for one in evidence.rebuilt for finding in _labels(one, evidence.training)]
    return CheckResult(_rebuilt(evidence), (*found, *labels))


def late_rows(evidence: Evidence) -> CheckResult:
    """Check for profiles with rows that became known only at or after their cutoff."""
    if not evidence.training.activity.has_versions:
        return CheckResult("the log has no ingested_at: it is unknown when a row became known")
    what = "hold rows whose ingested_at is not before it"
    return CheckResult(
        _rebuilt(evidence), tuple(finding for one in evidence.rebuilt for finding in _cells(one, one.late, what=what))
    )


def _rebuilt(evidence: Evidence) -> str:
    return f"{sum(len(one.churned) for one in evidence.rebuilt)} rebuilt profiles at {len(evidence.rebuilt)} cutoffs"


def _cells(rebuilt: RebuiltRows, cells: Cells, *, what: str) -> Iterator[Finding]:
    if cells:
        names = sorted(cells, key=lambda name: (-int(cells[name].sum()), name))
        rows = int(reduce(np.logical_or, cells.values()).sum())
        where = f"columns {listed(names)} at cutoff {rebuilt.past.cutoff}"
        yield Finding(where, f"{rows} of {len(rebuilt.churned)} profiles {what}")


def _labels(rebuilt: RebuiltRows, training: AuditedTraining) -> Iterator[Finding]:
    cutoff, definition = rebuilt.past.cutoff, ChurnDefinition.of(training.churn)
    if training.window.end(cutoff) > training.activity.coverage.covered_until:
        return  # UNFINISHED_WINDOW reports it
    activity = rebuilt.past.activity
    decided = activity.connection.sql(definition.label_sql(activity, [cutoff])).to_arrow_table()
    users = pa.array(rebuilt.past.users, pa.string())
    happened = pc.is_in(users, value_set=decided.column("user_id")).to_numpy(zero_copy_only=False)
    wrong = int((rebuilt.churned != (happened if definition.is_event else ~happened)).sum())
    if wrong:
        days = f"{training.window.start(cutoff)} up to {training.window.end(cutoff)}"
        yield Finding(
            f"label at cutoff {cutoff}", f"{wrong} of {len(users)} labels differ from those of the days {days}"
        )


# --- Label windows -------------------------------------------------------------------------------------------------


def overlaps(evidence: Evidence) -> CheckResult:
    """Check for labels that were not known yet when the next part begins."""
    training = evidence.training
    split, window = training.split, training.window
    training_rows = training.training_rows.snapshots
    parts = {"training": split.train, "validation": split.validation, "calibration": split.calibration}
    # with folds of users, the parts before the test are the same cutoffs on purpose, of other users
    before = (
        {"training rows": training_rows} if split.uses_folds else {name: part for name, part in parts.items() if part}
    )
    in_order = [*before.items(), ("test", (split.test,))]
    pairs = [*pairwise(in_order), (("training rows", training_rows), in_order[-1])]
    found = {
        Finding(
            f"cutoff {max(earlier)}",
            f"{name}: its label ends on {window.end(max(earlier))}, the {later_name} part begins on {min(later)}",
        )
        for (name, earlier), (later_name, later) in pairs
        if earlier and window.end(max(earlier)) > min(later)
    }
    return CheckResult(
        f"{len(training_rows) + 1} cutoffs in {len(in_order)} parts",
        tuple(sorted(found, key=lambda one: (one.where, one.found))),
    )


def unfinished(evidence: Evidence) -> CheckResult:
    """Check for label windows that the log does not cover yet."""
    training = evidence.training
    until, window = training.activity.coverage.covered_until, training.window
    cutoffs = sorted({*training.training_rows.snapshots, *training.test.snapshots})
    return CheckResult(
        f"{len(cutoffs)} cutoffs, the log covers up to {until}",
        tuple(
            Finding(f"cutoff {cutoff}", f"its label ends on {window.end(cutoff)}, the log covers up to {until}")
            for cutoff in cutoffs
            if window.end(cutoff) > until
        ),
    )


# --- Eligibility ---------------------------------------------------------------------------------------------------


def already_gone(evidence: Evidence) -> CheckResult:
    """Check for users who had left already: not eligible by their profile, or by the rebuilt one."""
    training = evidence.training
    rule = rule_of(training.churn)
    found = [
        Finding(f"cutoff {cutoff}", f"{gone} of the {rows} users {part} had left already")
        for part, dataset in (("trained on", training.training_rows), ("tested on", training.test))
        for cutoff, gone, rows in _ineligible(dataset, rule)
    ]
    for one in evidence.rebuilt:
        gone = int((~eligible(one.then, rule)).sum())
        if gone and not any(finding.where == f"cutoff {one.past.cutoff}" for finding in found):
            words = f"{gone} of {len(one.churned)} users had left already, by what was known before it"
            found.append(Finding(f"cutoff {one.past.cutoff}", words))
    return CheckResult(f"{len(training.training_rows.churned) + len(training.test.churned):,} rows", tuple(found))


def rule_of(churn: ChurnSettings) -> Eligibility:
    """Return the eligibility rule."""
    return ChurnDefinition.of(churn).eligibility


def eligible(profiles: pa.Table, rule: Eligibility) -> NDArray[np.bool_]:
    """Whether each profile is eligible, shape (n,)."""
    columns: list[Any] = [profiles.column(name).cast(pa.float64()) for name in rule.columns]
    return rule.mask(*(column.fill_null(float("nan")).to_numpy() for column in columns))


def _ineligible(dataset: Dataset, rule: Eligibility) -> Iterator[tuple[date, int, int]]:
    is_gone = ~eligible(dataset.profiles, rule)
    cutoffs = dataset.profiles.column("cutoff").to_numpy()
    for cutoff in np.unique(cutoffs[is_gone]):
        at_cutoff = cutoffs == cutoff
        yield cutoff.astype("datetime64[D]").astype(object), int((is_gone & at_cutoff).sum()), int(at_cutoff.sum())


# --- The canary of the future --------------------------------------------------------------------------------------


def planted_future(evidence: Evidence) -> CheckResult:
    """Plant profiles built at the end of the test's horizon, and check that this audit would detect them.

    Rebuilding has to distinguish them from the profiles of the cutoff, and the check of single features has to fail: the days
    since the last event alone reveal who came in the horizon. Where several ids are one person, that holds only approximately.
    """
    training, honest = evidence.training, evidence.rebuilt[-1]
    end = training.window.end(training.split.test)
    if end > training.activity.coverage.covered_until:
        return CheckResult("nothing: the test's horizon is not finished")
    planted = replace(honest.past, cutoff=end, as_known_today=True).profiles()
    name, auc = _best_feature(planted, honest)
    is_missed = auc <= training.settings.single_feature_auc and not training.activity.tables.has_identities
    found = (
        *_detection(planted, honest, alarm=f"{name} alone {auc:.3f}" if is_missed else ""),
        *_is_planted(planted, honest, end=end),
    )
    return CheckResult(
        f"profiles of {end} planted at cutoff {honest.past.cutoff}; {name} alone reaches an AUC of {auc:.3f} there",
        found,
    )


def _best_feature(planted: pa.Table, honest: RebuiltRows) -> tuple[str, float]:
    """Return the single feature with the highest AUC, and that AUC; also among those that the model does not use."""
    everything = structs.replace(honest.past.specification, unused=())
    aucs = aucs_by_value(everything.feature_names, encode(planted, everything), churned=honest.churned)
    return max(aucs.items(), key=lambda pair: pair[1], default=("nothing", 0.0))


def _detection(planted: pa.Table, honest: RebuiltRows, *, alarm: str) -> Iterator[Finding]:
    where = f"cutoff {honest.past.cutoff}"
    if not differing(planted, honest.then, names=honest.past.specification.feature_names):
        yield Finding(
            where, "the audit cannot detect leaks: profiles that include the whole horizon equal those of the cutoff"
        )
    if alarm:
        yield Finding(
            where, f"the audit misses leaks: a planted future reaches an AUC of {alarm}, which is below the limit"
        )


def _is_planted(planted: pa.Table, honest: RebuiltRows, *, end: date) -> Iterator[Finding]:
    """Report where the profiles in the training are those of the end of the horizon."""
    names = honest.past.specification.feature_names
    untrue, unlike = (differing(honest.trained, others, names=names) for others in (honest.then, planted))
    leaked = [name for name in untrue if name not in unlike or unlike[name].mean() < _MOSTLY * untrue[name].mean()]
    if leaked:
        yield Finding(
            f"columns {listed(leaked)} at cutoff {honest.past.cutoff}",
            f"they hold what was known at the end of the horizon, {end}",
        )
