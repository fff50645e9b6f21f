"""Where a project stands, and what is wrong around it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

from churn.results.result import Result
from features.errors import CheckFailed


@dataclass(frozen=True)
class ListState:
    """The weekly lists of one week.

    Attributes
    ----------
    week, lists
        ISO week, and the names of its lists.
    label_ends
        First day on which it is known who left; None: the manifest of the list does not say.
    is_closed
        Whether the log covers it.
    """

    week: str
    lists: tuple[str, ...]
    label_ends: date | None
    is_closed: bool


@dataclass(frozen=True, repr=False)
class Status(Result):
    """Where a project stands.

    Attributes
    ----------
    config
        The settings file; None: there is none here.
    log
        Rows, rows set aside and the days covered, when the log was last read; empty: it was not read yet.
    training
        Version, grade, audit and day of the latest training; empty: there was none.
    champion, challenger
        Versions; None: there is none.
    new_users
        Versions of the model of new users, champion and challenger; empty: there is none.
    release
        Version, cutoff and age in days of what the service answers from; empty: there is none.
    lists
        The latest weeks with lists, the oldest first.
    next
        Verb and options that come next.
    """

    config: str | None
    home: str
    log: dict[str, Any] = field(default_factory=dict[str, Any])
    training: dict[str, Any] = field(default_factory=dict[str, Any])
    champion: str | None = None
    challenger: str | None = None
    new_users: dict[str, str] = field(default_factory=dict[str, str])
    release: dict[str, Any] = field(default_factory=dict[str, Any])
    lists: tuple[ListState, ...] = ()
    next: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return everything; days as text."""
        plain = asdict(self)
        for one in plain["lists"]:
            one["label_ends"] = str(one["label_ends"]) if one["label_ends"] else None
        if not self.new_users:
            del plain["new_users"]
        return plain | {"next": " ".join(("churn", *self.next))}

    @property
    def title(self) -> str:
        """What this is."""
        return "Status"

    @property
    def summary(self) -> dict[str, Any]:
        """A line for each thing."""
        closed = [one.week for one in self.lists if one.is_closed]
        open_ = [one.week for one in self.lists if not one.is_closed]
        return {
            "settings": self.config or "no churn.toml here",
            "log": _line(self.log, "{rows:,} rows, set aside {set_aside:,}; {first_day} up to {covered_until}")
            or "not read yet",
            "last training": _line(self.training, "version {version}, {grade}; audit {audit}; {registered_at}")
            or "none",
            "champion": f"version {self.champion}" if self.champion else "none",
            "challenger": f"version {self.challenger}"
            if self.challenger and self.challenger != self.champion
            else "none",
            **self._of_new_users(),
            "release": _line(self.release, "version {version}, profiles of {cutoff}, written {age_days} days ago")
            or "none",
            "lists": f"outcome known: {', '.join(closed) or 'none'}; still open: {', '.join(open_) or 'none'}",
        }

    def _of_new_users(self) -> dict[str, str]:
        """Return the line on the model of new users, where there is one."""
        versions = "; ".join(f"{alias} version {version}" for alias, version in self.new_users.items())
        return {"model of new users": versions} if versions else {}


def _line(values: dict[str, Any], words: str) -> str:
    return words.format(**values) if values else ""


@dataclass(frozen=True)
class Checkup:
    """One check.

    Attributes
    ----------
    is_fine
        False: it needs attention.
    found
        What was seen.
    way_out
        What to do about it; empty: nothing.
    """

    name: str
    is_fine: bool
    found: str
    way_out: str = ""


@dataclass(frozen=True, repr=False)
class Diagnosis(Result):
    """The installation, the machine, the home and the log, each with what to do about it."""

    checks: tuple[Checkup, ...]

    def to_json(self) -> dict[str, Any]:
        """Return every check."""
        return {"is_fine": all(one.is_fine for one in self.checks), "checks": [asdict(one) for one in self.checks]}

    def check(self) -> None:
        """Refuse what needs attention.

        Raises
        ------
        CheckFailed
            With the names of the checks.
        """
        if bad := [one.name for one in self.checks if not one.is_fine]:
            raise CheckFailed(f"needs attention: {', '.join(bad)}", hint="each line says what to do about it")

    @property
    def title(self) -> str:
        """What this is."""
        return "Doctor"

    @property
    def summary(self) -> dict[str, Any]:
        """A line for each check."""
        return {one.name: one.found for one in self.checks}
