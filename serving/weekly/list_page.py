"""The page of a list, for people who decide whether it goes out: what to look at first, what changed, what it should earn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from models.charts import ORANGE, Axis, Row, level, line, picture, svg
from models.page import Page, Picture, Table, number
from serving.weekly.changes import BEFORE, NOW, Changes, Matrix
from serving.weekly.checks import Concern
from serving.weekly.profit import ProfitRanking
from serving.weekly.write import WITHOUT_ID

NO_PROFIT = "No contact is expected to earn anything, so nobody is listed: look at save_rate, incentive and value"


@dataclass(frozen=True)
class ListSummary:
    """What is known of a list.

    Attributes
    ----------
    counts
        Numbers of users under the words for them, in order.
    profit
        Its ranking, where its costs are known.
    changes
        Since the batch before; None: there was none in the last days.
    concerns
        What should have been checked before it was written.
    upload_note
        How many are not in the upload, and what can be done; empty: all are in it.
    not_cleared
        Number of users in the last upload who are held out now.
    """

    counts: Mapping[str, int]
    profit: ProfitRanking | None = None
    changes: Changes | None = None
    concerns: Sequence[Concern] = ()
    upload_note: str = ""
    not_cleared: int = 0

    def verdicts(self) -> dict[str, str]:
        """Question to answer."""
        found = {"Is there something to look at before it is sent?": " ".join(one.words + "." for one in self.concerns)}
        found = {question: answer or "No." for question, answer in found.items()}
        if self.upload_note:
            found["Does the upload have everybody on it?"] = self.upload_note
        if self.not_cleared:
            found["Is anybody of the last upload held out now?"] = (
                f"{number(self.not_cleared)}. holdout.csv names them too, so that the tool suppresses them; delta.csv does not."
            )
        if self.profit:
            found["What should contacting them earn?"] = profit_words(self.profit)
        if self.changes:
            found["What changed since last week?"] = self.changes.words().replace("since", "Since", 1) + "."
        return found


def page_of(title: str, subtitle: str, *, summary: ListSummary) -> Page:
    """Return what the page says."""
    pictures = [_profit_picture(summary.profit)] if summary.profit and summary.profit.size else []
    counts = [{"users": name, "number": number(count)} for name, count in summary.counts.items()]
    tables = [Table("Who is on it, and who is not", counts), *_change_tables(summary.changes)]
    return Page(title, subtitle, summary.verdicts(), pictures=pictures, tables=tables)


def upload_words(not_uploaded: Mapping[str, int], *, listed: int, id_column: str) -> str:
    """Say how many of a list are not in its upload, why, and how to list those instead whom the tool finds; empty: all are in it."""
    if not not_uploaded:
        return ""
    reasons = ", ".join(f"{number(count)} {why}" for why, count in not_uploaded.items())
    words = f"No: upload.csv has {number(listed - sum(not_uploaded.values()))} of {number(listed)} users. Not in it: {reasons}."
    if WITHOUT_ID in not_uploaded:
        words += (
            f' With "{id_column} is not null" as a condition of [export] reachable, others are listed in their place.'
        )
    return words


def pays_words(pays_from: float) -> str:
    """Say from which save rate on a list pays.

    Examples
    --------
    >>> pays_words(0.08), pays_words(float("inf"))
    ('it pays from a save rate of 8.0%', 'no save rate makes it pay')
    """
    return f"it pays from a save rate of {pays_from:.1%}" if pays_from <= 1 else "no save rate makes it pay"


def profit_words(found: ProfitRanking) -> str:
    """Say what a list should earn, from which save rate it pays, and how it differs from a list by risk."""
    if not found.size:
        return f"{NO_PROFIT}."
    rate = pays_words(found.pays_from())
    return (
        f"{number(found.total)} if everybody is contacted and {found.costs.save_rate:.1%} of the leavers are saved; {rate}. "
        f"{found.also_by_risk:,} of its {found.size:,} users would be on a list as long that is ranked by risk."
    )


def _profit_picture(found: ProfitRanking) -> Picture:
    x, y = Axis("users", "users contacted, the most profitable first"), Axis("profit", "expected profit")
    layers = [level(0), level(found.size, is_horizontal=False)]
    for place, (_, points) in enumerate(found.curves()):
        rows = [{"users": users, "profit": profit} for users, profit in points]
        layers.append(line(rows, x, y=y, colour=ORANGE, dashed=True) if place else line(rows, x, y=y))
    assumed, low, high = (rate for rate, _ in found.curves())
    words = (
        f"Blue: with a save rate of {assumed:.1%}, as assumed; dashed: were it {low:.1%} or {high:.1%}. "
        "The upright line is the cut. A curve that falls again says how much the last contacts cost."
    )
    return Picture("Expected profit by number of users contacted", svg(picture(*layers)), words)


def _change_tables(found: Changes | None) -> Iterator[Table]:
    if found is None:
        return
    words = "Rows: risk band in the batch before, by the model of now. Columns: where these users are now."
    yield Table(f"Users since {found.since}", _matrix_rows(found.users), words)
    if found.model is not None:
        words = f"The same users at {found.since}. Rows: risk band by the model of then; columns: by the model of now."
        yield Table("What the new model changed", _matrix_rows(found.model), words)


def _matrix_rows(matrix: Matrix) -> list[Row]:
    befores = [name for name in BEFORE if any(was == name for was, _ in matrix)]
    nows = [name for name in NOW if any(is_now == name for _, is_now in matrix)]
    return [{"": was} | {name: number(matrix.get((was, name), 0)) for name in nows} for was in befores]
