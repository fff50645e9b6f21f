"""The settings of this package. Each section is frozen and independent of files and flags; the application puts the sections together."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from features.catalogue.custom import SQL_WORDS, CustomFeature, check_reserved_names
from features.errors import closest
from features.schema import COLUMNS, REQUIRED
from features.snapshots import zone_of


def _known_zone(name: str) -> str:
    try:
        zone_of(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f'"{name}" is not a time zone; use a name such as "Europe/Berlin"') from error
    return name


_WORDS_OF_AN_EVENT = {
    *(
        "event_id",
        "n",
        "hour",
        "weekday",
        "us",
        "day",
        "visit",
        "local_time",
        "amount_cents",
        "amount_micros",
        "is_qualifying",
        "is_leaving",
    ),
    *("known_day", "known_until", "reason", "day_ends_us", "starts_visit"),
}
MIN_ROWS_AT_ONCE = 250_000
MAX_HORIZON_DAYS = 730
_SAYS_OF = {"order_status": "order_id", "item_category": "item_id"}
Zone = Annotated[str, AfterValidator(_known_zone)]


SettingUnit = Literal[
    "",
    "GB",
    "days",
    "events",
    "hours",
    "items",
    "lines",
    "minutes",
    "nats",
    "points",
    "profiles",
    "requests",
    "rows",
    "trees",
    "trials",
    "users",
]


def setting(default: Any, words: str, *, unit: SettingUnit = "", was: str = "", **bounds: Any) -> Any:
    """Declare one setting: its default, its help and its unit, which ``churn settings`` prints.

    Parameters
    ----------
    was
        Its former name, as ``section.key``: still accepted for one version, and read from older runs.
    """
    factory = {"default_factory": type(default)} if default in ({}, ()) else {"default": default}
    return Field(description=words, json_schema_extra={"unit": unit, "was": was}, **factory, **bounds)


class Section(BaseModel):
    """A frozen section of settings; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def former_names(section: str, kind: type[Section]) -> dict[str, str]:
    """Return the former names of a section's settings, each with the name of today, as ``section.key``."""
    extras = {key: field.json_schema_extra for key, field in kind.model_fields.items()}
    return {str(e["was"]): f"{section}.{key}" for key, e in extras.items() if isinstance(e, dict) and e.get("was")}


class ProjectSettings(Section):
    """``[project]``: its name."""

    name: str = setting(
        "churn", "Names the registered model and the MLflow experiment.", pattern=r"^[a-z][a-z0-9_-]*$", max_length=60
    )


ENCODINGS = {"utf-8": "utf-8", "utf-16": "utf-16", "iso8859-1": "latin-1"}  # of Python and of DuckDB


def _known_encoding(name: str) -> str:
    """Return the encoding as DuckDB spells it, however it is spelled."""
    with suppress(LookupError):
        name = codecs.lookup(name).name
    if name not in ENCODINGS:
        raise ValueError(
            f'got "{name}", expected one of {", ".join(ENCODINGS.values())}; save a file of another encoding as UTF-8'
        )
    return ENCODINGS[name]


class FormatSettings(Section):
    """``[events.format]``: how a text file is written, where its bytes do not tell."""

    delimiter: str = setting("", "Character between the fields of a CSV; default: the one its header has most of.")
    quote: str | None = setting(
        None, 'Character around fields; "" reads quotes as any other character. Default: ", unless a TSV has none.'
    )
    escape: str = setting(
        "", 'Character before a quote inside a quoted field, such as "\\\\"; default: the quote, doubled.'
    )
    names: tuple[str, ...] = setting((), "Columns of files that have no header, in order.")
    skip: int = setting(0, "Lines above the header.", unit="lines", ge=0)
    encoding: Annotated[str, AfterValidator(_known_encoding)] = setting(
        "utf-8", "Encoding of the text: utf-8, utf-16 (little-endian) or latin-1."
    )
    decimal: Literal[".", ","] = setting(".", "Mark before decimals; with a comma, points group thousands.")
    null: tuple[str, ...] = setting((), "Texts that stand for an absent value in every column, such as NULL.")

    @model_validator(mode="after")
    def _marks_are_characters(self) -> Self:
        for name in ("delimiter", "quote", "escape"):
            if len(getattr(self, name) or "") > 1:
                raise ValueError(f"{name}: got {getattr(self, name)!r}, expected a single character")
        return self


class FileSettings(Section):
    """What the log and the tables of users say of their files."""

    format: FormatSettings = setting(FormatSettings(), "How text files are written; see the guide on your own log.")
    types: dict[str, str] = setting(
        {},
        'Own column = SQL type, as in price = "decimal(18,4)"; default: text files hold texts, read as SQL needs them.',
    )


