"""The knobs of this package. Each section is frozen and knows nothing of files or flags; the roots put the sections together."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from features.errors import closest
from features.schema import COLUMNS, REQUIRED


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is not a time zone; use a name such as "Europe/Berlin"') from error
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]


def knob(default: Any, words: str, *, unit: str = "", **bounds: Any) -> Any:
    """Declare one setting: its default, its help and its unit, which ``churn settings`` prints."""
    factory = {"default_factory": type(default)} if default in ({}, ()) else {"default": default}
    return Field(description=words, json_schema_extra={"unit": unit}, **factory, **bounds)


class Section(BaseModel):
    """A frozen section of settings; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


class ProjectSettings(Section):
    """``[project]``: its name."""

    name: str = knob(
        "churn", "Names the registered model and the MLflow experiment.", pattern=r"^[a-z][a-z0-9_-]*$", max_length=60
    )


class EventsSettings(Section):
    """``[events]``: where the log is and how its columns map to the contract."""

    path: str = knob("events/**/*.parquet", "File, folder or glob of Parquet, CSV or JSON Lines, gzipped or not.")
    where: str = knob("", "SQL condition over the log's own columns; rows that fail it are not read.")
    timezone: Zone = knob("UTC", "Time zone of timestamps that carry none.")
    covered_until: date | None = knob(
        None, "Day after the last day that the log covers; default: after its last event."
    )
    columns: dict[str, str] = knob({}, "Contract column = SQL expression over the log's own columns.")
    max_rejected_share: float = knob(0.05, "Above this share of invalid rows the run stops.", ge=0, le=1)

    @model_validator(mode="after")
    def _columns_are_of_the_contract(self) -> Self:
        for name in self.columns:
            if name not in COLUMNS:
                raise ValueError(f'columns: "{name}" is not in the event contract; {closest(name, COLUMNS)}')
        return self

    def mapping(self) -> dict[str, str]:
        """Contract column to expression; a required column that is not mapped is expected under its own name."""
        return {name: self.columns.get(name, name) for name in COLUMNS if name in self.columns or name in REQUIRED}


class ChurnSettings(Section):
    """``[churn]``: what leaving means and who is scored. Frozen with every model."""

    horizon_days: int = knob(14, "Days without a qualifying event that make a user churned.", unit="days", ge=1, le=730)
    gap_days: int = knob(0, "Days between cutoff and horizon, left for acting.", unit="days", ge=0, le=365)
    timezone: Zone = knob("UTC", "Cutoffs and days are local midnights of this zone.")
    active_within_days: int = knob(
        14, "Eligible: a qualifying event in this many days before the cutoff; 0: everyone seen.", unit="days", ge=0
    )
    min_tenure_days: int = knob(0, "Eligible: first seen at least this many days before the cutoff.", unit="days", ge=0)
    qualifying: str = knob("", "SQL condition over the contract: which events count as staying; default: all.")
    event: str = knob("", "SQL condition over the contract; when set, churned means that it happened in the horizon.")

    @property
    def purge_days(self) -> int:
        """Days after a cutoff until its label is known: gap + horizon."""
        return self.gap_days + self.horizon_days


class FeatureSettings(Section):
    """``[features]``: what a profile looks at."""

    windows_days: tuple[int, ...] = knob(
        (1, 3, 7, 14, 28, 56, 90), "Windows before the cutoff.", unit="days", min_length=1
    )
    observation_days: int | None = knob(None, "History that a profile may see; default: all of it.", unit="days", ge=1)
    session_gap_minutes: int = knob(30, "A longer pause starts a new session.", unit="minutes", ge=1, le=1440)
    main_event_types: int = knob(6, "How many event types get columns of their own.", ge=0, le=50)

    @model_validator(mode="after")
    def _windows_rise(self) -> Self:
        if list(self.windows_days) != sorted({w for w in self.windows_days if w > 0}):
            raise ValueError(f"windows_days: got {list(self.windows_days)}, expected rising whole days above 0")
        return self
