"""What is measured, step by step; each step is done in a process of its own, which reports as JSON."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from benchmarks.measuring import die_first, measure
from benchmarks.profiles.world import Bench

SIZES = ("1m", "10m", "100m")


@dataclass(frozen=True)
class Step:
    """One thing to measure.

    Attributes
    ----------
    does
        Module and function that prepare it.
    times
        How often one process does it; the median counts.
    same_as
        Our step that must give equal profiles, before any time is told.
    needs
        Library without which it is left out.
    """

    name: str
    title: str
    does: str
    times: int = 1
    is_ours: bool = True
    is_compared: bool = False
    same_as: str = ""
    needs: str = ""
    sizes: tuple[str, ...] = SIZES

    def why_not(self, size: str) -> str:
        """Say why it is left out; empty: it is not."""
        if size not in self.sizes:
            return f"not tried: it is measured up to {self.sizes[-1].upper()}"
        return f"{self.needs} is not installed" if self.needs and find_spec(self.needs) is None else ""


_OURS, _OTHERS = "benchmarks.profiles.ours:", "benchmarks.profiles.others:"
_FEWER = SIZES[:2]  # for those whose memory or time ends there
STEPS = (
    Step("scan", "scan and hash of the 11 columns", f"{_OURS}scan", times=3, is_ours=False),
    Step("raw_1", "one cutoff from raw", f"{_OURS}one_from_raw", is_compared=True),
    Step("raw_12", "twelve cutoffs from raw", f"{_OURS}twelve_from_raw"),
    Step("kept_1", "one cutoff from kept", f"{_OURS}one_from_kept"),
    Step("kept_12", "twelve cutoffs from kept", f"{_OURS}twelve_from_kept"),
    Step("new_day", "a new day: activity", f"{_OURS}new_day"),
    Step("new_day_1", "a new day: one cutoff after it", f"{_OURS}one_after_new_day"),
    Step("first_csv", "the log as CSV, a file a day: activity", f"{_OURS}first_csv", sizes=_FEWER),
    Step("next_csv", "a new day of CSV: activity", f"{_OURS}next_csv", sizes=_FEWER),
    Step("shared", "shared features from raw, ours", f"{_OURS}shared_from_raw", is_compared=True),
    Step("shared_kept", "shared features from kept, ours", f"{_OURS}shared_from_kept"),
    Step(
        *("polars", "shared features from raw, Polars (streaming)", f"{_OTHERS}with_polars"),
        is_ours=False,
        same_as="shared",
        needs="polars",
    ),
    Step(
        *("pandas", "shared features from raw, pandas, dictionaries read", f"{_OTHERS}with_pandas"),
        is_ours=False,
        same_as="shared",
        sizes=_FEWER,
    ),
    Step(
        *("plain_pandas", "shared features from raw, pandas, texts read", f"{_OTHERS}with_plain_pandas"),
        is_ours=False,
        same_as="shared",
        sizes=_FEWER,
    ),
    Step("dozen", "a dozen features from raw, ours", f"{_OURS}dozen_from_raw", is_compared=True),
    Step(
        *("pyspark", "a dozen features from raw, PySpark", f"{_OTHERS}with_pyspark"),
        is_ours=False,
        same_as="dozen",
        needs="pyspark",
        sizes=_FEWER,
    ),
    Step(
        *("spark_dozen", "a dozen features from raw, ours in Spark", f"{_OURS}dozen_in_spark"),
        same_as="dozen",
        needs="pyspark",
        sizes=_FEWER,
    ),
    Step(
        *("spark", "one cutoff from raw, ours in Spark", f"{_OURS}one_in_spark"),
        same_as="raw_1",
        needs="pyspark",
        sizes=_FEWER,
    ),
)


def perform(does: str, bench: Bench, *, times: int = 1, table: Path | None = None) -> dict[str, Any]:
    """Prepare and measure one step here; put the profiles it built into ``table``."""
    work = resolve_name(does)(bench)
    measured, result = measure(work, times=times)
    if table is not None:
        import_module("pyarrow.parquet").write_table(result, table)
    return asdict(measured) | (result if isinstance(result, dict) else {})


def main(arguments: Sequence[str] | None = None) -> None:
    """Do one step, or compare what two of them left."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("does")
    parser.add_argument("folder", type=Path)
    parser.add_argument("report", type=Path)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--same", nargs=2)
    given = parser.parse_args(arguments)
    die_first()
    bench = Bench(given.folder)
    if given.same:
        report = resolve_name(given.does)(bench, given.same[0], theirs=given.same[1])
    else:
        report = perform(given.does, bench, times=given.times, table=given.table)
    given.report.write_text(json.dumps(report))
