"""How far answers can be relied on now: by the age of the stored profiles, and by whether a newer release was refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from features.snapshots import instant
from serving.http.contract import Status
from serving.settings import ServingSettings

if TYPE_CHECKING:  # the process that supervises the workers reads this file too
    from serving.store.profile_store import StoreInfo


class Standing(NamedTuple):
    """The state of what is in service, and why it is not ``ok``."""

    status: Status = "ok"
    why: str = ""


def standing(info: StoreInfo, limits: ServingSettings, *, why_refused: str, now: datetime) -> Standing:
    """Say how far answers can be relied on.

    Parameters
    ----------
    why_refused
        Why a newer release was refused; empty where none was.
    """
    found = [Standing("degraded", f"a newer release was refused: {why_refused}")] if why_refused else []
    age = now - cutoff_of(info)
    limits_days: dict[Status, float] = {"stale": limits.stale_after_days, "degraded": limits.degraded_after_days}
    for status, days in limits_days.items():
        if age > timedelta(days=days):
            found.append(Standing(status, f"profiles are of {info.cutoff}, more than {days:g} days ago: churn score"))
            break
    return Standing(found[-1].status, "; ".join(one.why for one in found)) if found else Standing()


def cutoff_of(info: StoreInfo) -> datetime:
    """Return the instant that the stored profiles are of."""
    return instant(info.cutoff, info.specification.timezone)