class EventsSettings(FileSettings):
    """``[events]``: where the log is and how its columns map to the contract."""

    path: str = setting(
        "events/**/*.parquet", "File, folder, glob or URL (s3://...) of Parquet, CSV or JSON Lines, gzipped or not."
    )
    connection: SecretStr | None = setting(
        None, "SQLAlchemy URL of a database that holds the log, in place of path; best set in the environment."
    )
    query: str = setting("", "SELECT of the log's rows, in the database's own SQL.")
    watermark: str = setting(
        "", "Column of the query that only grows, such as an id; rows above the last one are fetched."
    )
    where: str = setting("", "SQL condition over the log's own columns; rows that fail it are not read.")
    timezone: Zone = setting("UTC", "Time zone of timestamps that carry none.")
    covered_from: date | None = setting(
        None, "First day that the log covers; default: that of its first event. Earlier rows are set aside."
    )
    covered_until: date | None = setting(
        None, "Day after the last day that the log covers; default: after its last event."
    )
    columns: dict[str, str] = setting({}, "Contract column = SQL expression over the log's own columns.")
    event_id: str = setting(
        "", "SQL expression over the log's own columns that identifies an event: one that came twice counts once."
    )
    extra: dict[str, str] = setting(
        {}, "Extra column = SQL expression over the log's own columns, for [[features.custom]]."
    )
    max_rejected_share: float = setting(0.05, "Above this share of invalid rows the run stops.", ge=0, le=1)

    @model_validator(mode="after")
    def _columns_are_of_the_contract(self) -> Self:
        for name in self.columns:
            if name not in COLUMNS:
                raise ValueError(f'columns: "{name}" is not in the event contract; {closest(name, COLUMNS)}')
        for name, of in _SAYS_OF.items():
            if name in self.columns and of not in self.columns:
                raise ValueError(f"columns: {name} says something of {of}, which is not mapped; map it too")
        return self

    @model_validator(mode="after")
    def _extra_columns_have_free_names(self) -> Self:
        for name in self.extra:
            if name in (*COLUMNS, *_WORDS_OF_AN_EVENT) or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f'extra: "{name}" is taken, or not made of lower-case letters, digits and underscores')
            if name in SQL_WORDS:
                raise ValueError(f'extra: "{name}" is an SQL keyword; choose another, such as {name}_value')
        return self

    @property
    def is_in_a_database(self) -> bool:
        """Whether the log is a query's rows rather than files."""
        return bool(self.connection or self.query or self.watermark)

    def mapping(self) -> dict[str, str]:
        """Column to expression, the extra ones last; a required column that is not mapped is expected under its own name."""
        mapped = {name: self.columns.get(name, name) for name in COLUMNS if name in self.columns or name in REQUIRED}
        return mapped | ({"event_id": self.event_id} if self.event_id else {}) | self.extra


class SmallTableSettings(FileSettings):
    """What tables next to the log have in common."""

    path: str = setting("", "File, folder, glob or URL of the table, as for the log; empty: there is none.")
    where: str = setting("", "SQL condition over the table's own columns; rows that fail it are not read.")
    columns: dict[str, str] = setting({}, "Its columns = SQL expressions over the table's own columns; see the guide.")


