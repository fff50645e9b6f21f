"""The verbs' work inside Spark, where ``[compute] engine`` says so: under a model's frozen specification, as scoring is."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from features.errors import SettingsError

if TYPE_CHECKING:
    import pyarrow as pa

    from churn.cli.console import Steps
    from churn.project import Project
    from features.spark.cluster import SparkLog
    from models.churn_model import ChurnModel
    from serving.score import Score


def write_profiles(project: Project, out: Path, *, cutoff: date, model: str, say: Steps) -> dict[str, Any]:
    """Have Spark write the profiles that a model reads into a folder of Parquet files; return what was read and written.

    Raises
    ------
    InputError
        When there is no such model, or the log cannot be used.
    """
    from features.spark.cluster import write, written

    if out.is_file():
        raise SettingsError(f"--out: {out} is a file, and Spark writes a folder", hint="name another place")
    found = project.registry.get(model).model
    say("reading the log")
    log = _log(project, found, say=say)
    say(f"building profiles in {log.buckets} buckets of users")
    write(log.profiles(found.specification, cutoffs=[cutoff]), out)
    rows = written(out, log.raw.sparkSession).count()
    coverage = log.coverage
    return {
        "rows": log.contents.rows,
        "rejected": log.contents.rejected,
        "first_day": str(coverage.first_day),
        "covered_until": str(coverage.covered_until),
        "profiles": rows,
        "columns": len(found.specification.feature_names) + 2,
        "path": str(out),
    }


def score_all(project: Project, model: ChurnModel, *, cutoff: date, say: Steps) -> tuple[pa.Table, list[Score]]:
    """ProfileSet and score all profiles in Spark, and bring both here, sorted by user.

    Raises
    ------
    InputError
        When the log cannot be used.
    """
    import pyarrow.parquet as pq

    from features.spark.cluster import write, written
    from serving.batch.spark import collect_scores

    say("reading the log")
    log = _log(project, model, say=say)
    say(f"building profiles at {cutoff} in {log.buckets} buckets of users")
    project.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=project.home) as passing:  # written once: they are both scored and kept for serving
        folder = Path(passing) / "profiles"
        write(log.profiles(model.specification, cutoffs=[cutoff]), folder)
        profiles = pq.read_table(folder).sort_by("user_id")
        say(f"scoring {profiles.num_rows:,} users")
        lying = written(folder, log.raw.sparkSession)
        return profiles, collect_scores(lying, model, bands=project.settings.scoring)


def _log(project: Project, model: ChurnModel, *, say: Steps) -> SparkLog:
    from features.spark.cluster import open_session, read_log

    settings = project.settings
    if settings.users.path or settings.identities.path:
        raise SettingsError(
            '[users] and [identities] are not read by [compute] engine = "spark"',
            hint='take engine = "duckdb", or a model and settings without these tables',
        )
    return read_log(project.activity_settings(frozen=model, say=say.within), open_session(project.settings.compute))
