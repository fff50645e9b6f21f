"""The rows of a weekly list: who is to be contacted, in order, with everything that the team needs to know."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.errors import SettingsError, closest
from features.snapshots import instant_us_sql
from features.sql import identifier, local_time_of
from serving.score import RISK_BANDS, SCORED_BY, RiskBand
from serving.settings import ExportSettings
from serving.weekly.actions import action_of
from serving.weekly.arms import HELD_OUT, TREATED
from serving.weekly.candidates import Candidates
from serving.weekly.curve_columns import CURVE_COLUMNS
from serving.weekly.files.list_address import ADDRESS_COLUMNS
from serving.weekly.files.list_columns import KNOWN_COLUMNS
from serving.weekly.files.upload import id_texts
from serving.weekly.list_reasons import ListReasons
from serving.weekly.selection import Selection

_SHOWN = ("reason_1", "reason_1_code", "reason_2", "reason_2_code", "reason_3", "reason_3_code")
_DEVICE = ("main_device_model_28d", "main_device_os_28d", "last_device_model", "last_device_os")
_CHANNEL = ("main_channel_28d", "last_channel", "acquisition_channel")
_SCORE = ("rank", "user_id", "churn_probability", "percentile", "risk_band")
_USE = (
    "last_seen",
    "main_device",
    "channel",
    "value",
    "expected_loss",
    "expected_profit",
    "action",
    "band_last_week",
    "change",
)
OWN_COLUMNS = (*_SCORE, *_SHOWN, *_USE, "list", "export_id")  # of every list; others are carried along
CONTEXT = ("days_since_last_event", *_DEVICE, *_CHANNEL, "amount_90d")  # what a list shows, whatever the model reads


def week_of(cutoff: date) -> str:
    """Return the name of the week that a list is for: the ISO week for a Monday, the ISO week date for any other day.

    Examples
    --------
    >>> week_of(date(2026, 11, 16)), week_of(date(2026, 11, 18))
    ('2026-W47', '2026-W47-3')
    """
    year, week, weekday = cutoff.isocalendar()
    return f"{year}-W{week:02d}" + ("" if weekday == 1 else f"-{weekday}")


@dataclass(frozen=True)
class ListRows:
    """What makes the rows of the lists of one week.

    Attributes
    ----------
    before
        User to the risk band of the week before; None: there was no batch.
    zone
        In which a day starts.
    """

    candidates: Candidates
    settings: ExportSettings
    before: Mapping[str, str] | None = None
    zone: str = "UTC"

    def entries(self, selection: Selection, scores: pa.Table) -> pa.Table:
        """Return all who are entered, of both arms, for the account of the list, in its order."""
        chosen = scores.take(pa.array(selection.rows, pa.int64()))
        arms = np.where(selection.held_out, HELD_OUT, TREATED)
        columns: dict[str, Any] = {
            "user_id": chosen.column("user_id"),
            "arm": pa.array(arms, pa.string()),
            "raw_score": chosen.column("raw_score"),
            "churn_probability": chosen.column("churn_probability"),
            "risk_band": chosen.column("risk_band"),
            "value": pa.array(selection.value, pa.float64(), from_pandas=True),
        }
        return pa.table(columns)

    def rows(
        self, selection: Selection, scores: pa.Table, *, reasons: ListReasons, curves: pa.Table | None = None
    ) -> pa.Table:
        """Return who is to be contacted, in the order of the list; without the id of the export, which is made of them.

        Parameters
        ----------
        curves
            As :func:`serving.weekly.curve_columns.curve_columns` returns them, of the same users.
        """
        places = pa.array(selection.treated, pa.int64())
        chosen, known = scores.take(places), self._known(selection).take(places)
        value = pa.array(selection.value[~selection.held_out], pa.float64(), from_pandas=True)
        bands: list[Any] = chosen.column("risk_band").to_pylist()
        users: list[Any] = chosen.column("user_id").to_pylist()
        found: dict[str, Any] = {
            "rank": pa.array(range(1, len(places) + 1), pa.int64()),
            "user_id": chosen.column("user_id"),
        }
        found |= {name: known.column(name) for name in self._ids()}
        scored = [
            name for name in ("churn_probability", "percentile", "risk_band", SCORED_BY) if name in chosen.column_names
        ]
        found |= {name: chosen.column(name) for name in scored}
        found |= _of_champion(curves, chosen) if curves is not None else {}
        found |= {name: reasons.table.column(name) for name in _SHOWN}
        found |= {name: known.column(name) for name in ("last_seen", "main_device", "channel")}
        found |= {
            "value": value,
            "expected_loss": pc.multiply(chosen.column("churn_probability").combine_chunks(), value),
            "expected_profit": _profit(selection),
        }
        codes = reasons.table.column("reason_1_code").to_pylist()
        actions = [
            action_of(code, band, actions=self.settings.actions) for code, band in zip(codes, bands, strict=True)
        ]
        found["action"] = pa.array(actions, pa.string())
        found |= self._changes(users, bands)
        found |= {name: known.column(name) for name in selection.settings.columns}
        found["list"] = pa.array([selection.settings.name] * len(places), pa.string())
        return pa.table(found)

    def held_out_ids(self, selection: Selection, *, by: str = "") -> list[str | None]:
        """Return how the team's tool knows those whom nobody contacts, in the order of their user ids; None where it does not."""
        return self.ids_of(np.sort(selection.rows[selection.held_out]), by=by)

    def ids_of(self, places: NDArray[np.int64], *, by: str = "") -> list[str | None]:
        """Return how the team's tool knows some users; None where it does not.

        Parameters
        ----------
        by
            The column that the tool matches by; by default ``[export] id_column``.
        """
        column = by or self.settings.id_column
        check_carried(self._ids(), self.candidates.attributes, setting="[export] id_column")
        ids = self.candidates.select(f"{identifier(column)} as id").column("id")
        return id_texts(ids.take(pa.array(places, pa.int64())), of=column).to_pylist()

    def _ids(self) -> tuple[str, ...]:
        return () if self.settings.id_column == "user_id" else (self.settings.id_column,)

    def _known(self, selection: Selection) -> pa.Table:
        """Return what a list shows of every user, by user id."""
        candidates = self.candidates
        carried, name = selection.settings.columns, selection.settings.name
        check_carried(self._ids(), candidates.attributes, setting="[export] id_column")
        check_carried(carried, candidates.attributes, setting=f"[[lists]] {name}: columns")
        shown = {
            "user_id": "user_id",
            "last_seen": _last_day(self.zone),
            "main_device": _first_of(_DEVICE, candidates.columns),
            "channel": _first_of(_CHANNEL, candidates.columns),
            **{name: identifier(name) for name in (*self._ids(), *carried)},
        }
        if "days_since_last_event" not in candidates.columns:
            shown["last_seen"] = "cast(null as date)"
        return candidates.select(", ".join(f"{sql} as {identifier(name)}" for name, sql in shown.items()))

    def _changes(self, users: Sequence[str], bands: Sequence[RiskBand]) -> dict[str, pa.Array[Any]]:
        """Return last week's band of each user, and how it has changed."""
        before: list[Any] = [None if self.before is None else self.before.get(user) for user in users]
        changed = [None if self.before is None else change(was, band) for was, band in zip(before, bands, strict=True)]
        return {"band_last_week": pa.array(before, pa.string()), "change": pa.array(changed, pa.string())}


