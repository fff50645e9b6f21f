"""The page of :mod:`benchmarks.report.bench`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.shares import wilson

ALPHA = 0.05  # of who knows where to look
_WORDS = {
    "null": "no differences at all",
    "standing": "standing differences between channels, phones and tenures",
    "version": "a version that loses 4 points of all sessions' conversion on one phone",
    "channel": "new users of one channel who stay less often for six weeks, by 6 points on day 30",
    "fading": "3 % of the users, those of one phone, who come less and less often for eight weeks",
    "cheap": "a channel whose new users stay twice as long and cost half as much",
    "core": "15 % of the users who come nearly daily come much less often for two weeks",
}
_TEXT = """# What the report finds, and what it does not

Simulated shops of 12 channels, 40 phones, 10 versions and 26 weeks (`benchmarks/report/worlds.py`), measured by
`python -m benchmarks.report.bench`. A finding counts as found where it names the planted group, as a fall, and dates its start to ten days.
The oracle knows group, step and days, and tests them alone, one-sided at 5 %: nobody finds more without being told where to look.

## Nothing there

| world | worlds | with a finding | 95 % interval |
|---|---|---|---|
{nothing}

The report promises at most 4 % for findings, and 1 % a week for the alarm on core users: in {calm} worlds in which they come as ever it
would have been raised in {alarms} of {weeks} weeks (of which neighbours share days).

## Something there

| planted | worlds | sessions a week | found | 95 % interval | oracle |
|---|---|---|---|---|---|
{something}

An alarm is found where the report raises it on the last day; a fading group where the comparison of those who are gone with the active
(S8) marks its phone; a cheap good channel where S2 says that more than on average stay, and the interval of S12's cost of a user who is
retained is below the average. The oracle of these two compares the group alone with all others.
"""


def write_page(results: Mapping[str, Mapping[str, Any]], folder: Path) -> None:
    """Write the page from what is there."""
    nothing = [_nothing(name, results[name]) for name in ("null", "standing") if name in results]
    something = [
        _something(name, results[name]) for name in ("version", "channel", "core", "fading", "cheap") if name in results
    ]
    calm = [*results.get("calm", {}).values()]
    alarms, weeks = sum(one["alarm"] + one["past_alarms"] for one in calm), sum(1 + one["past_weeks"] for one in calm)
    counts = {"alarms": alarms, "weeks": weeks, "calm": len(calm)}
    page = _TEXT.format(nothing="\n".join(nothing), something="\n".join(something), **counts)
    (folder / "report.md").write_text(page)


def _nothing(name: str, worlds: Mapping[str, Any]) -> str:
    found = sum(bool(one["changes"]) for one in worlds.values())
    return f"| {_WORDS[name]} | {len(worlds)} | {found} | {_interval(found, len(worlds))} |"


def _something(name: str, worlds: Mapping[str, Any]) -> str:
    found = sum(bool(one["alarm" if name == "core" else "found"]) for one in worlds.values())
    knows = [one["oracle"] <= ALPHA for one in worlds.values() if "oracle" in one]
    weekly = sum(one["sessions"] for one in worlds.values()) / len(worlds) / 26
    shown = f"{sum(knows)} of {len(knows)}" if knows else "-"
    return f"| {_WORDS[name]} | {len(worlds)} | {weekly:,.0f} | {found} | {_interval(found, len(worlds))} | {shown} |"


def _interval(part: int, whole: int) -> str:
    found = wilson(part, whole)
    return f"{found.low:.0%} to {found.high:.0%}"