class TableSettings(SmallTableSettings):
    """What the tables of users have in common."""

    max_rejected_share: float = setting(0.05, "Above this share of invalid rows the run stops.", ge=0, le=1)

    def mapping(self) -> dict[str, str]:
        """Column to expression; one that every table must have is expected under its own name."""
        return {name: self.columns.get(name, name) for name in self.ids} | self.columns

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that identify a user."""
        return ("user_id",)


class UsersSettings(TableSettings):
    """``[users]``: attributes of users, each row valid from an instant on."""

    trust_undated: bool = setting(
        default=False,
        words="Take rows without valid_from as always known: right for what never changes and did not become known later.",
    )

    @model_validator(mode="after")
    def _is_dated(self) -> Self:
        if self.path and not self.trust_undated and "valid_from" not in self.columns:
            raise ValueError(
                "columns: without valid_from it is unknown which values of a user held at a cutoff; name the table's date, "
                "or set users.trust_undated = true where every value was known from the user's first day on"
            )
        return self

    @model_validator(mode="after")
    def _attributes_can_name_features(self) -> Self:
        for name in self.columns:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(
                    f'columns: "{name}" is not made of lower-case letters, digits and underscores, starting with a letter'
                )
            if name == "id":
                raise ValueError('columns: "id" would become the feature user_id; choose another name, such as crm_id')
        return self

    @property
    def attributes(self) -> tuple[str, ...]:
        """The names of the attributes, in their order in the settings."""
        return tuple(name for name in self.columns if name not in ("user_id", "valid_from"))


class IdentitiesSettings(TableSettings):
    """``[identities]``: which ids are the same person, and since when that is known."""

    @model_validator(mode="after")
    def _columns_are_known(self) -> Self:
        for name in self.columns:
            if name not in (*self.ids, "valid_from"):
                raise ValueError(f'columns: "{name}" is unknown; {closest(name, (*self.ids, "valid_from"))}')
        return self

    def mapping(self) -> dict[str, str]:
        """Column to expression; each is expected under its own name."""
        return {name: self.columns.get(name, name) for name in (*self.ids, "valid_from")}

    @property
    def ids(self) -> tuple[str, ...]:
        """The columns that identify users."""
        return ("alias_id", "user_id")


class ComputeSettings(Section):
    """``[compute]``: the engine of a run, and how much of the machine it may use."""

    engine: Literal["duckdb", "spark"] = setting(
        "duckdb",
        'Engine that builds profiles and batch scores; "spark" (extra "spark", Java 17) for logs that outgrow a machine.',
    )
    memory_limit_gb: float | None = setting(
        None,
        "Memory of the engine, beyond which it spills to disk; default: 80 % of the machine's.",
        unit="GB",
        gt=0,
        le=1_000_000,
    )
    threads: int | None = setting(None, "Threads of the engine; default: all cores.", ge=1, le=1024)
    rows_at_once: int = setting(
        20_000_000,
        f"Rows of the log that are rolled up together, in whole days; fewer need less memory; at least {MIN_ROWS_AT_ONCE:,}.",
        unit="rows",
        ge=1,
    )


class ChurnSettings(Section):
    """``[churn]``: what leaving means and who is scored. Frozen with every model."""

    horizon_days: int = setting(
        14, "Days without a qualifying event that make a user churned.", unit="days", ge=1, le=MAX_HORIZON_DAYS
    )
    gap_days: int = setting(0, "Days between cutoff and horizon, reserved for acting.", unit="days", ge=0, le=365)
    timezone: Zone = setting("UTC", "Cutoffs and days are local midnights of this zone.")
    active_within_days: int = setting(
        14, "Eligible: a qualifying event in this many days before the cutoff; 0: everyone seen.", unit="days", ge=0
    )
    min_tenure_days: int = setting(
        0, "Eligible: first seen at least this many days before the cutoff.", unit="days", ge=0
    )
    max_tenure_days: int = setting(
        0, "Eligible: first seen at most this many days before the cutoff; 0: no limit.", unit="days", ge=0
    )
    qualifying: str = setting("", "SQL condition over the contract: which events count as staying; default: all.")
    event: str = setting(
        "", "SQL condition over the contract; when set, churned means that it happened in the horizon."
    )

    @property
    def purge_days(self) -> int:
        """Days after a cutoff until its label is known: gap + horizon."""
        return self.gap_days + self.horizon_days


class FeatureSettings(Section):
    """``[features]``: what a profile contains."""

    windows_days: tuple[int, ...] = setting(
        (1, 3, 7, 14, 28, 56, 90), "Windows before the cutoff.", unit="days", min_length=1
    )
    observation_days: int | None = setting(
        None, "History that a profile may see; default: all of it.", unit="days", ge=1, le=36_525
    )
    session_gap_minutes: int = setting(30, "A longer pause starts a new session.", unit="minutes", ge=1, le=1440)
    exclude: tuple[str, ...] = setting(
        (), 'Features, or whole families, that the model does not use, such as "channel".', was="features.leave_out"
    )
    main_event_types: int = setting(6, "Number of event types that get their own columns.", ge=0, le=50)

    allow_sensitive: tuple[str, ...] = setting(
        (), "Attributes of [users] that a model may read though they are sensitive: gender, age, country and the like."
    )
    custom: tuple[CustomFeature, ...] = setting((), "Custom features; see the guide of that name.", was="features.own")

    @model_validator(mode="after")
    def _custom_features_avoid_reserved_names(self) -> Self:
        check_reserved_names(self.custom)
        return self

    @model_validator(mode="after")
    def _windows_rise(self) -> Self:
        if list(self.windows_days) != sorted({w for w in self.windows_days if w > 0}):
            raise ValueError(f"windows_days: got {list(self.windows_days)}, expected rising whole days above 0")
        return self
