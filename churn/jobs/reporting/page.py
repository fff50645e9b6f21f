"""The page of the report: the numbers that are read first, then the growth page, then the questions, folded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from churn.results.report import Report
from insights.presentation import formats
from insights.presentation.section import Figures, Row, Section
from insights.presentation.texts import text
from models.charts import sparkline
from models.page import WORDS, Chapter, Page, Table, Tile
from models.text.catalogues import in_language

_OPEN = {"growth", "core_users", "retention", "findings"}  # the growth page: everything is in sight
_FIRST = ("growth", "retention", "core_users", "findings")
_MIN_USERS = 20  # below, the colour of a share is noise
_LONG, _SPARK_DAYS = 60, 84  # rows that a table on the page shows; all of them are in its files


def page_of(found: Report, new_from: date | None) -> Page:
    """Return what the page says, in the language of the report.

    Parameters
    ----------
    new_from
        The first day whose new users are not marked; None where all days are alike.
    """
    with in_language(found.language):
        return _page(found, new_from)


def _page(found: Report, new_from: date | None) -> Page:
    by_name = {one.name: one for one in found.sections}
    order = [*(name for name in _FIRST if name in by_name), *(name for name in by_name if name not in _FIRST)]
    note = text("page.left_censored", day=formats.date_words(new_from)) if new_from else text("page.not_left_censored")
    users = formats.count(by_name["counts"].facts["users"])
    days = {"first": formats.date_words(found.first_day), "last": formats.date_words(found.last_day)}
    span = days | {"zone": found.zone, "new_note": note}
    return Page(
        text("page.title", project=found.project),
        text("page.subtitle", users=users, **span),
        {},
        [text("page.intervals"), *found.notes],
        tiles=list(_tiles(by_name)),
        chapters=[_chapter(by_name[name]) for name in order],
        language=found.language,
        words={name: text(f"page.{name}") for name in WORDS},
    )


def _chapter(one: Section) -> Chapter:
    return Chapter(
        one.name,
        one.title,
        one.question,
        one.sentences,
        text(f"{one.name}.mark"),
        one.pictures,
        [table_of(figures) for figures in one.tables],
        one.definition,
        [text("page.need", what=what, column=column) for what, column in one.needs.items()],
        one.links,
        is_open=one.name in _OPEN,
    )


def table_of(figures: Figures) -> Table:
    """Return what the page shows of a table: of a long one the latest days, or where its rows are not days, the first rows."""
    rows, is_long = figures.texts(), len(figures.rows) > _LONG
    shown = slice(-_LONG, None) if figures.is_by_date else slice(_LONG)
    words = text(
        "page.shortened" if figures.is_by_date else "page.shortened_to_first",
        rows=_LONG,
        all=len(rows),
        name=figures.name,
    )
    return Table(figures.title, rows[shown], words if is_long else "", _heat(figures, figures.rows[shown]))


def _heat(figures: Figures, rows: Sequence[Row]) -> Mapping[str, list[float | None]]:
    """Return how strong the colour of each cell is, by heading: of all coloured cells, the largest has all of it."""
    cells = {name: [row[name] if row["users"] >= _MIN_USERS else None for row in rows] for name in figures.heat}
    top = max((value for values in cells.values() for value in values if value is not None), default=0.0) or 1.0
    headings = figures.headings
    return {headings[name]: [None if one is None else one / top for one in values] for name, values in cells.items()}


# --- The numbers at the top ---------------------------------------------------------------------------------------------


def _tiles(sections: Mapping[str, Section]) -> Iterator[Tile]:
    counts, growth, core = (sections[name].facts for name in ("counts", "growth", "core_users"))
    days = _rows(sections["growth"], "growth_days")[-_SPARK_DAYS:]
    weeks = [row for row in _rows(sections["counts"], "weeks") if not row["is_open"]]
    of_day = text("page.of_day", day=formats.date_words(days[-1]["day"]))
    yield _tile("dau", formats.short(growth["dau"]), of_day, [row["dau"] for row in days])
    yield _tile("wau", formats.short(growth["wau"]), _change(counts, "active"), [row["wau"] for row in days])
    yield _tile("mau", formats.short(growth["mau"]), text("page.of_28"), [row["mau"] for row in days])
    if core["stickiness"] is not None:
        yield _tile("stickiness", formats.share(core["stickiness"]), text("page.stickiness"), [])
    yield _tile("new", formats.short(counts["new"]), _change(counts, "new"), [row["new"] for row in weeks])
    for name, show in (("purchases", formats.short), ("sales", formats.short)):
        if name in counts:
            yield _tile(name, show(counts[name]), _change(counts, name), [row[name] for row in weeks])
    if growth["quick_ratio"] is not None:
        yield _tile("quick_ratio", formats.number(growth["quick_ratio"]), text("page.last_period"), [])


def _rows(section: Section, name: str) -> list[Mapping[str, Any]]:
    return [row for one in section.tables if one.name == name for row in one.rows]


def _change(counts: Mapping[str, Any], name: str) -> str:
    found = formats.change(counts.get(f"{name}_change"))
    return "" if found == formats.DASH else text("page.change", change=found)


def _tile(name: str, value: str, change: str, course: list[float | None]) -> Tile:
    known = [float(one) for one in course if one is not None]
    return Tile(text(f"page.tile_{name}"), value, change, sparkline(known))
