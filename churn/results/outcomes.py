"""The account of past lists."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from churn.results.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from serving.weekly.account.effect_account import EffectAccount
    from serving.weekly.account.model_account import ModelAccount
    from serving.weekly.account.outcomes import ScoredWeek


@dataclass(frozen=True, repr=False)
class Outcomes(Result):
    """Whether the model was right, and whether contacting helped, as known on a day.

    Attributes
    ----------
    model
        On users who were left alone.
    effects
        What contacting did, apart for each share held out; that of the latest epoch first. Empty without a list.
    weeks
        Every week that was scored before the day.
    contacts_are_known
        False where nobody says who was contacted: then who was to be contacted counts as contacted.
    contacts_set_aside
        Reason to number of rows of ``[contacts]`` that do not count, and of costs that are unreadable.
    path
        Folder of the page and of the same numbers as JSON.
    """

    as_of: date
    model: ModelAccount
    effects: tuple[EffectAccount, ...]
    weeks: tuple[ScoredWeek, ...]
    contacts_are_known: bool
    contacts_set_aside: Mapping[str, int] = field(default_factory=dict[str, int])
    path: Path = Path()

    @property
    def title(self) -> str:
        """What this is."""
        return f"Outcomes as known on {self.as_of}"

    @property
    def final_weeks(self) -> int:
        """Weeks whose outcomes are known and do not change any more."""
        return sum(week.is_final for week in self.weeks)

    @property
    def was_the_model_right(self) -> str:
        """The verdict on the model, in a sentence."""
        return self.model.words

    @property
    def did_contacting_help(self) -> str:
        """The verdict on contacting, in a sentence."""
        if self.effects:
            return self.effects[0].words
        has_lists = any(week.has_list for week in self.weeks)
        why = "nobody was held out ([holdout] share = 0)" if has_lists else "no list was exported"
        return f"{why}, so there is nothing to compare"

    @property
    def expected_churners(self) -> float:
        """Churners that the model expected among users who were left alone."""
        return self.model.overall.expected

    @property
    def actual_churners(self) -> int:
        """Churners that there were among them."""
        return self.model.overall.actual

    @property
    def auc(self) -> float | None:
        """AUC on users who were left alone; None while it is too early."""
        found = self.model.metrics.get("auc")
        return found.value if found else None

    @property
    def effect(self) -> float | None:
        """Difference in churn rates, treated less held out, as a share; None while it is too early."""
        found = self.effects[0].effect.overall.estimate if self.effects else math.nan
        return None if math.isnan(found) else found

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know, a sentence each."""
        return tuple(_notes(self))

    @property
    def summary(self) -> dict[str, Any]:
        """Both verdicts, and how much they rest on."""
        found: dict[str, Any] = {
            "was the model right?": self.was_the_model_right,
            "did contacting help?": self.did_contacting_help,
            "weeks": f"{self.final_weeks} final, {len(self.weeks) - self.final_weeks} open",
        }
        return found | ({"note": "\n".join(self.notes)} if self.notes else {}) | {"page": str(self.path / PAGE)}

    def to_json(self) -> dict[str, Any]:
        """Return both accounts, every number of the page among them; null where one is not known."""
        numbers = {
            "as_of": self.as_of,
            "was_the_model_right": asdict(self.model),
            "did_contacting_help": [asdict(one) for one in self.effects],
            "weeks": [_week(week) for week in self.weeks],
            "contacts_are_known": self.contacts_are_known,
            "notes": self.notes,
        }
        return plain(numbers) | ({"path": str(self.path)} if self.path != Path() else {})

    def to_pandas(self) -> pd.DataFrame:
        """Return expected and actual churners among users who were left alone, one row per week."""
        import pandas as pd

        return pd.DataFrame([asdict(one) for one in self.model.parts.get("week", ())])


PAGE, NUMBERS = "outcomes.html", "outcomes.json"


def _week(week: ScoredWeek) -> dict[str, Any]:
    about = {name: value for name, value in vars(week).items() if name != "users"}
    return about | {"users": week.users.num_rows, "is_final": week.is_final}


def _notes(found: Outcomes) -> list[str]:
    notes: list[str] = []
    if found.effects and not found.contacts_are_known:
        notes.append(
            "who was contacted is not known ([contacts] is not set): everybody who was to be contacted counts as contacted "
            "once by each list, and held-out users as left alone"
        )
    if found.contacts_set_aside:
        from features.log.rejected import describe_rejected

        notes.append(f"[contacts]: set aside {describe_rejected(found.contacts_set_aside)}")
    coming = [week for week in found.weeks if not week.is_final]
    if coming:
        notes.append(f"the next outcomes, those of {coming[0].cutoff}, are final on {coming[0].final_on}")
    if seen := [week for week in found.weeks if week.was_trained_on]:
        notes.append(
            f"not part of the account of the model, as the version that scored it was trained on labels of that time: "
            f"{', '.join(f'{week.cutoff} (version {week.version})' for week in seen)}"
        )
    notes += _without_holdout([week for week in found.weeks if not week.share], contacts=found.contacts_are_known)
    if len(found.effects) > 1:
        others = "; ".join(one.words for one in found.effects[1:])
        notes.append(f"epochs with another share held out are read apart: {others}")
    return notes


def _without_holdout(weeks: Sequence[ScoredWeek], *, contacts: bool) -> Iterator[str]:
    """Say of epochs in which nobody was held out whether there were lists: without them, everybody was left alone."""
    listed = dict.fromkeys(week.epoch for week in weeks if week.has_list)
    alone = {week.epoch for week in weeks if week.has_list and week.has_given_arms}  # as another tool holds users out
    if without := [epoch for epoch in dict.fromkeys(week.epoch for week in weeks) if epoch not in listed]:
        but = ", except whom another tool contacted" if contacts else ""
        yield f"no list was exported in {' and '.join(without)}: all users count as left alone there{but}"
    if nobody := [epoch for epoch in listed if epoch not in alone]:
        yield (
            f"lists were exported in {' and '.join(nobody)} and [holdout] share is 0: nobody counts as left alone there, so that those "
            "weeks say nothing on the model, nor on contacting"
        )


def plain(value: Any) -> Any:
    """Return JSON values: dates as text, and null for a number that is not known.

    Examples
    --------
    >>> plain({"a": float("nan"), "b": (1, date(2026, 11, 16))})
    {'a': None, 'b': [1, '2026-11-16']}
    """
    match value:
        case dict():
            return {str(key): plain(one) for key, one in value.items()}
        case list() | tuple():
            return [plain(one) for one in value]
        case float():
            return value if math.isfinite(value) else None
        case date():
            return value.isoformat()
        case _:
            return value
