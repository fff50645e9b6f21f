"""The scored batch: all users' scores at a cutoff, as they are kept, and found again so that nothing is scored twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.storage.atomic import write_atomic
from features.storage.versions import Place, is_damaged
from serving.batch.difference import BandAndProbability, Difference, difference_of
from serving.batch.score import SCORE_SCHEMA
from serving.score import SCORED_BY

FORMAT_VERSION = 3  # of scores, ledger and lists; 1 had no number, and its folder no versions; 2 had no raw score
MANIFEST, SCORES, MADE_FROM = "manifest.json", "scores.parquet", "made_from.json"
LEDGER_COLUMNS = ("user_id", "raw_score", "churn_probability", "percentile", "risk_band")


@dataclass(frozen=True)
class Batch:
    """One scoring of all users.

    Attributes
    ----------
    settings_digest
        Of every setting, for the record.
    base_rate_shift, new_users_shift
        By which the probabilities follow the base rate, in log-odds: the champion's, and those of the model of new users.
    new_users
        Name and version of the model of new users, as :attr:`serving.batch.new_users.NewUsersModel.scored_by`; None where there is none.
    """

    cutoff: date
    model: str
    version: str
    settings_digest: str
    base_rate_shift: float = 0.0
    new_users_shift: float | None = None
    new_users: str | None = None

    @property
    def about(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class KeptScores:
    """What the ledger keeps of a scoring: the users with a score, and the shifts of the base rate."""

    rows: pa.Table
    base_rate_shift: float
    folder: Path
    new_users_shift: float | None = None

    def of(self, profiles: pa.Table) -> pa.Table:
        """Return the scores of profiles, the same as :func:`serving.batch.score.score_table` gave."""
        users = profiles.column("user_id").cast(pa.string()).combine_chunks()
        places = pc.index_in(users, value_set=self.rows.column("user_id").combine_chunks())
        scored: Any = places.is_valid()
        columns: dict[str, Any] = {
            name: self.rows.column(name).take(places) for name in self.rows.column_names if name != "user_id"
        } | {
            "user_id": users,
            "status": pc.if_else(scored, "scored", "unscored"),
            "code": pc.if_else(scored, pa.scalar(None, pa.string()), "not_eligible"),
            "as_of": profiles.column("cutoff"),
        }
        schema = pa.schema([*SCORE_SCHEMA, *_more(self.rows)])
        return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def kept_scores(ledger: Path, scored_from: str) -> KeptScores | None:
    """Return the scores that the ledger keeps where they were made from the same, and are whole.

    Parameters
    ----------
    ledger
        Place of the scores of one model at one cutoff.
    scored_from
        Digest of what scores depend on: model, cutoff, mapping, activity and the settings that scoring reads.
    """
    made = _read_json(ledger / MADE_FROM)
    folder = ledger / str(made.get("version"))
    manifest = read_manifest(folder)
    is_same = bool(scored_from) and made.get("scored_from") == scored_from
    if not is_same or manifest.get("format_version") != FORMAT_VERSION or is_damaged(folder):
        return None
    rows = pq.ParquetFile(folder / SCORES).read()
    return KeptScores(rows, float(manifest["base_rate_shift"]), folder, manifest.get("new_users_shift"))


def write_scores(batch: Batch, *, scores: pa.Table, place: Place) -> Path:
    """Write all scores as a version of their place; return its folder. The same rows are the same version."""
    return write_tables(place, {SCORES: scores}, about=batch.about)


def write_ledger(batch: Batch, *, scores: pa.Table, place: Place, scored_from: str = "") -> Path:
    """Write who was scored, and how, into the ledger, where it stays; return the folder.

    What the scores were made from is kept next to the versions: it is about files of this machine, and the scores are not.
    """
    scored = scores.filter(scores.column("raw_score").is_valid())
    rows = scored.select([*LEDGER_COLUMNS, *_more(scored).names])
    folder = write_tables(place, {SCORES: rows}, about=batch.about)
    if scored_from:
        made = {"scored_from": scored_from, "version": folder.name}
        write_atomic(place.folder / MADE_FROM, json.dumps(made).encode())
    return folder


def _more(scores: pa.Table) -> pa.Schema:
    """Return what scores have where a model of new users gave some of them."""
    return pa.schema([one for one in scores.schema if one.name == SCORED_BY])


def write_tables(place: Place, tables: dict[str, pa.Table], *, about: dict[str, Any]) -> Path:
    """Write Parquet tables and a manifest as a version of a place; the same rows give the same bytes."""

    def write(draft: Path) -> None:
        for name, table in tables.items():
            pq.write_table(table, draft / name, compression="zstd")
        write_manifest(draft, about=about, rows={name: table.num_rows for name, table in tables.items()})

    return place.add(write)


def write_manifest(folder: Path, *, about: dict[str, Any], rows: dict[str, int]) -> None:
    """Write ``manifest.json`` last: format, rows and SHA-256 of each file, and what they are about."""
    files = {
        name: {"rows": count, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
        for name, count in sorted(rows.items())
    }
    manifest = about | {"files": files, "format_version": FORMAT_VERSION}
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True, default=str) + "\n")


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder; empty where it has none that can be read."""
    return _read_json(folder / MANIFEST)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def difference_of_scores(champion: pa.Table, challenger: pa.Table) -> Difference:
    """Compare the scores of all users at a cutoff, as :func:`serving.batch.score.score_table` gives them.

    Who is in one table alone counts as scored by one, where that one scores the user.
    """
    ids = pa.chunked_array([*champion.column("user_id").chunks, *challenger.column("user_id").chunks], pa.string())
    users: Any = pc.unique(ids)
    return difference_of(zip(_scored(champion, users), _scored(challenger, users), strict=True))


def _scored(scores: pa.Table, users: pa.Array[Any]) -> Iterator[BandAndProbability]:
    places = pc.index_in(users, value_set=scores.column("user_id").combine_chunks())
    columns: list[list[Any]] = [
        scores.column(name).take(places).to_pylist() for name in ("risk_band", "churn_probability")
    ]
    for band, probability in zip(*columns, strict=True):
        yield None if probability is None else (band, probability)
