"""The report of the leakage audit: code, place and page of each finding, and no user ids."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from features.errors import CheckFailed
from tests.training.planting import built_later, said
from training.audit.audit import CHECKS, AuditedTraining, AuditReport, CheckOutcome, Finding
from training.audit.evidence import CheckResult

GUIDE = Path(__file__).parents[3] / "docs/guides/leakage-audit.md"


def report_of(*findings: Finding) -> AuditReport:
    return AuditReport(
        (
            CheckOutcome(CHECKS[0], CheckResult("10 profiles", findings)),
            CheckOutcome(CHECKS[2], CheckResult("3 cutoffs")),
        )
    )


def test_a_failed_check_is_reported_with_code_place_and_page():
    with pytest.raises(CheckFailed) as failed:
        report_of(Finding("columns events_7d at cutoff 2026-04-21", "3 of 10 profiles hold more")).raise_if_failed()
    assert failed.value.message == (
        "the leakage audit failed 1 of 2 checks: "
        "CUTOFF_EVENT: columns events_7d at cutoff 2026-04-21: 3 of 10 profiles hold more"
    )
    assert failed.value.hint == "see docs/guides/leakage-audit.md#cutoff_event"


def test_the_report_for_the_model_card_has_a_row_for_each_check_and_a_line_for_each_finding():
    lines = report_of(Finding("column x", "bad")).to_markdown().splitlines()
    assert lines[2].startswith("| `CUTOFF_EVENT` | **failed** | A profile holds nothing")
    assert lines[3].startswith("| `LABEL_OVERLAP` | ok |")
    assert lines[-1] == "* `CUTOFF_EVENT`: column x: bad"


def test_no_finding_names_a_user(clean: AuditedTraining):
    leaky = built_later(clean, days=1)
    users = set(leaky.test.profiles["user_id"].to_pylist())
    words = re.findall(r"\w+", said("CUTOFF_EVENT", leaky) + said("FUTURE_CANARY", leaky))
    assert words
    assert users.isdisjoint(words)


def headings(page: Path) -> Sequence[str]:
    return re.findall(r"^## (\w+)$", page.read_text(), flags=re.MULTILINE)


def test_every_check_has_its_section_in_the_guide():
    assert headings(GUIDE) == [check.code for check in CHECKS]
    assert all(check.page == f"docs/guides/leakage-audit.md#{check.code.lower()}" for check in CHECKS)
