"""What may be wrong around a project: the installation, the machine, the home and the log, each with what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from churn.home import Home
from churn.jobs.status import existing_registry, kept_log
from churn.progress import Progress
from churn.results.status import Checkup, Diagnosis
from features.errors import ChurnError

if TYPE_CHECKING:
    from churn.project import Project
    from features.activity.manifest import Manifest
    from features.activity.store import Activity

_PACKAGES = ("churn", "duckdb", "lightgbm", "scikit-learn", "pandas", "mlflow", "bentoml")
_GB = 1_000_000_000
_MIN_DISK_GB, _MIN_MEMORY_GB = 2.0, 1.0
_FEW_ELIGIBLE, _MANY_SET_ASIDE, _MANY_EMPTY = 0.05, 0.01, 0.02


def doctor(project: Project, *, say: Progress) -> Diagnosis:
    """Look at everything; the log as it was last read."""
    say("looking at the installation and the machine")
    machine = [_versions(), _openmp(), _memory(project), _disk(project), *_java(project)]
    say("looking at the home")
    home = [_format(project), _locks(project), _mlflow(project)]
    say("looking at the log")
    return Diagnosis((*machine, *home, *_log(project)))


# --- The installation and the machine ------------------------------------------------------------------------------


def _versions() -> Checkup:
    found, missing = [f"Python {platform.python_version()}"], list[str]()
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    words = ", ".join(found) + (f"; missing: {', '.join(missing)}" if missing else "")
    return Checkup("versions", not missing, words, "install churn again, with its dependencies" if missing else "")


def _openmp() -> Checkup:
    try:
        import lightgbm
    except OSError as error:
        return Checkup("OpenMP", False, str(error), "apt-get install libgomp1 (Debian), or brew install libomp (macOS)")
    return Checkup("OpenMP", True, f"LightGBM {lightgbm.__version__} loads")


def _memory(project: Project) -> Checkup:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / _GB
    limit = project.settings.compute.memory_limit_gb
    usable = min(limit or total, total)
    words = f"{total:.1f} GB" + (f", of which the engine may use {limit:g} GB" if limit else "")
    way_out = "raise [compute] memory_limit_gb, or use a larger machine" if usable < _MIN_MEMORY_GB else ""
    return Checkup("memory", not way_out, words, way_out)


def _disk(project: Project) -> Checkup:
    place = next(folder for folder in (project.root.absolute(), *project.root.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(place).free / _GB
    way_out = "make room, or name a home elsewhere: --home, CHURN_HOME" if free < _MIN_DISK_GB else ""
    return Checkup("disk", not way_out, f"{free:.1f} GB free at {place}", way_out)


def _java(project: Project) -> Iterator[Checkup]:
    """Look for Java, which only Spark needs."""
    if project.settings.compute.engine != "spark":
        return
    path = shutil.which("java")
    found = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr if path else ""  # noqa: S603
    way_out = "" if path else 'install a Java runtime of version 17 or newer, or set [compute] engine = "duckdb"'
    yield Checkup("Java", bool(path), found.partition("\n")[0] or "there is none", way_out)


# --- The home ------------------------------------------------------------------------------------------------------


def _format(project: Project) -> Checkup:
    from churn.upgrade import FORMAT_VERSION, format_of

    if not project.root.is_dir():
        return Checkup("home", True, f"{project.root}: not made yet")
    try:
        found = format_of(Home(project.root))
    except ChurnError as error:
        return Checkup("home", False, error.message, error.hint)
    upgrade = f"; the next command brings it to format {FORMAT_VERSION}" if found < FORMAT_VERSION else ""
    return Checkup("home", True, f"{project.root}, format {found}{upgrade}")


def _locks(project: Project) -> Checkup:
    from features.storage.locks import is_held

    held = [str(place.relative_to(project.root)) for place in sorted(project.root.rglob("*.lock")) if is_held(place)]
    way_out = "wait for the runs that hold them, or end them" if held else ""
    return Checkup("locks", not held, f"held: {', '.join(held)}" if held else "none is held", way_out)


def _mlflow(project: Project) -> Checkup:
    try:
        registry = existing_registry(project)
        if registry is None:
            return Checkup("MLflow", True, "nothing is registered yet")
        latest = registry.facts()
    except ChurnError as error:
        return Checkup("MLflow", False, error.message, error.hint)
    versions = f"latest version of {project.name}: {latest.version}" if latest else f"no version of {project.name}"
    return Checkup("MLflow", True, f"reachable; {versions}")


# --- The log -------------------------------------------------------------------------------------------------------


def _log(project: Project) -> Iterator[Checkup]:
    """Look at the log as it was last read."""
    kept = kept_log(project)
    if kept is None:
        yield Checkup("log", True, "not read yet under these settings: churn horizon reads it")
        return
    activity = _activity(project, *kept)
    yield _set_aside(activity)
    yield from _notes(activity)
    yield _gaps(activity)
    yield _outages(project, activity)
    yield from _users(project, activity)
    yield _eligible(project, activity)


def _activity(project: Project, folder: Path, manifest: Manifest) -> Activity:
    from features.activity.store import Activity
    from features.storage.duckdb import connect

    s = project.settings
    return Activity(connect(compute=s.compute), folder, manifest, s.compute.rows_at_once, naive_zone=s.events.timezone)


def _set_aside(activity: Activity) -> Checkup:
    from features.log.rejected import describe_rejected

    inventory = activity.manifest.inventory
    bad = sum(inventory.rejected.values())
    share = bad / max(1, bad + inventory.rows)
    words = f"{bad:,} of {bad + inventory.rows:,} rows ({share:.1%}): {describe_rejected(inventory.rejected)}"
    way_out = (
        "see the rows with their reasons in rejected/ of the home, and correct [events.columns]"
        if share > _MANY_SET_ASIDE
        else ""
    )
    return Checkup("set aside", not way_out, words, way_out)


def _notes(activity: Activity) -> Iterator[Checkup]:
    """Repeat what was noted when the log was read: repeated ids, copies of files, events far from all others."""
    notes = [note for note in activity.manifest.notes if not note.startswith("set aside")]
    if notes:
        yield Checkup("notes on the log", True, "; ".join(notes))


def _gaps(activity: Activity) -> Checkup:
    coverage, days = activity.coverage, activity.manifest.inventory.days
    length = (coverage.covered_until - coverage.first_day).days
    empty = length - sum(coverage.holds(day) for day in days)
    words = f"{empty:,} of {length:,} days have no event; {coverage.first_day} up to {coverage.covered_until}"
    way_out = (
        "see whether files are missing; an outage is excluded from training" if empty > _MANY_EMPTY * length else ""
    )
    return Checkup("gaps", not way_out, words, way_out)


def _outages(project: Project, activity: Activity) -> Checkup:
    from training.plan.outages import describe_outages, find_outages

    s = project.settings
    found = find_outages(activity, s.outages, horizon_days=s.churn.horizon_days)
    if not found:
        return Checkup("outages", True, "none")
    way_out = "complete the log for these days if it can be; else snapshots that touch them are excluded"
    return Checkup("outages", False, describe_outages(found), way_out)


def _users(project: Project, activity: Activity) -> Iterator[Checkup]:
    """Compare the ids of the log with those of ``[users]`` and ``[identities]``, where there are any."""
    s = project.settings
    if not (s.users.path or s.identities.path):
        return
    try:
        tables = project.reader.known_users(activity)
    except ChurnError as error:
        yield Checkup("users", False, error.message, error.hint)
        return
    notes = tables.notes(activity.connection, activity.versions("days"))
    way_out = "see that both write ids the same way; map user_id in SQL where they do not" if notes else ""
    yield Checkup("users", not notes, "; ".join(notes) or "their ids are those of the log", way_out)


def _eligible(project: Project, activity: Activity) -> Checkup:
    within = project.settings.churn.active_within_days
    end = activity.coverage.covered_until
    ((users, recent),) = activity.connection.execute(
        f"""select count(*), count(*) filter (last >= date '{end}' - {within or 10**5}) from
            (select user_id, max(day) as last from {activity.relation("days")} where qualifying_events > 0 group by 1)"""
    ).fetchall()
    share = recent / users if users else 0.0
    way_out = "raise [churn] active_within_days: churn horizon shows who comes back" if share < _FEW_ELIGIBLE else ""
    words = (
        f"{recent:,} of {users:,} users ({share:.1%}) were active in the last {within} days"
        if within
        else f"all {users:,} users"
    )
    return Checkup("eligible", not way_out, words, way_out)
