"""Exports of known products and public data sets, told by their columns; their mappings are those of ``examples/formats``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from churn.first_look.draft import Line
from churn.first_look.evidence.columns import column_named
from churn.first_look.evidence.table import TABLE, LogTable
from churn.first_look.evidence.times import column_name, readings_of
from churn.results.first_look import Finding
from features.errors import InputError
from features.log.sources.mapping import Mapper
from features.schema import REQUIRED
from features.settings import EventsSettings
from features.sql import identifier

_BEHAVIORS = {"pv", "fav", "cart", "buy"}
_SNOWPLOW_COLUMNS, _SNOWPLOW_EVENT = 131, 5
_SNOWPLOW_EVENTS = {"page_view", "page_ping", "struct", "unstruct", "transaction", "transaction_item"}
_TAOBAO_COLUMNS, _TAOBAO_TYPE = 5, 3
_READABLE = 0.95  # share of the times of a log that its layout must read
_RENAMED = {"Created (UTC)": "Created date (UTC)"}


@dataclass(frozen=True)
class KnownLayout:
    """A layout that is known.

    Attributes
    ----------
    name
        Its folder in ``examples/formats``.
    title
        What it is, in a sentence.
    marks
        Columns that it has, and hardly any other log.
    fixed
        Settings that hold for every log of the layout, as ``section.key``; what else the example sets is about its own file.
    """

    name: str
    title: str
    marks: frozenset[str]
    fixed: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """Return the example's churn.toml."""
        return tomllib.loads((_folder() / self.name / "churn.toml").read_text(encoding="utf-8"))

    def comments(self) -> dict[str, str]:
        """Return the comments behind its columns."""
        text = (_folder() / self.name / "churn.toml").read_text(encoding="utf-8")
        return dict(re.findall(r"^(\w+) = .*[\"'] *# (.+)$", text, flags=re.MULTILINE))


LAYOUTS = (
    KnownLayout(
        "ga4", "Google Analytics 4, the BigQuery export", frozenset({"event_timestamp", "event_name", "user_pseudo_id"})
    ),
    KnownLayout("amplitude", "Amplitude, the Export API", frozenset({"amplitude_id", "event_time", "event_type"})),
    KnownLayout(
        "mixpanel", "Mixpanel, the raw export", frozenset({"event", "properties.distinct_id", "properties.time"})
    ),
    KnownLayout("segment", "Segment, the raw calls", frozenset({"anonymousId", "userId", "timestamp", "event"})),
    KnownLayout(
        "snowplow",
        "Snowplow, enriched events",
        frozenset({"domain_userid", "derived_tstamp", "collector_tstamp", "event_name"}),
    ),
    KnownLayout("matomo", "Matomo, the visits log", frozenset({"visitorId", "idVisit", "firstActionTimestamp"})),
    KnownLayout(
        "shopify",
        "Shopify, the orders export",
        frozenset({"Name", "Email", "Created at", "Lineitem quantity", "Total"}),
    ),
    KnownLayout(
        "stripe",
        "Stripe, the payments export",
        frozenset({"Customer ID", "Amount", "Status", "Converted Amount"}),
        ("churn.qualifying",),
    ),
    KnownLayout(
        "taobao",
        "Taobao's UserBehavior data set",
        frozenset({"user_id", "item_id", "category_id", "behavior_type", "timestamp"}),
        ("churn.timezone", "events.covered_from", "events.covered_until"),
    ),
    KnownLayout(
        "kkbox", "KKBox's user_logs data set", frozenset({"msno", "date", "num_25", "total_secs"}), ("churn.timezone",)
    ),
)


def _folder() -> Path:
    """Return where the examples are: in the package that was installed, or in the tree of the project."""
    installed = Path(__file__).with_name("formats")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "examples" / "formats"


def known_layout(table: LogTable) -> KnownLayout | None:
    """Return the layout that a table is of."""
    if headless := _headless(table):
        return next(one for one in LAYOUTS if one.name == headless)
    return next((one for one in LAYOUTS if one.marks <= table.kinds.keys()), None)


def _headless(table: LogTable) -> str:
    """Tell a layout without a header by the number of its columns and what one of them holds."""
    if "names" not in table.text.settings:
        return ""
    if len(table.kinds) == _SNOWPLOW_COLUMNS and _values(table, _SNOWPLOW_EVENT) <= _SNOWPLOW_EVENTS:
        return "snowplow"
    return "taobao" if len(table.kinds) == _TAOBAO_COLUMNS and _values(table, _TAOBAO_TYPE) <= _BEHAVIORS else ""


def _values(table: LogTable, place: int) -> set[str]:
    name = identifier(list(table.kinds)[place])
    return {
        str(value) for (value,) in table.connection.execute(f"select distinct {name} from {TABLE} limit 50").fetchall()
    }


