"""The measurements of the weekly effect as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

Measured = Mapping[str, Any]

INTRODUCTION = """# The weekly effect: seasons in which the truth is known

Written by `python -m benchmarks.weekly.effect` from `weekly_effect.json`; do not edit. Measured on {measured_on}: {seasons:,} seasons of
26 weekly looks for each list, seed {seed}, {seconds:.0f} s.

A list holds about as many users every week. They stay for five weeks on average; each epoch of 13 weeks deals the arms anew, so its
first week has the whole list as first entries and every later one a fifth. Outcomes are known five weeks after the entry, so the last
look knows the entries of 22 weeks. The churn rate is about 40 %; log-odds explain part of it, and what they do not explain stays with
a user over both epochs. Potential outcomes use the same random numbers: a user leaves if a uniform number is below the churn
probability, or below that less the effect if contacted. Effects differ by risk band, 5 points on average. Held-out users are
contacted with a chance of 5 %, so that assigned arms differ by 4.75 points. *Covered* compares the intervals of all looks with the
true mean effect among the users who entered so far, in that season.

The share held out is the smallest between 5 and 50 % with which 5 points are shown in week 26 with a power of 80 %. *Planned x 0.25* and
*x 4* are the same seasons read with a sequence whose planned number of users was wrong by four.
"""


class Bar(NamedTuple):
    """One measured number against its target."""

    what: str
    target: str
    found: str
    is_met: bool


def write_page(results: Measured, folder: Path) -> None:
    """Write ``weekly_effect.md``."""
    parts = [
        INTRODUCTION.format(**results),
        _table(["metric", "target", "result", ""], [_bar_row(bar) for bar in bars(results)], title="Targets"),
        _table(LIST_HEADER, [_list_row(one) for one in results["lists"]], title="Lists"),
        _table(LOOK_HEADER, list(_look_rows(results)), title="Error rates and coverage"),
        COVERAGE_NOTE,
        _table(SMALL_HEADER, [_small_row(one) for one in results["small"]], title="Small samples"),
        SMALL_NOTE,
        _table(LEAK_HEADER, list(_leak_rows(results)), title="Contamination"),
        LEAK_NOTE,
        _table(MISMATCH_HEADER, [_mismatch_row(one) for one in results["mismatch"]], title="Sample-ratio mismatch"),
        MISMATCH_NOTE,
        _table(SMALLEST_HEADER, _smallest_rows(results)),
    ]
    (folder / "weekly_effect.md").write_text("\n".join(parts))


# --- Targets ---------------------------------------------------------------------------------------------------------


def bars(results: Measured) -> Iterator[Bar]:
    """Return every target with what was found."""
    for one in results["lists"]:
        yield from _effect_bars(one)
        yield from _leak_bars(one)
    yield from _mismatch_bars(results["mismatch"])


def _effect_bars(one: Measured) -> Iterator[Bar]:
    name, right = f"{one['size']:,} a week", one["looks"][0]
    wrong = max(look["width"] for look in one["looks"][1:])
    yield _at_most(f"{name}: zero effect ever shown, overall", right["zero_shown"], bound=0.025)
    yield _at_most(f"{name}: zero effect ever shown, overall or in any band", right["zero_shown_anywhere"], bound=0.05)
    yield _at_least(f"{name}: 5 points covered at all looks", right["covered_entered"], bound=0.95)
    yield _width(f"{name}: half-width in week 26 over that of one fixed look", right["width"], bound=1.60)
    yield _width(f"{name}: the same, planned users wrong by four", wrong, bound=1.67)


def _leak_bars(one: Measured) -> Iterator[Bar]:
    little, much = one["contamination"]
    name = f"{one['size']:,} a week, {one['share']:.1%} held out"
    yield _at_least(f"{name}: 10 % contamination flagged by week 26", much["flagged"][1], bound=0.95)
    for week, flagged, early in zip((13, 26), little["flagged"], little["too_early"], strict=True):
        bar = _at_most(f"{name}: 5 % contamination flagged in week {week}", flagged, bound=0.05)
        yield bar._replace(found=f"{bar.found}, too early in {early:.0%}") if early else bar


def _mismatch_bars(found: Sequence[Measured]) -> Iterator[Bar]:
    clean = max(one["clean"] for one in found)
    yield _at_most("clean seasons in which the arms' sizes ring, the highest of all settings", clean, bound=0.005)
    for one in found:
        if one["scored"] >= 5_000:
            what = f"{one['scored']:,} scored users, {one['share']:.0%} held out: loss of 10 % of either arm found"
            yield _at_least(what, min(one["held_out_lost"], one["treated_lost"]), bound=0.95)


def _at_most(what: str, found: float, *, bound: float) -> Bar:
    return Bar(what, f"at most {bound:.1%}", f"{found:.2%}", found <= bound)


def _at_least(what: str, found: float, *, bound: float) -> Bar:
    return Bar(what, f"at least {bound:.0%}", f"{found:.1%}", found >= bound)


def _width(what: str, found: float, *, bound: float) -> Bar:
    return Bar(what, f"at most {bound:.2f} times", f"{found:.3f}", found <= bound)


def _bar_row(bar: Bar) -> list[str]:
    return [bar.what, bar.target, bar.found, "met" if bar.is_met else "**missed**"]


# --- Tables ----------------------------------------------------------------------------------------------------------

LIST_HEADER = [
    "list",
    "rows",
    "first entries known in week 26",
    "held out",
    "effect shown with power 80 %, planned",
    "shown, measured",
    "5 points (4.75) shown",
    "first reading in week (median)",
    "zero effect found by 26 ordinary looks",
]
LOOK_HEADER = [
    "list",
    "planned",
    "zero shown",
    "or in any band",
    "zero: harm shown",
    "covered (entered)",
    "covered (known)",
    "covered (4.75)",
    "worst band covered",
    "half-width, times",
]
COVERAGE_NOTE = """*Harm shown* is the other side of the interval. *Entered* is the target: the mean over users entered so far;
*known* is the mean over those whose outcome is known; *4.75* is the constant. A band's interval has 98.3 %.
"""
SMALL_HEADER = [
    "interval",
    "outcomes of each kind in each arm, at least",
    "settings",
    "above their level",
    "highest, times its level",
]
SMALL_NOTE = """Why an interval is "too early" before each arm has 15 users who churned and 15 who did not. Seasons without any effect and
with forty looks, four times as many for each setting: 5, 10 or 50 % held out; 300, 1,000 or 4,000 users; churn rates from 2 to 91 %;
planned users right, or four times too few. A setting counts both sides. Rates of a few per thousand vary by chance: with 4,000
seasons by a tenth (overall) to a fifth (a band) of the level.
"""
LEAK_HEADER = [
    "list",
    "held out",
    "contamination",
    "held out, windows closed by week 13",
    "by week 26",
    "flagged in week 13",
    "in week 26",
    "ever",
]
LEAK_NOTE = """Flagged where the exact one-sided bounds are above 5 % (lower, 99 %) and above 8 % (upper, 95 %), from 447 held-out users
in closed windows on. Before that the answer is "too early to say", unless the lower bound is above 8 % already. *Ever* counts all
26 looks. The smallest holdout that can be checked is therefore one of 447 users in closed windows.
"""
MISMATCH_HEADER = [
    "scored users",
    "held out",
    "arms in 26 weeks",
    "clean seasons that ring",
    "10 % of held out lost: rings",
    "10 % of treated lost: rings",
    "loss found in 95 %, 26 weeks",
    "first week",
]
MISMATCH_NOTE = """A user has one arm per epoch, so the arms of a season are those of two epochs and of 2 % new users a week. Clean
seasons are ten times as many. How many arms a loss of 10 % needs depends on the share held out; the next table compares this test,
at one look, with a one-sided test of the right arm at one fixed look with as many false alarms (0.5 %): no test needs fewer.
"""
SMALLEST_HEADER = [
    "held out",
    "arms needed by this test",
    "scored users, in 26 weeks",
    "arms needed by the best test at one fixed look",
]


def _list_row(one: Measured) -> list[str]:
    right = one["looks"][0]
    return [
        f"{one['size']:,}",
        f"{one['rows']:,}",
        f"{one['planned']:,.0f}",
        f"{one['share']:.1%}",
        f"{100 * one['effect_planned']:.1f} points",
        f"{one['power']:.1%}",
        f"{right['five_shown']:.1%}",
        f"{one['first_read_week']:.0f}",
        f"{one['ordinary_looks']:.1%}",
    ]


def _look_rows(results: Measured) -> Iterator[list[str]]:
    keys = ("zero_shown", "zero_shown_anywhere", "zero_harm_shown")
    covered = ("covered_entered", "covered_closed", "covered_constant", "covered_worst_band")
    for one in results["lists"]:
        for look in one["looks"]:
            rates = [f"{look[key]:.2%}" for key in keys] + [f"{look[key]:.1%}" for key in covered]
            yield [f"{one['size']:,}", f"x {look['factor']:g}", *rates, f"{look['width']:.3f}"]


def _small_row(one: Measured) -> list[str]:
    return [one["interval"], f"{one['minimum']}", f"{one['settings']}", f"{one['above']}", f"{one['highest']:.2f}"]


def _leak_rows(results: Measured) -> Iterator[list[str]]:
    for one in results["lists"]:
        for leak in one["contamination"]:
            counts, flagged = [f"{n:,.0f}" for n in leak["held_out"]], [f"{rate:.1%}" for rate in leak["flagged"]]
            name = [f"{one['size']:,}", f"{one['share']:.1%}", f"{leak['leak']:.0%}"]
            yield [*name, *counts, *flagged, f"{leak['ever']:.1%}"]


def _mismatch_row(one: Measured) -> list[str]:
    name = [f"{one['scored']:,}", f"{one['share']:.0%}", f"{one['arms']:,}", f"{one['clean']:.2%}"]
    lost = [f"{one['held_out_lost']:.1%}", f"{one['treated_lost']:.1%}"]
    return [*name, *lost, _loss(one["detectable"]), _loss(one["detectable_first_week"])]


def _loss(share: float) -> str:
    return "none" if isnan(share) else f"{share:.1%}"


def _smallest_rows(results: Measured) -> list[list[str]]:
    return [
        [f"{float(share):.0%}", f"{of['this']:,}", f"{of['scored']:,}", f"{of['best']:,}"]
        for share, of in results["smallest_scored"].items()
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> str:
    lines = [header, ["---"] * len(header), *rows]
    heading = f"## {title}\n\n" if title else ""
    return heading + "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
