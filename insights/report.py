"""The report: every question answered, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable

from features.activity.store import Activity
from insights.core_users import core_users
from insights.counts import counts
from insights.engine.active_days import ActiveDays, active_days
from insights.growth import growth
from insights.presentation.section import Section
from insights.retention import retention
from insights.settings import ReportSettings

Say = Callable[[str], object]


def opened(activity: Activity, settings: ReportSettings) -> ActiveDays:
    """Read the active days of a log."""
    return active_days(
        activity,
        left_censored_days=settings.left_censored_days,
        purchase_event_types=settings.purchase_event_types,
    )


def sections(log: ActiveDays, settings: ReportSettings, *, say: Say = lambda _: None) -> tuple[Section, ...]:
    """Answer all questions."""
    questions: dict[str, Callable[[], Section]] = {
        "counts": lambda: counts(log),
        "growth": lambda: growth(log),
        "core_users": lambda: core_users(log, at_least=settings.core_active_days),
        "retention": lambda: retention(log),
    }
    return tuple(_answered(name, answer, say=say) for name, answer in questions.items())


def _answered(name: str, answer: Callable[[], Section], *, say: Say) -> Section:
    say(f"answering: {name.replace('_', ' ')}")
    return answer()