def _last_day(zone: str) -> str:
    """Return the SQL of the local day of the last event: a day on which clocks change does not have 24 hours."""
    ago = "to_milliseconds(cast(round(days_since_last_event * 86400000) as bigint))"
    cutoff_at = f"make_timestamptz({instant_us_sql('cast(cutoff as timestamp)', zone)})"
    return f"cast({local_time_of(f'{cutoff_at} - {ago}', zone)} as date)"


def change(before: RiskBand | None, now: RiskBand) -> str:
    """Say how a risk band has changed since last week.

    Examples
    --------
    >>> change(None, "high"), change("low", "high"), change("high", "medium"), change("high", "high")
    ('new', 'rose', 'fell', 'same')
    """
    if before is None:
        return "new"
    was, is_now = RISK_BANDS.index(before), RISK_BANDS.index(now)
    return "rose" if is_now < was else "fell" if is_now > was else "same"


def _of_champion(curves: pa.Table, scores: pa.Table) -> dict[str, pa.ChunkedArray[Any]]:
    """Return the columns of curves, empty where another model scored: they go through the champion's probability."""
    if SCORED_BY not in scores.column_names:
        return {name: curves.column(name) for name in curves.column_names}
    is_own = scores.column(SCORED_BY).is_null()
    return {name: pc.if_else(is_own, curves.column(name), None) for name in curves.column_names}


def check_carried(names: Collection[str], attributes: Collection[str], *, setting: str) -> None:
    """Refuse a column to carry along that is not an attribute, or is called like a column that a list or its table has.

    Raises
    ------
    SettingsError
        With the first such column.
    """
    for one in names:
        if one not in attributes:
            known = sorted(attributes)
            hint = closest(one, known) if known else "map attributes in [users.columns]"
            raise SettingsError(f'{setting}: "{one}" is not an attribute of [users]', hint=hint)
        if one in {*OWN_COLUMNS, *CURVE_COLUMNS, SCORED_BY, *ADDRESS_COLUMNS, *KNOWN_COLUMNS}:
            hint = f'give the attribute another name in [users.columns], as "their_{one}"'
            raise SettingsError(f'{setting}: "{one}" is the name of a column of lists', hint=hint)


def export_id_of(tables: Sequence[pa.Table], *parts: str) -> str:
    """Return the id of a list: a digest of who is entered, of what the rows say and of what decided it, and of no clock."""
    found = hashlib.sha256("\0".join(parts).encode())
    for column in (column for table in tables for column in table.columns):
        found.update("\n".join(map(repr, column.to_pylist())).encode() + b"\0")
    return found.hexdigest()[:16]


def _profit(selection: Selection) -> pa.Array[Any]:
    """Return what each contact of a list is expected to earn; null where its costs are not known."""
    places = np.flatnonzero(~selection.held_out)
    if not selection.by_profit:
        return pa.nulls(len(places), pa.float64())
    return pa.array(selection.by_profit.profit[places], pa.float64())


def _first_of(names: Sequence[str], columns: Collection[str]) -> str:
    known = [name for name in names if name in columns]
    return f"coalesce({', '.join(known)})" if known else "cast(null as varchar)"
