"""The ledger: every score, with its date and model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from features.storage.atomic import atomic_folder
from serving.batch.score import to_table
from serving.score import Score


@dataclass(frozen=True)
class Batch:
    """One scoring of all users: its cutoff, model, model version and digest of the settings."""

    cutoff: date
    model: str
    version: str
    settings_digest: str

    @property
    def path(self) -> str:
        """``cutoff=.../model=...``, the path of the rows of this batch."""
        return f"cutoff={self.cutoff}/model={self.model}-v{self.version}"


def write_scores(batch: Batch, *, scores: Sequence[Score], folder: Path, ledger: Path) -> Path:
    """Write all scores with their reasons below a folder, and the scored rows below the ledger; return where the scores are."""
    table = to_table(scores)
    write_rows(folder / batch.path, {"scores.parquet": table}, batch=batch)
    scored = table.filter(pa.array([one.status == "scored" for one in scores]))
    kept = scored.select(["user_id", "churn_probability", "percentile", "risk_band"])
    write_rows(ledger / batch.path, {"scores.parquet": kept}, batch=batch)
    return folder / batch.path


def write_rows(folder: Path, tables: dict[str, pa.Table], *, batch: Batch) -> None:
    """Write Parquet tables and a manifest into a folder, atomically; the same rows give the same bytes."""
    with atomic_folder(folder) as temporary:
        for name, table in tables.items():
            pq.write_table(table, temporary / name, compression="zstd")
        write_manifest(temporary, batch=batch, rows={name: table.num_rows for name, table in tables.items()})


def write_manifest(folder: Path, *, batch: Batch, rows: dict[str, int]) -> None:
    """Write ``manifest.json`` last: rows and SHA-256 of each file, model, cutoff, digest of the settings."""
    files = {
        name: {"rows": count, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
        for name, count in sorted(rows.items())
    }
    manifest = asdict(batch) | {"cutoff": str(batch.cutoff), "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