@dataclass(frozen=True)
class KnownMapping:
    """What a known layout says of a log: its columns, and settings of ``[events]``, ``[events.format]`` and ``[churn]``."""

    columns: dict[str, Finding]
    events: dict[str, Line]
    format: dict[str, Line]
    churn: dict[str, Line]
    others: dict[str, dict[str, Line]]
    notes: tuple[str, ...]


def mapping_of(layout: KnownLayout, table: LogTable, *, path: str) -> KnownMapping | None:
    """Return the mapping of a layout as far as a log has its columns; None: it lacks what every log needs."""
    settings = layout.settings()
    events, text = settings["events"], _format_of(settings, table)
    probe = _Probe(table, {"path": path, "format": {name: line.value for name, line in text.items()}})
    wanted: Mapping[str, str] = events["columns"]
    found = {name: kept for name, expression in wanted.items() if (kept := probe.kept(expression))}
    if not found.keys() >= set(REQUIRED):
        return None
    comments = layout.comments()
    columns = {name: Finding(one, comments.get(name, f"as in {layout.title}")) for name, one in found.items()}
    kept = {
        key: Line(events[key], comments.get(key, ""))
        for key in ("where", "event_id")
        if key in events and probe.kept(events[key])
    }
    kept |= {key: Line(events[key]) for key in ("covered_from", "covered_until") if f"events.{key}" in layout.fixed}
    churn = {key: Line(value) for key, value in settings["churn"].items() if f"churn.{key}" in layout.fixed}
    missing = [name for name in wanted if name not in found]
    notes = (f"not mapped, as the log lacks a column of them: {', '.join(missing)}",) if missing else ()
    return KnownMapping(columns, kept, text, churn, _others(settings, path, probe=probe), notes)


def is_read_by(known: KnownMapping, table: LogTable) -> bool:
    """Tell whether nearly all times of a log can be read as its layout reads them, and lie in the days that it says are covered.

    A layout whose times are more than one column is taken at its word.
    """
    wanted = known.columns["event_time"].expression
    named = known.format["names"].value if "names" in known.format else table.kinds
    found = next((own for own, name in zip(table.kinds, named, strict=False) if wanted in (name, identifier(name))), "")
    if not found:
        return True
    column = column_named(found, table)
    reading = next(
        (one for one in readings_of(column, table) if one.expression == column_name(column.name, table)), None
    )
    if reading is None:
        return False
    limits = {
        "covered_from": "{time} >= timestamptz '{day}' - interval 1 day",
        "covered_until": "{time} < timestamptz '{day}' + interval 1 day",  # days of whatever zone
    }
    covered = [
        limits[key].format(time=reading.sql, day=known.events[key].value) for key in limits if key in known.events
    ]
    (within,) = table.numbers(f"count({reading.sql})", where=" and ".join(covered) or "true")
    return bool(within >= _READABLE * column.filled)


def _format_of(settings: Mapping[str, Any], table: LogTable) -> dict[str, Line]:
    given: dict[str, Any] = settings["events"].get("format", {})
    is_headless = "names" in table.text.settings
    return {name: Line(value) for name, value in given.items() if is_headless or name != "names"}


def _others(settings: Mapping[str, Any], path: str, *, probe: _Probe) -> dict[str, dict[str, Line]]:
    """Return the sections about identities, which read the same files."""
    identities: dict[str, Any] = settings.get("identities", {})
    columns: dict[str, str] = identities.get("columns", {})
    if not columns or not all(probe.kept(one) for one in columns.values()):
        return {}
    plain = {key: Line(path if key == "path" else value) for key, value in identities.items() if key != "columns"}
    return {"identities": plain, "identities.columns": {name: Line(value) for name, value in columns.items()}}


@dataclass(frozen=True)
class _Probe:
    """Tells which expressions the files of a log can answer.

    Attributes
    ----------
    dialects
        How each CSV file is written, which is found out once.
    """

    table: LogTable
    settings: dict[str, Any]
    dialects: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])

    def kept(self, expression: str) -> str:
        """Return an expression as far as the log has its columns; of alternatives, those that it has; empty: it has none."""
        renamed = [expression.replace(before, after) for before, after in _RENAMED.items() if before in expression]
        whole = (expression, *renamed)
        parts = re.fullmatch(r"coalesce\(([^()]+), ([^()]+)\)", expression)
        return next((one for one in (*whole, *(parts.groups() if parts else ())) if self._answers(one)), "")

    def _answers(self, expression: str) -> bool:
        columns = {"user_id": "'u'", "event_time": "timestamp '2000-01-01'", "event_type": expression}
        settings = EventsSettings.model_validate({**self.settings, "columns": columns})
        try:
            Mapper(self.table.connection, settings, dialects=self.dialects).sources(
                self.table.files[:1] if self.table.format == "csv" else self.table.files
            )
        except InputError:
            return False
        return True
