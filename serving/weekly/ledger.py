"""The ledger: every score, with its date and model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.storage.versions import Place
from serving.batch.score import to_table
from serving.score import Score

FORMAT_VERSION = 2  # of scores, ledger and lists; 1 had no number, and its folder no versions


@dataclass(frozen=True)
class Batch:
    """One scoring of all users: its cutoff, model, model version, digest of the settings, and the shift to the base rate."""

    cutoff: date
    model: str
    version: str
    settings_digest: str
    base_rate_shift: float = 0.0


def write_scores(
    batch: Batch,
    *,
    scores: Sequence[Score],
    place: Place,
    ledger: Place,
    done: Callable[[Path], object] = lambda _: None,
) -> Path:
    """Write all scores with their reasons, and the scored rows into the ledger; return the folder of the scores.

    Both are versions of their place: the same rows are the same version.

    Parameters
    ----------
    done
        Called with the folder of each when it is written.
    """
    table = to_table(scores)
    folder = write_rows(place, {"scores.parquet": table}, batch=batch)
    done(folder)
    scored = table.filter(pa.array([one.status == "scored" for one in scores]))
    kept = scored.select(["user_id", "churn_probability", "percentile", "risk_band"])
    done(write_rows(ledger, {"scores.parquet": kept}, batch=batch))
    return folder


def write_rows(place: Place, tables: dict[str, pa.Table], *, batch: Batch) -> Path:
    """Write Parquet tables and a manifest as a version of a place; the same rows give the same bytes."""

    def write(draft: Path) -> None:
        for name, table in tables.items():
            pq.write_table(table, draft / name, compression="zstd")
        write_manifest(draft, batch=batch, rows={name: table.num_rows for name, table in tables.items()})

    return place.add(write)


def write_manifest(folder: Path, *, batch: Batch, rows: dict[str, int]) -> None:
    """Write ``manifest.json`` last: format, rows and SHA-256 of each file, model, cutoff, digest of the settings."""
    files = {
        name: {"rows": count, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
        for name, count in sorted(rows.items())
    }
    manifest = asdict(batch) | {"cutoff": str(batch.cutoff), "files": files, "format_version": FORMAT_VERSION}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
