"""The leakage audit: named checks of the data of a training, before its metrics are trusted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from features.errors import CheckFailed
from training.audit import column_checks as columns
from training.audit import history_checks as history
from training.audit import time_checks as time
from training.audit.evidence import AuditedTraining, CheckResult, Evidence, Finding

__all__ = ["CHECKS", "AuditReport", "AuditedTraining", "Check", "CheckOutcome", "Finding", "audit"]

_PAGE = "docs/guides/leakage-audit.md"


@dataclass(frozen=True)
class Check:
    """One rule that every training must meet.

    Attributes
    ----------
    meaning
        The rule, in a sentence.
    run
        Checks a training.
    """

    code: str
    meaning: str
    run: Callable[[Evidence], CheckResult]

    @property
    def page(self) -> str:
        """The section of the guide: what it means, how it happens and what to do."""
        return f"{_PAGE}#{self.code.lower()}"


CHECKS = (
    Check(
        "CUTOFF_EVENT",
        "A profile holds nothing from its cutoff on, and a label nothing from before it.",
        time.sides_of_the_cutoff,
    ),
    Check("LATE_INGESTION", "A profile holds no row that became known only after its cutoff.", time.late_rows),
    Check("LABEL_OVERLAP", "Every label is known before the next part begins.", time.overlaps),
    Check("UNFINISHED_WINDOW", "The log covers every label window completely.", time.unfinished),
    Check("ALREADY_GONE", "No user who had left before the cutoff is trained or tested on.", time.already_gone),
    Check("SINGLE_FEATURE_AUC", "No single feature separates churners from retained users.", columns.single_features),
    Check("IDENTIFIER_FEATURE", "No feature identifies the user.", columns.identifiers),
    Check("DATE_FEATURE", "No feature identifies the snapshot.", columns.dates),
    Check("FEATURE_JUMP", "No feature changes its meaning from one snapshot to the next.", columns.jumps),
    Check("FINAL_EVENT", "No event type is nearly always a user's last.", history.final_events),
    Check(
        "REWRITTEN_HISTORY",
        "No feature foretells churn many horizons ahead as well as shortly before.",
        history.rewritten_history,
    ),
    Check("COMING_DAYS", "No feature knows the first days after the cutoff.", history.coming_days),
    Check(
        "SHUFFLED_LABELS",
        "Random labels cannot be predicted: no row is both trained and tested on.",
        columns.random_labels,
    ),
    Check(
        "FUTURE_CANARY",
        "A planted future is detected, and the profiles are not from the future already.",
        time.planted_future,
    ),
)


@dataclass(frozen=True)
class CheckOutcome:
    """A check with its result."""

    check: Check
    result: CheckResult

    @property
    def is_ok(self) -> bool:
        """True where nothing was found."""
        return not self.result.findings


@dataclass(frozen=True)
class AuditReport:
    """The results of all checks."""

    checks: tuple[CheckOutcome, ...]

    @property
    def findings(self) -> tuple[tuple[str, Finding], ...]:
        """Every finding, with the code of its check."""
        return tuple((one.check.code, finding) for one in self.checks for finding in one.result.findings)

    @property
    def is_clean(self) -> bool:
        """True where no check found anything."""
        return not self.findings

    def raise_if_failed(self) -> None:
        """Raise where a check failed.

        Raises
        ------
        CheckFailed
            When a check found something; the message has the code, and the column, cutoff or day.
        """
        if self.findings:
            failed = [one for one in self.checks if not one.is_ok]
            found = "; ".join(f"{code}: {one.where}: {one.found}" for code, one in self.findings)
            pages = ", ".join(one.check.page for one in failed)
            raise CheckFailed(
                f"the leakage audit failed {len(failed)} of {len(self.checks)} checks: {found}", hint=f"see {pages}"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "clean": self.is_clean,
            "checks": [
                {
                    "code": one.check.code,
                    "meaning": one.check.meaning,
                    "page": one.check.page,
                    "ok": one.is_ok,
                    "looked_at": one.result.scope,
                    "findings": [asdict(finding) for finding in one.result.findings],
                }
                for one in self.checks
            ],
        }

    def to_markdown(self) -> str:
        """Table of the checks, followed by their findings."""
        rows = "".join(
            f"| `{one.check.code}` | {'ok' if one.is_ok else '**failed**'} | {one.check.meaning} | {one.result.scope} |\n"
            for one in self.checks
        )
        found = "".join(f"* `{code}`: {finding.where}: {finding.found}\n" for code, finding in self.findings)
        return f"| check | result | rule | scope |\n|---|---|---|---|\n{rows}" + (f"\n{found}" if found else "")


def audit(training: AuditedTraining, *, seed: int) -> AuditReport:
    """Run every check on the data of a training.

    Parameters
    ----------
    seed
        Samples the rows, users and cutoffs that are checked, and the labels of the canary.
    """
    evidence = Evidence(training, seed)
    return AuditReport(tuple(CheckOutcome(check, check.run(evidence)) for check in CHECKS))
