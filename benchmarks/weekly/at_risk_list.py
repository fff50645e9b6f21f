"""What the weekly list costs at a million stored users: scores, reasons, and the files of a list next to the same files written bare.

``make bench-list`` trains on the world of ``make demo``, and repeats the profiles of its users under ids of their own: 44 % of them are
eligible, as there. ``USERS=200000`` measures fewer. The page is ``weekly_list.md``.
"""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import xlsxwriter

from benchmarks.measuring import PAGES
from churn.progress import progress_of
from churn.project import Project
from features.profiles.build import build_profiles
from features.storage.duckdb import connect
from features.storage.versions import Place
from models.churn_model import ChurnModel
from seeds.simulate import World, simulate
from serving.batch.score import score_table, with_reasons
from serving.batch.scored_batch import Batch
from serving.settings import ExportSettings, ListSettings, ScoringSettings
from serving.weekly.at_risk_list import ListRows
from serving.weekly.candidates import Candidates
from serving.weekly.list_ledger import ListEntry
from serving.weekly.list_reasons import list_reasons
from serving.weekly.selection import Ranking, Selection, select
from serving.weekly.write import ListContent, write_list

USERS, CAPACITY = 1_000_000, 100_000
CUTOFF = date(2026, 6, 29)
R = TypeVar("R")


@dataclass(frozen=True)
class Step:
    """What a step took: seconds of the clock and of the processor, and the peak of memory so far in GiB."""

    name: str
    wall: float
    cpu: float
    peak: float


def main() -> None:
    """Measure each step once, one after the other, in this process."""
    users = int(os.environ.get("USERS") or USERS)
    with TemporaryDirectory() as folder:
        model, profiles = _model_and_profiles(Path(folder), users)
        steps, eligible = measured(model, profiles, folder=Path(folder))
    _write_page(users, eligible, steps=steps)


def _model_and_profiles(folder: Path, users: int) -> tuple[ChurnModel, pa.Table]:
    simulate(World(users=6000), folder / "world")
    project = Project(folder / "world/churn.toml", home=folder / "home")
    project.train(say=progress_of(print))
    model = project.registry.get("challenger").model
    found = build_profiles(project.activity(frozen=model), model.specification, cutoffs=[CUTOFF])
    many = pa.concat_tables([found] * (users // found.num_rows + 1)).slice(0, users)
    ids = pa.array([f"u{number:08d}" for number in range(users)], pa.string())
    return model, many.set_column(many.column_names.index("user_id"), "user_id", ids)


class Steps:
    """Measures one step after the other."""

    def __init__(self) -> None:
        self.done: list[Step] = []

    def take(self, name: str, function: Callable[[], R]) -> R:
        """Do a step, and remember what it took."""
        wall, cpu = time.perf_counter(), time.process_time()
        result = function()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        self.done.append(Step(name, time.perf_counter() - wall, time.process_time() - cpu, peak))
        print(self.done[-1], flush=True)
        return result


def measured(model: ChurnModel, profiles: pa.Table, *, folder: Path) -> tuple[list[Step], int]:
    """Return each step, and how many users are eligible."""
    steps = Steps()
    scores = steps.take("scores of all", lambda: score_table(model, profiles, bands=ScoringSettings()))
    candidates = steps.take(
        "profiles, scores and attributes as one table in SQL",
        lambda: Candidates.of(connect(), profiles=profiles, scores=scores),
    )
    chosen = partial(_selected, model, candidates, scores=scores)
    selection = steps.take(f"selection of {CAPACITY:,} users to be contacted", chosen)
    places: list[int] = selection.treated.tolist()
    reasons = steps.take("reasons of the list", lambda: list_reasons(model, profiles.take(places)))
    rows = ListRows(candidates, ExportSettings())
    table = steps.take("rows of the list", lambda: rows.rows(selection, scores, reasons=reasons))
    content = ListContent(table, rows.held_out_ids(selection), ())
    steps.take("files of the list", partial(_write, content, folder / "list"))
    steps.take("the same files, written bare", partial(_write_bare, table, folder / "bare"))
    steps.take("reasons of all, as churn score keeps them", lambda: with_reasons(scores, model, profiles=profiles))
    return steps.done, profiles.num_rows - scores.column("raw_score").null_count


def _selected(model: ChurnModel, candidates: Candidates, *, scores: pa.Table) -> Selection:
    settings = ListSettings(capacity=CAPACITY)
    held_out = np.arange(scores.num_rows) % 10 == 0
    ranked = Ranking.of(scores, held_out=held_out, excluded=candidates.excluded(ExportSettings(), model.eligibility))
    return select(ranked, [settings], wanted=[candidates.wanted(settings)])[0]


def _write(content: ListContent, place: Path) -> Path:
    batch, entry = Batch(CUTOFF, "churn", "1", ""), ListEntry("at_risk", "0" * 16, "2026-Q2", 0.1)
    return write_list(Place(place), content, batch=batch, entry=entry, settings=ExportSettings())


def _write_bare(table: pa.Table, folder: Path) -> None:
    """Write Parquet, three CSV files and a workbook by the libraries alone."""
    folder.mkdir()
    pq.write_table(table, folder / "at_risk.parquet", compression="zstd")
    for name in ("at_risk", "upload", "delta"):
        pacsv.write_csv(table, folder / f"{name}.csv")
    book = xlsxwriter.Workbook(str(folder / "at_risk.xlsx"), {"constant_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, table.column_names)
    for number, row in enumerate(zip(*(column.to_pylist() for column in table.columns), strict=True), start=1):
        sheet.write_row(number, 0, [str(one) if isinstance(one, date) else one for one in row])
    book.close()


def _write_page(users: int, eligible: int, *, steps: list[Step]) -> None:
    about = (
        f"Measured on {datetime.now(UTC).date()} by `make bench-list` on 2 cores: {users:,} stored users, {eligible:,} of them "
        f"eligible, a list of {CAPACITY:,} users to be contacted. One step after the other in one process; the peak is that of the "
        "process so far, with all profiles in memory."
    )
    table = [
        "| step | seconds | CPU seconds | peak, GiB |",
        "|---|---|---|---|",
        *(f"| {one.name} | {one.wall:.1f} | {one.cpu:.1f} | {one.peak:.2f} |" for one in steps),
    ]
    lines = ["# What the weekly list costs", "", about, "", *table, ""]
    (PAGES / "weekly_list.md").write_text("\n".join(lines))


if __name__ == "__main__":
    main()
