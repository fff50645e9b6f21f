"""The page of a replay: the sentence first, then leavers reached week by week, then every Monday."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from churn.results.replay import CONTACTED, NUMBERS, PAGE, Monday, Replay
from features.storage.versions import Place
from models.charts import BLUE, GREEN, GREY, ORANGE, Axis, Row, line, picture, svg
from models.page import Page, Picture, Table, number, write_page

_COLOURS = {"the lists": BLUE, "recency": ORANGE, "frequency": GREEN}


def write_replay(found: Replay, place: Place) -> Replay:
    """Write page and numbers as a version of a place; the same replay gives the same bytes."""
    numbers, page = found.to_json(), page_of(found).to_html()

    def write(draft: Path) -> None:
        write_page(draft, page=(PAGE, page), numbers=(NUMBERS, numbers))
        pq.write_table(found.to_arrow(), draft / CONTACTED, compression="zstd")

    return replace(found, path=place.add(write))


def page_of(found: Replay) -> Page:
    """Return what the page says."""
    words = found.words
    return Page(
        "Past Mondays, replayed",
        f"{found.mondays[0].cutoff} to {found.mondays[-1].cutoff}, each with what was known on that day.",
        {"What would the lists have reached?": words[0].upper() + words[1:] + "."},
        [*_notes(found)],
        [_picture(found)],
        [Table("Every Monday", [_row(one) for one in found.mondays], "Leavers are counted again on each Monday.")],
    )


def _notes(found: Replay) -> Iterator[str]:
    yield "In the sentence a user counts once, however many Mondays they left after; reached: listed on one of these Mondays."
    if any(one.is_as_it_was is not None for one in found.mondays):
        yield "Weeks that were really run have the model, shift and arms of that week; who was contacted may have stayed because of it."
    if found.skipped:
        yield f"{len(found.skipped)} Mondays were not replayed: {next(iter(found.skipped.values()))}."


def _picture(found: Replay) -> Picture:
    x, y = Axis("monday", "Monday", "date", "%d %b %y"), Axis("leavers", "leavers")
    every = [{"monday": str(one.cutoff), "leavers": one.leavers} for one in found.mondays]
    layers = [line(every, x, y=y, colour=GREY, dashed=True)]
    names = ["the lists", *found.users.reached_by]
    for name in names:
        rows = [{"monday": str(one.cutoff), "leavers": _reached(one, name)} for one in found.mondays]
        layers.append(line(rows, x, y=y, colour=_COLOURS[name]))
    words = "Grey: all leavers; blue: those on the lists" + "".join(
        f"; {colour}: those among as many users by {name}"
        for name, colour in (("recency", "orange"), ("frequency", "green"))
        if name in names
    )
    return Picture("Leavers reached", svg(picture(*layers)), words + ".")


def _reached(one: Monday, name: str) -> int:
    return one.reached if name == "the lists" else one.reached_by.get(name, 0)


def _row(one: Monday) -> Row:
    rules = {f"by {name}": number(count) for name, count in one.reached_by.items()}
    found = {
        "Monday": str(one.cutoff),
        "model": one.model,
        "scored": number(one.scored),
        "leavers": number(one.leavers),
        "contacts": number(one.contacts),
        "reached": number(one.reached),
        **rules,
    }
    if one.pays_from is not None:
        found["pays from"] = f"{one.pays_from:.1%}" if one.pays_from <= 1 else "never"
    was = {None: "", True: "as it was", False: f"differs: {', '.join(one.differing or ())}"}
    return found | {"really run": was[one.is_as_it_was]}
