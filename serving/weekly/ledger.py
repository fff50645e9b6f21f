"""Every scored row, kept from the first day on: what was said of whom, when, by which model."""

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
    """One scoring of all users: which cutoff, by which model, under which settings."""

    cutoff: date
    model: str
    version: str
    settings_digest: str

    @property
    def path(self) -> str:
        """``cutoff=.../model=...``, where the rows of this batch live."""
        return f"cutoff={self.cutoff}/model={self.model}-v{self.version}"


def write_scores(home: Path, batch: Batch, *, scores: Sequence[Score]) -> Path:
    """Write all scores with their reasons to ``scores/``, and the scored rows to the ledger; return the folder of scores."""
    table = to_table(scores)
    write_rows(home / "scores" / batch.path, {"scores.parquet": table}, batch=batch)
    scored = table.filter(pa.array([one.status == "scored" for one in scores]))
    kept = scored.select(["user_id", "churn_probability", "percentile", "risk_band"])
    write_rows(home / "ledger" / batch.path, {"scores.parquet": kept}, batch=batch)
    return home / "scores" / batch.path


def write_rows(folder: Path, tables: dict[str, pa.Table], *, batch: Batch) -> None:
    """Write Parquet tables into a folder with a manifest, whole or not at all; the same rows give the same bytes."""
    with atomic_folder(folder) as aside:
        for name, table in tables.items():
            pq.write_table(table, aside / name, compression="zstd")
        write_manifest(aside, batch=batch, rows={name: table.num_rows for name, table in tables.items()})


def write_manifest(folder: Path, *, batch: Batch, rows: dict[str, int]) -> None:
    """Write ``manifest.json`` last: rows, SHA-256 of each file, model, cutoff, digest of the settings."""
    files = {
        name: {"rows": count, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
        for name, count in sorted(rows.items())
    }
    manifest = asdict(batch) | {"cutoff": str(batch.cutoff), "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
