"""The leakage audit: named checks of what a training is made of, before anybody believes its figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from features.errors import CheckFailed
from training.audit import column_checks as columns
from training.audit import time_checks as time
from training.audit.evidence import AuditedTraining, CheckResult, Evidence, Finding

__all__ = ["CHECKS", "AuditedTraining", "Check", "Checked", "Finding", "Report", "audit"]

_PAGE = "docs/guides/leakage-audit.md"


@dataclass(frozen=True)
class Check:
    """One rule that no training may break.

    Attributes
    ----------
    meaning
        What holds where the rule holds, in a sentence.
    look
        Looks at a training, and says what at and what it found.
    """

    code: str
    meaning: str
    look: Callable[[Evidence], CheckResult]

    @property
    def page(self) -> str:
        """Where the guide says what it means, how it happens and what to do."""
        return f"{_PAGE}#{self.code.lower()}"


CHECKS = (
    Check(
        "CUTOFF_EVENT",
        "A profile knows nothing from its cutoff on, and a label nothing from before it.",
        time.sides_of_the_cutoff,
    ),
    Check("LATE_INGESTION", "A profile holds no row that became known only after its cutoff.", time.late_rows),
    Check("LABEL_OVERLAP", "Every label is known before the next part begins.", time.overlaps),
    Check("UNFINISHED_WINDOW", "The log covers every label window whole.", time.unfinished),
    Check("ALREADY_GONE", "Nobody is learnt from, or tested on, who was gone before the cutoff.", time.already_gone),
    Check("SINGLE_FEATURE_AUC", "No feature alone tells churners from retained.", columns.single_features),
    Check("IDENTIFIER_FEATURE", "No feature names the user.", columns.identifiers),
    Check("DATE_FEATURE", "No feature names the snapshot.", columns.dates),
    Check("FEATURE_JUMP", "No feature means something else from one snapshot to the next.", columns.jumps),
    Check("SHUFFLED_LABELS", "Random labels cannot be learnt: no row is on both sides.", columns.random_labels),
    Check("FUTURE_CANARY", "A planted future is noticed, and is not there already.", time.planted_future),
)


@dataclass(frozen=True)
class Checked:
    """What became of one check."""

    check: Check
    looked: CheckResult

    @property
    def is_ok(self) -> bool:
        """True where nothing was found."""
        return not self.looked.findings


@dataclass(frozen=True)
class Report:
    """What became of all checks."""

    checks: tuple[Checked, ...]

    @property
    def findings(self) -> tuple[tuple[str, Finding], ...]:
        """Every finding, behind the code of its check."""
        return tuple((one.check.code, finding) for one in self.checks for finding in one.looked.findings)

    @property
    def is_clean(self) -> bool:
        """True where no check found anything."""
        return not self.findings

    def refuse(self) -> None:
        """Refuse a training that does not hold.

        Raises
        ------
        CheckFailed
            When a check found something; it names the code, and the column, cutoff or day.
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
                    "looked_at": one.looked.at,
                    "findings": [asdict(finding) for finding in one.looked.findings],
                }
                for one in self.checks
            ],
        }

    def to_markdown(self) -> str:
        """A table of the checks, and under it what they found."""
        rows = "".join(
            f"| `{one.check.code}` | {'ok' if one.is_ok else '**failed**'} | {one.check.meaning} | {one.looked.at} |\n"
            for one in self.checks
        )
        found = "".join(f"* `{code}`: {finding.where}: {finding.found}\n" for code, finding in self.findings)
        return f"| check | result | rule | looked at |\n|---|---|---|---|\n{rows}" + (f"\n{found}" if found else "")


def audit(training: AuditedTraining, *, seed: int) -> Report:
    """Run every check on what a training is made of.

    Parameters
    ----------
    seed
        Draws the rows, users and cutoffs that are looked at, and the canaries' labels.
    """
    evidence = Evidence(training, seed)
    return Report(tuple(Checked(check, check.look(evidence)) for check in CHECKS))
