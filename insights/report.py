"""The report: every question answered, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable

from features.activity.store import Activity
from features.settings import ChurnSettings
from insights.acquisition import acquisition, devices
from insights.contrast import Limits, contrast
from insights.conversion import conversion
from insights.core_users import core_users
from insights.counts import counts
from insights.engine.active_days import ActiveDays, active_days
from insights.engine.groups import make_groups
from insights.engine.steps import make_steps
from insights.findings import findings
from insights.growth import growth
from insights.lifetime import lifetime
from insights.orders import orders
from insights.presentation.section import Section
from insights.repeat_purchase import repeat_purchase
from insights.retention import retention
from insights.settings import ReportSettings
from insights.usage_time import usage_time

Say = Callable[[str], object]


def opened(activity: Activity, settings: ReportSettings) -> ActiveDays:
    """Read the active days of a log."""
    log = active_days(
        activity,
        left_censored_days=settings.left_censored_days,
        purchase_event_types=settings.purchase_event_types,
    )
    make_groups(log)
    return log


def sections(
    log: ActiveDays, settings: ReportSettings, *, churn: ChurnSettings, say: Say = lambda _: None
) -> tuple[Section, ...]:
    """Answer all questions."""
    limits = Limits.of(active_within_days=churn.active_within_days, horizon_days=churn.horizon_days)
    steps = make_steps(log, funnel=settings.funnel, purchase_event_types=settings.purchase_event_types)
    questions: dict[str, Callable[[], Section]] = {
        "counts": lambda: counts(log),
        "growth": lambda: growth(log),
        "findings": lambda: findings(log, steps),
        "acquisition": lambda: acquisition(log),
        "devices": lambda: devices(log),
        "conversion": lambda: conversion(log, steps, benchmark=settings.conversion_benchmark),
        "usage_time": lambda: usage_time(log, settings.minutes_expected),
        "retention": lambda: retention(log),
        "core_users": lambda: core_users(log, at_least=settings.core_active_days),
        "contrast": lambda: contrast(log, limits),
        "lifetime": lambda: lifetime(log, horizon_days=churn.horizon_days),
        "orders": lambda: orders(log, cart_event_types=settings.cart_event_types, within_days=settings.cart_days),
        "repeat_purchase": lambda: repeat_purchase(log, within_days=settings.repeat_days),
    }
    return tuple(_answered(name, answer, say=say) for name, answer in questions.items())


def _answered(name: str, answer: Callable[[], Section], *, say: Say) -> Section:
    say(f"answering: {name.replace('_', ' ')}")
    return answer()
