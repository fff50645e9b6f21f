"""The report: every question answered, in the order of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from features.activity.store import Activity
from features.settings import ChurnSettings
from insights.acquisition.channels import acquisition, devices
from insights.acquisition.early_quality import early_quality
from insights.contrast import Limits, contrast
from insights.conversion import conversion
from insights.core_users import core_users
from insights.counts import counts
from insights.engine.active_days import ActiveDays, active_days
from insights.engine.groups import make_groups
from insights.engine.orders import OrderWords, with_orders
from insights.engine.steps import make_steps
from insights.engine.tables import Annotation, Costs
from insights.findings import Past, findings
from insights.growth import growth
from insights.leaving import leaving
from insights.lifetime import Outlook, lifetime
from insights.presentation.section import Section
from insights.projection import projection
from insights.retention import retention
from insights.settings import ReportSettings
from insights.shop.members import members
from insights.shop.membership import Membership
from insights.shop.orders import PaymentWindow, orders
from insights.shop.products import products
from insights.shop.repeat_purchase import repeat_purchase
from insights.shop.unit_economics import unit_economics
from insights.usage_time import usage_time

Say = Callable[[str], object]


@dataclass(frozen=True)
class Context:
    """What is known besides the log: costs, what happened when, the findings of an earlier report, and the champion's curves."""

    costs: Costs = field(default_factory=Costs)
    annotations: tuple[Annotation, ...] = ()
    past: Past | None = None
    outlook: Outlook | None = None


def opened(activity: Activity, settings: ReportSettings) -> ActiveDays:
    """Read the active days of a log."""
    log = active_days(
        activity,
        left_censored_days=settings.left_censored_days,
        purchase_event_types=settings.purchase_event_types,
    )
    make_groups(log)
    return with_orders(log, OrderWords(settings.paid_statuses, settings.purchase_event_types))


def sections(
    log: ActiveDays,
    settings: ReportSettings,
    *,
    churn: ChurnSettings,
    context: Context | None = None,
    say: Say = lambda _: None,
) -> tuple[Section, ...]:
    """Answer all questions.

    Parameters
    ----------
    context
        What is known besides the log.
    """
    context = context or Context()
    limits = Limits.of(active_within_days=churn.active_within_days, horizon_days=churn.horizon_days)
    steps = make_steps(log, funnel=settings.funnel, purchase_event_types=settings.purchase_event_types)
    questions: dict[str, Callable[[], Section]] = {
        "counts": lambda: counts(log),
        "growth": lambda: growth(log),
        "projection": lambda: projection(log),
        "findings": lambda: findings(log, steps, annotations=context.annotations, past=context.past),
        "acquisition": lambda: acquisition(log),
        "early_quality": lambda: early_quality(log),
        "devices": lambda: devices(log),
        "conversion": lambda: conversion(log, steps, benchmark=settings.conversion_benchmark),
        "usage_time": lambda: usage_time(log, settings.minutes_expected),
        "retention": lambda: retention(log),
        "leaving": lambda: leaving(log, horizon_days=churn.horizon_days),
        "core_users": lambda: core_users(log, at_least=settings.core_active_days),
        "contrast": lambda: contrast(log, limits),
        "lifetime": lambda: lifetime(log, horizon_days=churn.horizon_days, outlook=context.outlook),
        "orders": lambda: orders(
            log, settings.cart_event_types, within_days=settings.cart_days, payment=PaymentWindow.of(settings, churn)
        ),
        "products": lambda: products(log, settings.item_event_types, within_days=settings.item_days),
        "repeat_purchase": lambda: repeat_purchase(log, within_days=settings.repeat_days),
        "members": lambda: members(log, Membership.of(settings), within_days=settings.repeat_days, zone=churn.timezone),
        "unit_economics": lambda: unit_economics(log, context.costs),
    }
    return tuple(_answered(name, answer, say=say) for name, answer in questions.items())


def _answered(name: str, answer: Callable[[], Section], *, say: Say) -> Section:
    say(f"answering: {name.replace('_', ' ')}")
    return answer()
