"""What the columns of a list mean, in the words of those who work it, and how a spreadsheet shows their numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from serving.weekly.curve_columns import SHOWN_DAYS

CARRIED = "a value of the users table, carried along"


@dataclass(frozen=True)
class ListColumn:
    """A column as a spreadsheet explains and shows it.

    Attributes
    ----------
    meaning
        One sentence for somebody who never read a manual.
    shown_as
        ``percent`` for shares in [0, 1], ``money`` with two decimals, ``plain`` by its type.
    """

    name: str
    meaning: str
    shown_as: Literal["plain", "percent", "money"] = "plain"


@dataclass(frozen=True)
class About:
    """What a list is, as its spreadsheet says.

    Attributes
    ----------
    cutoff
        The day up to which, itself excluded, the list knows the users; also the ``created`` property of the file, which must not
        be a clock's.
    counts
        Numbers of users under the words for them, in order, as ``{"users listed": 752, "excluded: opted out": 41}``.
    shared_reasons
        What nearly everybody on the list has in common; no row repeats it.
    """

    list_name: str
    week: str
    cutoff: date
    model: str
    model_version: str
    export_id: str
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    shared_reasons: Sequence[str] = ()

    def lines(self) -> list[tuple[str, str | int]]:
        """Return label and value of each line, in order."""
        named = {
            "list": self.list_name,
            "week": self.week,
            "known before": str(self.cutoff),
            "model": self.model,
            "model version": self.model_version,
            "export id": self.export_id,
        }
        shared = [("nearly everybody here", text) for text in self.shared_reasons]
        return [*named.items(), *self.counts.items(), *shared]


def _reason(place: str, number: int) -> list[ListColumn]:
    return [
        ListColumn(f"reason_{number}", f"the {place} thing that raises this user's risk, in words"),
        ListColumn(f"reason_{number}_code", f"the stable code of the {place} reason, for filters and rules"),
        ListColumn(f"reason_{number}_contribution", f"how much the {place} reason adds to the log-odds; for analysts"),
    ]


_AT_DAYS = [
    ListColumn(
        f"churn_probability_{days}d",
        f"the same over {days} days; where leaving means staying away, how likely the user is not back after {days} days",
        "percent",
    )
    for days in SHOWN_DAYS
]
KNOWN_COLUMNS = {
    column.name: column
    for column in (
        ListColumn("rank", "the place on the list; 1 is to be contacted first"),
        ListColumn("user_id", "the user, as the event log names them"),
        ListColumn("churn_probability", "how likely the user leaves if nothing is done", "percent"),
        ListColumn("percentile", "0 to 100; 100 is as risky as the riskiest users that the model knows"),
        ListColumn("risk_band", "high, medium or low"),
        ListColumn("scored_by", "the model of new users, where it scored the user; its percentile is among new users"),
        *_AT_DAYS,
        ListColumn(
            "expected_day",
            "the day by which the user has as likely left as not or, where leaving means staying away, is as likely back as not; "
            "empty: later than the model looks ahead",
        ),
        *_reason("first", 1),
        *_reason("second", 2),
        *_reason("third", 3),
        ListColumn("as_of", "the day up to which, itself excluded, the user's events count"),
        ListColumn("last_seen", "the day of the user's last event"),
        ListColumn("last_seen_at", "the time of the user's last event"),
        ListColumn("main_device", "the device that the user used most"),
        ListColumn("channel", "where the user came from"),
        ListColumn("value", "what the user is worth, by the list's own rule", "money"),
        ListColumn("expected_loss", "churn probability times value", "money"),
        ListColumn("expected_profit", "what contacting the user is expected to earn, after its costs", "money"),
        ListColumn("action", "the suggested action, by first reason and band"),
        ListColumn("band_last_week", "the risk band of the week before; empty: no score then"),
        ListColumn("change", "new, or whether the risk band rose, fell or is the same as the week before"),
        ListColumn("list", "the name of the list"),
        ListColumn("week", "the week that the list is for"),
        ListColumn("export_id", "what this export of the list is known by"),
    )
}


def explained(names: Sequence[str], given: Sequence[ListColumn] = ()) -> list[ListColumn]:
    """Return each column of a table with its meaning: as given, else as known, else as carried along."""
    known = KNOWN_COLUMNS | {column.name: column for column in given}
    return [known.get(name) or ListColumn(name, CARRIED) for name in names]
