"""Texts of weeks and months: which of the two they are, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence

from churn.first_look.evidence.names import is_spelled

_SHAPE = re.compile(
    r"(?P<before>[^\W\d_]{0,4}[ -]?)(?P<first>\d{1,4})(?P<between>[^\W\d_]{0,6}|[-/. ]{0,2}[^\W\d_]{0,6}[-. ]{0,2})(?P<second>\d{1,4})"
    r"(?P<after>[^\W\d_]{0,2})"
)
_YEAR, _SHORT, _MONTHS = 4, 2, 12
_NAMES = {
    "week": (
        r".*(week|woche|semaine|semana|settimana|недел|тижд|hafta|tydzien|tygod|viikko|vecka|minggu|週|周|주차|주간|(^|_)(yw|yyyyww|wk|kw|weken|uke|uge|sem|setmana|tyden|tydne|주|주_번호)"
        r"(_|$)).*"
    ),
    "month": (
        r".*(month|monat|mois|mese|maand|месяц|місяц|miesiac|mesic|manad|maned|kuukausi|bulan|月|월"
        r"|(^|_)(ym|yyyymm|mes|mon|mth|ay|ayi|mjesec)(_|$)).*"
    ),
}
_LETTERS = {  # of a week or a month, next to the numbers
    "week": {
        "w",
        "kw",
        "wk",
        "week",
        "s",
        "sem",
        "t",
        "h",
        "hf",
        "年第",
        "周",
        "週",
        "年",
        "第",
        "нед",
        "ч",
        "년",
        "주",
        "주차",
    },
    "month": {"m", "年", "月", "년", "월"},
}


def periods_of(texts: Sequence[str], name: str) -> list[tuple[str, str]]:
    """Return ``week`` and ``month``, whichever all texts can be and the name of their column does not deny, each with its format.

    Examples
    --------
    >>> periods_of(["2024-05"], "period"), periods_of(["05/2024"], "woche"), periods_of(["2024-W05"], "day")
    ([('month', '%Y-%m'), ('week', '%G-%V')], [('week', '%V/%G')], [('week', '%G-W%V')])
    """
    matches = [match for text in texts if (match := _SHAPE.fullmatch(text)) and _has_year(match)]
    shapes = {(len(one["first"]) == _YEAR, one["before"], one["between"], one["after"]) for one in matches}
    if not texts or len(matches) < len(texts) or len(shapes) > 1:
        return []
    ((is_year_first, before, between, after),) = shapes
    letters = set(re.findall(r"[^\W\d_]+", f"{before} {between} {after}".casefold()))
    named = period_of(name)
    found: list[tuple[str, str]] = []
    for period, (year, part) in {"month": ("%Y", "%m"), "week": ("%G", "%V")}.items():
        ends = (year, part) if is_year_first else (part, year)
        is_usual = period == "month" or bool(letters) or named == period or (is_year_first and _may_be_weeks(matches))
        if letters <= _LETTERS[period] and named in (None, period) and is_usual:
            found.append((period, f"{before}{ends[0]}{between}{ends[1]}{after}"))
    return found


def period_of(name: str) -> str | None:
    """Return ``week`` or ``month``, where a name says one of them."""
    found = [period for period, words in _NAMES.items() if is_spelled(words, name)]
    return found[0] if len(found) == 1 else None


def _may_be_weeks(matches: Sequence[re.Match[str]]) -> bool:
    """Tell whether numbers can be of weeks: in several years, some of those have to be above 12."""
    years = {one["first"] for one in matches}
    return len(years) == 1 or any(int(one["second"]) > _MONTHS for one in matches)


def _has_year(match: re.Match[str]) -> bool:
    """Tell whether one of two numbers is a year and the other has two digits, or one where something separates them."""
    year, part = sorted((match["first"], match["second"]), key=len, reverse=True)
    is_apart = bool(match["between"]) or (match["first"] == year and len(part) == _SHORT)
    return len(year) == _YEAR and len(part) <= _SHORT and is_apart
